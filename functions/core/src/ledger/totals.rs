//! Running totals, which only grow: what was counted is written down once and kept, so that a run that is repeated,
//! doubled or missed changes nothing, and two ledgers can be joined.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::ids::{InstanceKey, Source};
use crate::lifecycle::LifecycleState;
use crate::time::Timestamp;

use super::Ledger;
use super::sorted::Sorted;

/// A migration that was counted, once it had settled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    /// The stack that it counts under; nothing where the instance was in no known group.
    pub(crate) stack: Option<String>,
    /// Whether it was found more than a day after it happened.
    pub(crate) backfilled: bool,
    /// Whether a later record explained it after all.
    pub(crate) retracted: bool,
}

/// Which migration: its first sighting, and whether it was partial.
pub(crate) type CountedKey = (Timestamp, bool);

/// Running totals of one stack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Migrations, confirmed and presumed, among them those that were taken back.
    pub migrations: u64,
    /// Those that were taken back.
    pub retracted: u64,
    /// Those that were found more than a day after they happened.
    pub backfilled: u64,
    /// Partial ones.
    pub partial_reattachments: u64,
    /// Time that instances were in service, in seconds.
    pub in_service_seconds: u64,
}

impl Totals {
    /// The larger of each.
    fn max(self, other: Self) -> Self {
        Self {
            migrations: self.migrations.max(other.migrations),
            retracted: self.retracted.max(other.retracted),
            backfilled: self.backfilled.max(other.backfilled),
            partial_reattachments: self.partial_reattachments.max(other.partial_reattachments),
            in_service_seconds: self.in_service_seconds.max(other.in_service_seconds),
        }
    }

    fn count(&mut self, partial: bool, counted: &Counted) {
        if partial {
            self.partial_reattachments += 1;
        } else {
            self.migrations += 1;
            self.retracted += u64::from(counted.retracted);
            self.backfilled += u64::from(counted.backfilled);
        }
    }
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.migrations += other.migrations;
        self.retracted += other.retracted;
        self.backfilled += other.backfilled;
        self.partial_reattachments += other.partial_reattachments;
        self.in_service_seconds += other.in_service_seconds;
    }
}

/// Joins what two ledgers counted by stack, taking the larger of each.
pub(super) fn join_totals(ours: &mut BTreeMap<String, Totals>, theirs: BTreeMap<String, Totals>) {
    for (stack, totals) in theirs {
        let entry = ours.entry(stack).or_default();
        *entry = entry.max(totals);
    }
}

/// Instance-hours in service of one account and region, on a fixed grid of time: each cell holds how many instances
/// were in service, by stack. A cell is filled once or with the larger number, so joining is a union and the sum only
/// grows. Old cells are folded into a base.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Service {
    /// Cells up to this one are folded.
    through: Option<i64>,
    /// The folded ones, in seconds by stack.
    base: BTreeMap<String, u64>,
    cells: BTreeMap<i64, BTreeMap<String, u64>>,
}

impl Service {
    /// The grid's width.
    const CELL: SignedDuration = SignedDuration::from_mins(5);
    /// How many cells are kept open for late or concurrent runs: a day.
    const OPEN: i64 = 288;
    /// Over how many cells a gap between two snapshots is filled: a day. A longer one is not guessed at.
    const FILLED: i64 = 288;

    /// Notes how many instances were in service at `taken`, and fills the gap since the snapshot before with what that
    /// showed.
    pub(super) fn note(&mut self, taken: Timestamp, in_service: &BTreeMap<String, u64>) {
        let cell = taken.as_second().div_euclid(Self::CELL.as_secs());
        if self.through.is_some_and(|through| cell <= through) {
            return;
        }
        let before = self.cells.range(..cell).next_back().map(|(at, counts)| (*at, counts.clone()));
        if let Some((last, counts)) = before.filter(|(last, _)| cell - last <= Self::FILLED) {
            for missing in last + 1..cell {
                self.fill(missing, &counts);
            }
        }
        self.fill(cell, in_service);
        self.fold(cell - Self::OPEN);
    }

    fn fill(&mut self, cell: i64, counts: &BTreeMap<String, u64>) {
        let filled = self.cells.entry(cell).or_default();
        for (stack, count) in counts {
            let entry = filled.entry(stack.clone()).or_default();
            *entry = (*entry).max(*count);
        }
    }

    /// Folds the cells up to `through`, but for the last of all, from which a gap would be filled.
    fn fold(&mut self, through: i64) {
        while let Some(oldest) = self.cells.first_entry().filter(|cell| *cell.key() <= through) {
            for (stack, count) in oldest.remove() {
                *self.base.entry(stack).or_default() += count * Self::CELL.as_secs().unsigned_abs();
            }
        }
        self.through = self.through.max(Some(through));
    }

    /// Joins another's cells; whoever has folded less folds on first.
    pub(super) fn merge(&mut self, mut other: Self) {
        if let Some(through) = self.through.max(other.through) {
            self.fold(through);
            other.fold(through);
        }
        for (stack, seconds) in other.base {
            let entry = self.base.entry(stack).or_default();
            *entry = (*entry).max(seconds);
        }
        for (cell, counts) in other.cells {
            self.fill(cell, &counts);
        }
    }

    fn seconds(&self) -> BTreeMap<String, u64> {
        let mut sum = self.base.clone();
        for (stack, count) in self.cells.values().flatten() {
            *sum.entry(stack.clone()).or_default() += count * Self::CELL.as_secs().unsigned_abs();
        }
        sum
    }
}

/// A migration as it is judged now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Of which instance.
    pub key: InstanceKey,
    /// Its first sighting.
    pub at: Timestamp,
    /// Whether it is partial.
    pub partial: bool,
    /// Whether a cause may still arrive: then it is not counted yet, but nor is it taken back.
    pub pending: bool,
    /// The stack that it counts under.
    pub stack: Option<String>,
}

impl Ledger {
    /// How long after it happened a migration still counts as found in time.
    pub const IN_TIME: SignedDuration = SignedDuration::from_hours(24);

    /// Counts what has settled and was not counted before; those are returned. Of all instances, what was counted and
    /// does not stand any more is taken back, openly.
    pub fn count(&mut self, standing: Vec<Standing>, now: Timestamp) -> Vec<Standing> {
        let mut stands: BTreeMap<&InstanceKey, Vec<CountedKey>> = BTreeMap::new();
        for one in &standing {
            stands.entry(&one.key).or_default().push((one.at, one.partial));
        }
        for (key, history) in &mut self.instances {
            let stands = stands.get(key).map(Vec::as_slice).unwrap_or_default();
            for (which, counted) in history.counted.iter_mut() {
                counted.retracted |= !stands.contains(which);
            }
        }
        let mut new = Vec::new();
        for one in standing.into_iter().filter(|one| !one.pending) {
            let Some(history) = self.instances.get_mut(&one.key) else { continue };
            let backfilled = one.at.until(now) > Self::IN_TIME;
            let counted = Counted { stack: one.stack.clone(), backfilled, retracted: false };
            if history.counted.put((one.at, one.partial), counted, |_, _| {}) {
                new.push(one);
            }
        }
        new
    }

    /// Notes how many instances of an account and region were in service at a snapshot, by stack.
    pub fn note_service(&mut self, source: &Source, taken: Timestamp, in_service: &BTreeMap<String, u64>) {
        self.sources.entry(source.clone()).or_default().service.note(taken, in_service);
    }

    /// The running totals by stack, of forgotten instances too.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<String, Totals> {
        let mut totals = self.forgotten.totals.clone();
        for history in self.instances.values() {
            add_counted(&mut totals, &history.counted);
        }
        for source in self.sources.values() {
            for (stack, seconds) in source.service.seconds() {
                totals.entry(stack).or_default().in_service_seconds += seconds;
            }
        }
        totals
    }

    /// Of long runs of one state, keeps the first and the last snapshot, where they lie before `horizon`: no snapshot
    /// that comes so late can fall between them.
    pub fn thin(&mut self, horizon: Timestamp) {
        for history in self.instances.values_mut() {
            let points: Vec<(Timestamp, LifecycleState)> =
                history.states.range(..horizon).map(|(taken, state)| (*taken, state.clone())).collect();
            for window in points.windows(3) {
                if let [(_, before), (taken, state), (_, after)] = window
                    && before == state
                    && state == after
                {
                    history.states.remove(taken);
                }
            }
        }
    }
}

/// Adds what was counted of one instance.
pub(super) fn add_counted(totals: &mut BTreeMap<String, Totals>, counted: &Sorted<CountedKey, Counted>) {
    for ((_, partial), counted) in counted.iter() {
        if let Some(stack) = &counted.stack {
            totals.entry(stack.clone()).or_default().count(*partial, counted);
        }
    }
}

/// Joins what two ledgers counted of one instance.
pub(super) fn join_counted(ours: &mut Sorted<CountedKey, Counted>, theirs: Sorted<CountedKey, Counted>) {
    for (which, counted) in theirs {
        ours.put(which, counted, |one, counted| {
            one.backfilled |= counted.backfilled;
            one.retracted |= counted.retracted;
            // Either stack is right; all must choose the same.
            one.stack = match (one.stack.take(), counted.stack) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        });
    }
}
