//! Stretches of time, in whole seconds, each with its beginning and without its end; in order, and apart.

use crate::time::Timestamp;

/// The second of a time. Beyond any that a calendar has, a sum could overflow.
pub(super) fn second(time: Timestamp) -> i64 {
    const EVER: i64 = 1 << 40;
    time.as_second().clamp(-EVER, EVER)
}

/// Stretches of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spans(Vec<(i64, i64)>);

impl Spans {
    /// Joins stretches that overlap or lie no more than `apart` from each other.
    pub(super) fn joined(mut stretches: Vec<(i64, i64)>, apart: i64) -> Self {
        stretches.retain(|(from, to)| from < to);
        stretches.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (from, to) in stretches {
            match joined.last_mut() {
                Some(last) if from <= last.1 + apart => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        Self(joined)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.0.iter().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many seconds in all.
    pub(super) fn length(&self) -> i64 {
        self.iter().map(|(from, to)| to - from).sum()
    }

    /// The stretch that holds a second.
    pub(super) fn around(&self, at: i64) -> Option<(i64, i64)> {
        let after = self.0.partition_point(|(from, _)| *from <= at);
        let before = after.checked_sub(1).and_then(|place| self.0.get(place)).copied();
        before.filter(|(_, to)| at < *to)
    }

    pub(super) fn holds(&self, at: i64) -> bool {
        self.around(at).is_some()
    }

    /// The seconds from which on there is `after`, and before which there was `before`, without a break.
    pub(super) fn shrunk(&self, before: i64, after: i64) -> Self {
        let shrunk = self.iter().map(|(from, to)| (from + before, to - after));
        Self(shrunk.filter(|(from, to)| from < to).collect())
    }

    /// What lies in both.
    pub(super) fn and(&self, other: &Self) -> Self {
        let (mut ours, mut theirs) = (self.iter().peekable(), other.iter().peekable());
        let mut both = Vec::new();
        while let (Some((a, b)), Some((c, d))) = (ours.peek().copied(), theirs.peek().copied()) {
            let (from, to) = (a.max(c), b.min(d));
            if from < to {
                both.push((from, to));
            }
            let _ = if b < d { ours.next() } else { theirs.next() };
        }
        Self(both)
    }

    /// What of it lies not in the other.
    pub(super) fn without(&self, other: &Self) -> Self {
        const EVER: i64 = i64::MAX / 4;
        let mut outside = Vec::new();
        let mut from = -EVER;
        for (begin, end) in other.iter() {
            outside.push((from, begin));
            from = end;
        }
        outside.push((from, EVER));
        self.and(&Self::joined(outside, -1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans() -> impl Strategy<Value = Spans> {
        prop::collection::vec((0_i64..200, 0_i64..40), 0..8)
            .prop_map(|list| Spans::joined(list.into_iter().map(|(from, length)| (from, from + length)).collect(), 0))
    }

    proptest! {
        #[test]
        fn they_are_sets_of_seconds(a in spans(), b in spans(), before in 0_i64..9, after in 0_i64..9) {
            let (both, only) = (a.and(&b), a.without(&b));
            let shrunk = a.shrunk(before, after);
            for at in -10..260 {
                prop_assert_eq!(both.holds(at), a.holds(at) && b.holds(at));
                prop_assert_eq!(only.holds(at), a.holds(at) && !b.holds(at));
                let all = (at - before..=at + after).all(|second| a.holds(second));
                prop_assert_eq!(shrunk.holds(at), all, "{}", at);
            }
            let count = (-10..260).filter(|at| a.holds(*at)).count();
            prop_assert_eq!(a.length(), i64::try_from(count).unwrap());
        }
    }

    #[test]
    fn stretches_that_touch_or_nearly_do_are_one() {
        let spans = |apart| Spans::joined(vec![(30, 40), (0, 10), (10, 20), (5, 6)], apart).0;
        assert_eq!(spans(0), [(0, 20), (30, 40)]);
        assert_eq!(spans(10), [(0, 40)]);
    }
}
