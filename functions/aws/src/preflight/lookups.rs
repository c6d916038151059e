//! A few lookups, at the pace that the settings allow: whether they work, how busy streams are, and what they show.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};
use exposure_core::decode::{Decoded, decode};
use exposure_core::ids::InstanceId;
use exposure_core::observation::{Cause, Kind};
use exposure_core::time::{TimeSpan, Timestamp};
use tokio::time::Instant;

use super::a_day;
use super::check::Check;
use super::tried::{Miss, TRIES, tried};
use crate::failure::{Class, Failure};
use crate::sources::covered::{seconds_of, shifted};
use crate::sources::lookup::client::{OPERATION, PAGE};
use crate::sources::lookup::memory::{LookupMemory, Rate};
use crate::sources::lookup::reader::keys_of;
use crate::sources::lookup::stream::{Attribute, Stream};
use crate::sources::pace::{Pace, seed};

/// Over which time launches are looked for, in seconds, and how long they have had to be delivered.
const LAUNCHED: (i64, i64) = (6 * 3_600, 20 * 60);
const DAY: i64 = 86_400;
/// How many launches are looked at one by one.
const SAMPLED: usize = 5;
/// How many keys are measured.
const KEYS: usize = 8;
/// How many pages of grants are read to learn the keys.
const GRANTS: usize = 3;

/// Lookups in one account and region.
pub(super) struct Lookups<'a> {
    client: &'a aws_sdk_cloudtrail::Client,
    pace: Pace,
    now: Timestamp,
    deadline: Instant,
}

/// What a few lookups showed.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    /// The latest launches, each with whether a grant came with it.
    pub(super) launched: BTreeMap<InstanceId, bool>,
    /// Those of them whose Decrypts were seen.
    pub(super) sighted: BTreeSet<InstanceId>,
    /// Keys, who uses them, and how busy streams are.
    pub(super) memory: LookupMemory,
    /// Why not all was looked at.
    pub(super) unfinished: Option<Failure>,
}

impl<'a> Lookups<'a> {
    pub(super) fn new(
        client: &'a aws_sdk_cloudtrail::Client,
        requests_per_second: f64,
        now: Timestamp,
        deadline: Instant,
    ) -> Self {
        Self { client, pace: Pace::new(requests_per_second, seed()), now, deadline }
    }

    /// Whether lookups are allowed: one of the last minute.
    pub(super) async fn probe(&self) -> Result<Check, Miss> {
        let window = TimeSpan { from: shifted(self.now, -60), to: self.now };
        self.page(&Stream::event_name("CreateGrant"), window, None).await?;
        Ok(Check::ok(OPERATION, "allowed"))
    }

    /// Looks at the latest launches and whether their Decrypts show, and measures how busy the streams are.
    pub(super) async fn learn(&self, members: &BTreeSet<InstanceId>) -> Learnt {
        let mut learnt = Learnt::default();
        learnt.unfinished = self.read_all(&mut learnt, members).await.err().map(|miss| miss.failure);
        learnt
    }

    async fn read_all(&self, learnt: &mut Learnt, members: &BTreeSet<InstanceId>) -> Result<(), Miss> {
        let day = TimeSpan { from: shifted(self.now, -DAY), to: self.now };
        let mut grants = self.grants(learnt, day).await?;
        let delivered = TimeSpan { from: shifted(self.now, -LAUNCHED.0), to: shifted(self.now, -LAUNCHED.1) };
        let launches = self.read(&Stream::event_name("RunInstances"), delivered, learnt).await?;
        for (instance, _) in launches.iter().flat_map(|record| &record.launched).take(SAMPLED) {
            learnt.launched.insert(*instance, grants.remove(instance));
        }
        let mut keys: Vec<(usize, String)> =
            learnt.memory.keys.iter().map(|(arn, used)| (used.intersection(members).count(), arn.clone())).collect();
        keys.sort_unstable_by(|a, b| b.cmp(a));
        for (_, arn) in keys.into_iter().take(KEYS) {
            self.read(&Stream::key(&arn), day, learnt).await?;
        }
        for (instance, launch) in launches.iter().flat_map(|record| &record.launched).take(SAMPLED) {
            if !learnt.sighted.contains(instance) {
                let window = TimeSpan { from: shifted(*launch, -60), to: shifted(*launch, LAUNCHED.1) };
                self.read(&Stream::instance(*instance), window, learnt).await?;
            }
        }
        self.read(&Stream::decrypts(), day, learnt).await?;
        Ok(())
    }

    /// The instances of the latest grants; their keys are learnt.
    async fn grants(&self, learnt: &mut Learnt, window: TimeSpan) -> Result<BTreeSet<InstanceId>, Miss> {
        let stream = Stream::event_name("CreateGrant");
        let (mut token, mut granted) = (None, BTreeSet::new());
        for page in 0..GRANTS {
            let (events, next) = self.page(&stream, window, token).await?;
            if page == 0 {
                learnt.measure(&stream, window, &events, self.now);
            }
            for record in events.iter().filter_map(Record::of) {
                granted.extend(record.granted.iter().copied());
                learnt.take(&record);
            }
            token = next;
            if token.is_none() {
                break;
            }
        }
        Ok(granted)
    }

    /// One page, the newest events.
    async fn read(&self, stream: &Stream, window: TimeSpan, learnt: &mut Learnt) -> Result<Vec<Record>, Miss> {
        let (events, _) = self.page(stream, window, None).await?;
        if stream.attribute != Attribute::Username {
            learnt.measure(stream, window, &events, self.now);
        }
        let records: Vec<Record> = events.iter().filter_map(Record::of).collect();
        for record in &records {
            learnt.take(record);
        }
        Ok(records)
    }

    async fn page(
        &self,
        stream: &Stream,
        window: TimeSpan,
        token: Option<String>,
    ) -> Result<(Vec<Event>, Option<String>), Miss> {
        if !self.pace.turn(self.deadline).await {
            return Err(Miss::of(Failure::new(OPERATION, Class::TimedOut, "the time for it was up")));
        }
        let key = match stream.attribute {
            Attribute::EventName => LookupAttributeKey::EventName,
            Attribute::ResourceName => LookupAttributeKey::ResourceName,
            Attribute::Username => LookupAttributeKey::Username,
        };
        let attribute = LookupAttribute::builder().attribute_key(key).attribute_value(&*stream.value).build();
        let attribute =
            attribute.map_err(|error| Miss::of(Failure::new(OPERATION, Class::Invalid, &error.to_string())))?;
        let request = self
            .client
            .lookup_events()
            .lookup_attributes(attribute)
            .start_time(DateTime::from_secs(window.from.as_second()))
            .end_time(DateTime::from_secs(window.to.as_second()))
            .max_results(50)
            .set_next_token(token);
        let answer = tried(OPERATION, self.deadline, TRIES + 1, || request.clone().send()).await?;
        Ok((answer.events.unwrap_or_default(), answer.next_token.filter(|token| !token.is_empty())))
    }
}

impl Learnt {
    /// How busy a stream is, by its newest page.
    fn measure(&mut self, stream: &Stream, window: TimeSpan, events: &[Event], now: Timestamp) {
        let oldest = events.iter().filter_map(Event::event_time).map(|time| Timestamp::from_second(time.secs())).min();
        let is_full = u64::try_from(events.len()).is_ok_and(|count| count >= PAGE);
        let from = oldest.filter(|_| is_full).unwrap_or(window.from);
        let events_per_day = a_day(events.len(), seconds_of(TimeSpan { from, to: window.to }));
        self.memory.streams.entry(stream.clone()).or_default().rate = Some(Rate { at: now, events_per_day });
    }

    fn take(&mut self, record: &Record) {
        for instance in record.granted.iter().chain(&record.sighted) {
            for arn in &record.keys {
                self.memory.keys.entry(arn.clone()).or_default().insert(*instance);
            }
        }
        self.sighted.extend(record.sighted.iter().copied());
    }
}

/// What one record says.
#[derive(Debug, Default)]
struct Record {
    launched: Vec<(InstanceId, Timestamp)>,
    granted: Vec<InstanceId>,
    sighted: Option<InstanceId>,
    keys: Vec<String>,
}

impl Record {
    fn of(event: &Event) -> Option<Self> {
        let text = event.cloud_trail_event()?;
        let Decoded::Observed(observation) = decode(text.as_bytes()) else { return None };
        let mut record = Self::default();
        match observation.kind {
            Kind::Sighting { instance, .. } => record.sighted = Some(instance),
            Kind::Cause { cause: Cause::Grant, targets, .. } => {
                record.granted = targets.iter().map(|target| target.instance).collect();
            }
            Kind::Cause { cause: Cause::Launch, targets, .. } => {
                record.launched = targets.iter().map(|target| (target.instance, observation.time)).collect();
            }
            _ => return None,
        }
        record.keys = keys_of(text);
        Some(record)
    }
}
