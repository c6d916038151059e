//! Reading windows of streams page by page, within a number of requests and until a deadline, past throttling,
//! expired and repeated tokens.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use exposure_core::decode;
use exposure_core::ids::InstanceId;
use exposure_core::observation::{Cause, Kind, Observation};
use exposure_core::time::{TimeSpan, Timestamp};
use rand::RngExt;
use rand::rngs::SmallRng;
use serde::Deserialize;
use tokio::time::Instant;

use super::super::covered::{Covered, seconds_of, shifted};
use super::super::{Batch, intake};
use super::client::{Entry, LookupClient, LookupError, Page, Query};
use super::memory::LookupMemory;
use super::stream::{Attribute, Stream};
use crate::failure::{Class, Failure};

/// How often a request is made again that was throttled or failed.
const RETRIES: u32 = 5;
/// How long the first wait is before that; each further one is twice as long, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// How often a window is taken up again after a token was refused.
const RESUMPTIONS: u32 = 12;

/// Why reading stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// No requests are left for this.
    Budget,
    /// No time is left.
    Deadline,
    /// The stream cannot be read now; others can.
    Stream,
    /// The place cannot be read now.
    Place(Failure),
}

/// What came of a window.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Readout {
    /// How many events it listed.
    pub(super) events: u64,
    /// Over how many seconds.
    pub(super) seconds: u64,
}

/// Reads windows of one account and region. Counts each record once, however many streams show it.
pub(super) struct Reader<'a, C> {
    pub(super) client: &'a C,
    pub(super) deadline: Instant,
    /// How many requests may have been made when it stops.
    pub(super) limit: u64,
    pub(super) batch: Batch,
    /// What is learnt of keys and of which streams show sightings.
    pub(super) memory: LookupMemory,
    /// Instances whose launch by an Auto Scaling group was read.
    pub(super) launched: BTreeSet<InstanceId>,
    /// The records that were counted, each with the instance that it is a sighting of.
    counted: HashMap<String, Option<(InstanceId, Timestamp)>>,
    chance: SmallRng,
}

/// One window on its way down.
struct Paging {
    window: TimeSpan,
    oldest: Option<Timestamp>,
    tokens: HashSet<String>,
}

impl Paging {
    fn new(window: TimeSpan) -> Self {
        Self { window, oldest: None, tokens: HashSet::new() }
    }

    /// What was read for certain: the events of the oldest second may go on on the next page.
    fn read(&self) -> Option<TimeSpan> {
        let span = TimeSpan { from: shifted(self.oldest?, 1), to: self.window.to };
        (span.from <= span.to).then_some(span)
    }

    /// What to ask for instead of the next page, the newest last: the rest by time, or two halves where not even a
    /// second was read. Nothing where there is only one second.
    fn resume(&self) -> Vec<TimeSpan> {
        let rest =
            self.read().map_or(self.window, |read| TimeSpan { from: self.window.from, to: shifted(read.from, -1) });
        if rest.to < self.window.to {
            return if rest.from <= rest.to { vec![rest] } else { Vec::new() };
        }
        let (from, to) = (self.window.from.as_second(), self.window.to.as_second());
        let middle = Timestamp::from_second(from + (to - from) / 2);
        if from >= to {
            return Vec::new();
        }
        vec![TimeSpan { from: self.window.from, to: middle }, TimeSpan { from: shifted(middle, 1), to: self.window.to }]
    }
}

impl<'a, C: LookupClient> Reader<'a, C> {
    pub(super) fn new(client: &'a C, deadline: Instant, memory: LookupMemory, chance: SmallRng) -> Self {
        Self {
            client,
            deadline,
            limit: 0,
            batch: Batch::default(),
            memory,
            launched: BTreeSet::new(),
            counted: HashMap::new(),
            chance,
        }
    }

    /// How many requests are left.
    pub(super) fn left(&self) -> u64 {
        self.limit.saturating_sub(self.batch.requests.made)
    }

    /// Reads a window of a stream, the newest first, and adds to `covered` what was read of it, also where it stops.
    pub(super) async fn window(
        &mut self,
        stream: &Stream,
        window: TimeSpan,
        covered: &mut Covered,
    ) -> (Readout, Option<Stop>) {
        let mut readout = Readout::default();
        let mut waiting = vec![window];
        let mut resumptions = 0;
        while let Some(window) = waiting.pop() {
            let mut paging = Paging::new(window);
            let end = self.page_down(stream, &mut paging, &mut readout).await;
            let read = if end == Ok(true) { Some(window) } else { paging.read() };
            if let Some(read) = read {
                covered.add(read);
                readout.seconds = readout.seconds.saturating_add(seconds_of(read));
            }
            match end {
                Ok(true) => {}
                Ok(false) => {
                    let rest = paging.resume();
                    resumptions += 1;
                    let ended = paging.read().is_some_and(|read| read.from <= window.from);
                    if resumptions > RESUMPTIONS || (rest.is_empty() && !ended) {
                        let text = format!("{stream}: its pages break off at {window}", window = window.to);
                        intake::problem(&mut self.batch, text);
                        return (readout, Some(Stop::Stream));
                    }
                    waiting.extend(rest);
                }
                Err(stop) => return (readout, Some(stop)),
            }
        }
        (readout, None)
    }

    /// Goes from page to page. True at the end of the window, false where a token did not work or came again.
    async fn page_down(&mut self, stream: &Stream, paging: &mut Paging, readout: &mut Readout) -> Result<bool, Stop> {
        let mut query = Query { stream: stream.clone(), window: paging.window, token: None };
        loop {
            let Some(page) = self.page(&query).await? else { return Ok(false) };
            for entry in &page.entries {
                readout.events += 1;
                if let Some(time) = entry.time.filter(|time| paging.window.holds(*time)) {
                    paging.oldest = Some(paging.oldest.map_or(time, |oldest| oldest.min(time)));
                }
                self.take(entry, stream.attribute);
            }
            match page.next {
                None => return Ok(true),
                Some(token) if !paging.tokens.insert(token.clone()) => return Ok(false),
                Some(token) => query.token = Some(token),
            }
        }
    }

    /// One page, with patience. Nothing where the token was refused.
    async fn page(&mut self, query: &Query) -> Result<Option<Page>, Stop> {
        let mut wait = FIRST_WAIT;
        for attempt in 0.. {
            if self.left() == 0 {
                return Err(Stop::Budget);
            }
            if Instant::now() >= self.deadline {
                return Err(Stop::Deadline);
            }
            let answer = self.client.page(query).await;
            self.batch.requests.made += u64::from(answer != Err(LookupError::OutOfTime));
            let failure = match answer {
                Ok(page) => return Ok(Some(page)),
                Err(LookupError::Token) => return Ok(None),
                Err(LookupError::OutOfTime) => return Err(Stop::Deadline),
                Err(LookupError::Failed(failure)) => failure,
            };
            match failure.class {
                Class::Throttled => self.batch.requests.throttled += 1,
                Class::Unavailable | Class::TimedOut => {}
                Class::Invalid => {
                    intake::problem(&mut self.batch, format!("{}: {failure}", query.stream));
                    return Err(Stop::Stream);
                }
                Class::Denied | Class::Disabled => return Err(Stop::Place(failure)),
            }
            if attempt >= RETRIES {
                return Err(Stop::Place(failure));
            }
            let part: f64 = self.chance.random();
            let until = Instant::now() + wait.mul_f64(0.5 + part / 2.0);
            tokio::time::sleep_until(until.min(self.deadline)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Err(Stop::Deadline)
    }

    /// Takes one event, if it was not counted in this run.
    fn take(&mut self, entry: &Entry, by: Attribute) {
        let identity = entry.id.as_deref().or(entry.record.as_deref()).unwrap_or_default();
        if let Some(known) = self.counted.get(identity) {
            if let Some((instance, time)) = *known {
                self.memory.shown(instance, time, by);
            }
            return;
        }
        let mut sighted = None;
        match &entry.record {
            None => intake::refuse(&mut self.batch, "an event without its record (CloudTrailEvent)".to_owned()),
            Some(record) => {
                let reading = decode::read(record.as_bytes());
                if let Some(observation) = intake::take(&mut self.batch, reading) {
                    sighted = self.learn(&observation, record, by);
                    self.batch.observations.push(observation);
                }
            }
        }
        self.counted.insert(identity.to_owned(), sighted);
    }

    /// Learns from a sighting, a grant or a launch what the next plan is made of.
    fn learn(&mut self, observation: &Observation, record: &str, by: Attribute) -> Option<(InstanceId, Timestamp)> {
        match &observation.kind {
            Kind::Sighting { instance, .. } => {
                for arn in keys_of(record) {
                    self.memory.learn(&arn, *instance);
                }
                self.memory.shown(*instance, observation.time, by);
                Some((*instance, observation.time))
            }
            Kind::Cause { cause: Cause::Grant, targets, .. } => {
                for target in targets {
                    for arn in keys_of(record) {
                        self.memory.learn(&arn, target.instance);
                    }
                    self.memory.granted(target.instance, observation.time);
                }
                None
            }
            Kind::Cause { cause: Cause::Launch, targets, .. } => {
                let grouped = targets.iter().filter(|target| target.group.is_some());
                self.launched.extend(grouped.map(|target| target.instance));
                None
            }
            _ => None,
        }
    }
}

/// The ARNs of the KMS keys that a record names (CloudTrail User Guide, `resources`).
pub(crate) fn keys_of(record: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Record {
        #[serde(default)]
        resources: Option<Vec<Resource>>,
    }
    #[derive(Deserialize)]
    struct Resource {
        #[serde(default, rename = "ARN", alias = "arn")]
        arn: Option<String>,
    }

    let resources = serde_json::from_str::<Record>(record).ok().and_then(|record| record.resources);
    let is_key = |arn: &String| arn.len() <= 2_000 && arn.contains(":kms:") && arn.contains(":key/");
    resources.unwrap_or_default().into_iter().filter_map(|resource| resource.arn).filter(is_key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: i64, to: i64) -> TimeSpan {
        TimeSpan { from: Timestamp::from_second(from), to: Timestamp::from_second(to) }
    }

    #[test]
    fn a_window_is_taken_up_by_time_where_its_pages_break_off() {
        let paging = |from, to, oldest: Option<i64>| Paging {
            oldest: oldest.map(Timestamp::from_second),
            ..Paging::new(span(from, to))
        };
        // The second of the last event may go on on the next page, so it is not read.
        let broken = paging(10, 90, Some(40));
        assert_eq!((broken.read(), broken.resume()), (Some(span(41, 90)), vec![span(10, 40)]));
        // Not a second was read: by halves, the newer first.
        let stuck = paging(10, 90, Some(90));
        assert_eq!((stuck.read(), stuck.resume()), (None, vec![span(10, 50), span(51, 90)]));
        assert_eq!(paging(10, 90, None).resume(), vec![span(10, 50), span(51, 90)]);
        assert_eq!(paging(10, 11, None).resume(), vec![span(10, 10), span(11, 11)]);
        assert_eq!(paging(10, 10, Some(10)).resume(), Vec::new());
    }

    #[test]
    fn keys_are_read_off_resources() {
        let record = r#"{"resources":[{"ARN":"arn:aws:kms:r:1:key/k","type":"AWS::KMS::Key"},{"accountId":"1"}]}"#;
        assert_eq!(keys_of(record), ["arn:aws:kms:r:1:key/k"]);
        for other in ["{}", r#"{"resources":null}"#, r#"{"resources":7}"#, "nonsense"] {
            assert!(keys_of(other).is_empty(), "{other}");
        }
    }
}
