//! Which stretches of time a stream has been read over: a set of seconds, kept as spans.

use exposure_core::time::{TimeSpan, Timestamp};
use serde::{Deserialize, Serialize};

/// How many spans are kept. Of more, the oldest go: what they covered is then read again, which is harmless.
const MAX_SPANS: usize = 64;

/// A set of points in time, in whole seconds, as spans that neither overlap nor touch, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(i64, i64)>", into = "Vec<(i64, i64)>")]
pub struct Covered(Vec<TimeSpan>);

/// `time`, moved by some seconds.
#[must_use]
pub fn shifted(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(time.as_second().saturating_add(seconds))
}

/// The seconds of a span, both ends included; none where it ends before it begins.
#[must_use]
pub fn seconds_of(span: TimeSpan) -> u64 {
    let length = span.to.as_second().saturating_sub(span.from.as_second()).saturating_add(1);
    u64::try_from(length).unwrap_or(0)
}

impl Covered {
    /// Adds a span, both ends included. One that ends before it begins adds nothing.
    pub fn add(&mut self, span: TimeSpan) {
        if span.from > span.to {
            return;
        }
        let touches = |other: &TimeSpan| other.from <= shifted(span.to, 1) && span.from <= shifted(other.to, 1);
        let joined = self.0.iter().filter(|other| touches(other)).fold(span, |joined, other| joined.join(*other));
        self.0.retain(|other| !touches(other));
        let at = self.0.partition_point(|other| other.from < joined.from);
        self.0.insert(at, joined);
        let excess = self.0.len().saturating_sub(MAX_SPANS);
        self.0.drain(..excess);
    }

    /// Adds everything that another set holds.
    pub fn join(&mut self, other: &Self) {
        for span in &other.0 {
            self.add(*span);
        }
    }

    /// Drops `time` and what lies after it.
    pub fn forget_from(&mut self, time: Timestamp) {
        self.0.retain(|span| span.from < time);
        for span in &mut self.0 {
            span.to = span.to.min(shifted(time, -1));
        }
    }

    /// Drops what lies before `time`.
    pub fn forget_before(&mut self, time: Timestamp) {
        self.0.retain(|span| span.to >= time);
    }

    /// The span that holds `time`.
    #[must_use]
    pub fn around(&self, time: Timestamp) -> Option<TimeSpan> {
        self.0.iter().copied().find(|span| span.holds(time))
    }

    /// What of `span` it lacks, oldest first.
    #[must_use]
    pub fn gaps(&self, span: TimeSpan) -> Vec<TimeSpan> {
        let mut gaps = Vec::new();
        let mut from = span.from;
        for covered in self.0.iter().filter(|covered| covered.to >= span.from && covered.from <= span.to) {
            if covered.from > from {
                gaps.push(TimeSpan { from, to: shifted(covered.from, -1) });
            }
            from = from.max(shifted(covered.to, 1));
        }
        if from <= span.to {
            gaps.push(TimeSpan { from, to: span.to });
        }
        gaps
    }

    /// Without the last `seconds` of each span: what may have been read too early to be whole.
    #[must_use]
    pub fn settled(&self, seconds: i64) -> Self {
        let settled = self.0.iter().map(|span| TimeSpan { from: span.from, to: shifted(span.to, -seconds) });
        Self(settled.filter(|span| span.from <= span.to).collect())
    }

    /// Its spans, oldest first.
    #[must_use]
    pub fn spans(&self) -> &[TimeSpan] {
        &self.0
    }
}

impl From<Vec<(i64, i64)>> for Covered {
    fn from(spans: Vec<(i64, i64)>) -> Self {
        let mut covered = Self::default();
        for (from, to) in spans {
            covered.add(TimeSpan { from: Timestamp::from_second(from), to: Timestamp::from_second(to) });
        }
        covered
    }
}

impl From<Covered> for Vec<(i64, i64)> {
    fn from(covered: Covered) -> Self {
        covered.0.iter().map(|span| (span.from.as_second(), span.to.as_second())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::Dice;
    use std::collections::BTreeSet;

    fn span(from: i64, to: i64) -> TimeSpan {
        TimeSpan { from: Timestamp::from_second(from), to: Timestamp::from_second(to) }
    }

    #[test]
    fn it_agrees_with_a_plain_set_of_seconds() {
        let mut dice = Dice::new(7);
        for _ in 0..300 {
            let (mut covered, mut plain) = (Covered::default(), BTreeSet::new());
            for _ in 0..dice.below(12) {
                let from = dice.below_i64(60);
                let to = from + dice.below_i64(12) - 2;
                covered.add(span(from, to));
                plain.extend(from..=to);
            }
            let ours: BTreeSet<i64> =
                covered.spans().iter().flat_map(|s| s.from.as_second()..=s.to.as_second()).collect();
            assert_eq!(ours, plain);
            assert!(covered.spans().is_sorted_by(|a, b| shifted(a.to, 1) < b.from), "{covered:?}");
            let lacking: BTreeSet<i64> =
                covered.gaps(span(5, 55)).iter().flat_map(|s| s.from.as_second()..=s.to.as_second()).collect();
            assert_eq!(lacking, (5..=55).filter(|second| !plain.contains(second)).collect());
            let text = serde_json::to_string(&covered).unwrap();
            assert_eq!(serde_json::from_str::<Covered>(&text).unwrap(), covered);
        }
    }

    #[test]
    fn of_too_many_spans_the_oldest_go() {
        let mut covered = Covered::default();
        for second in 0..1_000 {
            covered.add(span(second * 10, second * 10 + 1));
        }
        assert_eq!(covered.spans().len(), MAX_SPANS);
        assert!(covered.around(Timestamp::from_second(9_990)).is_some());
    }
}
