//! What is remembered of the streams of one account and region.

use std::collections::{BTreeMap, BTreeSet};

use exposure_core::ids::InstanceId;
use exposure_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::covered::{Covered, shifted};
use super::client::PAGE;
use super::planner::Choices;
use super::stream::{Attribute, Stream};

/// How many KMS keys are told apart. An account with more is one for another source.
const MAX_KEYS: usize = 256;
/// How far back `LookupEvents` answers, in seconds: 90 days, less a little for clocks that differ.
pub(super) const HORIZON_SECONDS: i64 = 90 * 86_400 - 600;
/// How far each window reaches back over what was read, in seconds, for events that were delivered late.
pub const OVERLAP_SECONDS: i64 = 30 * 60;
/// How many events a day an instance's own stream is expected to hold before it was measured: an SSM agent alone makes
/// 288.
const INSTANCE_EVENTS_A_DAY: u64 = 300;
/// After how long a grant without a sighting says that a stream does not show sightings, in seconds: CloudTrail's
/// usual delivery (see [`DELIVERY_SECONDS`](crate::sources::DELIVERY_SECONDS)) and some more.
pub(super) const GRANT_SECONDS: i64 = 20 * 60;
/// How many launches without a sighting outweigh that there was one before.
const MISSED: usize = 3;

/// What is remembered of the streams of one account and region. Joining is a union.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LookupMemory {
    /// Each stream that was read.
    pub streams: BTreeMap<Stream, StreamMemory>,
    /// The KMS keys of volumes by ARN, with the instances that were seen to use each. Learnt from grants and sightings.
    pub keys: BTreeMap<String, BTreeSet<InstanceId>>,
    /// Up to when the sightings of all instances have been read, whichever streams did it.
    pub sightings_through: Option<Timestamp>,
    /// Down to when they have, once any were: what is older is still to be filled in.
    pub sightings_from: Option<Timestamp>,
    /// Instances whose grants were seen, and by which streams their sightings were.
    pub awaited: BTreeMap<InstanceId, Awaited>,
    /// Whether sightings come by streams of a kind.
    pub sight: BTreeMap<Attribute, Sight>,
}

/// What is remembered of one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamMemory {
    /// The event times over which it was read.
    pub covered: Covered,
    /// Up to when it was read without a hole, since it is read.
    pub through: Option<Timestamp>,
    /// How busy it is, and when that was measured.
    pub rate: Option<Rate>,
    /// When the last re-reading of 24 hours began that came to its end.
    pub reread: Option<Timestamp>,
    /// A re-reading under way: when it began, and down to when it has come.
    pub rereading: Option<(Timestamp, Timestamp)>,
}

/// How busy a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rate {
    /// When it was measured.
    pub at: Timestamp,
    /// Events a day.
    pub events_per_day: u64,
}

/// An instance whose grant was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    /// When it was granted the key of a volume.
    pub granted: Timestamp,
    /// By which kinds of streams a sighting of it came, no earlier than ten minutes before the grant.
    pub shown: BTreeSet<Attribute>,
}

/// Whether sightings come by streams of a kind. That `Username` and `ResourceName` show them is inferred.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sight {
    /// The latest sighting that came.
    pub shown: Option<Timestamp>,
    /// Instances with a grant whose sighting did not come though it was due, with the time of the grant.
    pub missed: BTreeMap<InstanceId, Timestamp>,
}

impl Sight {
    /// Whether it misses what it should show: ever since, or three times since it last showed one.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        let since = self.missed.values().filter(|granted| self.shown.is_none_or(|shown| **granted > shown)).count();
        since >= if self.shown.is_none() { 1 } else { MISSED }
    }
}

impl StreamMemory {
    fn merge(&mut self, other: &Self) {
        self.covered.join(&other.covered);
        // The earlier of two ends, carried on as far as both together reach: nothing between them is lost.
        let earlier = match (self.through, other.through) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        self.through = earlier;
        self.advance();
        self.rate = self.rate.max(other.rate);
        self.reread = self.reread.max(other.reread);
        self.rereading = match (self.rereading, other.rereading) {
            (Some(ours), Some(theirs)) => Some(if ours.0 == theirs.0 { ours.min(theirs) } else { ours.max(theirs) }),
            (ours, theirs) => ours.or(theirs),
        };
    }

    /// Moves the end to where what was read reaches without a hole.
    pub(super) fn advance(&mut self) {
        if let Some(span) = self.through.and_then(|through| self.covered.around(through)) {
            self.through = Some(span.to);
        }
    }
}

/// How many pages some time of a stream takes: at least one, which says that there is nothing.
fn pages(events_per_day: u64, seconds: u64) -> u64 {
    events_per_day.saturating_mul(seconds) / 86_400 / PAGE + 1
}

impl LookupMemory {
    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether streams of a kind do not show the sightings that they should.
    #[must_use]
    pub fn is_blind(&self, attribute: Attribute) -> bool {
        self.sight.get(&attribute).is_some_and(Sight::is_blind)
    }

    /// How many pages some seconds of a stream are likely to take.
    #[must_use]
    pub fn pages(&self, stream: &Stream, seconds: u64) -> u64 {
        let unmeasured = if stream.attribute == Attribute::Username { INSTANCE_EVENTS_A_DAY } else { 0 };
        let rate = self.streams.get(stream).and_then(|known| known.rate);
        pages(rate.map_or(unmeasured, |rate| rate.events_per_day), seconds)
    }

    /// What there is to choose from for the sightings of some instances, where each stream costs what `cost` says.
    #[must_use]
    pub fn choices(&self, instances: &BTreeSet<InstanceId>, cost: impl Fn(&Stream) -> u64) -> Choices {
        let decrypts = Stream::decrypts();
        let measured = self.streams.get(&decrypts).is_some_and(|known| known.rate.is_some());
        let mut used = self.keys_used_by(instances);
        let mut choices = Choices {
            keys: self.keys.keys().map(|arn| (arn.clone(), cost(&Stream::key(arn)))).collect(),
            decrypts: measured.then(|| cost(&decrypts)),
            keys_blind: self.is_blind(Attribute::ResourceName),
            instances_blind: self.is_blind(Attribute::Username),
            decrypts_blind: self.is_blind(Attribute::EventName),
            ..Choices::default()
        };
        for instance in instances {
            let keys = used.remove(instance).unwrap_or_default();
            choices.instances.entry(keys).or_default().insert(*instance, cost(&Stream::instance(*instance)));
        }
        choices
    }

    /// Notes that an instance uses a key. What is no ARN of a key is not noted.
    pub(super) fn learn(&mut self, arn: &str, instance: InstanceId) {
        let is_key = arn.len() <= 2_048 && arn.starts_with("arn:") && arn.contains(":kms:") && arn.contains(":key/");
        if is_key && (self.keys.len() < MAX_KEYS || self.keys.contains_key(arn)) {
            self.keys.entry(arn.to_owned()).or_default().insert(instance);
        }
    }

    /// Notes a grant.
    pub(super) fn granted(&mut self, instance: InstanceId, at: Timestamp) {
        let fresh = || Awaited { granted: at, shown: BTreeSet::new() };
        let awaited = self.awaited.entry(instance).or_insert_with(fresh);
        if awaited.granted < at {
            *awaited = fresh();
        }
    }

    /// Notes by which kind of stream a sighting came.
    pub(super) fn shown(&mut self, instance: InstanceId, at: Timestamp, by: Attribute) {
        let sight = self.sight.entry(by).or_default();
        sight.shown = sight.shown.max(Some(at));
        if let Some(awaited) = self.awaited.get_mut(&instance)
            && at >= shifted(awaited.granted, -600)
        {
            awaited.shown.insert(by);
        }
    }

    /// Forgets what can be of no use: instances that nobody asks for, streams that nobody reads, times out of reach.
    pub(super) fn prune(&mut self, needed: &BTreeSet<InstanceId>, now: Timestamp) {
        let horizon = shifted(now, -HORIZON_SECONDS);
        self.keys.values_mut().for_each(|instances| instances.retain(|instance| needed.contains(instance)));
        let keys: BTreeSet<&str> = self.keys.keys().map(String::as_str).collect();
        for memory in self.streams.values_mut() {
            memory.covered.forget_before(horizon);
        }
        self.streams.retain(|stream, memory| match stream.attribute {
            Attribute::EventName => true,
            Attribute::ResourceName => keys.contains(&*stream.value),
            Attribute::Username => {
                InstanceId::new(&stream.value).is_ok_and(|instance| needed.contains(&instance))
                    && (!memory.covered.spans().is_empty() || memory.through.is_some_and(|through| through > horizon))
            }
        });
        let old = shifted(now, -3 * 3_600);
        self.awaited.retain(|_, awaited| awaited.granted >= old);
        for sight in self.sight.values_mut() {
            let shown = sight.shown;
            sight.missed.retain(|_, granted| shown.is_none_or(|shown| *granted > shown));
            while sight.missed.len() > 4 * MISSED {
                sight.missed.pop_first();
            }
        }
    }

    /// The keys that each of some instances was seen to use.
    fn keys_used_by(&self, population: &BTreeSet<InstanceId>) -> BTreeMap<InstanceId, BTreeSet<String>> {
        let mut used: BTreeMap<InstanceId, BTreeSet<String>> = BTreeMap::new();
        for (arn, instances) in &self.keys {
            for instance in instances.intersection(population) {
                used.entry(*instance).or_default().insert(arn.clone());
            }
        }
        used
    }

    /// Forgets what was read from a time on, so that it is read again.
    pub fn forget_from(&mut self, time: Timestamp) {
        for stream in self.streams.values_mut() {
            stream.covered.forget_from(time);
            stream.through = stream.through.map(|through| through.min(time));
            stream.rereading = None;
        }
        self.sightings_through = self.sightings_through.map(|through| through.min(time));
        self.sightings_from = self.sightings_from.map(|from| from.min(time));
    }

    /// The union with another memory.
    pub fn merge(&mut self, other: Self) {
        for (stream, theirs) in other.streams {
            match self.streams.entry(stream) {
                std::collections::btree_map::Entry::Vacant(vacant) => {
                    vacant.insert(theirs);
                }
                std::collections::btree_map::Entry::Occupied(mut occupied) => occupied.get_mut().merge(&theirs),
            }
        }
        for (arn, instances) in other.keys {
            self.keys.entry(arn).or_default().extend(instances);
        }
        self.sightings_through = self.sightings_through.max(other.sightings_through);
        self.sightings_from = match (self.sightings_from, other.sightings_from) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        for (instance, theirs) in other.awaited {
            let ours = self.awaited.entry(instance).or_insert_with(|| theirs.clone());
            match ours.granted.cmp(&theirs.granted) {
                std::cmp::Ordering::Less => *ours = theirs,
                std::cmp::Ordering::Equal => ours.shown.extend(theirs.shown),
                std::cmp::Ordering::Greater => {}
            }
        }
        for (attribute, theirs) in other.sight {
            let ours = self.sight.entry(attribute).or_default();
            ours.shown = ours.shown.max(theirs.shown);
            for (instance, granted) in theirs.missed {
                let known = ours.missed.entry(instance).or_insert(granted);
                *known = (*known).max(granted);
            }
        }
    }
}
