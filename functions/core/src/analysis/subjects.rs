//! The instances that an analysis is about: members of the fleet, and whatever else the ledger knows.

use std::collections::BTreeMap;

use crate::analysis::Question;
use crate::assess::{Complete, Judgement, Placement, Timeline, judge, timeline};
use crate::fleet::{Fleet, Group, Member};
use crate::ids::{AutoScalingGroupArn, AutoScalingGroupName, InstanceId, InstanceKey, Region, Source};
use crate::ledger::{GroupRef, InstanceHistory, Ledger, Tally};
use crate::lifecycle::LifecycleState;
use crate::observation::Cause;
use crate::time::{TimeSpan, Timestamp};

/// One instance, with all that is said of it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Account and region.
    pub source: Option<Source>,
    /// The region alone, where the account is not known.
    pub region: Option<Region>,
    /// The instance.
    pub instance: InstanceId,
    /// Its group.
    pub group: Option<AutoScalingGroupName>,
    /// The group's stack of now.
    pub stack: Option<String>,
    /// Whether its group is mitigated, of a member.
    pub mitigated: bool,
    /// State and verdict, of a member.
    pub judged: Option<(LifecycleState, Judgement)>,
    /// Its story.
    pub timeline: Timeline,
    /// The stack that each of its migrations counts under, in their order.
    pub counted_under: Vec<Option<String>>,
    /// When it was launched.
    pub launched: Option<Timestamp>,
    /// Whether a grant came with its launch.
    pub launch_granted: bool,
}

impl Subject {
    /// Where the ledger knows it.
    pub(super) fn key(&self) -> Option<InstanceKey> {
        Some(InstanceKey { source: self.source.clone()?, instance: self.instance })
    }

    /// Whether it has a migration or a reattachment.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        !self.timeline.migrations.is_empty() || !self.timeline.reattachments.is_empty()
    }

    /// Its migrations by the stack that they count under.
    #[must_use]
    pub fn tally(&self) -> BTreeMap<String, Tally> {
        let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
        for (migration, stack) in self.timeline.migrations.iter().zip(&self.counted_under) {
            let Some(stack) = stack else { continue };
            let tally = tallies.entry(stack.clone()).or_default();
            tally.migrations += u64::from(migration.confidence.counts() && !migration.pending);
            tally.partial_reattachments +=
                u64::from(migration.confidence == crate::assess::Confidence::Partial && !migration.pending);
        }
        tallies.retain(|_, tally| *tally != Tally::default());
        tallies
    }
}

/// The groups of the fleet by ARN and by name, and their stacks.
pub(super) struct Groups<'a> {
    question: &'a Question<'a>,
    by_arn: BTreeMap<&'a AutoScalingGroupArn, &'a Group>,
    by_name: BTreeMap<(Option<&'a Source>, &'a AutoScalingGroupName), &'a Group>,
    shows_launches: BTreeMap<&'a Source, bool>,
}

impl<'a> Groups<'a> {
    /// Indexes the groups of a question.
    pub(super) fn new(question: &'a Question<'a>) -> Self {
        let groups = || question.fleet.into_iter().flat_map(|fleet| &fleet.groups);
        let mut shows_launches: BTreeMap<&Source, bool> = BTreeMap::new();
        for (key, history) in &question.ledger.instances {
            *shows_launches.entry(&key.source).or_default() |= history.launched().is_some();
        }
        Self {
            question,
            by_arn: groups().filter_map(|group| Some((group.arn.as_ref()?, group))).collect(),
            by_name: groups().map(|group| ((group.source.as_ref(), &group.name), group)).collect(),
            shows_launches,
        }
    }

    /// The stacks of all groups in the fleet.
    pub(super) fn stacks(&self) -> impl Iterator<Item = String> {
        let fleet = self.question.fleet.into_iter();
        fleet.flat_map(|fleet| &fleet.groups).map(|group| self.question.stacks.of_group(group))
    }

    /// The group in the fleet that a piece of evidence means: by ARN where it has one, else by name.
    fn in_fleet(&self, group: &GroupRef, source: &Source) -> Option<&'a Group> {
        match &group.arn {
            Some(arn) if !self.by_arn.is_empty() => self.by_arn.get(arn).copied(),
            _ => self
                .by_name
                .get(&(Some(source), &group.name))
                .or_else(|| self.by_name.get(&(None, &group.name)))
                .copied(),
        }
    }

    /// The stack of a group of now: the fleet's, else by rules on its name (rule 10).
    fn stack_of(&self, group: &GroupRef, source: &Source) -> String {
        let stacks = self.question.stacks;
        self.in_fleet(group, source).map_or_else(|| stacks.of_name(group.name.as_str()), |group| stacks.of_group(group))
    }

    /// The stack that a migration at `at` counts under: its group's in the first fleet snapshot after it.
    fn stack_at(&self, history: &InstanceHistory, now: &GroupRef, source: &Source, at: Timestamp) -> String {
        let group = covering(history.groups.iter().filter(|(group, _)| group.arn.is_some()), at).unwrap_or(now);
        let seen = self.question.ledger.stacks.get(group);
        match seen.and_then(|seen| covering(seen.iter(), at)) {
            Some(stack) => stack.clone(),
            None => self.stack_of(group, source),
        }
    }

    fn placement(&self, source: &Source) -> Placement {
        let history = self.question.ledger.sources.get(source);
        let shown = self.shows_launches.get(source).copied().unwrap_or_default()
            || history.is_some_and(|history| history.forgotten_launches);
        let complete = match self.question.complete {
            None => Complete::Always,
            Some(through) => through.get(source).map_or(Complete::Unknown, |through| Complete::Through(*through)),
        };
        Placement {
            complete,
            observed: history.and_then(|history| history.observed),
            shows_launches: shown && history.is_some_and(|history| history.unnamed_launches.is_empty()),
        }
    }
}

/// Of what was seen over some spans of time: that which was seen first at `at` or after it, else last before it.
fn covering<'k, K: Ord>(spans: impl Iterator<Item = (&'k K, &'k TimeSpan)> + Clone, at: Timestamp) -> Option<&'k K> {
    let later = spans.clone().filter(|(_, span)| span.to >= at).min_by_key(|(key, span)| (span.to, *key));
    later.or_else(|| spans.max_by_key(|(key, span)| (span.to, *key))).map(|(key, _)| key)
}

/// All instances of a question in the order of the report, each judged when it is asked for.
pub(super) fn subjects<'a>(
    question: &'a Question<'a>,
    groups: &'a Groups<'a>,
    wanted: Option<InstanceId>,
) -> impl Iterator<Item = Subject> + use<'a> {
    let wanted = move |instance: InstanceId| wanted.is_none_or(|wanted| wanted == instance);
    let known = question.ledger.instances.keys().filter(|key| wanted(key.instance));
    let mut placed: BTreeMap<(Option<InstanceKey>, InstanceId), Option<&Member>> =
        known.map(|key| ((Some(key.clone()), key.instance), None)).collect();
    if let Some(fleet) = question.fleet {
        let sources = question.ledger.places();
        let only = only_source(question.ledger);
        for member in fleet.members.iter().filter(|member| wanted(member.instance)) {
            let by_arn = fleet.group_of(member).and_then(|group| group.source.clone());
            let source = by_arn.or_else(|| sources.get(&member.instance).cloned()).or_else(|| only.cloned());
            let key = source.map(|source| InstanceKey { source, instance: member.instance });
            placed.insert((key, member.instance), Some(member));
        }
    }
    placed.into_iter().filter_map(|((key, _), member)| subject(question, groups, key.as_ref(), member))
}

fn only_source(ledger: &Ledger) -> Option<&Source> {
    let mut sources = ledger.sources.keys();
    sources.next().filter(|_| sources.next().is_none())
}

/// All that is said of one instance: of one in the ledger, of a member of the fleet, or of both.
pub(super) fn subject(
    question: &Question<'_>,
    groups: &Groups<'_>,
    key: Option<&InstanceKey>,
    member: Option<&Member>,
) -> Option<Subject> {
    let instance = key.map(|key| key.instance).or_else(|| member.map(|m| m.instance))?;
    let history = key.and_then(|key| question.ledger.instances.get(key));
    let source = key.map(|key| &key.source);
    let story = match (history, source) {
        (Some(history), Some(source)) => timeline(history, groups.placement(source), question.settings),
        _ => Timeline::default(),
    };
    let fleet_group = member.zip(question.fleet).and_then(|(member, fleet): (_, &Fleet)| fleet.group_of(member));
    let group = fleet_group
        .map(|group| GroupRef { name: group.name.clone(), arn: group.arn.clone() })
        .or_else(|| history?.last_group().cloned());
    let stack = match (fleet_group, &group, source) {
        (Some(group), ..) => Some(question.stacks.of_group(group)),
        (None, Some(group), Some(source)) => Some(groups.stack_of(group, source)),
        _ => None,
    };
    let counted_under = story.migrations.iter().map(|migration| match (history, &group, source) {
        (Some(history), Some(group), Some(source)) => Some(groups.stack_at(history, group, source, migration.at)),
        _ => stack.clone(),
    });
    let launched = history.and_then(InstanceHistory::launched);
    Some(Subject {
        source: source.cloned(),
        region: member.and_then(|member| member.region.clone()),
        instance,
        counted_under: counted_under.collect(),
        group: group.map(|group| group.name),
        stack,
        mitigated: fleet_group.is_some_and(|group| question.stacks.is_mitigated(group)),
        judged: member.map(|member| (member.state.clone(), judge(&story, history, &member.state))),
        launch_granted: launched.zip(history).is_some_and(|(at, history)| granted_with_launch(history, at)),
        launched,
        timeline: story,
    })
}

/// Whether a grant stands within the explaining time of a launch.
fn granted_with_launch(history: &InstanceHistory, launched: Timestamp) -> bool {
    let around = TimeSpan {
        from: launched - crate::assess::Settings::CAUSE_AFTER,
        to: launched + crate::assess::Settings::CAUSE_BEFORE,
    };
    history.causes.iter().any(|((cause, ..), caused)| *cause == Cause::Grant && around.holds(caused.time))
}
