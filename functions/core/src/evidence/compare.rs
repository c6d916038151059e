//! Two stacks beside each other: how far the one's larger number of migrations comes from its capacity, from the hours
//! in which that stands, and how far from the stack itself.
//!
//! The model: in each hour of the local day an instance in service is moved at a rate that depends on the hour, times
//! a factor of the stack. Given how many migrations an hour of the day saw in all, those of one stack are binomial, so
//! the factor is judged without knowing the rates (the conditional likelihood of stratified Poisson rates; N. Breslow
//! and N. Day, "Statistical Methods in Cancer Research" II, 1987, chapter 3).

mod dispersion;
mod distribution;
mod normal;
mod power;
mod strata;

use jiff::tz::TimeZone;

use super::exact::{self, Estimate, Level};
use super::service::{HourOfDay, Served};
use strata::Strata;

/// Two stacks compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Migrations of the first for each of the second.
    pub counts: Option<f64>,
    /// Migrations for each instance-hour, first to second.
    pub rates: Estimate,
    /// How likely such a ratio of rates is if they are the same.
    pub rates_p: f64,
    /// The part of `counts` that is capacity: the ratio of instance-hours. Its ends count none or all of the time that
    /// had to be assumed.
    pub capacity: Estimate,
    /// The part that is timing: how much more an instance-hour of the first is exposed by the hour in which it lies.
    pub timing: Estimate,
    /// What is left: the factor of the stack itself, between instance-hours of the same hour of the day.
    pub itself: Estimate,
    /// How likely such a factor is if the stack makes no difference.
    pub itself_p: f64,
    /// How many migrations come together, at least 1. In all intervals and p-values but that of the capacity, so many
    /// count as one.
    pub dispersion: f64,
    /// How often such data would show it if either stack were itself twice as bad as the other.
    pub power_of_twice: f64,
    /// The inverse variance of the logarithm of `itself`.
    pub information: f64,
}

/// Compares the first stack with the second by the clocks of a time zone.
#[must_use]
pub fn compare(first: &Served, second: &Served, zone: &TimeZone, level: Level) -> Comparison {
    compare_among(first, second, zone, level, 1)
}

/// The same as one of several comparisons, for which the power allows.
#[must_use]
pub fn compare_among(first: &Served, second: &Served, zone: &TimeZone, level: Level, comparisons: usize) -> Comparison {
    let dispersion = dispersion::between(first, second, zone);
    let (a, b) = ((first.moves(), first.hours()), (second.moves(), second.hours()));
    let strata = Strata::new(&first.by_hour(zone), &second.by_hour(zone), dispersion);
    let fitted = strata.fitted();
    Comparison {
        counts: (b.0 > 0).then(|| float(a.0) / float(b.0)),
        rates: exact::clustered_ratio(a, b, dispersion, level),
        rates_p: exact::clustered_ratio_p(a, b, dispersion),
        capacity: capacity(first, second),
        timing: strata.timing(fitted, level),
        itself: strata.factor(fitted, level),
        itself_p: strata.p(1.0, fitted),
        dispersion,
        power_of_twice: strata.power_of_twice(level.among(comparisons)),
        information: strata.information(fitted.unwrap_or(1.0)),
    }
}

/// How many migrations of a stack come together, at least 1; of several stacks, on average.
#[must_use]
pub fn dispersion_of<'a>(stacks: impl IntoIterator<Item = &'a Served>, zone: &TimeZone) -> f64 {
    dispersion::dispersion(&stacks.into_iter().collect::<Vec<_>>(), zone)
}

/// A class of instance-hours against the rest of their strata.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Against {
    /// Migrations to be expected in the class if it made no difference.
    pub(super) expected: f64,
    /// How many times as often its instance-hours see a migration as the rest of the same strata.
    pub(super) factor: Estimate,
    /// How likely such a factor is if the class makes no difference.
    pub(super) p: f64,
    /// How often such data would show a class that is twice, or half, as bad.
    pub(super) power_of_twice: f64,
}

/// Compares a class with the rest, stratum by stratum.
pub(super) fn against(
    class: &[HourOfDay],
    rest: &[HourOfDay],
    dispersion: f64,
    level: Level,
    classes: usize,
) -> Against {
    let strata = Strata::new(class, rest, dispersion);
    let fitted = strata.fitted();
    Against {
        expected: strata.each.iter().map(|stratum| stratum.moves * stratum.share(1.0)).sum(),
        factor: strata.factor(fitted, level),
        p: strata.p(1.0, fitted),
        power_of_twice: strata.power_of_twice(level.among(classes)),
    }
}

/// How often a comparison with as many migrations in each hour of the day as there were calls the stack itself
/// different, at a level, if the first's rate is `factor` times the second's.
#[must_use]
pub fn power(first: &Served, second: &Served, zone: &TimeZone, factor: f64, level: Level) -> f64 {
    let dispersion = dispersion::between(first, second, zone);
    Strata::new(&first.by_hour(zone), &second.by_hour(zone), dispersion).power(factor, level)
}

fn capacity(first: &Served, second: &Served) -> Estimate {
    let (ours, theirs) = (first.hours(), second.hours());
    let ratio = |ours: f64, theirs: f64| if theirs > 0.0 { ours / theirs } else { f64::INFINITY };
    Estimate {
        value: (theirs > 0.0).then(|| ours / theirs),
        low: ratio(ours - first.assumed_hours(), theirs).max(0.0),
        high: ratio(ours, theirs - second.assumed_hours()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "no account counts to 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
