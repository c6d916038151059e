//! The hypothesis held against observation: is a second Decrypt the moment at which the 404 begins?
//!
//! `lifecycle-check` tells on each instance when `target-lifecycle-state` is found gone and when it is back. Here that is
//! joined with the migrations that the trail shows: one 404 with one migration of the same instance, within a stated
//! time. What nobody watched is no miss, what was gone before anybody looked is no onset, and how often the two meet by
//! chance is found by putting the migrations elsewhere.

mod answer;
mod chance;
mod join;
mod lines;
mod quantile;
mod read;
mod result;
mod spans;
mod watched;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use jiff::SignedDuration;

use crate::analysis::{Analysis, Question, Sight};
use crate::assess::Confidence;
use crate::evidence::exact::Level;
use crate::ids::{InstanceId, Source};
use crate::observation::Cause;
use crate::time::Timestamp;
use crate::trail::Limits;

pub use result::{
    AbsenceLengths, Accounting, ByCause, ByConfidence, Chance, Delays, Moves, Observed, Onsets, Pair, Percentile,
    Permutation, Reboots, SCHEMA, Sensitivity, Sentences, Share, Stated, Traces, Verdict, Verification,
};

use lines::{Line, Meaning};
use watched::Watched;

/// The numbers that a verification depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How long after the first Decrypt of a migration a 404 may begin to be taken for its own.
    pub within: SignedDuration,
    /// How much before it, since clocks differ: that of the guest, and that of KMS.
    pub tolerance: SignedDuration,
    /// How sure intervals are to be.
    pub level: Level,
    /// How often the migrations are put elsewhere, to find what chance does.
    pub rounds: u32,
    /// Where that chance begins; the same seed gives the same answer.
    pub seed: u64,
}

impl Settings {
    /// Volumes are attached on the new host before the guest goes there, and a coalescing window is as long; what is
    /// longer finds little more and lets more meet by chance.
    pub const WITHIN: SignedDuration = SignedDuration::from_mins(10);
    /// Clocks that are kept by NTP differ by less; `eventTime` is when the request was completed, in whole seconds.
    pub const TOLERANCE: SignedDuration = SignedDuration::from_mins(1);
    /// So that a p-value of one in a thousand can be told from one in five hundred.
    pub const ROUNDS: u32 = 1_999;
}

impl Default for Settings {
    fn default() -> Self {
        let (within, tolerance) = (Self::WITHIN, Self::TOLERANCE);
        Self { within, tolerance, level: Level::USUAL, rounds: Self::ROUNDS, seed: 1 }
    }
}

/// What one file said.
#[derive(Debug, Default)]
struct Batch {
    lines: Vec<(InstanceId, Line)>,
    total: u64,
    other: u64,
    malformed: BTreeMap<&'static str, u64>,
}

impl Batch {
    fn take(&mut self, meaning: Meaning) {
        match meaning {
            Meaning::Told(instance, line) => {
                self.total += 1;
                self.lines.push((instance, line));
            }
            Meaning::Other => self.other(),
            Meaning::Malformed(why) => self.malformed(why),
        }
    }

    fn other(&mut self) {
        self.total += 1;
        self.other += 1;
    }

    fn malformed(&mut self, why: &'static str) {
        self.total += 1;
        *self.malformed.entry(why).or_default() += 1;
    }
}

/// All that was observed on instances. What is read twice counts once, in whatever order it comes.
#[derive(Debug, Default)]
pub struct Observations {
    instances: BTreeMap<InstanceId, BTreeSet<Line>>,
    accounting: Accounting,
    malformed: BTreeMap<&'static str, u64>,
}

impl Observations {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file in any of the shapes in which the check's lines come; `place` is its path, which names the instance
    /// where neither line nor stream does.
    ///
    /// # Errors
    /// Where it cannot be read to its end: none of its lines count.
    pub fn read(&mut self, file: impl Read, place: &str, limits: Limits) -> Result<(), String> {
        let batch = read::read(file, place, limits).inspect_err(|_| self.accounting.unreadable_files += 1)?;
        self.accounting.files += 1;
        self.accounting.lines += batch.total;
        self.accounting.other += batch.other;
        for (why, count) in batch.malformed {
            self.accounting.malformed += count;
            *self.malformed.entry(why).or_default() += count;
        }
        for (instance, line) in batch.lines {
            let is_new = self.instances.entry(instance).or_default().insert(line);
            *(if is_new { &mut self.accounting.told } else { &mut self.accounting.duplicates }) += 1;
        }
        Ok(())
    }

    /// Counts a file that could not even be opened.
    pub fn unreadable(&mut self) {
        self.accounting.unreadable_files += 1;
    }

    /// What became of each line: `lines = told + duplicates + other + malformed`.
    #[must_use]
    pub fn accounting(&self) -> Accounting {
        self.accounting
    }

    /// How many lines of the check cannot be right, by what is wrong with them.
    pub fn malformed(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.malformed.iter().map(|(why, count)| (*why, *count))
    }

    /// The time of the last line of any instance.
    fn last(&self) -> Option<Timestamp> {
        self.instances.values().filter_map(|lines| lines.last()).map(|line| line.at).max()
    }
}

/// What the trail shows of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Traced {
    /// Any Decrypt of its volumes; without one it is unencrypted, or its records are missing.
    sighted: bool,
    /// Its account and region show no Decrypts at all.
    blind: bool,
    migrations: Vec<(Timestamp, Confidence)>,
    reattachments: Vec<(Timestamp, Cause)>,
}

/// Holds what an analysis found against what was observed. `analysis` is the answer of `question`.
#[must_use]
pub fn verify(
    question: &Question<'_>,
    analysis: &Analysis,
    observations: &Observations,
    settings: &Settings,
) -> Verification {
    let blind: BTreeSet<Source> = analysis
        .coverage
        .sources
        .iter()
        .filter(|source| source.sight == Sight::Blind)
        .map(|source| Source { account: source.account, region: source.region.clone() })
        .collect();
    let mut traced: BTreeMap<InstanceId, Traced> = BTreeMap::new();
    for subject in question.everybody() {
        // An ID that two regions share, as those of 8 digits may, is one instance here: the check does not tell its account.
        let entry = traced.entry(subject.instance).or_insert(Traced {
            sighted: false,
            blind: false,
            migrations: Vec::new(),
            reattachments: Vec::new(),
        });
        entry.sighted |= subject.timeline.sighted;
        entry.blind |= subject.source.is_some_and(|source| blind.contains(&source));
        entry.migrations.extend(subject.timeline.migrations.iter().map(|m| (m.at, m.confidence)));
        entry.reattachments.extend(subject.timeline.reattachments.iter().map(|r| (r.at, r.cause)));
    }
    for traced in traced.values_mut() {
        traced.migrations.sort_unstable();
        traced.reattachments.sort_unstable();
    }
    let end = observations.last();
    let watched: BTreeMap<InstanceId, Watched> = observations
        .instances
        .iter()
        .filter_map(|(instance, lines)| Some((*instance, Watched::of(lines, end?))))
        .collect();
    answer::verification(&traced, &watched, observations, analysis.window, settings)
}
