//! The story of one instance: which attachments are baselines, reattachments with a cause, or a migration, and how
//! sure that is (rules 5 to 7).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::assess::Settings;
use crate::assess::attachments::{Attachment, SeenAt, attachments};
use crate::ids::{EventId, VolumeId};
use crate::ledger::InstanceHistory;
use crate::observation::Cause;
use crate::time::{TimeSpan, Timestamp};

/// How sure a migration is (rule 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Every volume known to be attached came again, and the baselines of those that came are on record.
    Confirmed,
    /// No baseline in view, but the instance is known to have been running earlier.
    Presumed,
    /// Some volumes came again and others did not.
    Partial,
    /// None of the above can be said.
    Undetermined,
}

impl Confidence {
    /// Its name in the report.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Presumed => "presumed",
            Self::Partial => "partial",
            Self::Undetermined => "undetermined",
        }
    }

    /// Whether it counts as a migration.
    #[must_use]
    pub fn counts(self) -> bool {
        matches!(self, Self::Confirmed | Self::Presumed)
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why an instance is known to have been running before its first sighting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// A fleet snapshot showed it in a steady state.
    Snapshot,
    /// Its launch is on record.
    Launch,
    /// Another volume's baseline is on record.
    OtherBaseline,
    /// Its account and region show launches, completely, and none of it.
    NoLaunchShown,
}

/// Up to which time every stream that could carry a cause is complete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Complete {
    /// The input is all that there will be.
    #[default]
    Always,
    /// So far. A migration whose last sighting lies less than [`Settings::settle`] before it is pending.
    Through(Timestamp),
    /// That cannot be said: every migration is pending.
    Unknown,
}

/// What can be said of records of an instance's account and region.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Placement {
    /// From the first record seen to the last.
    pub observed: Option<TimeSpan>,
    /// Whether launches are shown at all, and each with its instances.
    pub shows_launches: bool,
    /// Whether a cause may still arrive.
    pub complete: Complete,
}

/// Unexplained reattachments that are one host move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The first sighting.
    pub at: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// The volumes that came.
    pub volumes: BTreeSet<VolumeId>,
    /// The volumes known to be attached that did not.
    pub missing: BTreeSet<VolumeId>,
    /// How sure.
    pub confidence: Confidence,
    /// What a presumption rests on.
    pub evidence: Option<Evidence>,
    /// All its sightings.
    pub event_ids: Vec<EventId>,
    /// Whether a cause may still arrive.
    pub pending: bool,
}

/// Reattachments of one cause that came together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reattachment {
    /// The first sighting.
    pub at: Timestamp,
    /// The volumes.
    pub volumes: BTreeSet<VolumeId>,
    /// The cause.
    pub cause: Cause,
}

/// One step of the story, for the explanation of a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A volume's first attachment.
    Baseline(Attachment),
    /// A later one, with its cause.
    Reattached(Attachment),
    /// A migration, with its attachments.
    Migrated(Migration, Vec<Attachment>),
    /// A volume stopped being known to be attached.
    NoLongerKnown {
        /// When.
        at: Timestamp,
        /// Which.
        volume: VolumeId,
        /// Why.
        why: &'static str,
    },
}

/// A moment at which the IMDS item may have been lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// When.
    pub at: Timestamp,
    /// By an explained host move; otherwise by a migration.
    pub cause: Option<Cause>,
    /// How sure the migration is.
    pub confidence: Confidence,
    /// Whether a cause may still arrive.
    pub pending: bool,
}

/// The story of one instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    /// In order of time.
    pub steps: Vec<Step>,
    /// Unexplained.
    pub migrations: Vec<Migration>,
    /// Explained.
    pub reattachments: Vec<Reattachment>,
    /// When the IMDS item may have been lost.
    pub losses: Vec<Loss>,
    /// Whether the launch's own attachment is on record.
    pub launch_baseline: bool,
    /// Whether there was any sighting.
    pub sighted: bool,
}

/// What is known of one volume at a point of the story.
#[derive(Debug, Clone, Copy, Default)]
struct Volume {
    /// Known to be attached.
    known: bool,
    /// Its baseline is on record.
    baseline: bool,
    /// How many partial migrations in a row it has missed.
    missed: u8,
}

struct Teller<'a> {
    history: &'a InstanceHistory,
    settings: &'a Settings,
    placement: Placement,
    all: &'a [Attachment],
    volumes: BTreeMap<VolumeId, Volume>,
    told: Timeline,
}

/// Tells the story of one instance.
pub(crate) fn timeline(history: &InstanceHistory, placement: Placement, settings: &Settings) -> Timeline {
    let all = attachments(history, settings);
    let mut teller =
        Teller { history, settings, placement, all: &all, volumes: BTreeMap::new(), told: Timeline::default() };
    teller.told.sighted = !all.is_empty();
    let mut removals = removals(history).into_iter().peekable();
    let mut rest: Vec<&Attachment> = all.iter().rev().collect();
    while let Some(next) = rest.pop() {
        while let Some((at, removal)) = removals.next_if(|(at, _)| *at <= next.first) {
            teller.remove(at, removal);
        }
        if let Some(cause) = next.cause {
            teller.explained(next, cause);
            continue;
        }
        let until = next.first + settings.coalesce;
        let (mut group, mut others) = (vec![next], Vec::new());
        while let Some(near) = rest.pop_if(|a| a.first < until) {
            if near.cause.is_none() { group.push(near) } else { others.push(near) }
        }
        rest.extend(others.into_iter().rev());
        teller.unexplained(&group);
    }
    for (at, removal) in removals {
        teller.remove(at, removal);
    }
    teller.told
}

/// What takes volumes away from an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Removal {
    Detach(VolumeId),
    RootVolumeReplacement,
}

fn removals(history: &InstanceHistory) -> Vec<(Timestamp, Removal)> {
    let mut removals: Vec<(Timestamp, Removal)> = history
        .causes
        .iter()
        .filter_map(|((cause, _, volume), caused)| match (cause, volume) {
            (Cause::Detach, Some(volume)) => Some((caused.time, Removal::Detach(*volume))),
            (Cause::RootVolumeReplacement, _) => Some((caused.time, Removal::RootVolumeReplacement)),
            _ => None,
        })
        .collect();
    removals.sort_unstable();
    removals
}

impl Teller<'_> {
    fn known(&self) -> BTreeSet<VolumeId> {
        self.volumes.iter().filter(|(_, state)| state.known).map(|(volume, _)| *volume).collect()
    }

    /// The volumes of which an attachment begins in `around`, whatever explains it.
    fn came(&self, around: TimeSpan) -> BTreeSet<VolumeId> {
        let begin = self.all.partition_point(|a| a.first < around.from);
        let end = self.all.partition_point(|a| a.first <= around.to);
        self.all.get(begin..end).unwrap_or_default().iter().map(|a| a.volume).collect()
    }

    fn forget(&mut self, at: Timestamp, volume: VolumeId, why: &'static str) {
        if let Some(state) = self.volumes.get_mut(&volume).filter(|state| state.known) {
            state.known = false;
            self.told.steps.push(Step::NoLongerKnown { at, volume, why });
        }
    }

    fn remove(&mut self, at: Timestamp, removal: Removal) {
        match removal {
            Removal::Detach(volume) => self.forget(at, volume, "it was detached"),
            Removal::RootVolumeReplacement => {
                let around = TimeSpan { from: at - Settings::CAUSE_AFTER, to: at + Settings::CAUSE_BEFORE };
                self.forget_absent(at, around, "a root volume replacement left it out");
            }
        }
    }

    /// Forgets the known volumes of which no attachment begins in `around`.
    fn forget_absent(&mut self, at: Timestamp, around: TimeSpan, why: &'static str) {
        for volume in self.known().difference(&self.came(around)) {
            self.forget(at, *volume, why);
        }
    }

    fn explained(&mut self, attachment: &Attachment, cause: Cause) {
        let first = !self.volumes.contains_key(&attachment.volume);
        let state = self.volumes.entry(attachment.volume).or_default();
        *state = Volume { known: true, baseline: state.baseline || first, missed: 0 };
        self.told.launch_baseline |= first && cause == Cause::Launch;
        if cause.moves_host() && !attachment.by_transition {
            let at = attachment.first;
            self.told.losses.push(Loss {
                at,
                cause: Some(cause),
                confidence: Confidence::Undetermined,
                pending: false,
            });
        }
        if first {
            self.told.steps.push(Step::Baseline(attachment.clone()));
        } else {
            self.told.steps.push(Step::Reattached(attachment.clone()));
            self.gather(attachment, cause);
        }
        if cause == Cause::Start {
            // A start attaches every volume that the instance still has.
            let around = self.around(attachment.first);
            self.forget_absent(attachment.first, around, "an explained start left it out");
        }
    }

    /// Puts a reattachment beside those of its cause that began less than one window before (rule 6).
    fn gather(&mut self, attachment: &Attachment, cause: Cause) {
        let open = self.told.reattachments.iter_mut().rev().find(|r| r.cause == cause);
        match open {
            Some(open) if open.at.until(attachment.first) < self.settings.coalesce => {
                open.volumes.insert(attachment.volume);
            }
            _ => self.told.reattachments.push(Reattachment {
                at: attachment.first,
                volumes: BTreeSet::from([attachment.volume]),
                cause,
            }),
        }
    }

    /// Less than one window before `at` or after it.
    fn around(&self, at: Timestamp) -> TimeSpan {
        let reach = self.settings.coalesce - jiff::SignedDuration::from_secs(1);
        TimeSpan { from: at - reach, to: at + reach }
    }

    fn unexplained(&mut self, group: &[&Attachment]) {
        let Some(at) = group.first().map(|attachment| attachment.first) else { return };
        let known = self.known();
        let again: Vec<Volume> = group.iter().filter_map(|a| self.volumes.get(&a.volume).copied()).collect();
        if again.is_empty() && !known.is_empty() {
            // The other volumes stay put: further volumes, attached by something that is not on record.
            for attachment in group {
                self.volumes.insert(attachment.volume, Volume { known: true, baseline: true, missed: 0 });
                self.told.steps.push(Step::Baseline((*attachment).clone()));
            }
            return;
        }
        let around = self.around(at);
        let missing: BTreeSet<VolumeId> = known.difference(&self.came(around)).copied().collect();
        let (confidence, evidence) = self.confidence(at, &again, &missing);
        let volumes: BTreeSet<VolumeId> = group.iter().map(|attachment| attachment.volume).collect();
        let last = group.iter().map(|attachment| attachment.last).max().unwrap_or(at);
        let settled = match self.placement.complete {
            Complete::Always => true,
            Complete::Through(through) => last + self.settings.settle <= through,
            Complete::Unknown => false,
        };
        let mut sightings: Vec<&SeenAt> = group.iter().flat_map(|attachment| &attachment.sightings).collect();
        sightings.sort_by_key(|sighting| (sighting.time, &sighting.event_id));
        let event_ids = sightings.into_iter().map(|sighting| sighting.event_id.clone()).collect();
        let migration = Migration { at, last, volumes, missing, confidence, evidence, event_ids, pending: !settled };
        for volume in &migration.volumes {
            let state = self.volumes.entry(*volume).or_default();
            *state = Volume { known: true, missed: 0, ..*state };
        }
        self.told.losses.push(Loss { at, cause: None, confidence, pending: migration.pending });
        self.told.migrations.push(migration.clone());
        let attachments = group.iter().map(|attachment| (*attachment).clone()).collect();
        self.told.steps.push(Step::Migrated(migration.clone(), attachments));
        if confidence == Confidence::Partial {
            self.miss(at, &migration.missing);
        }
    }

    /// A volume that two partial migrations in a row have missed is attached no more.
    fn miss(&mut self, at: Timestamp, missing: &BTreeSet<VolumeId>) {
        for volume in missing {
            let Some(state) = self.volumes.get_mut(volume) else { continue };
            state.missed = state.missed.saturating_add(1);
            if state.missed >= 2 {
                self.forget(at, *volume, "two partial migrations in a row missed it");
            }
        }
    }

    fn confidence(
        &self,
        at: Timestamp,
        again: &[Volume],
        missing: &BTreeSet<VolumeId>,
    ) -> (Confidence, Option<Evidence>) {
        if !missing.is_empty() {
            return (Confidence::Partial, None);
        }
        if again.iter().any(|volume| volume.baseline) {
            return (Confidence::Confirmed, None);
        }
        match self.evidence_of_running(at) {
            Some(evidence) => (Confidence::Presumed, Some(evidence)),
            None => (Confidence::Undetermined, None),
        }
    }

    /// Whether the instance is known to have been running before `at`.
    fn evidence_of_running(&self, at: Timestamp) -> Option<Evidence> {
        let early = at - self.settings.coalesce;
        if self.history.states.range(..=early).any(|(_, state)| state.is_steady()) {
            return Some(Evidence::Snapshot);
        }
        if self.history.launched().is_some_and(|launched| launched <= at) {
            return Some(Evidence::Launch);
        }
        if self.volumes.values().any(|volume| volume.baseline) {
            return Some(Evidence::OtherBaseline);
        }
        let explaining = (at - Settings::CAUSE_BEFORE, at + Settings::CAUSE_AFTER);
        let in_view = self.placement.observed.is_some_and(|o| o.holds(explaining.0) && o.holds(explaining.1));
        (in_view && self.placement.shows_launches && self.history.launched().is_none())
            .then_some(Evidence::NoLaunchShown)
    }
}
