//! Forgetting, on purpose and by rule: an instance goes a retention after its departure was observed, never by its
//! age alone, and what it counted for stays in the totals.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::ids::InstanceKey;
use crate::observation::Transition;
use crate::time::{TimeSpan, Timestamp};

use super::totals::{Totals, add_counted, join_totals};
use super::{GroupRef, InstanceHistory, Ledger};

/// What remains of forgotten instances.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// The latest departure that was forgotten. Older records of unknown instances are rejected, since they may be
    /// of a forgotten one.
    pub through: Option<Timestamp>,
    /// How many instances.
    pub instances: u64,
    /// What they counted for, by stack.
    pub stacks: BTreeMap<String, Tally>,
    /// What was counted of them in the running totals, by stack.
    #[serde(default)]
    pub totals: BTreeMap<String, Totals>,
}

/// Migrations that are counted though their instances are forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Confirmed and presumed migrations.
    pub migrations: u64,
    /// Partial ones.
    pub partial_reattachments: u64,
}

/// An instance that may be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departed {
    /// Which.
    pub key: InstanceKey,
    /// When it departed.
    pub at: Timestamp,
    /// What its migrations count for, by stack.
    pub counted: BTreeMap<String, Tally>,
}

impl Forgotten {
    /// Joins what two ledgers forgot, taking the larger count of each: they descend from one another.
    pub(super) fn merge(&mut self, other: Self) {
        self.through = self.through.max(other.through);
        self.instances = self.instances.max(other.instances);
        for (stack, theirs) in other.stacks {
            let ours = self.stacks.entry(stack).or_default();
            ours.migrations = ours.migrations.max(theirs.migrations);
            ours.partial_reattachments = ours.partial_reattachments.max(theirs.partial_reattachments);
        }
        join_totals(&mut self.totals, other.totals);
    }
}

impl Ledger {
    /// The time of the latest event on record.
    #[must_use]
    pub fn latest(&self) -> Option<Timestamp> {
        let spans = self.sources.values().flat_map(|s| [s.observed, s.snapshots]);
        spans.flatten().map(|span| span.to).max()
    }

    /// When an instance departed, if that was observed: it was terminated or detached on record, or the last fleet
    /// snapshot of its account and region, later than any trace of it, does not hold it; then the last trace counts.
    #[must_use]
    pub fn departed(&self, key: &InstanceKey) -> Option<Timestamp> {
        let history = self.instances.get(key)?;
        let shown = history.states.keys().next_back().copied();
        let last_snapshot = self.sources.get(&key.source).and_then(|source| source.snapshots).map(|span| span.to);
        if shown.is_some() && shown == last_snapshot {
            return None;
        }
        let latest = |which: &[Transition]| {
            history.transitions.iter().filter(|((t, _), _)| which.contains(t)).map(|(_, span)| span.to).max()
        };
        // What was detached may come back.
        let back = latest(&[Transition::AttachInstances]);
        let left = latest(&[Transition::Terminate, Transition::DetachInstances]).filter(|left| back <= Some(*left));
        left.or_else(|| history.last_trace().filter(|trace| last_snapshot > Some(*trace)))
    }

    /// The instances that departed more than `retention` before the latest event on record.
    #[must_use]
    pub fn forgettable(&self, retention: SignedDuration) -> Vec<Departed> {
        self.latest().map(|latest| self.departed_before(latest - retention)).unwrap_or_default()
    }

    /// The instances that departed before `horizon`.
    #[must_use]
    pub fn departed_before(&self, horizon: Timestamp) -> Vec<Departed> {
        let departed = |key: &InstanceKey| {
            let at = self.departed(key).filter(|at| *at < horizon)?;
            Some(Departed { key: key.clone(), at, counted: BTreeMap::new() })
        };
        self.instances.keys().filter_map(departed).collect()
    }

    /// Forgets instances; what each counted for stays in the totals.
    pub fn forget(&mut self, gone: Vec<Departed>) {
        for Departed { key, at, counted } in gone {
            let Some(history) = self.instances.remove(&key) else { continue };
            if history.launched().is_some() {
                // What its account and region show is evidence of others (rule 7).
                self.sources.entry(key.source).or_default().forgotten_launches = true;
            }
            for (stack, tally) in counted {
                let total = self.forgotten.stacks.entry(stack).or_default();
                total.migrations += tally.migrations;
                total.partial_reattachments += tally.partial_reattachments;
            }
            add_counted(&mut self.forgotten.totals, &history.counted);
            self.forgotten.instances += 1;
            self.forgotten.through = self.forgotten.through.max(Some(at));
        }
        if let Some(through) = self.forgotten.through {
            // Migrations of instances that stay still count under the stacks of their groups.
            let held: BTreeSet<&GroupRef> = self.instances.values().flat_map(|history| history.groups.keys()).collect();
            self.stacks.retain(|group, seen| held.contains(group) || seen.values().any(|span| span.to > through));
            self.mitigated.retain(|group, span| held.contains(group) || span.to > through);
        }
    }
}

impl InstanceHistory {
    /// The latest time at which anything was recorded of it.
    fn last_trace(&self) -> Option<Timestamp> {
        let sightings = self.sightings.values().map(|seen| seen.time);
        let causes = self.causes.values().map(|caused| caused.time);
        let spans = self.transitions.values().chain(self.groups.values()).map(|span: &TimeSpan| span.to);
        sightings.chain(causes).chain(spans).chain(self.states.keys().copied()).max()
    }
}
