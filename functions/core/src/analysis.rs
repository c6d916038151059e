//! The analysis: what the ledger and the fleet say together, in the schema that other tools read.

mod coverage;
mod service;
mod subjects;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::assess::{Confidence, Judgement, Reattachment, Settings, Timeline, Verdict};
use crate::fleet::Fleet;
use crate::ids::{AccountId, AutoScalingGroupName, EventId, InstanceId, InstanceKey, Region, Source, VolumeId};
use crate::ledger::{Absorbed, Departed, Ledger, Standing};
use crate::lifecycle::LifecycleState;
use crate::observation::{Cause, Kind};
use crate::stacks::{OVERFLOW, StackRules};
use crate::time::{TimeSpan, Timestamp};

pub use coverage::{Coverage, Sight, SourceCoverage};
pub use service::InService;
pub use subjects::Subject;

use subjects::{Groups, subject, subjects};

/// The schema of [`Analysis`].
pub const SCHEMA: &str = "migration-exposure/analysis/1";

/// The whole answer. Serialised, it is the contract `migration-exposure/analysis/1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analysis {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// From the earliest record to the latest, or what was asked for.
    pub window: Window,
    /// What became of each file and record.
    pub accounting: Accounting,
    /// How much of what happened could be seen.
    pub coverage: Coverage,
    /// One row for each stack, by name.
    pub stacks: Vec<StackRow>,
    /// The instances that are listed, by account, region and ID.
    pub instances: Vec<InstanceRow>,
}

/// A window of time, both ends included; empty where there was no record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The earliest.
    pub from: Option<Timestamp>,
    /// The latest.
    pub to: Option<Timestamp>,
}

impl From<Option<TimeSpan>> for Window {
    fn from(span: Option<TimeSpan>) -> Self {
        Self { from: span.map(|s| s.from), to: span.map(|s| s.to) }
    }
}

/// What became of each file and record of one run:
/// `records = sightings + causes + irrelevant + duplicates + malformed`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Accounting {
    /// Log files read, without digests, Insight files and unreadable ones.
    pub files: u64,
    /// Files that could not be read, or not to their end.
    pub unreadable_files: u64,
    /// Records in the files read.
    pub records: u64,
    /// Infrastructure Decrypts of an instance's volume.
    pub sightings: u64,
    /// What explains one.
    pub causes: u64,
    /// Everything else; transitions, failed calls and AWS's own grants among it.
    pub irrelevant: u64,
    /// Repeated sightings and causes.
    pub duplicates: u64,
    /// No JSON objects, or without what their kind must have.
    pub malformed: u64,
    /// Of the irrelevant: failed infrastructure Decrypts, dry runs apart.
    pub failed_decrypts: u64,
}

impl Accounting {
    /// Counts a record whose observation was absorbed.
    pub fn count(&mut self, kind: &Kind, absorbed: Absorbed) {
        match (kind, absorbed) {
            // The record is counted as malformed already.
            (Kind::UnnamedLaunch, _) => {}
            (Kind::Transition { .. }, _) | (_, Absorbed::TooOld) => self.irrelevant += 1,
            (_, Absorbed::Known) => self.duplicates += 1,
            (Kind::Sighting { .. }, Absorbed::New) => self.sightings += 1,
            (Kind::Cause { .. }, Absorbed::New) => self.causes += 1,
        }
    }

    /// Whether every record is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.records == self.sightings + self.causes + self.irrelevant + self.duplicates + self.malformed
    }
}

impl std::ops::AddAssign for Accounting {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.unreadable_files += other.unreadable_files;
        self.records += other.records;
        self.sightings += other.sightings;
        self.causes += other.causes;
        self.irrelevant += other.irrelevant;
        self.duplicates += other.duplicates;
        self.malformed += other.malformed;
        self.failed_decrypts += other.failed_decrypts;
    }
}

/// One stack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StackRow {
    /// Its name, verbatim.
    pub stack: String,
    /// Instances in the fleet.
    pub members: u64,
    /// Of them, in service.
    pub in_service: u64,
    /// Of them, exposed.
    pub exposed: u64,
    /// Of the exposed, in mitigated groups.
    pub exposed_mitigated: u64,
    /// Of them, recovered.
    pub recovered: u64,
    /// Of them, clean.
    pub clean: u64,
    /// Of them, never sighted.
    pub unseen: u64,
    /// Of them, undetermined.
    pub undetermined: u64,
    /// Confirmed and presumed migrations, of members and departed instances alike.
    pub migrations: u64,
    /// Partial ones.
    pub partial_reattachments: u64,
}

impl StackRow {
    /// `exposed / (exposed + recovered + clean)` in percent; nothing where that is 0 (metric `ExposedPercent`).
    #[must_use]
    pub fn exposed_percent(&self) -> Option<f64> {
        self.percent(self.exposed)
    }

    /// The same of the exposed members whose groups are not mitigated.
    #[must_use]
    pub fn unmitigated_percent(&self) -> Option<f64> {
        self.percent(self.exposed.saturating_sub(self.exposed_mitigated))
    }

    /// The share of some members in those that could be judged.
    fn percent(&self, part: u64) -> Option<f64> {
        let judged = self.exposed + self.recovered + self.clean;
        #[expect(clippy::cast_precision_loss, reason = "no fleet has 2^52 instances")]
        let percent = 100.0 * part as f64 / judged as f64;
        (judged > 0).then_some(percent)
    }

    /// The sum of some rows, under another name.
    #[must_use]
    pub fn sum<'a>(name: &str, rows: impl IntoIterator<Item = &'a Self>) -> Self {
        rows.into_iter().fold(Self { stack: name.to_owned(), ..Self::default() }, |mut sum, row| {
            sum.members += row.members;
            sum.in_service += row.in_service;
            sum.exposed += row.exposed;
            sum.exposed_mitigated += row.exposed_mitigated;
            sum.recovered += row.recovered;
            sum.clean += row.clean;
            sum.unseen += row.unseen;
            sum.undetermined += row.undetermined;
            sum.migrations += row.migrations;
            sum.partial_reattachments += row.partial_reattachments;
            sum
        })
    }

    fn count(&mut self, verdict: Verdict, state: &LifecycleState, mitigated: bool) {
        self.members += 1;
        self.exposed_mitigated += u64::from(mitigated && verdict == Verdict::Exposed);
        self.in_service += u64::from(state.is_in_service());
        *match verdict {
            Verdict::Exposed => &mut self.exposed,
            Verdict::Recovered => &mut self.recovered,
            Verdict::Clean => &mut self.clean,
            Verdict::Unseen => &mut self.unseen,
            Verdict::Undetermined => &mut self.undetermined,
        } += 1;
    }
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstanceRow {
    /// Its account; unknown only for a member whose group has no ARN and which no record names.
    pub account: Option<AccountId>,
    /// Its region.
    pub region: Option<Region>,
    /// The instance.
    pub instance_id: InstanceId,
    /// Its group, where it is known.
    pub auto_scaling_group: Option<AutoScalingGroupName>,
    /// Its group's stack of now.
    pub stack: Option<String>,
    /// Its state, if it is a member.
    pub lifecycle_state: Option<LifecycleState>,
    /// The verdict, if it is a member.
    pub verdict: Option<Verdict>,
    /// Why.
    pub reason: Option<String>,
    /// Unexplained.
    pub migrations: Vec<MigrationRow>,
    /// Explained.
    pub reattachments: Vec<ReattachmentRow>,
    /// Since when it is exposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposed_since: Option<Timestamp>,
}

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MigrationRow {
    /// Its first sighting.
    pub at: Timestamp,
    /// The volumes that came.
    pub volumes: Vec<VolumeId>,
    /// How sure.
    pub confidence: Confidence,
    /// All its sightings.
    pub event_ids: Vec<EventId>,
    /// The instance's age, where its launch is on record.
    pub instance_age_seconds: Option<i64>,
}

/// Reattachments of one cause that came together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReattachmentRow {
    /// The first sighting.
    pub at: Timestamp,
    /// The volumes.
    pub volumes: Vec<VolumeId>,
    /// The cause.
    pub cause: Cause,
}

impl From<&Reattachment> for ReattachmentRow {
    fn from(reattachment: &Reattachment) -> Self {
        Self { at: reattachment.at, volumes: reattachment.volumes.iter().copied().collect(), cause: reattachment.cause }
    }
}

/// What an analysis is made of.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What is remembered.
    pub ledger: &'a Ledger,
    /// The members. Without it there are no verdicts, but still migrations.
    pub fleet: Option<&'a Fleet>,
    /// How stacks are told.
    pub stacks: &'a StackRules,
    /// The numbers of the rules.
    pub settings: &'a Settings,
    /// Up to which time each account and region is complete; nothing where the input is all that there will be. One that
    /// is not in it is complete up to no time at all.
    pub complete: Option<&'a BTreeMap<Source, Timestamp>>,
    /// Whether to list every member and every instance sighted or launched.
    pub all: bool,
}

impl Question<'_> {
    /// Answers it. Window and accounting are those of the run.
    #[must_use]
    pub fn answer(&self, window: Window, accounting: Accounting) -> Analysis {
        let groups = Groups::new(self);
        let mut rows: BTreeMap<String, StackRow> = BTreeMap::new();
        let mut named: BTreeSet<String> = groups.stacks().collect();
        named.extend(self.ledger.forgotten().stacks.keys().cloned());
        let told_apart = StackRules::bounded(named);
        let row = |rows: &mut BTreeMap<String, StackRow>, stack: &str| -> String {
            let full = rows.len() >= StackRules::MAX_STACKS && !told_apart.contains(stack) && !rows.contains_key(stack);
            let stack = if full { OVERFLOW } else { stack };
            rows.entry(stack.to_owned()).or_insert_with(|| StackRow { stack: stack.to_owned(), ..StackRow::default() });
            stack.to_owned()
        };
        for stack in &told_apart {
            row(&mut rows, stack);
        }
        let mut instances = Vec::new();
        let mut coverage = Coverage::default();
        for subject in subjects(self, &groups, None) {
            coverage.count(&subject, self.fleet.is_some());
            if let (Some(stack), Some((state, judgement))) = (&subject.stack, &subject.judged) {
                let stack = row(&mut rows, stack);
                if let Some(row) = rows.get_mut(&stack) {
                    row.count(judgement.verdict, state, subject.mitigated);
                }
            }
            for (stack, tally) in subject.tally() {
                let stack = row(&mut rows, &stack);
                if let Some(row) = rows.get_mut(&stack) {
                    row.migrations += tally.migrations;
                    row.partial_reattachments += tally.partial_reattachments;
                }
            }
            if self.all && (subject.judged.is_some() || subject.timeline.sighted || subject.launched.is_some())
                || subject.has_moved()
            {
                instances.push(InstanceRow::of(&subject));
            }
        }
        for (stack, tally) in &self.ledger.forgotten().stacks {
            let stack = row(&mut rows, stack);
            if let Some(row) = rows.get_mut(&stack) {
                row.migrations += tally.migrations;
                row.partial_reattachments += tally.partial_reattachments;
            }
        }
        coverage.judge(self.ledger);
        Analysis { schema: SCHEMA, window, accounting, coverage, stacks: rows.into_values().collect(), instances }
    }

    /// Notes what the migrations of departed instances count for, so that they can be forgotten.
    pub fn tally(&self, departed: &mut [Departed]) {
        let groups = Groups::new(self);
        for departed in departed {
            if let Some(subject) = subject(self, &groups, Some(&departed.key), None) {
                departed.counted = subject.tally();
            }
        }
    }

    /// The migrations of all instances as they are judged now, to be counted in the running totals.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        let groups = Groups::new(self);
        let mut standing = Vec::new();
        for subject in subjects(self, &groups, None) {
            let Some(source) = subject.source else { continue };
            let key = InstanceKey { source, instance: subject.instance };
            for (migration, stack) in subject.timeline.migrations.iter().zip(subject.counted_under) {
                let partial = migration.confidence == Confidence::Partial;
                if partial || migration.confidence.counts() {
                    let (key, at, pending) = (key.clone(), migration.at, migration.pending);
                    standing.push(Standing { key, at, partial, pending, stack });
                }
            }
        }
        standing
    }

    /// All that is said of every instance that is known.
    #[must_use]
    pub fn everybody(&self) -> Vec<Subject> {
        subjects(self, &Groups::new(self), None).collect()
    }

    /// All that is said of one instance, in whichever account and region it is known.
    #[must_use]
    pub fn of_instance(&self, instance: InstanceId) -> Vec<Subject> {
        subjects(self, &Groups::new(self), Some(instance)).collect()
    }
}

impl InstanceRow {
    fn of(subject: &Subject) -> Self {
        let age = |at: Timestamp| subject.launched.map(|launched| launched.until(at).as_secs());
        let (state, judgement): (Option<&LifecycleState>, Option<&Judgement>) =
            subject.judged.as_ref().map_or((None, None), |(state, judgement)| (Some(state), Some(judgement)));
        let timeline: &Timeline = &subject.timeline;
        Self {
            account: subject.source.as_ref().map(|s| s.account),
            region: subject.source.as_ref().map(|s| s.region.clone()).or_else(|| subject.region.clone()),
            instance_id: subject.instance,
            auto_scaling_group: subject.group.clone(),
            stack: subject.stack.clone(),
            lifecycle_state: state.cloned(),
            verdict: judgement.map(|j| j.verdict),
            reason: judgement.map(|j| j.reason.clone()),
            migrations: timeline
                .migrations
                .iter()
                .map(|migration| MigrationRow {
                    at: migration.at,
                    volumes: migration.volumes.iter().copied().collect(),
                    confidence: migration.confidence,
                    event_ids: migration.event_ids.clone(),
                    instance_age_seconds: age(migration.at),
                })
                .collect(),
            reattachments: timeline.reattachments.iter().map(ReattachmentRow::from).collect(),
            exposed_since: judgement.and_then(|j| j.since),
        }
    }
}

#[cfg(test)]
mod tests;
