//! Percentiles of what was measured, with intervals that need no assumption on its distribution.

use super::result::Percentile;
use crate::evidence::binomial::{at_least, at_most};
use crate::evidence::exact::{Level, first, float};

/// The percentile of values in order, by the nearest rank, with the interval between two of them that holds the true one
/// (W. Conover, "Practical Nonparametric Statistics", 1999, section 3.2): how many values lie below it is binomial. An
/// end that so few values do not bound is none.
pub(super) fn percentile(sorted: &[i64], percent: u8, level: Level) -> Percentile {
    let share = f64::from(percent) / 100.0;
    let count = u64::try_from(sorted.len()).unwrap_or(u64::MAX);
    let (all, tail) = (float(count), level.tail());
    let value = |rank: u64| {
        let place = rank.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| sorted.get(place)).copied()
    };
    // The largest rank that lies above the percentile no oftener than the tail allows, and the smallest below it.
    let low = first(1, count + 1, |rank| at_most(float(rank) - 1.0, all, share) > tail) - 1;
    let high = first(1, count + 1, |rank| at_least(float(rank), all, share) <= tail);
    // Half a unit in the last place must not make the next rank of a whole one.
    let rank = first(1, count, |rank| float(rank) >= share * all - 1e-9);
    Percentile { percent, seconds: value(rank), low: value(low), high: value(high) }
}

#[cfg(test)]
mod tests;
