//! Exact inference on counts of rare events: intervals for a rate, and for the ratio of two.
//!
//! Everything here is exact in the sense of the binomial and the Poisson distribution: an interval holds the truth at
//! least as often as it says, however few events there were. Nothing here knows of clusters: events that come together
//! make these intervals too narrow.

use statrs::function::gamma::{gamma_lr, gamma_ur};

use super::binomial::{at_least, at_most, log_probability, share_below};

/// An estimate and the interval that holds the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The likeliest value; nothing where the data tell none, as the ratio of nothing to nothing.
    pub value: Option<f64>,
    /// The lower end.
    pub low: f64,
    /// The upper end, infinite where the data bound nothing.
    pub high: f64,
}

impl Estimate {
    /// Whether the interval holds a value, ends included.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// The same in another unit.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self { value: self.value.map(|value| value * factor), low: self.low * factor, high: self.high * factor }
    }
}

/// How sure an interval is to be, such as 95 %: what probability may lie beyond either end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    tail: f64,
}

impl Level {
    /// 95 %.
    pub const USUAL: Self = Self { tail: 0.025 };

    /// A level between nothing and certainty, both excluded.
    #[must_use]
    pub fn new(level: f64) -> Option<Self> {
        (level > 0.0 && level < 1.0).then_some(Self { tail: (1.0 - level) / 2.0 })
    }

    /// The level for each of so many comparisons, so that all of them together are as sure as this one
    /// (C. Bonferroni).
    #[must_use]
    pub fn among(self, comparisons: usize) -> Self {
        Self { tail: self.tail / u32::try_from(comparisons.max(1)).map_or(f64::MAX, f64::from) }
    }

    /// How sure it is, between nothing and one.
    #[must_use]
    pub fn share(self) -> f64 {
        1.0 - 2.0 * self.tail
    }

    /// The probability beyond either end.
    pub(super) fn tail(self) -> f64 {
        self.tail
    }
}

/// The events for each unit of exposure: `count / exposure`, with the exact interval for a Poisson mean
/// (F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28, 1936).
///
/// Without any exposure nothing is known: the interval reaches from nothing to infinity.
#[must_use]
pub fn rate(count: u64, exposure: f64, level: Level) -> Estimate {
    clustered_rate(count, exposure, 1.0, level)
}

/// The same for events that come together: so many of them count as one, which the interval is for.
#[must_use]
pub fn clustered_rate(count: u64, exposure: f64, together: f64, level: Level) -> Estimate {
    if exposure <= 0.0 {
        return Estimate { value: None, low: 0.0, high: f64::INFINITY };
    }
    let (seen, tail) = (float(count) / together, level.tail());
    // P(X >= count) grows with the mean; P(X <= count) falls with it.
    let low = if count == 0 { 0.0 } else { root(|mean| gamma_lr(seen, mean) - tail, 0.0, seen) };
    let high = root(|mean| tail - gamma_ur(seen + 1.0, mean), seen, above(seen));
    Estimate { value: Some(seen), low, high }.scaled(together / exposure)
}

/// How many times as high the first of two rates is as the second, with the exact conditional interval: given how many
/// events there were in all, those of the first are binomial (J. Przyborowski and H. Wilenski, "Homogeneity of results
/// in testing samples from Poisson series", Biometrika 31, 1940; the interval for the share by C. Clopper and
/// E. Pearson, Biometrika 26, 1934).
#[must_use]
pub fn rate_ratio(first: (u64, f64), second: (u64, f64), level: Level) -> Estimate {
    clustered_ratio(first, second, 1.0, level)
}

/// The same for events that come together: so many of them count as one.
#[must_use]
pub fn clustered_ratio(first: (u64, f64), second: (u64, f64), together: f64, level: Level) -> Estimate {
    let ((count, exposure), (other, other_exposure)) = (first, second);
    let unknown = Estimate { value: None, low: 0.0, high: f64::INFINITY };
    if exposure <= 0.0 || other_exposure <= 0.0 || count + other == 0 {
        return unknown;
    }
    let share = share_of(float(count) / together, float(count + other) / together, level);
    let ratio = |share: f64| {
        if share >= 1.0 { f64::INFINITY } else { share / (1.0 - share) * other_exposure / exposure }
    };
    let value = (float(count) / exposure) / (float(other) / other_exposure);
    Estimate { value: Some(value), low: ratio(share.low), high: ratio(share.high) }
}

/// How likely a ratio of two rates at least as unlikely as this one is if both rates are the same: the exact two-sided
/// conditional p-value, which adds up all outcomes that are no likelier than what was seen.
#[must_use]
pub fn rate_ratio_p(first: (u64, f64), second: (u64, f64)) -> f64 {
    let ((count, exposure), (other, other_exposure)) = (first, second);
    if exposure <= 0.0 || other_exposure <= 0.0 {
        return 1.0;
    }
    binomial_p(count, count + other, exposure / (exposure + other_exposure))
}

/// The same for events that come together. Clusters are no whole numbers, whose outcomes could be added up: the p-value
/// is twice the smaller tail, as that of the interval.
#[must_use]
pub fn clustered_ratio_p(first: (u64, f64), second: (u64, f64), together: f64) -> f64 {
    let ((count, exposure), (other, other_exposure)) = (first, second);
    if together <= 1.0 || exposure <= 0.0 || other_exposure <= 0.0 || count + other == 0 {
        return rate_ratio_p(first, second);
    }
    let (seen, all, share) =
        (float(count) / together, float(count + other) / together, exposure / (exposure + other_exposure));
    (2.0 * at_most(seen, all, share).min(at_least(seen, all, share))).min(1.0)
}

/// The share of successes, with Clopper and Pearson's exact interval.
#[must_use]
pub fn share(successes: u64, trials: u64, level: Level) -> Estimate {
    if trials == 0 {
        return Estimate { value: None, low: 0.0, high: 1.0 };
    }
    share_of(float(successes.min(trials)), float(trials), level)
}

/// The same for numbers that need not be whole; there is at least one trial.
fn share_of(seen: f64, all: f64, level: Level) -> Estimate {
    let tail = level.tail();
    let value = seen / all;
    // P(X >= successes) is the incomplete beta function of the share, which grows with it.
    let low =
        if seen <= 0.0 { 0.0 } else { root(|share| share_below(seen, all - seen + 1.0, share) - tail, 0.0, value) };
    let high = if seen >= all {
        1.0
    } else {
        // From above, where the distance to certainty is what has few digits.
        1.0 - root(|rest| share_below(all - seen, seen + 1.0, rest) - tail, 0.0, 1.0 - value)
    };
    Estimate { value: Some(value), low, high }
}

/// The exact two-sided p-value of so many successes if their probability is `expected`.
#[must_use]
pub fn binomial_p(successes: u64, trials: u64, expected: f64) -> f64 {
    if trials == 0 {
        return 1.0;
    }
    if expected <= 0.0 || expected >= 1.0 {
        let certain = if expected <= 0.0 { 0 } else { trials };
        return if successes == certain { 1.0 } else { 0.0 };
    }
    let log_probability = |k: u64| log_probability(float(k), float(trials), expected);
    // Equally likely outcomes must not be told apart by rounding.
    let bound = log_probability(successes) + 1e-7_f64.ln_1p();
    let at_most = |k: u64| at_most(float(k), float(trials), expected);
    let at_least = |k: u64| at_least(float(k), float(trials), expected);
    let mean = float(trials) * expected;
    if (float(successes) - mean).abs() < f64::EPSILON * mean {
        return 1.0;
    }
    let p = if float(successes) < mean {
        // The first outcome above the mean that is no likelier; from the mean on they only get less likely.
        let beyond = first(ceiling(mean), trials + 1, |k| k > trials || log_probability(k) <= bound);
        at_most(successes) + if beyond > trials { 0.0 } else { at_least(beyond) }
    } else {
        let within = first(0, ceiling(mean), |k| log_probability(k) > bound);
        at_least(successes) + if within == 0 { 0.0 } else { at_most(within - 1) }
    };
    p.min(1.0)
}

/// Holm's adjustment of several p-values, in their order: the chance that any of them is called a difference where
/// there is none stays what it was for one (S. Holm, Scandinavian Journal of Statistics 6, 1979).
#[must_use]
pub fn holm(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let mut adjusted = vec![0.0; values.len()];
    let mut largest = 0.0_f64;
    for (rank, (place, value)) in order.into_iter().enumerate() {
        let left = u32::try_from(values.len() - rank).map_or(f64::MAX, f64::from);
        largest = largest.max((value * left).min(1.0));
        if let Some(slot) = adjusted.get_mut(place) {
            *slot = largest;
        }
    }
    adjusted
}

/// How many times as much data, at these rates, would tell the two apart at 95 % in four cases of five; nothing where
/// they do not differ, or one saw no event yet.
///
/// By the normal approximation to the logarithm of the ratio, whose variance is the sum of the inverse counts.
#[must_use]
pub fn needed(first: (u64, f64), second: (u64, f64)) -> Option<f64> {
    /// The quantiles of the normal distribution at 97.5 % and at 80 %.
    const APART: f64 = 1.959_963_984_540_054 + 0.841_621_233_572_914_3;
    let ((count, exposure), (other, other_exposure)) = (first, second);
    if count == 0 || other == 0 || exposure <= 0.0 || other_exposure <= 0.0 {
        return None;
    }
    let distance = ((float(count) / exposure) / (float(other) / other_exposure)).ln();
    let times = (APART / distance).powi(2) * (1.0 / float(count) + 1.0 / float(other));
    times.is_finite().then_some(times)
}

/// Counts beyond 2^53 lose their last digits, which no rate shows.
#[expect(clippy::cast_precision_loss, reason = "said above")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

/// The least whole number that is not below a mean, which is not negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean lies between 0 and a count")]
fn ceiling(mean: f64) -> u64 {
    mean.ceil() as u64
}

/// The first of `from..to` for which `holds`, if it holds from somewhere on; else `to`.
pub(super) fn first(from: u64, to: u64, holds: impl Fn(u64) -> bool) -> u64 {
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

/// Well above any mean that makes so few events likely.
fn above(count: f64) -> f64 {
    count + 40.0 * (count + 1.0).sqrt() + 40.0
}

/// Where a growing function passes nothing, somewhere among the positive numbers.
pub(super) fn root_of_exponent(function: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (1.0, 1.0);
    while low > 1e-200 && function(low) >= 0.0 {
        (low, high) = (low / 16.0, low);
    }
    while high < 1e200 && function(high) < 0.0 {
        (low, high) = (high, high * 16.0);
    }
    // Ten digits are more than a factor needs, and each step may cost a sum over all outcomes.
    while high / low > 1.0 + 1e-10 {
        // The root of the product, which itself may be too large or small for a number.
        let middle = low.sqrt() * high.sqrt();
        if function(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low.sqrt() * high.sqrt()
}

/// Where a growing function passes nothing between `low` and `high`: by halving, until no number lies between them.
fn root(function: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    loop {
        // Far from 1 the middle is that of the exponents, so that tiny roots are found to all their digits.
        let middle = if low > 0.0 && high / low > 2.0 { (low * high).sqrt() } else { f64::midpoint(low, high) };
        if middle <= low || middle >= high {
            return middle;
        }
        if function(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
