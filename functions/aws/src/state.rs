//! Everything that is remembered between runs: the ledger, what each source remembers, and which stacks have a place.

use std::collections::{BTreeMap, BTreeSet};

use exposure_core::analysis::Question;
use exposure_core::assess::Settings as Rules;
use exposure_core::ids::Source;
use exposure_core::ledger::{Ledger, LedgerError};
use exposure_core::stacks::StackRules;
use exposure_core::time::Timestamp;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::sources::PlaceMemory;

const SCHEMA: &str = "migration-exposure/state/";
const VERSION: u32 = 1;
/// About how many bytes an instance takes.
const INSTANCE: usize = 1_700;
/// How many stacks are remembered to have asked for a place.
const MAX_ASKED: usize = 400;

/// A text that is no state of this version.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not a state at all.
    #[error("not a state of the analyzer: {0}")]
    NotAState(String),
    /// Written by a later version: never overwritten.
    #[error("a state of schema version {0}, and this version reads up to {VERSION}; use the version that wrote it")]
    TooNew(u32),
    /// Its ledger cannot be read or written.
    #[error("its ledger: {0}")]
    Ledger(#[from] LedgerError),
}

/// Everything that is remembered between runs. Two states can be joined.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// What was seen.
    pub ledger: Ledger,
    /// What each source remembers.
    pub places: BTreeMap<Source, PlaceMemory>,
    /// Up to which time each account and region is complete.
    pub complete: BTreeMap<Source, Timestamp>,
    /// Up to which time each account's and region's scaling activities were read.
    pub activities: BTreeMap<Source, Timestamp>,
    /// When each stack was first seen: the first ones have a place of their own in the metrics.
    pub stacks: BTreeMap<String, Timestamp>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    ledger: &'a RawValue,
    places: Vec<PlaceEntry>,
    stacks: BTreeMap<String, Timestamp>,
}

/// What stands behind the ledger.
#[derive(Serialize)]
struct Rest<'a> {
    places: Vec<PlaceEntry<&'a PlaceMemory>>,
    stacks: &'a BTreeMap<String, Timestamp>,
}

/// One account and region: what is read owns its memory, what is written borrows it.
#[derive(Serialize, Deserialize)]
struct PlaceEntry<M = PlaceMemory> {
    #[serde(flatten)]
    source: Source,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    complete_through: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activities_through: Option<Timestamp>,
    memory: M,
}

impl State {
    /// Reads what [`State::to_json`] wrote.
    ///
    /// # Errors
    /// If the text is no state, or one of a later version.
    pub fn from_json(text: &[u8]) -> Result<Self, StateError> {
        #[derive(Deserialize)]
        struct Header {
            schema: String,
        }

        let unreadable = |error: serde_json::Error| StateError::NotAState(error.to_string());
        let Header { schema } = serde_json::from_slice(text).map_err(unreadable)?;
        match schema.strip_prefix(SCHEMA).map(str::parse::<u32>) {
            Some(Ok(VERSION)) => {}
            Some(Ok(found)) if found > VERSION => return Err(StateError::TooNew(found)),
            _ => return Err(StateError::NotAState(format!("its schema is {schema:?}"))),
        }
        let document: Document<'_> = serde_json::from_slice(text).map_err(unreadable)?;
        let ledger = Ledger::from_json(document.ledger.get().as_bytes())?;
        let (mut places, mut complete, mut activities) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for entry in document.places {
            if let Some(through) = entry.complete_through {
                complete.insert(entry.source.clone(), through);
            }
            if let Some(through) = entry.activities_through {
                activities.insert(entry.source.clone(), through);
            }
            places.insert(entry.source, entry.memory);
        }
        Ok(Self { ledger, places, complete, activities, stacks: document.stacks })
    }

    /// The state as JSON.
    ///
    /// # Errors
    /// If it cannot be written as JSON, which no state has been seen to do.
    pub fn to_json(&self) -> Result<Vec<u8>, StateError> {
        let unwritable = |error: serde_json::Error| StateError::Ledger(LedgerError::from(error));
        let sources: BTreeSet<&Source> =
            self.places.keys().chain(self.complete.keys()).chain(self.activities.keys()).collect();
        let nothing = PlaceMemory::default();
        let entry = |source: &Source| PlaceEntry {
            source: source.clone(),
            complete_through: self.complete.get(source).copied(),
            activities_through: self.activities.get(source).copied(),
            memory: self.places.get(source).unwrap_or(&nothing),
        };
        let rest = Rest { places: sources.into_iter().map(entry).collect(), stacks: &self.stacks };
        let rest = serde_json::to_vec(&rest).map_err(unwritable)?;
        // The ledger is by far the largest part, and is written once, in its place.
        let mut text = Vec::with_capacity(self.ledger.len() * INSTANCE + rest.len() + 100);
        text.extend_from_slice(format!("{{\"schema\":\"{SCHEMA}{VERSION}\",\"ledger\":").as_bytes());
        self.ledger.write_json(&mut text)?;
        text.push(b',');
        text.extend_from_slice(rest.get(1..).unwrap_or_default());
        Ok(text)
    }

    /// Forgets the instances that departed before `horizon`; what they counted for stays in the totals.
    pub fn forget(&mut self, horizon: Timestamp, stacks: &StackRules, rules: &Rules) {
        let mut gone = self.ledger.departed_before(horizon);
        let complete = Some(&self.complete);
        Question { ledger: &self.ledger, fleet: None, stacks, settings: rules, complete, all: false }.tally(&mut gone);
        self.ledger.forget(gone);
    }

    /// The union with what another run saved meanwhile. What either has forgotten, both forget first.
    pub fn merge(&mut self, mut other: Self, stacks: &StackRules, rules: &Rules) {
        let through = self.ledger.forgotten().through.max(other.ledger.forgotten().through);
        if let Some(through) = through {
            let horizon = through + SignedDuration::from_secs(1);
            self.forget(horizon, stacks, rules);
            other.forget(horizon, stacks, rules);
        }
        self.ledger.merge(other.ledger);
        for (source, memory) in other.places {
            self.places.entry(source).or_default().merge(memory);
        }
        for (ours, theirs) in [(&mut self.complete, other.complete), (&mut self.activities, other.activities)] {
            for (source, through) in theirs {
                ours.entry(source).and_modify(|old| *old = through.max(*old)).or_insert(through);
            }
        }
        for (stack, first) in other.stacks {
            self.stacks.entry(stack).and_modify(|old| *old = first.min(*old)).or_insert(first);
        }
    }

    /// Gives stacks that have none yet a place in the metrics, and returns those that have one. A stack that has its
    /// place keeps it; of two that come at once the first by name comes first.
    pub fn place<'a>(
        &mut self,
        stacks: impl IntoIterator<Item = &'a str>,
        now: Timestamp,
        most: usize,
    ) -> BTreeSet<String> {
        for stack in stacks {
            if self.stacks.len() < MAX_ASKED && !self.stacks.contains_key(stack) {
                self.stacks.insert(stack.to_owned(), now);
            }
        }
        let mut asked: Vec<(&Timestamp, &String)> = self.stacks.iter().map(|(stack, first)| (first, stack)).collect();
        asked.sort_unstable();
        asked.into_iter().take(most).map(|(_, stack)| stack.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_778_457_600 + seconds)
    }

    #[test]
    fn what_is_written_is_what_is_read_and_what_is_newer_is_refused() {
        let mut state = State::default();
        state.place(["Nighttime", "Daytime"], at(0), 50);
        let text = state.to_json().expect("JSON");
        assert_eq!(State::from_json(&text).expect("a state"), state);
        let newer = String::from_utf8(text).expect("UTF-8").replace("state/1", "state/2");
        assert!(matches!(State::from_json(newer.as_bytes()), Err(StateError::TooNew(2))));
        for bad in ["", "{}", "[]", r#"{"schema":"migration-exposure/ledger/1"}"#, r#"{"schema":"x"}"#] {
            assert!(matches!(State::from_json(bad.as_bytes()), Err(StateError::NotAState(_))), "{bad}");
        }
    }

    #[test]
    fn a_stack_that_has_its_place_keeps_it() {
        let mut state = State::default();
        assert_eq!(state.place(["b", "c"], at(0), 2).into_iter().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(state.place(["a", "b"], at(1), 2).into_iter().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(state.place([], at(2), 3).into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
