//! What the instance tells of its checks: the on-instance metrics of the catalogue, a line when a 404 begins and ends, and
//! lines of the time under watch.

pub mod emf;
pub mod onset;
pub mod prometheus;
pub mod put;
pub mod watched;

use std::time::Duration;

use exposure_core::metrics::{
    API_FALLBACK, API_FALLBACK_FAILED, API_LATENCY, FAIL_OPEN, IMDS_ABSENT, IMDS_LATENCY, IMDS_UNREACHABLE, Metric,
};

use exposure_core::stacks::UNASSIGNED;

use crate::check::Round;
use crate::machine::Source;
use crate::observation::{Api, ImdsOutcome};

/// The most latencies that are kept of one period: what EMF takes of one metric (CloudWatch User Guide, "Specification:
/// Embedded metric format"). Later ones replace earlier ones in turn.
const LATENCIES: usize = 100;

/// The metrics that are counted, in the order of the catalogue.
pub const COUNTED: [&Metric; 5] = [&IMDS_ABSENT, &IMDS_UNREACHABLE, &API_FALLBACK, &API_FALLBACK_FAILED, &FAIL_OPEN];
/// The metrics that are measured.
pub const MEASURED: [&Metric; 2] = [&IMDS_LATENCY, &API_LATENCY];

/// Counts since the last publication, or since the start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    counts: [u64; 5],
    imds: Latencies,
    api: Latencies,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Latencies {
    milliseconds: Vec<f64>,
    count: u64,
    sum: f64,
}

impl Latencies {
    fn add(&mut self, took: Duration) {
        let value = took.as_secs_f64() * 1_000.0;
        let at = usize::try_from(self.count).unwrap_or(0) % LATENCIES;
        match self.milliseconds.get_mut(at) {
            Some(slot) => *slot = value,
            None => self.milliseconds.push(value),
        }
        (self.count, self.sum) = (self.count.saturating_add(1), self.sum + value);
    }
}

impl Tally {
    /// Counts a round.
    pub fn add(&mut self, round: &Round) {
        let (imds, took) = &round.imds;
        let api = round.api.as_ref().map(|(api, _)| api);
        let events = [
            imds.outcome() == ImdsOutcome::Absent,
            matches!(imds.outcome(), ImdsOutcome::Refused | ImdsOutcome::Unreachable),
            api.is_some(),
            matches!(api, Some(Api::Failed | Api::Throttled)),
            round.decision.source == Source::Assumed,
        ];
        for (count, event) in self.counts.iter_mut().zip(events) {
            *count = count.saturating_add(u64::from(event));
        }
        self.imds.add(*took);
        if let Some((_, took)) = &round.api {
            self.api.add(*took);
        }
    }

    /// What was counted since, which begins anew.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// The counts, zeros among them, each with its metric.
    pub fn counts(&self) -> impl Iterator<Item = (&'static Metric, u64)> + '_ {
        COUNTED.into_iter().zip(self.counts)
    }

    /// The latencies in milliseconds, each list with its metric: at most the last hundred of each.
    pub fn latencies(&self) -> impl Iterator<Item = (&'static Metric, &[f64])> + '_ {
        MEASURED.into_iter().zip([self.imds.milliseconds.as_slice(), self.api.milliseconds.as_slice()])
    }

    /// How many latencies there were of each kind, and their sum in milliseconds.
    pub fn latency_totals(&self) -> impl Iterator<Item = (&'static Metric, u64, f64)> + '_ {
        MEASURED.into_iter().zip([&self.imds, &self.api]).map(|(metric, of)| (metric, of.count, of.sum))
    }
}

/// A stack as the value of its dimension, spelt as the analyzer spells it, so that both stand in one row. No stack at all
/// is `unassigned`.
#[must_use]
pub fn dimension_value(stack: &str) -> String {
    exposure_core::dimension::dimension_value(if stack.is_empty() { UNASSIGNED } else { stack })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::machine::{Memory, Rules, step};
    use crate::observation::{Imds, Observation, Trouble};

    /// Rounds of a history: known, absent twice with an API that fails, unreachable.
    pub(crate) fn tally() -> Tally {
        let mut tally = Tally::default();
        let mut memory = Memory::default();
        let failed = Some((Api::Failed, Duration::from_millis(250)));
        let history = [
            (Imds::Unreachable(Trouble::TimedOut), None),
            (Imds::Absent, None),
            (Imds::Absent, failed),
            (Imds::Known(crate::state::Target::InService), None),
        ];
        for (imds, api) in history {
            let at = Duration::ZERO;
            let (next, decision) = step(&memory, &Observation::Imds(imds.clone()), at, &Rules::default());
            memory = next;
            tally.add(&Round { decision, imds: (imds, Duration::from_millis(2)), api });
        }
        tally
    }

    #[test]
    fn rounds_are_counted_by_what_happened() {
        let mut tally = tally();
        let counts: Vec<(&str, u64)> = tally.counts().map(|(metric, count)| (metric.name, count)).collect();
        let expected =
            [("ImdsAbsent", 2), ("ImdsUnreachable", 1), ("ApiFallback", 1), ("ApiFallbackFailed", 1), ("FailOpen", 3)];
        assert_eq!(counts, expected);
        assert_eq!(tally.take().latencies().map(|(_, list)| list.len()).collect::<Vec<_>>(), [4, 1]);
        assert_eq!(tally, Tally::default());
    }

    #[test]
    fn latencies_are_bounded_and_the_last_ones_stay() {
        let mut latencies = Latencies::default();
        for millisecond in 0..250 {
            latencies.add(Duration::from_millis(millisecond));
        }
        assert_eq!((latencies.milliseconds.len(), latencies.count), (100, 250));
        assert!(latencies.milliseconds.iter().all(|value| *value >= 150.0));
    }

    #[test]
    fn stacks_are_spelt_as_dimensions_must_be() {
        let table =
            [("Nighttime", "Nighttime"), ("Café", "Caf%C3%A9"), ("", "unassigned"), (" ", "%20"), ("a\n%", "a%0A%25")];
        for (stack, expected) in table {
            assert_eq!(dimension_value(stack), expected, "{stack:?}");
        }
        assert!(dimension_value(&"é".repeat(256)).len() <= 1_024);
    }
}
