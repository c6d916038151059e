//! What all parts of a run in one account and region share: what was asked, what is left, and reading a window.

use std::collections::BTreeSet;

use exposure_core::ids::{InstanceId, InstanceKey};
use exposure_core::time::{TimeSpan, Timestamp};
use rand::rngs::SmallRng;

use super::super::Ask;
use super::super::covered::shifted;
use super::client::LookupClient;
use super::memory::{HORIZON_SECONDS, Rate};
use super::reader::{Reader, Readout, Stop};
use super::stream::{CAUSES, Stream, TRANSITIONS};

/// How far back the first run reads sightings, in seconds; of causes twice that, so that no sighting lacks its cause.
pub(super) const FIRST_SECONDS: i64 = 3_600;
/// Sightings are read no further back than their causes, and this much later, in seconds (rule 3).
const CAUSE_SECONDS: i64 = 15 * 60;

/// One run in one account and region.
pub(super) struct Visit<'a, C> {
    pub(super) ask: &'a Ask<'a>,
    pub(super) reader: Reader<'a, C>,
    pub(super) budget: u64,
    /// Why nothing more is read.
    pub(super) stop: Option<Stop>,
    /// Streams that cannot be read in this run.
    pub(super) broken: BTreeSet<Stream>,
}

/// The streams of the calls that are causes.
pub(super) fn causes() -> impl Iterator<Item = Stream> {
    CAUSES.iter().map(|name| Stream::event_name(name))
}

/// The streams of the calls that are causes or transitions.
pub(super) fn calls() -> impl Iterator<Item = Stream> {
    CAUSES.iter().chain(&TRANSITIONS).map(|name| Stream::event_name(name))
}

impl<'a, C: LookupClient> Visit<'a, C> {
    pub(super) fn new(ask: &'a Ask<'a>, client: &'a C, budget: u64, chance: SmallRng) -> Self {
        let mut reader = Reader::new(client, ask.deadline, ask.memory.lookup.clone(), chance);
        reader.batch.requests.budget = budget;
        Self { ask, reader, budget, stop: None, broken: BTreeSet::new() }
    }

    /// Whose sightings are needed: the members, and who was a member on record and has not been gone for long.
    pub(super) fn population(&self) -> BTreeSet<InstanceId> {
        let ask = self.ask;
        let recent = shifted(ask.now, -2 * FIRST_SECONDS);
        let known = ask.ledger.group_names().into_iter().filter(|(instance, (source, _))| {
            let key = InstanceKey { source: source.clone(), instance: *instance };
            source == ask.place && ask.ledger.departed(&key).is_none_or(|at| at >= recent)
        });
        let members = ask.fleet.members.iter().map(|member| member.instance);
        members.chain(known.map(|(instance, _)| instance)).chain(self.reader.launched.iter().copied()).collect()
    }

    /// From when on sightings are read that follow those read before; in the first run for an hour.
    pub(super) fn first(&self) -> Timestamp {
        self.reader.memory.sightings_through.unwrap_or(shifted(self.ask.now, -FIRST_SECONDS))
    }

    /// From when on anything can be looked up.
    pub(super) fn horizon(&self) -> Timestamp {
        shifted(self.ask.now, -HORIZON_SECONDS)
    }

    /// Whether anything more can be read.
    pub(super) fn goes_on(&self) -> bool {
        self.stop.is_none() && self.reader.left() > 0
    }

    /// Allows at most `requests` of the requests that are left, and says what was allowed before.
    pub(super) fn narrow(&mut self, requests: u64) -> u64 {
        let narrowed = self.reader.limit.min(self.reader.batch.requests.made.saturating_add(requests));
        std::mem::replace(&mut self.reader.limit, narrowed)
    }

    /// Reads a window and remembers what was read of it. Nothing where it was not read to its end.
    pub(super) async fn read(&mut self, stream: &Stream, window: TimeSpan) -> Option<Readout> {
        let mut known = self.reader.memory.streams.remove(stream).unwrap_or_default();
        let (readout, stop) = self.reader.window(stream, window, &mut known.covered).await;
        known.advance();
        if readout.seconds > 0 || readout.events > 0 {
            let a_day = readout.events.saturating_mul(86_400) / readout.seconds.max(1);
            // A window of a page or less says little about a busy day: half of what was known stays.
            let before = known.rate.map_or(a_day, |rate| rate.events_per_day);
            known.rate = Some(Rate { at: self.ask.now, events_per_day: a_day.midpoint(before) });
        }
        self.reader.memory.streams.insert(stream.clone(), known);
        match stop {
            None => return Some(readout),
            Some(Stop::Stream) => {
                self.broken.insert(stream.clone());
            }
            // What is left may still be enough for others, once there is more of it.
            Some(stop) => self.stop = Some(stop).filter(|stop| *stop != Stop::Budget),
        }
        None
    }

    /// Up to when every call was read that is a cause.
    pub(super) fn causes_through(&self) -> Option<Timestamp> {
        let streams = &self.reader.memory.streams;
        causes().map(|stream| streams.get(&stream).and_then(|known| known.through)).min().flatten()
    }

    /// Down to when every call is read that explains a sighting.
    pub(super) fn depth(&self) -> Timestamp {
        let streams = &self.reader.memory.streams;
        let begins = causes().map(|stream| {
            let known = streams.get(&stream)?;
            Some(known.covered.around(known.through?)?.from)
        });
        let begins: Option<Vec<Timestamp>> = begins.collect();
        // Where one is not read at all, nothing is.
        let latest = begins.and_then(|begins| begins.into_iter().max()).unwrap_or(self.ask.now);
        shifted(latest, CAUSE_SECONDS)
    }
}
