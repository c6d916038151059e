//! Coverage: how much of what happened could be seen at all (rule 9). A clean zero from a blind source is none.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::analysis::Subject;
use crate::assess::Settings;
use crate::ids::{AccountId, Region, Source};
use crate::ledger::Ledger;

/// How many launches must be old enough before their silence means blindness.
const ENOUGH: u64 = 3;

/// What could be seen, over all sources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Members launched inside the observed time; without a fleet, all instances launched in it.
    pub launched: u64,
    /// Of them, those whose baseline was seen.
    pub baseline_seen: u64,
    /// Whether any source is blind.
    pub blind: bool,
    /// Each account and region.
    pub sources: Vec<SourceCoverage>,
    #[serde(skip)]
    tallies: BTreeMap<Source, Launches>,
}

/// What could be seen in one account and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceCoverage {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// Launches on record, of members and others.
    pub launched: u64,
    /// Of them, those whose baseline was seen.
    pub baseline_seen: u64,
    /// What follows.
    pub sight: Sight,
}

/// Whether a source shows Decrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sight {
    /// Baselines of launches are seen.
    Seeing,
    /// Too few launches to tell.
    Unknown,
    /// Launches are seen and their Decrypts are not.
    Blind,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Launches {
    all: u64,
    with_baseline: u64,
    /// When each launch without a baseline was, and whether a grant came with it.
    silent: Vec<(crate::time::Timestamp, bool)>,
    any_sighting: bool,
}

impl Coverage {
    /// Counts one instance.
    pub(super) fn count(&mut self, subject: &Subject, members_only: bool) {
        let Some(source) = &subject.source else { return };
        let tally = self.tallies.entry(source.clone()).or_default();
        tally.any_sighting |= subject.timeline.sighted;
        let Some(launched) = subject.launched else { return };
        let seen = subject.timeline.launch_baseline;
        tally.all += 1;
        tally.with_baseline += u64::from(seen);
        if !seen {
            tally.silent.push((launched, subject.launch_granted));
        }
        if subject.judged.is_some() || !members_only {
            self.launched += 1;
            self.baseline_seen += u64::from(seen);
        }
    }

    /// Judges each source, once all instances are counted.
    pub(super) fn judge(&mut self, ledger: &Ledger) {
        let tallies = std::mem::take(&mut self.tallies);
        self.sources = tallies
            .into_iter()
            .map(|(source, launches)| {
                let observed = ledger.sources.get(&source).and_then(|history| history.observed);
                let sight = launches.sight(observed.map(|span| span.to - Settings::DELIVERY));
                let Source { account, region } = source;
                let (launched, baseline_seen) = (launches.all, launches.with_baseline);
                SourceCoverage { account, region, launched, baseline_seen, sight }
            })
            .collect();
        self.blind = self.sources.iter().any(|source| source.sight == Sight::Blind);
    }

    /// The share of launched instances whose baseline was seen, in percent; nothing where none was launched.
    #[must_use]
    pub fn percent(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "no fleet has 2^52 instances")]
        let percent = 100.0 * self.baseline_seen as f64 / self.launched as f64;
        (self.launched > 0).then_some(percent)
    }
}

impl Launches {
    /// `delivered` is the time before which records have been delivered.
    fn sight(&self, delivered: Option<crate::time::Timestamp>) -> Sight {
        if self.with_baseline > 0 {
            return Sight::Seeing;
        }
        let old = || self.silent.iter().filter(|(at, _)| Some(*at) <= delivered);
        let silent = u64::try_from(old().count()).unwrap_or(u64::MAX);
        let granted_in_vain = !self.any_sighting && old().any(|(_, granted)| *granted);
        if silent >= ENOUGH || granted_in_vain { Sight::Blind } else { Sight::Unknown }
    }
}
