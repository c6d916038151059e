//! What a verification answers, in the schema that other tools read.

use serde::Serialize;

use crate::analysis::Window;
use crate::assess::Confidence;
use crate::evidence::exact::{Level, share};
use crate::ids::InstanceId;
use crate::observation::Cause;
use crate::time::Timestamp;

/// The schema of [`Verification`].
pub const SCHEMA: &str = "migration-exposure/verification/1";

/// The whole answer. Serialised, it is the contract `migration-exposure/verification/1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The time that the trail covers.
    pub window: Window,
    /// The numbers that the answer depends on.
    pub settings: Stated,
    /// What was watched.
    pub observed: Observed,
    /// What follows from all below.
    pub verdict: Verdict,
    /// Each result in plain words.
    pub sentences: Sentences,
    /// What had to be taken for granted, in plain words.
    pub assumptions: Vec<String>,
    /// Confirmed and presumed migrations.
    pub migrations: Moves,
    /// The same of each confidence.
    pub by_confidence: Vec<ByConfidence>,
    /// 404s whose beginning was seen, and what came before them.
    pub onsets: Onsets,
    /// From the first Decrypt of a migration to the 404.
    pub delays: Delays,
    /// How long those 404s lasted.
    pub absences: AbsenceLengths,
    /// Whether the guest was started between the two.
    pub reboots: Reboots,
    /// How many would meet by chance.
    pub chance: Chance,
    /// Which other causes come with a 404.
    pub causes: Vec<ByCause>,
    /// The answer with other windows.
    pub sensitivity: Vec<Sensitivity>,
    /// Migrations with their 404s, the latest first; at most 200.
    pub pairs: Vec<Pair>,
    /// Migrations under watch without one, likewise.
    pub not_followed: Vec<Pair>,
    /// 404s with no Decrypt of the instance in reach, likewise.
    pub without_trace: Vec<Pair>,
}

/// The numbers that the answer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Stated {
    /// How long after a Decrypt a 404 may begin.
    pub within_seconds: i64,
    /// How long before it, for the difference of clocks.
    pub tolerance_seconds: i64,
    /// How sure intervals are.
    pub level: f64,
    /// The seed of the permutations.
    pub seed: u64,
}

/// What became of each line: `lines = told + duplicates + other + malformed`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Accounting {
    /// Files read.
    pub files: u64,
    /// Files that could not be read, or not to their end.
    pub unreadable_files: u64,
    /// Lines in the files read, and log events.
    pub lines: u64,
    /// Those that tell something of an instance's item.
    pub told: u64,
    /// The same again.
    pub duplicates: u64,
    /// Other events, metrics, and what other programs printed.
    pub other: u64,
    /// Lines of the check that cannot be right.
    pub malformed: u64,
}

impl Accounting {
    /// Whether every line is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.lines == self.told + self.duplicates + self.other + self.malformed
    }
}

/// What was watched.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Observed {
    /// What became of each line.
    pub accounting: Accounting,
    /// Instances with a line.
    pub instances: u64,
    /// Of them, those whose lines do not say when they were watched, so that it had to be assumed.
    pub assumed_instances: u64,
    /// Of them, those that the trail knows nothing of.
    pub not_in_trail: u64,
    /// Instance-hours under watch.
    pub hours: f64,
    /// Of them, assumed.
    pub assumed_hours: f64,
    /// The earliest.
    pub from: Option<Timestamp>,
    /// The latest.
    pub to: Option<Timestamp>,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// More than by chance, most migrations are followed by a 404, and most 404s have a migration before them.
    Holds,
    /// More than by chance, but it is not shown that most are.
    Partly,
    /// No more than by chance, and most migrations are not followed by one.
    DoesNotHold,
    /// Neither can be said.
    TooFew,
}

/// Each result in plain words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sentences {
    /// The hypothesis.
    pub verdict: String,
    /// What was watched.
    pub observed: String,
    /// How many migrations were followed.
    pub migrations: String,
    /// How many 404s had one before them.
    pub onsets: String,
    /// After how long.
    pub delays: String,
    /// What chance would do.
    pub chance: String,
    /// Whether guests were started.
    pub reboots: String,
    /// Other causes.
    pub causes: String,
    /// Other windows.
    pub sensitivity: String,
}

/// A share with its exact interval (Clopper and Pearson).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// How many.
    pub part: u64,
    /// Of how many.
    pub of: u64,
    /// The one by the other; nothing of nothing.
    pub value: Option<f64>,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Share {
    pub(super) fn new(part: u64, of: u64, level: Level) -> Self {
        let found = share(part, of, level);
        Self { part, of, value: found.value, low: found.low, high: found.high }
    }
}

/// What became of migrations:
/// `migrations = not_watched + cut_short + already_absent + followed.of`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Moves {
    /// On record.
    pub migrations: u64,
    /// Nobody was watching that instance then: no miss.
    pub not_watched: u64,
    /// The watch ended before a 404 had its time to begin.
    pub cut_short: u64,
    /// Of them, those with a 404 nevertheless.
    pub cut_short_followed: u64,
    /// The item was gone already, so no 404 could begin.
    pub already_absent: u64,
    /// Of those that were watched for long enough, with the item there: how many were followed by a 404.
    pub followed: Share,
}

/// The same of one confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ByConfidence {
    /// Which.
    pub confidence: Confidence,
    /// What became of them.
    #[serde(flatten)]
    pub moves: Moves,
}

/// 404s whose beginning was seen: `onsets = untraceable + outside_trail + preceded.of`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Onsets {
    /// 404s that were seen to begin.
    pub onsets: u64,
    /// 404s that were there when the check looked first, which are none of those: when they began is not known.
    pub found_absent: u64,
    /// No Decrypt of the instance is on record at all, or of any in its account and region.
    pub untraceable: u64,
    /// Too near to an end of the trail, or beyond it.
    pub outside_trail: u64,
    /// Of the others: how many had a confirmed or presumed migration before them.
    pub preceded: Share,
    /// The others by what they had before them.
    pub traces: Traces,
}

/// What 404s had before them, in the same instance and within reach. The sum is `preceded.of`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Traces {
    /// A confirmed migration.
    pub confirmed: u64,
    /// A presumed one.
    pub presumed: u64,
    /// A partial one.
    pub partial: u64,
    /// An undetermined one.
    pub undetermined: u64,
    /// A reattachment with a cause.
    pub reattachment: u64,
    /// Nothing.
    pub nothing: u64,
}

/// A percentile with its interval, in seconds. An end that so few values do not bound is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Percentile {
    /// Which.
    pub percent: u8,
    /// Its value.
    pub seconds: Option<i64>,
    /// The lower end.
    pub low: Option<i64>,
    /// The upper end.
    pub high: Option<i64>,
}

/// From the first Decrypt of a confirmed or presumed migration to the 404.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delays {
    /// How many.
    pub pairs: u64,
    /// Of them, those in which the 404 was seen before the Decrypt, as clocks have it.
    pub before: u64,
    /// The shortest, in seconds.
    pub shortest: Option<i64>,
    /// The longest.
    pub longest: Option<i64>,
    /// Percentiles.
    pub percentiles: Vec<Percentile>,
}

/// How long 404s after migrations lasted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AbsenceLengths {
    /// Over, as far as is on record.
    pub over: u64,
    /// Of them, those that were over within two minutes.
    pub brief: u64,
    /// No end is on record.
    pub without_end: u64,
    /// Percentiles of those that are over.
    pub percentiles: Vec<Percentile>,
}

/// Whether the guest was started between the Decrypt and the 404: by its boot time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Reboots {
    /// It ran on, as in a live migration.
    pub ran_on: u64,
    /// It was started.
    pub rebooted: u64,
    /// It is not told.
    pub not_told: u64,
}

/// How many migrations and 404s would meet by chance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Chance {
    /// Migrations that were put elsewhere.
    pub migrations: u64,
    /// How many of them have a 404 where they are.
    pub matched: u64,
    /// How often they were put elsewhere.
    pub rounds: u32,
    /// Put onto any instance, at any time under watch.
    pub anywhere: Option<Permutation>,
    /// Put onto another instance under watch at the same time: what both have in common by the clock stays.
    pub same_times: Option<Permutation>,
    /// How many instances, its own among them, each could have been of then, on average.
    pub alternatives: Option<f64>,
}

/// What chance does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Permutation {
    /// How many are matched on average.
    pub expected: f64,
    /// How likely as many as there are, or more, would be.
    pub p: f64,
}

/// What came with the reattachments of one cause.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ByCause {
    /// The cause.
    pub cause: Cause,
    /// On record.
    pub reattachments: u64,
    /// The item was gone already.
    pub already_absent: u64,
    /// Watched before and after, with the item there before: how many came with a 404 that lasted.
    pub followed: Share,
    /// Of the watched, those with a 404 of less than two minutes, as a boot may have it.
    pub brief: u64,
}

/// The answer with another window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sensitivity {
    /// The window.
    pub within_seconds: i64,
    /// Whether it is the one of the answer.
    pub chosen: bool,
    /// Migrations that were followed.
    pub followed: Share,
    /// 404s that had a migration before them.
    pub preceded: Share,
    /// How many pairs there would be by chance, anywhere.
    pub by_chance: Option<f64>,
}

/// One case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// The instance.
    pub instance_id: InstanceId,
    /// The first Decrypt.
    pub migration: Option<Timestamp>,
    /// How sure it is that this was a migration.
    pub confidence: Option<Confidence>,
    /// The 404.
    pub onset: Option<Timestamp>,
    /// From the one to the other.
    pub delay_seconds: Option<i64>,
}
