//! Two stacks beside each other: how far the one's larger number of migrations comes from its capacity, from the hours
//! in which that stands, and how far from the stack itself.
//!
//! The model: in each hour of the local day an instance in service is moved at a rate that depends on the hour, times
//! a factor of the stack. Given how many migrations an hour of the day saw in all, those of one stack are binomial, so
//! the factor is judged without knowing the rates (the conditional likelihood of stratified Poisson rates; N. Breslow
//! and N. Day, "Statistical Methods in Cancer Research" II, 1987, chapter 3).

use jiff::tz::TimeZone;
use statrs::function::erf::{erfc, erfc_inv};

use super::binomial::log_probability;
use super::exact::{self, Estimate, Level};
use super::service::{HourOfDay, Served};

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
    /// How much more migrations vary than independent ones would, at least 1. All intervals and p-values but that of
    /// the capacity are widened for it.
    pub dispersion: f64,
}

/// Compares the first stack with the second by the clocks of a time zone.
#[must_use]
pub fn compare(first: &Served, second: &Served, zone: &TimeZone, level: Level) -> Comparison {
    let (ours, theirs) = (first.by_hour(zone), second.by_hour(zone));
    let (a, b) = ((first.moves(), first.hours()), (second.moves(), second.hours()));
    let strata = Strata::new(&ours, &theirs);
    let fitted = strata.fitted();
    let dispersion = dispersion(&[(first, fitted.unwrap_or(1.0)), (second, 1.0)], &strata.hazards(fitted), zone);
    let widened = level.widened(dispersion);
    let [more, fewer] = strata.tails(1.0);
    Comparison {
        counts: (b.0 > 0).then(|| float(a.0) / float(b.0)),
        rates: exact::rate_ratio(a, b, widened),
        rates_p: softened(exact::rate_ratio_p(a, b), dispersion),
        capacity: capacity(first, second),
        timing: strata.timing(fitted, level, dispersion),
        itself: strata.factor(fitted, widened),
        itself_p: softened((2.0 * more.min(fewer)).min(1.0), dispersion),
        dispersion,
    }
}

impl Level {
    /// The level at which an interval for independent events is as wide as one at this level for events that vary
    /// `dispersion` times as much: the normal quantile grows with the root of it.
    #[must_use]
    pub fn widened(self, dispersion: f64) -> Self {
        let tail = self.tail();
        if dispersion <= 1.0 {
            return self;
        }
        let widened = above(-quantile(tail) * dispersion.sqrt());
        // An end beyond all numbers is no interval.
        Self::of_tail(widened.clamp(1e-300, tail))
    }
}

/// A p-value for events that vary `dispersion` times as much as independent ones.
#[must_use]
pub fn softened(p: f64, dispersion: f64) -> f64 {
    if p <= 0.0 || dispersion <= 1.0 { p } else { (2.0 * above(-quantile(p / 2.0) / dispersion.sqrt())).min(1.0) }
}

/// The normal quantile of a lower tail.
fn quantile(tail: f64) -> f64 {
    -std::f64::consts::SQRT_2 * erfc_inv(2.0 * tail)
}

/// How likely a normal value is above `z`.
fn above(z: f64) -> f64 {
    0.5 * erfc(z / std::f64::consts::SQRT_2)
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

/// One hour of the day.
#[derive(Debug, Clone, Copy)]
struct Stratum {
    /// Instance-hours of both.
    hours: [f64; 2],
    /// Migrations of both together.
    moves: f64,
}

impl Stratum {
    /// The share of the first in its migrations, if its rate is `factor` times the second's.
    fn share(&self, factor: f64) -> f64 {
        let [ours, theirs] = self.hours;
        if theirs <= 0.0 { 1.0 } else { factor * ours / (factor * ours + theirs) }
    }

    fn informs(&self) -> bool {
        self.moves > 0.0 && self.hours.iter().all(|hours| *hours > 0.0)
    }
}

/// The hours of the day.
struct Strata {
    strata: Vec<Stratum>,
    /// Migrations of the first in those hours in which both were in service.
    ours: u64,
}

/// Up to how many migrations the exact distribution is summed up; beyond, the normal one is as good.
const EXACT: f64 = 500.0;

impl Strata {
    fn new(ours: &[HourOfDay; 24], theirs: &[HourOfDay; 24]) -> Self {
        let both = ours.iter().zip(theirs);
        let strata: Vec<Stratum> =
            both.clone().map(|(a, b)| Stratum { hours: [a.hours, b.hours], moves: float(a.moves + b.moves) }).collect();
        let informing = both.zip(&strata).filter(|(_, stratum)| stratum.informs());
        Self { ours: informing.map(|((a, _), _)| a.moves).sum(), strata }
    }

    fn informing(&self) -> impl Iterator<Item = &Stratum> {
        self.strata.iter().filter(|stratum| stratum.informs())
    }

    fn moves(&self) -> f64 {
        self.informing().map(|stratum| stratum.moves).sum()
    }

    fn expected(&self, factor: f64) -> f64 {
        self.informing().map(|stratum| stratum.moves * stratum.share(factor)).sum()
    }

    /// The likeliest factor, if there is one between nothing and infinity.
    fn fitted(&self) -> Option<f64> {
        let ours = float(self.ours);
        if ours <= 0.0 || ours >= self.moves() {
            return None;
        }
        Some(exact::root_of_exponent(|factor| self.expected(factor) - ours))
    }

    /// The factor with its conditional interval.
    fn factor(&self, fitted: Option<f64>, level: Level) -> Estimate {
        let (ours, all, tail) = (float(self.ours), self.moves(), level.tail());
        let low = if ours <= 0.0 { 0.0 } else { exact::root_of_exponent(|factor| self.tails(factor)[0] - tail) };
        let high =
            if ours >= all { f64::INFINITY } else { exact::root_of_exponent(|factor| tail - self.tails(factor)[1]) };
        let value = fitted.or_else(|| (all > 0.0).then_some(if ours <= 0.0 { 0.0 } else { f64::INFINITY }));
        Estimate { value, low, high }
    }

    /// How likely more, and fewer, migrations of the first are than there were; so many themselves count half to
    /// either side, since the sum of several binomials would else be judged too timidly (H. Lancaster, "Significance
    /// tests in discrete distributions", JASA 56, 1961).
    fn tails(&self, factor: f64) -> [f64; 2] {
        if self.moves() > EXACT {
            let variance: f64 =
                self.informing().map(|s| s.moves * s.share(factor) * (1.0 - s.share(factor))).sum::<f64>();
            let distance = float(self.ours) - self.expected(factor);
            let normal = |distance: f64| above(distance / variance.max(f64::MIN_POSITIVE).sqrt());
            return [normal(distance), normal(-distance)];
        }
        let mut distribution = vec![1.0];
        for stratum in self.informing() {
            distribution = folded(&distribution, stratum.moves, stratum.share(factor));
        }
        let ours = usize::try_from(self.ours).unwrap_or(usize::MAX).min(distribution.len());
        let (below, rest) = distribution.split_at(ours);
        let half = rest.first().copied().unwrap_or_default() / 2.0;
        [rest.iter().rev().sum::<f64>() - half, below.iter().sum::<f64>() + half]
    }

    /// The second's rate in each hour of the day.
    fn hazards(&self, fitted: Option<f64>) -> [f64; 24] {
        let factor = fitted.unwrap_or(1.0);
        let mut hazards = [0.0; 24];
        for (hazard, stratum) in hazards.iter_mut().zip(&self.strata) {
            let weighed = factor * stratum.hours[0] + stratum.hours[1];
            *hazard = if weighed > 0.0 { stratum.moves / weighed } else { 0.0 };
        }
        hazards
    }

    /// How much more exposed an instance-hour of the first is by its hour of the day, if the stacks make no difference:
    /// direct standardisation with the fitted rates. Its interval is that of the logarithm, by the delta method.
    fn timing(&self, fitted: Option<f64>, level: Level, dispersion: f64) -> Estimate {
        let hazards = self.hazards(fitted);
        let sum = |of: &dyn Fn(&Stratum, f64) -> f64| -> f64 {
            self.strata.iter().zip(hazards).map(|(stratum, hazard)| of(stratum, hazard)).sum()
        };
        let hours = [sum(&|s, _| s.hours[0]), sum(&|s, _| s.hours[1])];
        let exposed = [sum(&|s, hazard| s.hours[0] * hazard), sum(&|s, hazard| s.hours[1] * hazard)];
        if hours.iter().chain(&exposed).any(|sum| *sum <= 0.0) {
            return Estimate { value: None, low: 0.0, high: f64::INFINITY };
        }
        let value = exposed[0] / hours[0] / (exposed[1] / hours[1]);
        let factor = fitted.unwrap_or(1.0);
        let slope = |s: &Stratum, hazard: f64| s.hours[0] * hazard / exposed[0] - s.hours[1] * hazard / exposed[1];
        let own = sum(&|s, hazard| if s.moves > 0.0 { slope(s, hazard).powi(2) / s.moves } else { 0.0 });
        // What the factor does not know of itself, the hazards do not know either.
        let known: f64 = self.informing().map(|s| s.moves * s.share(factor) * (1.0 - s.share(factor))).sum();
        let shared = sum(&|s, hazard| slope(s, hazard) * s.share(factor) * f64::from(u8::from(s.moves > 0.0)));
        let variance = own + if known > 0.0 { shared.powi(2) / known } else { 0.0 };
        let reach = (-quantile(level.tail()) * (variance * dispersion).sqrt()).exp();
        Estimate { value: Some(value), low: value / reach, high: value * reach }
    }
}

/// The distribution of a sum with another `trials`, each with probability `share`.
fn folded(distribution: &[f64], trials: f64, share: f64) -> Vec<f64> {
    let chances = chances(trials, share);
    let mut sum = vec![0.0; distribution.len() + chances.len() - 1];
    for (before, chance) in distribution.iter().enumerate().filter(|(_, chance)| **chance > 0.0) {
        for (slot, more) in sum.iter_mut().skip(before).zip(&chances) {
            *slot += chance * more;
        }
    }
    sum
}

/// The binomial distribution, from its likeliest number to both ends, so that nothing vanishes on the way.
fn chances(trials: f64, share: f64) -> Vec<f64> {
    if share <= 0.0 || share >= 1.0 {
        let mut chances: Vec<f64> = whole_numbers(trials).map(|_| 0.0).collect();
        if let Some(certain) = if share <= 0.0 { chances.first_mut() } else { chances.last_mut() } {
            *certain = 1.0;
        }
        return chances;
    }
    let likeliest = ((trials + 1.0) * share).floor().min(trials);
    let odds = share / (1.0 - share);
    let peak = log_probability(likeliest, trials, share).exp();
    let mut chances: Vec<f64> = Vec::new();
    let mut chance = peak;
    let mut k = likeliest;
    while k > 0.0 {
        chance *= k / ((trials - k + 1.0) * odds);
        chances.push(chance);
        k -= 1.0;
    }
    chances.reverse();
    chances.push(peak);
    (chance, k) = (peak, likeliest);
    while k < trials {
        chance *= (trials - k) / (k + 1.0) * odds;
        chances.push(chance);
        k += 1.0;
    }
    chances
}

fn whole_numbers(up_to: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(0.0), |k| Some(k + 1.0)).take_while(move |k| *k <= up_to)
}

/// How much more the numbers of migrations in an hour, and in a day, vary than those of independent ones: the moment
/// estimate of what pairs there are beyond those that the rates let expect, at least 1. Days begin at noon, so that a
/// night is one.
fn dispersion(stacks: &[(&Served, f64)], hazards: &[f64; 24], zone: &TimeZone) -> f64 {
    let mut expected = 0.0;
    let (mut by_hour, mut by_day) = (0.0, 0.0);
    for (served, factor) in stacks {
        let mut days: std::collections::BTreeMap<i64, [f64; 2]> = std::collections::BTreeMap::new();
        for (time, hour) in served.by_time() {
            let Ok(clock) = jiff::Timestamp::from_second(time.as_second()) else { continue };
            let clock = zone.to_datetime(clock);
            let hazard = usize::try_from(clock.hour()).ok().and_then(|hour| hazards.get(hour)).copied();
            let mean = hour.hours * hazard.unwrap_or_default() * factor;
            let moves = float(hour.moves);
            by_hour += moves * (moves - 1.0) - mean.powi(2);
            expected += mean;
            let day = days.entry((time.as_second() + offset(zone, time) - 43_200).div_euclid(86_400)).or_default();
            day[0] += moves;
            day[1] += mean;
        }
        by_day += days.values().map(|[moves, mean]| moves * (moves - 1.0) - mean.powi(2)).sum::<f64>();
    }
    if expected <= 0.0 { 1.0 } else { (1.0 + by_hour.max(by_day) / expected).max(1.0) }
}

/// By how many seconds clocks are ahead of UTC.
fn offset(zone: &TimeZone, time: crate::time::Timestamp) -> i64 {
    jiff::Timestamp::from_second(time.as_second()).map_or(0, |time| i64::from(zone.to_offset(time).seconds()))
}

#[expect(clippy::cast_precision_loss, reason = "no account counts to 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
