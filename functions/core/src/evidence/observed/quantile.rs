//! Percentiles of what was measured, with intervals that need no assumption on its distribution.

use super::result::Percentile;
use crate::evidence::binomial::{at_least, at_most};
use crate::evidence::exact::Level;

/// The percentile of values in order, by the nearest rank, with the interval between two of them that holds the true one
/// (W. Conover, "Practical Nonparametric Statistics", 1999, section 3.2): how many values lie below it is binomial. An
/// end that so few values do not bound is none.
pub(super) fn percentile(sorted: &[i64], percent: u8, level: Level) -> Percentile {
    let share = f64::from(percent) / 100.0;
    let count = u32::try_from(sorted.len()).unwrap_or(u32::MAX);
    let (all, tail) = (f64::from(count), level.tail());
    let value = |rank: u32| {
        let place = rank.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| sorted.get(place)).copied()
    };
    // The largest rank that lies above the percentile no oftener than the tail allows, and the smallest below it.
    let low = first(1, count + 1, |rank| at_most(f64::from(rank) - 1.0, all, share) > tail) - 1;
    let high = first(1, count + 1, |rank| at_least(f64::from(rank), all, share) <= tail);
    // Half a unit in the last place must not make the next rank of a whole one.
    let rank = first(1, count, |rank| f64::from(rank) >= share * all - 1e-9);
    Percentile { percent, seconds: value(rank), low: value(low), high: value(high) }
}

/// The first of `from..to` for which `holds`, if it holds from somewhere on; else `to`.
fn first(from: u32, to: u32, holds: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests;
