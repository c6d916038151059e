//! Queues, and the one that EventBridge feeds.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;

use crate::account::Account;
use crate::digest::draw_uuid;
use crate::record::Record;
use crate::switches::{Channel, Switches};
use crate::time;

/// The events that the rule names.
const RULE: [&str; 17] = [
    "AttachVolume",
    "CompleteLifecycleAction",
    "CreateFleet",
    "CreateGrant",
    "CreateReplaceRootVolumeTask",
    "Decrypt",
    "DetachInstances",
    "DetachVolume",
    "EnterStandby",
    "ExitStandby",
    "RebootInstances",
    "RunInstances",
    "StartInstances",
    "StopInstances",
    "TerminateInstanceInAutoScalingGroup",
    "TerminateInstances",
    "UpdateAutoScalingGroup",
];

/// The largest event that EventBridge sends.
const LARGEST: usize = 256 << 10;

/// Queues by name.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    queues: HashMap<String, Queue>,
    /// How many of the account's records have been looked at.
    fed: usize,
}

/// A queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// By the millisecond at which they can be received.
    messages: BTreeMap<(i64, u64), Message>,
    places: HashMap<u64, i64>,
    serial: u64,
}

/// A message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) serial: u64,
    pub(crate) body: String,
    pub(crate) sent: i64,
    pub(crate) received: u32,
}

impl Message {
    /// Another one for each receipt.
    pub(crate) fn handle(&self) -> String {
        format!("{:016x}-{}", self.serial, self.received)
    }
}

impl Queues {
    pub(crate) fn get(&mut self, name: &str) -> Option<&mut Queue> {
        self.queues.get_mut(name)
    }

    pub(crate) fn create(&mut self, name: &str) -> &mut Queue {
        self.queues.entry(name.to_owned()).or_default()
    }

    /// Puts what has been delivered since into the queue of the events.
    pub(crate) fn feed(&mut self, name: &str, account: &Account, switches: &Switches, now: i64) {
        let queue = self.queues.entry(name.to_owned()).or_default();
        while let Some(record) = account.by_delivery.get(self.fed).and_then(|index| account.records.get(*index)) {
            if record.delivered > now {
                break;
            }
            self.fed += 1;
            if !(is_in_rule(record) && switches.show(account, record, Channel::Bridge)) {
                continue;
            }
            if let Some(body) = envelope(account, record).filter(|body| body.len() <= LARGEST) {
                queue.send(body, record.delivered * 1000);
            }
        }
    }
}

fn is_in_rule(record: &Record) -> bool {
    let source = record.source.strip_suffix(".amazonaws.com");
    matches!(source, Some("kms" | "ec2" | "autoscaling")) && RULE.contains(&&*record.name)
}

/// The event around a record. Amazon EventBridge Events Reference, "AWS service events delivered via CloudTrail".
fn envelope(account: &Account, record: &Record) -> Option<String> {
    let place = account.places.get(record.place)?;
    let source = record.source.strip_suffix(".amazonaws.com")?;
    let front = json!({
        "version": "0",
        "id": draw_uuid(9, &record.event_id),
        "detail-type": "AWS API Call via CloudTrail",
        "source": format!("aws.{source}"),
        "account": place.account,
        "time": time::iso(record.at),
        "region": place.region,
        "resources": [],
    });
    let front = front.to_string();
    Some(format!("{},\"detail\":{}}}", front.strip_suffix('}')?, record.text))
}

impl Queue {
    /// Adds a message. Times are in milliseconds.
    pub(crate) fn send(&mut self, body: String, at: i64) -> u64 {
        self.serial += 1;
        let message = Message { serial: self.serial, body, sent: at, received: 0 };
        self.put(message, at);
        self.serial
    }

    fn put(&mut self, message: Message, visible: i64) {
        self.places.insert(message.serial, visible);
        self.messages.insert((visible, message.serial), message);
    }

    /// Hands out messages and hides them for a while.
    pub(crate) fn receive(&mut self, most: usize, now: i64, hidden: i64) -> Vec<Message> {
        let mut received = Vec::new();
        while received.len() < most
            && let Some((key, _)) = self.messages.first_key_value().filter(|((visible, _), _)| *visible <= now)
        {
            let key = *key;
            let Some(mut message) = self.messages.remove(&key) else { break };
            message.received += 1;
            received.push(message.clone());
            self.put(message, now + hidden.max(0));
            if hidden <= 0 {
                break;
            }
        }
        received
    }

    /// Deletes a message. A handle that is not the latest deletes nothing, without an error. `None`: it is no handle.
    pub(crate) fn delete(&mut self, handle: &str) -> Option<()> {
        let (serial, received) = handle.split_once('-')?;
        let serial = u64::from_str_radix(serial, 16).ok()?;
        let received: u32 = received.parse().ok()?;
        let Some(visible) = self.places.get(&serial).copied() else { return Some(()) };
        let is_latest = self.messages.get(&(visible, serial)).is_some_and(|message| message.received == received);
        if is_latest {
            self.messages.remove(&(visible, serial));
            self.places.remove(&serial);
        }
        Some(())
    }

    /// Messages that can be received, and those that are hidden.
    pub(crate) fn counts(&self, now: i64) -> (usize, usize) {
        let visible = self.messages.range(..=(now, u64::MAX)).count();
        (visible, self.messages.len() - visible)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_until_it_is_deleted() {
        let mut queue = Queue::default();
        queue.send("a".into(), 0);
        let first = queue.receive(10, 0, 30_000);
        assert_eq!((first.len(), queue.counts(29_999)), (1, (0, 1)));
        assert!(queue.receive(10, 29_999, 30_000).is_empty());
        let second = queue.receive(10, 30_000, 30_000);
        assert_eq!(second.iter().map(|message| message.received).collect::<Vec<_>>(), [2]);
        assert_eq!(queue.delete(&first[0].handle()), Some(()));
        assert_eq!(queue.counts(60_000), (1, 0));
        assert_eq!(queue.delete(&second[0].handle()), Some(()));
        assert_eq!(queue.counts(60_000), (0, 0));
        assert_eq!(queue.delete("nonsense"), None);
    }
}
