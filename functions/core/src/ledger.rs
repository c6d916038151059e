//! Everything remembered, as one value. Absorbing is a union keyed by event identity, so the order of arrival,
//! duplicates and the way in which input is cut into runs make no difference.

mod codec;
mod forget;
mod sorted;
mod totals;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::fleet::{Activity, Fleet};
use crate::ids::{
    AutoScalingGroupArn, AutoScalingGroupName, EventId, InstanceId, InstanceKey, RequestId, Source, VolumeId,
};
use crate::lifecycle::LifecycleState;
use crate::observation::{Cause, Kind, Observation, Transition};
use crate::stacks::StackRules;
use crate::time::{TimeSpan, Timestamp, join_span};

pub use codec::LedgerError;
pub use forget::{Departed, Forgotten, Tally};
pub use totals::{Standing, Totals};

use sorted::Sorted;
use totals::{Counted, CountedKey, Service};

/// The memory of the analysis. See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    pub(crate) sources: BTreeMap<Source, SourceHistory>,
    pub(crate) instances: BTreeMap<InstanceKey, InstanceHistory>,
    /// By group, the stacks that it was seen to belong to in timed fleet snapshots.
    pub(crate) stacks: BTreeMap<GroupRef, Sorted<String, TimeSpan>>,
    /// By group, from the first timed fleet snapshot that showed it mitigated to the last.
    pub(crate) mitigated: Sorted<GroupRef, TimeSpan>,
    pub(crate) forgotten: Forgotten,
}

/// What is remembered of one account and region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SourceHistory {
    /// From the first record that was seen of it to the last.
    pub(crate) observed: Option<TimeSpan>,
    /// From the first timed fleet snapshot to the last.
    pub(crate) snapshots: Option<TimeSpan>,
    /// Launches whose records do not name their instances.
    pub(crate) unnamed_launches: BTreeSet<EventId>,
    /// Whether it has shown launches of instances that are forgotten.
    pub(crate) forgotten_launches: bool,
    /// How long instances were in service.
    pub(crate) service: Service,
}

/// What is remembered of one instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct InstanceHistory {
    pub(crate) sightings: Sorted<(VolumeId, EventId), Seen>,
    pub(crate) causes: Sorted<(Cause, EventId, Option<VolumeId>), Caused>,
    pub(crate) transitions: Sorted<(Transition, EventId), TimeSpan>,
    /// Its state in each timed snapshot; of a long run of one state the first and the last may be all that is kept.
    pub(crate) states: Sorted<Timestamp, LifecycleState>,
    /// By group, from the first evidence of membership to the last.
    pub(crate) groups: Sorted<GroupRef, TimeSpan>,
    /// Its migrations that were counted in the running totals.
    pub(crate) counted: Sorted<CountedKey, Counted>,
}

/// One sighting. Of copies with one identity the least by this order is kept: the instance's own account's first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub(crate) foreign: bool,
    pub(crate) event_id: EventId,
    pub(crate) time: Timestamp,
    pub(crate) request_id: Option<RequestId>,
}

/// One cause. Of copies with one identity the least by this order is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Caused {
    pub(crate) foreign: bool,
    pub(crate) event_id: EventId,
    pub(crate) time: Timestamp,
    pub(crate) request_id: Option<RequestId>,
    pub(crate) by_auto_scaling: bool,
}

/// A group as a piece of evidence names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupRef {
    /// Its name.
    pub name: AutoScalingGroupName,
    /// Its ARN, where the evidence has it.
    pub arn: Option<AutoScalingGroupArn>,
}

/// Something on record of an instance, for showing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// When.
    pub at: Timestamp,
    /// What, in words.
    pub what: String,
    /// Of which volume, where it names one.
    pub volume: Option<VolumeId>,
    /// By which event.
    pub event_id: Option<EventId>,
}

/// What absorbing an observation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Absorbed {
    /// It is older than what has been forgotten, of an instance that is not known: it may be of one forgotten.
    TooOld,
    /// Every part of it was known.
    Known,
    /// It was news.
    New,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one observation. Commutative, associative and idempotent.
    pub fn absorb(&mut self, observation: &Observation) -> Absorbed {
        // Of several targets the one that says most: news of any is news.
        let mut result = None;
        let o = observation;
        match &o.kind {
            Kind::Sighting { instance, volume } => {
                let seen = Seen {
                    foreign: !o.own_copy,
                    event_id: o.event_id.clone(),
                    time: o.time,
                    request_id: o.request_id.clone(),
                };
                result = Some(self.record(o, *instance, |history| {
                    keep_least(&mut history.sightings, (*volume, o.identity.clone()), seen)
                }));
            }
            Kind::Cause { cause, targets, by_auto_scaling } => {
                let caused = Caused {
                    foreign: !o.own_copy,
                    event_id: o.event_id.clone(),
                    time: o.time,
                    request_id: o.request_id.clone(),
                    by_auto_scaling: *by_auto_scaling,
                };
                for target in targets {
                    let absorbed = self.record(o, target.instance, |history| {
                        if let Some(name) = &target.group {
                            let group = GroupRef { name: name.clone(), arn: None };
                            join(&mut history.groups, group, TimeSpan::at(o.time));
                        }
                        let key = (*cause, o.identity.clone(), target.volume);
                        keep_least(&mut history.causes, key, caused.clone())
                    });
                    result = result.max(Some(absorbed));
                }
            }
            Kind::Transition { transition, instances } => {
                for instance in instances {
                    let absorbed = self.record(o, *instance, |history| {
                        let key = (*transition, o.identity.clone());
                        let new = !history.transitions.contains_key(&key);
                        join(&mut history.transitions, key, TimeSpan::at(o.time));
                        new
                    });
                    result = result.max(Some(absorbed));
                }
            }
            Kind::UnnamedLaunch => {
                let source = self.sources.entry(o.source.clone()).or_default();
                if source.unnamed_launches.insert(o.identity.clone()) {
                    result = Some(Absorbed::New);
                }
            }
        }
        let result = result.unwrap_or(Absorbed::Known);
        if result != Absorbed::TooOld {
            self.observed(&o.source, TimeSpan::at(o.time));
        }
        result
    }

    /// Notes that records of `source` were seen from the first to the last of `span`.
    pub fn observed(&mut self, source: &Source, span: TimeSpan) {
        join_span(&mut self.sources.entry(source.clone()).or_default().observed, span);
    }

    /// Takes in a fleet snapshot, if it carries the time at which it was taken (rule 11), with the stack of each group.
    pub fn absorb_fleet(&mut self, fleet: &Fleet, stack_of: impl Fn(&crate::fleet::Group) -> String) {
        let Some(taken) = fleet.taken else { return };
        let now = TimeSpan::at(taken);
        for group in &fleet.groups {
            let key = GroupRef { name: group.name.clone(), arn: group.arn.clone() };
            join(self.stacks.entry(key).or_default(), stack_of(group), now);
            if let Some(source) = &group.source {
                join_span(&mut self.sources.entry(source.clone()).or_default().snapshots, now);
            }
        }
        let places = self.places();
        for member in &fleet.members {
            let group = fleet.group_of(member);
            let by_arn = group.and_then(|g| g.source.clone());
            let Some(source) = by_arn.or_else(|| places.get(&member.instance).cloned()) else {
                continue;
            };
            let key = InstanceKey { source, instance: member.instance };
            let history = self.instances.entry(key).or_default();
            keep_least(&mut history.states, taken, member.state.clone());
            if let Some(group) = group {
                let key = GroupRef { name: group.name.clone(), arn: group.arn.clone() };
                join(&mut history.groups, key, now);
            }
        }
    }

    /// Notes which groups of a fleet snapshot are mitigated, if it carries the time at which it was taken.
    pub fn note_mitigated(&mut self, fleet: &Fleet, is_mitigated: impl Fn(&crate::fleet::Group) -> bool) {
        let Some(taken) = fleet.taken else { return };
        for group in fleet.groups.iter().filter(|group| is_mitigated(group)) {
            let key = GroupRef { name: group.name.clone(), arn: group.arn.clone() };
            join(&mut self.mitigated, key, TimeSpan::at(taken));
        }
    }

    /// Takes in scaling activities: transitions, and evidence of groups. One whose group has no ARN is placed by its
    /// instance, or by its group in `fleet`.
    pub fn absorb_activities(&mut self, activities: &[Activity], fleet: Option<&Fleet>) {
        let places = self.places();
        for activity in activities {
            let by_arn = activity.group_arn.as_ref().and_then(|arn| crate::fleet::source_of_arn(arn.as_str()));
            let source = by_arn
                .or_else(|| places.get(&activity.instance).cloned())
                .or_else(|| fleet?.groups.iter().find(|g| g.name == activity.group)?.source.clone());
            let (Some(source), Ok(id)) = (source, EventId::new(&activity.id)) else { continue };
            let history = self.instances.entry(InstanceKey { source, instance: activity.instance }).or_default();
            let group = GroupRef { name: activity.group.clone(), arn: activity.group_arn.clone() };
            let span = TimeSpan { from: activity.started, to: activity.ended.unwrap_or(activity.started) };
            join(&mut history.groups, group, span);
            let transition = if activity.departs { Transition::Terminate } else { Transition::ScalingActivity };
            join(&mut history.transitions, (transition, id), span);
        }
    }

    /// The fleet of an account and region as its last timed snapshot showed it, with the tags of each group that `rules`
    /// read; nothing where there was none. It stands in for a snapshot that could not be taken.
    #[must_use]
    pub fn last_fleet(&self, source: &Source, rules: &StackRules) -> Option<Fleet> {
        let last = self.sources.get(source)?.snapshots?.to;
        let mut fleet = Fleet::default();
        let mut places: BTreeMap<GroupRef, usize> = BTreeMap::new();
        for (key, history) in self.instances.iter().filter(|(key, _)| key.source == *source) {
            let Some(state) = history.states.get(&last) else { continue };
            let group = history.last_group().map(|group| {
                *places.entry(group.clone()).or_insert_with(|| {
                    let seen = self.stacks.get(group).and_then(|seen| seen.iter().max_by_key(|(_, span)| span.to));
                    let mitigated = self.mitigated.get(group).is_some_and(|span| span.to == last);
                    let tags = rules.tags(seen.map(|(stack, _)| stack.as_str()), mitigated);
                    let (name, arn) = (group.name.clone(), group.arn.clone());
                    let source = Some(source.clone());
                    fleet.groups.push(crate::fleet::Group { name, arn, source, tags, has_warm_pool: false });
                    fleet.groups.len() - 1
                })
            });
            let region = Some(source.region.clone());
            fleet.members.push(crate::fleet::Member { instance: key.instance, group, state: state.clone(), region });
        }
        Some(fleet)
    }

    /// Of an account and region, how many instances first showed in fleet snapshots of some time, after an earlier one
    /// without them; and how many of those have a launch or a sighting on record. Newcomers that no record tells of are
    /// a sign of a source that sees nothing.
    #[must_use]
    pub fn newcomers(&self, source: &Source, shown: TimeSpan) -> (u64, u64) {
        let Some(first) = self.sources.get(source).and_then(|source| source.snapshots) else { return (0, 0) };
        let new = |history: &&InstanceHistory| {
            history.states.keys().next().is_some_and(|taken| *taken > first.from && shown.holds(*taken))
        };
        let all = self.instances.iter().filter(|(key, _)| key.source == *source).map(|(_, history)| history);
        all.filter(new).fold((0, 0), |(all, told), history| {
            (all + 1, told + u64::from(history.launched().is_some() || !history.sightings.is_empty()))
        })
    }

    /// The accounts and regions that anything is known of.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.keys()
    }

    /// When the last timed fleet snapshot of an account and region was taken.
    #[must_use]
    pub fn snapshots_through(&self, source: &Source) -> Option<Timestamp> {
        self.sources.get(source)?.snapshots.map(|span| span.to)
    }

    /// From the first record of an account and region to the last.
    #[must_use]
    pub fn observed_span(&self, source: &Source) -> Option<TimeSpan> {
        self.sources.get(source)?.observed
    }

    /// The account and region of every instance.
    #[must_use]
    pub fn places(&self) -> BTreeMap<InstanceId, Source> {
        self.instances.keys().map(|key| (key.instance, key.source.clone())).collect()
    }

    /// When an instance was launched, if that is on record.
    #[must_use]
    pub fn launched(&self, key: &InstanceKey) -> Option<Timestamp> {
        self.instances.get(key)?.launched()
    }

    /// The group that each instance was last known to belong to, and where.
    #[must_use]
    pub fn group_names(&self) -> BTreeMap<InstanceId, (Source, AutoScalingGroupName)> {
        let named = |(key, history): (&InstanceKey, &InstanceHistory)| {
            Some((key.instance, (key.source.clone(), history.last_group()?.name.clone())))
        };
        self.instances.iter().filter_map(named).collect()
    }

    /// What is on record of one instance besides its sightings, for showing it.
    #[must_use]
    pub fn recorded(&self, source: Option<&Source>, instance: InstanceId) -> Vec<Recorded> {
        let key = source.map(|source| InstanceKey { source: source.clone(), instance });
        let Some(history) = key.and_then(|key| self.instances.get(&key)) else { return Vec::new() };
        let causes = history.causes.iter().map(|((cause, _, volume), caused)| Recorded {
            at: caused.time,
            what: format!("{cause}{}", if caused.by_auto_scaling { " by Auto Scaling" } else { "" }),
            volume: *volume,
            event_id: Some(caused.event_id.clone()),
        });
        let transitions = history.transitions.iter().map(|((transition, identity), span)| Recorded {
            at: span.to,
            what: format!("transition: {}", transition.as_str()),
            volume: None,
            event_id: Some(identity.clone()),
        });
        let mut before = None;
        let changes = history.states.iter().filter(|(_, state)| before.replace(*state) != Some(*state));
        let states = changes.map(|(taken, state)| Recorded {
            at: *taken,
            what: format!("{state} in a fleet snapshot"),
            volume: None,
            event_id: None,
        });
        causes.chain(transitions).chain(states).collect()
    }

    /// What remains of forgotten instances.
    #[must_use]
    pub fn forgotten(&self) -> &Forgotten {
        &self.forgotten
    }

    /// How many instances it remembers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// Whether it remembers no instance.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// The union with another ledger. Both must have forgotten the same: forget in both first, up to the later of their
    /// ends, or what one has forgotten comes back with the other.
    pub fn merge(&mut self, other: Self) {
        for (source, theirs) in other.sources {
            let ours = self.sources.entry(source).or_default();
            ours.unnamed_launches.extend(theirs.unnamed_launches);
            ours.forgotten_launches |= theirs.forgotten_launches;
            ours.service.merge(theirs.service);
            if let Some(span) = theirs.observed {
                join_span(&mut ours.observed, span);
            }
            if let Some(span) = theirs.snapshots {
                join_span(&mut ours.snapshots, span);
            }
        }
        for (key, theirs) in other.instances {
            let ours = self.instances.entry(key).or_default();
            for (key, seen) in theirs.sightings {
                keep_least(&mut ours.sightings, key, seen);
            }
            for (key, caused) in theirs.causes {
                keep_least(&mut ours.causes, key, caused);
            }
            join_all(&mut ours.transitions, theirs.transitions);
            for (taken, state) in theirs.states {
                keep_least(&mut ours.states, taken, state);
            }
            join_all(&mut ours.groups, theirs.groups);
            totals::join_counted(&mut ours.counted, theirs.counted);
        }
        for (group, theirs) in other.stacks {
            join_all(self.stacks.entry(group).or_default(), theirs);
        }
        join_all(&mut self.mitigated, other.mitigated);
        self.forgotten.merge(other.forgotten);
    }

    fn record(
        &mut self,
        observation: &Observation,
        instance: InstanceId,
        change: impl FnOnce(&mut InstanceHistory) -> bool,
    ) -> Absorbed {
        let key = InstanceKey { source: observation.source.clone(), instance };
        if self.forgotten.through.is_some_and(|through| observation.time <= through)
            && !self.instances.contains_key(&key)
        {
            return Absorbed::TooOld;
        }
        if change(self.instances.entry(key).or_default()) { Absorbed::New } else { Absorbed::Known }
    }
}

impl InstanceHistory {
    /// When it was launched, if that is on record (rule 4).
    pub(crate) fn launched(&self) -> Option<Timestamp> {
        self.causes.iter().filter(|((cause, ..), _)| *cause == Cause::Launch).map(|(_, caused)| caused.time).min()
    }

    /// The group of the latest evidence. Evidence without an ARN means the group of that name whose ARN other
    /// evidence has, if there is one.
    pub(crate) fn last_group(&self) -> Option<&GroupRef> {
        let latest = |groups: &mut dyn Iterator<Item = (&'_ GroupRef, &TimeSpan)>| {
            groups.max_by_key(|(group, span)| (span.to, group.arn.is_some(), *group)).map(|(group, _)| group.clone())
        };
        let last = latest(&mut self.groups.iter())?;
        let named = latest(&mut self.groups.iter().filter(|(group, _)| group.arn.is_some() && group.name == last.name));
        let last = if last.arn.is_some() { last } else { named.unwrap_or(last) };
        self.groups.get_key_value(&last).map(|(group, _)| group)
    }
}

/// Keeps the lesser of what is there and `value`. True if there was nothing.
fn keep_least<K: Ord, V: Ord>(map: &mut Sorted<K, V>, key: K, value: V) -> bool {
    map.put(key, value, |known, value| {
        if value < *known {
            *known = value;
        }
    })
}

fn join<K: Ord>(map: &mut Sorted<K, TimeSpan>, key: K, span: TimeSpan) {
    map.put(key, span, |known, span| *known = known.join(span));
}

fn join_all<K: Ord>(map: &mut Sorted<K, TimeSpan>, other: Sorted<K, TimeSpan>) {
    for (key, span) in other {
        join(map, key, span);
    }
}

#[cfg(test)]
mod tests;
