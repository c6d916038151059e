//! How a ledger is kept between runs: JSON with a schema version.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{EventId, InstanceId, InstanceKey, RequestId, Source, VolumeId};
use crate::lifecycle::LifecycleState;
use crate::observation::{Cause, Transition};
use crate::time::{TimeSpan, Timestamp};

use super::sorted::Sorted;
use super::totals::{Counted, Service};
use super::{Caused, Forgotten, GroupRef, InstanceHistory, Ledger, Seen, SourceHistory};

const SCHEMA: &str = "migration-exposure/ledger/";
const VERSION: u32 = 1;

/// A text that is not a ledger that this version can read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Not a ledger at all.
    #[error("not a ledger ({0}); name a file that this tool has written, or one that does not exist yet")]
    NotALedger(String),
    /// Written by a later version.
    #[error(
        "a ledger of schema version {found}, and this version reads up to {VERSION}; \
         use the version that wrote it, or a later one"
    )]
    TooNew {
        /// The version that it has.
        found: u32,
    },
    /// It could not be written as JSON.
    #[error("cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct Header {
    schema: String,
}

/// What is read. Instances go to their place one by one, since a large fleet's entries take as much room as the ledger.
#[derive(Deserialize)]
struct File {
    sources: Vec<SourceEntry>,
    stacks: Vec<StackEntry>,
    #[serde(default)]
    mitigated: Vec<(GroupRef, TimeSpan)>,
    forgotten: Forgotten,
    #[serde(deserialize_with = "read_instances")]
    instances: BTreeMap<InstanceKey, InstanceHistory>,
}

/// What is written, likewise.
#[derive(Serialize)]
struct Written<'a> {
    schema: String,
    sources: Vec<SourceEntry>,
    stacks: Vec<StackEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mitigated: Vec<(&'a GroupRef, TimeSpan)>,
    forgotten: &'a Forgotten,
    #[serde(serialize_with = "write_instances")]
    instances: &'a BTreeMap<InstanceKey, InstanceHistory>,
}

fn write_instances<S: Serializer>(
    instances: &BTreeMap<InstanceKey, InstanceHistory>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(instances.iter().map(|(key, history)| InstanceEntry::of(key, history)))
}

fn read_instances<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<InstanceKey, InstanceHistory>, D::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = BTreeMap<InstanceKey, InstanceHistory>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of instances")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut instances = BTreeMap::new();
            let mut shared = Shared::default();
            while let Some(mut entry) = list.next_element::<InstanceEntry>()? {
                shared.share(&mut entry);
                let (key, history) = entry.into_history();
                instances.insert(key, history);
            }
            Ok(instances)
        }
    }

    deserializer.deserialize_seq(Entries)
}

/// What many instances have in common, each kept once: a large fleet is in few groups of few regions.
#[derive(Default)]
struct Shared {
    sources: BTreeSet<Source>,
    groups: BTreeSet<GroupRef>,
}

impl Shared {
    fn share(&mut self, entry: &mut InstanceEntry) {
        share(&mut self.sources, &mut entry.source);
        for (group, _) in &mut entry.groups {
            share(&mut self.groups, group);
        }
    }
}

/// Puts the copy that is kept in the place of an equal one.
fn share<T: Ord + Clone>(kept: &mut BTreeSet<T>, one: &mut T) {
    match kept.get(one) {
        Some(known) => *one = known.clone(),
        None => drop(kept.insert(one.clone())),
    }
}

#[derive(Serialize, Deserialize)]
struct SourceEntry {
    #[serde(flatten)]
    source: Source,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    observed: Option<TimeSpan>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snapshots: Option<TimeSpan>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    unnamed_launches: BTreeSet<EventId>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    forgotten_launches: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    service: Service,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Serialize, Deserialize)]
struct StackEntry {
    group: GroupRef,
    stack: String,
    seen: TimeSpan,
}

#[derive(Serialize, Deserialize)]
struct InstanceEntry {
    #[serde(flatten)]
    source: Source,
    instance_id: InstanceId,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sightings: Vec<SightingEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    causes: Vec<CauseEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    transitions: Vec<(Transition, EventId, TimeSpan)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    states: Vec<(Timestamp, LifecycleState)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<(GroupRef, TimeSpan)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    counted: Vec<CountedEntry>,
}

#[derive(Serialize, Deserialize)]
struct CountedEntry {
    at: Timestamp,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
    #[serde(flatten)]
    counted: Counted,
}

#[derive(Serialize, Deserialize)]
struct EventEntry {
    identity: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    foreign: bool,
    time: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<RequestId>,
}

#[derive(Serialize, Deserialize)]
struct SightingEntry {
    volume: VolumeId,
    #[serde(flatten)]
    event: EventEntry,
}

#[derive(Serialize, Deserialize)]
struct CauseEntry {
    cause: Cause,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    volume: Option<VolumeId>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_auto_scaling: bool,
    #[serde(flatten)]
    event: EventEntry,
}

impl EventEntry {
    fn new(
        identity: &EventId,
        event_id: &EventId,
        foreign: bool,
        time: Timestamp,
        request_id: Option<&RequestId>,
    ) -> Self {
        Self {
            identity: identity.clone(),
            event_id: (event_id != identity).then(|| event_id.clone()),
            foreign,
            time,
            request_id: request_id.cloned(),
        }
    }
}

impl Ledger {
    /// Reads what [`Ledger::to_json`] wrote.
    ///
    /// # Errors
    /// If the text is no ledger, or one of a later schema version.
    pub fn from_json(text: &[u8]) -> Result<Self, LedgerError> {
        let unreadable = |error: serde_json::Error| LedgerError::NotALedger(error.to_string());
        let Header { schema } = serde_json::from_slice(text).map_err(unreadable)?;
        match schema.strip_prefix(SCHEMA).map(str::parse::<u32>) {
            Some(Ok(VERSION)) => {}
            Some(Ok(found)) if found > VERSION => return Err(LedgerError::TooNew { found }),
            _ => return Err(LedgerError::NotALedger(format!("its schema is {schema:?}"))),
        }
        let file: File = serde_json::from_slice(text).map_err(unreadable)?;
        Ok(file.into_ledger())
    }

    /// The ledger as JSON. Equal ledgers give equal texts.
    ///
    /// # Errors
    /// If it cannot be written as JSON, which no ledger has been seen to do.
    pub fn to_json(&self) -> Result<Vec<u8>, LedgerError> {
        let mut text = Vec::new();
        self.write_json(&mut text)?;
        Ok(text)
    }

    /// Writes what [`Ledger::to_json`] gives.
    ///
    /// # Errors
    /// If `into` fails.
    pub fn write_json(&self, into: impl Write) -> Result<(), LedgerError> {
        Ok(serde_json::to_writer(into, &Written::of(self))?)
    }
}

impl<'a> Written<'a> {
    fn of(ledger: &'a Ledger) -> Self {
        let sources = ledger.sources.iter().map(|(source, history)| SourceEntry {
            source: source.clone(),
            observed: history.observed,
            snapshots: history.snapshots,
            unnamed_launches: history.unnamed_launches.clone(),
            forgotten_launches: history.forgotten_launches,
            service: history.service.clone(),
        });
        let stacks = ledger.stacks.iter().flat_map(|(group, stacks)| {
            stacks.iter().map(|(stack, seen)| StackEntry { group: group.clone(), stack: stack.clone(), seen: *seen })
        });
        Self {
            schema: format!("{SCHEMA}{VERSION}"),
            sources: sources.collect(),
            stacks: stacks.collect(),
            mitigated: ledger.mitigated.iter().map(|(group, seen)| (group, *seen)).collect(),
            forgotten: &ledger.forgotten,
            instances: &ledger.instances,
        }
    }
}

impl File {
    fn into_ledger(self) -> Ledger {
        let sources = self.sources.into_iter().map(|entry| {
            let SourceEntry { source, observed, snapshots, unnamed_launches, forgotten_launches, service } = entry;
            (source, SourceHistory { observed, snapshots, unnamed_launches, forgotten_launches, service })
        });
        let mut stacks: BTreeMap<GroupRef, Sorted<String, TimeSpan>> = BTreeMap::new();
        for entry in self.stacks {
            super::join(stacks.entry(entry.group).or_default(), entry.stack, entry.seen);
        }
        Ledger {
            sources: sources.collect(),
            stacks,
            mitigated: self.mitigated.into_iter().collect(),
            forgotten: self.forgotten,
            instances: self.instances,
        }
    }
}

impl InstanceEntry {
    fn of(key: &InstanceKey, history: &InstanceHistory) -> Self {
        let sightings = history.sightings.iter().map(|((volume, identity), seen)| SightingEntry {
            volume: *volume,
            event: EventEntry::new(identity, &seen.event_id, seen.foreign, seen.time, seen.request_id.as_ref()),
        });
        let causes = history.causes.iter().map(|((cause, identity, volume), caused)| CauseEntry {
            cause: *cause,
            volume: *volume,
            by_auto_scaling: caused.by_auto_scaling,
            event: EventEntry::new(identity, &caused.event_id, caused.foreign, caused.time, caused.request_id.as_ref()),
        });
        Self {
            source: key.source.clone(),
            instance_id: key.instance,
            sightings: sightings.collect(),
            causes: causes.collect(),
            transitions: history.transitions.iter().map(|((t, id), span)| (*t, id.clone(), *span)).collect(),
            states: history.states.iter().map(|(taken, state)| (*taken, state.clone())).collect(),
            groups: history.groups.iter().map(|(group, span)| (group.clone(), *span)).collect(),
            counted: history
                .counted
                .iter()
                .map(|((at, partial), counted)| CountedEntry { at: *at, partial: *partial, counted: counted.clone() })
                .collect(),
        }
    }

    fn into_history(self) -> (InstanceKey, InstanceHistory) {
        let sightings = self.sightings.into_iter().map(|SightingEntry { volume, event }| {
            let event_id = event.event_id.unwrap_or_else(|| event.identity.clone());
            let seen = Seen { foreign: event.foreign, event_id, time: event.time, request_id: event.request_id };
            ((volume, event.identity), seen)
        });
        let causes = self.causes.into_iter().map(|CauseEntry { cause, volume, by_auto_scaling, event }| {
            let event_id = event.event_id.unwrap_or_else(|| event.identity.clone());
            let (foreign, time, request_id) = (event.foreign, event.time, event.request_id);
            let caused = Caused { foreign, event_id, time, request_id, by_auto_scaling };
            ((cause, event.identity, volume), caused)
        });
        let history = InstanceHistory {
            sightings: sightings.collect(),
            causes: causes.collect(),
            transitions: self.transitions.into_iter().map(|(t, id, span)| ((t, id), span)).collect(),
            states: self.states.into_iter().collect(),
            groups: self.groups.into_iter().collect(),
            counted: self.counted.into_iter().map(|entry| ((entry.at, entry.partial), entry.counted)).collect(),
        };
        (InstanceKey { source: self.source, instance: self.instance_id }, history)
    }
}
