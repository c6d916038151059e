//! An SQS queue that an EventBridge rule feeds with exactly the records that matter: quick and cheap for large fleets.

mod envelope;

use std::collections::{BTreeMap, HashSet};

use aws_sdk_sqs::types::QueueAttributeName;
use exposure_core::ids::Source;
use futures::future::join_all;
use tokio::time::Instant;

use super::covered::shifted;
use super::error::failure;
use super::{Ask, Batch, DELIVERY_SECONDS, RecordSource, intake};
use crate::failure::{Class, Failure};
use envelope::{Opened, open};

const RECEIVE: &str = "sqs:ReceiveMessage";
const DELETE: &str = "sqs:DeleteMessageBatch";
const ATTRIBUTES: &str = "sqs:GetQueueAttributes";

/// How many messages a request receives or deletes at most (SQS API, `ReceiveMessage`, `DeleteMessageBatch`).
const MESSAGES_A_REQUEST: usize = 10;
/// How many requests are in flight.
const IN_FLIGHT: usize = 8;
/// How many messages a run takes, so that it fits its memory; the rest stays for the next.
const MESSAGES_A_RUN: u64 = 100_000;
/// How often in a row nothing must come for the queue to be empty: an answer asks some of SQS's servers only
/// (SQS Developer Guide, "Short polling").
const SILENCE: u32 = 2;

/// What another run has received, it may not live to save: a cause may be among it, so the queue does not count as empty
/// while it holds any. It is shown again when the queue's visibility timeout ends.
const HELD: &str =
    "another run holds messages of the queue; what they say comes with them, or when they are shown again";

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its ID, the same whenever it is received again.
    pub id: String,
    /// What confirms it.
    pub receipt: String,
    /// What it holds.
    pub body: String,
}

/// What receives and deletes messages: the SDK's client, or a made-up queue.
pub trait QueueClient: Sync {
    /// Up to ten messages, or none, without waiting for any.
    fn receive(&self) -> impl Future<Output = Result<Vec<Message>, Failure>> + Send;

    /// Deletes up to ten messages by their receipts.
    fn delete(&self, receipts: &[String]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// About how many messages were received, by whomever, and neither deleted nor shown again.
    fn held(&self) -> impl Future<Output = Result<u64, Failure>> + Send;
}

/// The SDK's client of one queue.
#[derive(Debug, Clone)]
pub struct SdkQueue {
    /// The client.
    pub client: aws_sdk_sqs::Client,
    /// `QUEUE_URL`.
    pub url: String,
}

impl QueueClient for SdkQueue {
    async fn receive(&self) -> Result<Vec<Message>, Failure> {
        let request =
            self.client.receive_message().queue_url(&self.url).max_number_of_messages(10).wait_time_seconds(0);
        let answer = request.send().await.map_err(|error| failure(RECEIVE, &error))?;
        let messages = answer.messages.unwrap_or_default().into_iter().filter_map(|message| {
            let receipt = message.receipt_handle?;
            let id = message.message_id.unwrap_or_else(|| receipt.clone());
            Some(Message { id, receipt, body: message.body.unwrap_or_default() })
        });
        Ok(messages.collect())
    }

    async fn delete(&self, receipts: &[String]) -> Result<(), Failure> {
        let mut request = self.client.delete_message_batch().queue_url(&self.url);
        for (number, receipt) in receipts.iter().enumerate() {
            let entry = aws_sdk_sqs::types::DeleteMessageBatchRequestEntry::builder()
                .id(number.to_string())
                .receipt_handle(receipt)
                .build()
                .map_err(|error| Failure::new(DELETE, Class::Invalid, &error.to_string()))?;
            request = request.entries(entry);
        }
        let answer = request.send().await.map_err(|error| failure(DELETE, &error))?;
        match answer.failed.first() {
            None => Ok(()),
            Some(first) => {
                let text = format!("{} of {} were not deleted: {}", answer.failed.len(), receipts.len(), first.code);
                Err(Failure::new(DELETE, if first.sender_fault { Class::Invalid } else { Class::Unavailable }, &text))
            }
        }
    }

    async fn held(&self) -> Result<u64, Failure> {
        let name = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let request = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        let answer = request.send().await.map_err(|error| failure(ATTRIBUTES, &error))?;
        let count = answer.attributes.as_ref().and_then(|attributes| attributes.get(&name)?.parse().ok());
        count.ok_or_else(|| {
            Failure::new(ATTRIBUTES, Class::Unavailable, "no number of messages in flight in the answer")
        })
    }
}

/// The source that empties a queue. One queue serves all accounts and regions.
#[derive(Debug)]
pub struct QueueSource<C> {
    client: C,
}

/// A run's reading of the queue.
struct Drain<'a> {
    asks: &'a [Ask<'a>],
    places: BTreeMap<&'a Source, usize>,
    batches: Vec<Batch>,
    /// Messages and records that were taken.
    taken: HashSet<String>,
    counted: HashSet<String>,
}

impl<C: QueueClient + Send + Sync> QueueSource<C> {
    /// A source that empties the queue of `client`.
    pub fn new(client: C) -> Self {
        Self { client }
    }

    async fn drain(&self, asks: &[Ask<'_>]) -> Result<Vec<Batch>, Failure> {
        let Some(deadline) = asks.iter().map(|ask| ask.deadline).min() else { return Ok(Vec::new()) };
        let mut drain = Drain::new(asks);
        let (mut requests, mut messages, mut silent, mut width) = (1, 0, 0, 1);
        let all_shown = match tokio::time::timeout_at(deadline, self.client.held()).await {
            Ok(Ok(0)) => true,
            Ok(Ok(_)) => {
                drain.problem(HELD.to_owned());
                false
            }
            Ok(Err(failure)) => {
                drain.problem(failure.to_string());
                false
            }
            Err(_) => return Ok(drain.finish(requests, false)),
        };
        while silent < SILENCE && messages < MESSAGES_A_RUN && Instant::now() < deadline {
            let round = join_all((0..width).map(|_| self.client.receive()));
            let Ok(answers) = tokio::time::timeout_at(deadline, round).await else { break };
            let (mut full, mut news) = (true, false);
            for answer in answers {
                requests += 1;
                let received = match answer {
                    Ok(received) => received,
                    Err(failure) if requests == 2 => return Err(failure),
                    Err(failure) => {
                        drain.problem(failure.to_string());
                        return Ok(drain.finish(requests, false));
                    }
                };
                full &= received.len() >= MESSAGES_A_REQUEST;
                for message in received {
                    messages += 1;
                    news |= drain.take(&message);
                }
            }
            silent = if news { 0 } else { silent + 1 };
            width = if full { (width * 2).min(IN_FLIGHT) } else { width };
        }
        Ok(drain.finish(requests, all_shown && silent >= SILENCE))
    }
}

impl<'a> Drain<'a> {
    fn new(asks: &'a [Ask<'a>]) -> Self {
        let batches = asks.iter().map(|ask| Batch { memory: ask.memory.clone(), ..Batch::default() }).collect();
        let places = asks.iter().enumerate().map(|(at, ask)| (ask.place, at)).collect();
        Self { asks, places, batches, taken: HashSet::new(), counted: HashSet::new() }
    }

    /// Takes a message, and says whether it is news. One of a record after the run's time is left in the queue.
    fn take(&mut self, message: &Message) -> bool {
        if !self.taken.insert(message.id.clone()) {
            return false;
        }
        let opened = open(&message.body, |place| self.places.contains_key(place));
        let at = match &opened {
            Opened::Record { place, .. } => self.places.get(place).copied().unwrap_or(0),
            Opened::Refused(_) => 0,
        };
        let (Some(ask), Some(batch)) = (self.asks.get(at), self.batches.get_mut(at)) else { return false };
        match opened {
            Opened::Refused(reason) => intake::refuse(batch, reason),
            Opened::Record { identity, reading, .. } => {
                if reading.time.is_some_and(|time| time > ask.now) {
                    return true;
                }
                // A message comes at least once, and a record in one message or several.
                if identity.is_none_or(|identity| self.counted.insert(identity)) {
                    let observation = intake::take(batch, *reading);
                    batch.observations.extend(observation);
                }
            }
        }
        batch.receipts.push(message.receipt.clone());
        batch.work.done += 1;
        true
    }

    fn problem(&mut self, text: String) {
        if let Some(batch) = self.batches.first_mut() {
            intake::problem(batch, text);
        }
    }

    /// Requests are shown with the first account and region; a queue is complete for all or for none.
    fn finish(mut self, requests: u64, drained: bool) -> Vec<Batch> {
        if let Some(batch) = self.batches.first_mut() {
            batch.requests.made = requests;
        }
        for (batch, ask) in self.batches.iter_mut().zip(self.asks) {
            batch.complete_through = drained.then(|| shifted(ask.now, -DELIVERY_SECONDS));
            batch.work.planned = batch.work.done + u64::from(!drained);
        }
        self.batches
    }
}

impl<C: QueueClient + Send + Sync> RecordSource for QueueSource<C> {
    async fn read<'a>(&'a self, asks: &'a [Ask<'a>]) -> Vec<Result<Batch, Failure>> {
        match self.drain(asks).await {
            Ok(batches) => batches.into_iter().map(Ok).collect(),
            Err(failure) => asks.iter().map(|_| Err(failure.clone())).collect(),
        }
    }

    /// Deletes the messages. What could not be deleted comes again, which is harmless.
    async fn confirm(&self, receipts: &[String]) -> Result<(), Failure> {
        let mut result = Ok(());
        for wave in receipts.chunks(MESSAGES_A_REQUEST * IN_FLIGHT) {
            let deleted = join_all(wave.chunks(MESSAGES_A_REQUEST).map(|batch| self.client.delete(batch))).await;
            result = deleted.into_iter().fold(result, Result::and);
        }
        result
    }
}

#[cfg(test)]
mod tests;
