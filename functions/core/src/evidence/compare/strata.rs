//! The hours of the day as strata: in each, the migrations of the first stack are binomial given those of both.

use super::distribution::{Trials, exact_tails, saddlepoint_tails};
use super::float;
use super::normal::quantile;
use crate::evidence::exact::{self, Estimate, Level};
use crate::evidence::service::HourOfDay;

/// One stratum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stratum {
    /// Instance-hours of both.
    pub(super) hours: [f64; 2],
    /// Migrations of both together.
    pub(super) moves: f64,
}

impl Stratum {
    /// The share of the first in its migrations, if its rate is `factor` times the second's.
    pub(super) fn share(&self, factor: f64) -> f64 {
        let [ours, theirs] = self.hours;
        if theirs <= 0.0 { 1.0 } else { factor * ours / (factor * ours + theirs) }
    }

    /// Instance-hours, each of the first counted `factor` times.
    fn weighed(&self, factor: f64) -> f64 {
        factor.mul_add(self.hours[0], self.hours[1])
    }

    fn informs(&self) -> bool {
        self.moves > 0.0 && self.hours.iter().all(|hours| *hours > 0.0)
    }
}

/// All strata.
pub(super) struct Strata {
    pub(super) each: Vec<Stratum>,
    /// Migrations of the first in those strata in which both were in service.
    pub(super) ours: u64,
    /// How many migrations come together: so many count as one.
    pub(super) dispersion: f64,
}

/// Up to how many migrations the exact distribution is summed up; beyond, the saddlepoint is as good.
pub(super) const EXACT: f64 = 200.0;

impl Strata {
    pub(super) fn new(ours: &[HourOfDay], theirs: &[HourOfDay], dispersion: f64) -> Self {
        let both = ours.iter().zip(theirs);
        let each: Vec<Stratum> =
            both.clone().map(|(a, b)| Stratum { hours: [a.hours, b.hours], moves: float(a.moves + b.moves) }).collect();
        let informing = both.zip(&each).filter(|(_, stratum)| stratum.informs());
        Self { ours: informing.map(|((a, _), _)| a.moves).sum(), each, dispersion }
    }

    fn informing(&self) -> impl Iterator<Item = &Stratum> {
        self.each.iter().filter(|stratum| stratum.informs())
    }

    pub(super) fn moves(&self) -> f64 {
        self.informing().map(|stratum| stratum.moves).sum()
    }

    pub(super) fn expected(&self, factor: f64) -> f64 {
        self.informing().map(|stratum| stratum.moves * stratum.share(factor)).sum()
    }

    /// The inverse variance of the logarithm of the factor.
    pub(super) fn information(&self, factor: f64) -> f64 {
        let of = |stratum: &Stratum| stratum.moves * stratum.share(factor) * (1.0 - stratum.share(factor));
        self.informing().map(of).sum::<f64>() / self.dispersion
    }

    /// The likeliest factor, if there is one between nothing and infinity.
    pub(super) fn fitted(&self) -> Option<f64> {
        self.fitted_to(float(self.ours))
    }

    fn fitted_to(&self, ours: f64) -> Option<f64> {
        if ours <= 0.0 || ours >= self.moves() {
            return None;
        }
        Some(exact::root_of_exponent(|factor| self.expected(factor) - ours))
    }

    /// The factor with its conditional interval.
    pub(super) fn factor(&self, fitted: Option<f64>, level: Level) -> Estimate {
        let (ours, all, tail) = (float(self.ours), self.moves(), level.tail());
        let low =
            if ours <= 0.0 { 0.0 } else { exact::root_of_exponent(|factor| self.tails(factor, fitted)[0] - tail) };
        let high = if ours >= all {
            f64::INFINITY
        } else {
            exact::root_of_exponent(|factor| tail - self.tails(factor, fitted)[1])
        };
        let value = fitted.or_else(|| (all > 0.0).then_some(if ours <= 0.0 { 0.0 } else { f64::INFINITY }));
        Estimate { value, low, high }
    }

    /// How likely more, and fewer, migrations of the first are than there were, if its rate is `factor` times the
    /// second's. Where they come together, each cluster counts as one.
    pub(super) fn tails(&self, factor: f64, fitted: Option<f64>) -> [f64; 2] {
        let trials = self.trials(factor);
        if self.dispersion <= 1.0 && self.moves() <= EXACT {
            return exact_tails(&trials, self.ours);
        }
        saddlepoint_tails(&trials, float(self.ours) / self.dispersion, (fitted.unwrap_or(1.0) / factor).ln())
    }

    pub(super) fn trials(&self, factor: f64) -> Vec<Trials> {
        let of = |stratum: &Stratum| Trials { count: stratum.moves / self.dispersion, share: stratum.share(factor) };
        self.informing().map(of).collect()
    }

    /// The two-sided p-value of a factor.
    pub(super) fn p(&self, factor: f64, fitted: Option<f64>) -> f64 {
        let [more, fewer] = self.tails(factor, fitted);
        (2.0 * more.min(fewer)).min(1.0)
    }

    /// How much more exposed an instance-hour of the first is by its stratum, if the stacks make no difference: direct
    /// standardisation with the fitted rates.
    ///
    /// Its interval is that of the logarithm, by the delta method, after four migrations (or clusters of them) more were
    /// spread evenly over all instance-hours: strata without any migration would else seem to be known exactly
    /// (A. Agresti and B. Caffo, The American Statistician 54, 2000).
    pub(super) fn timing(&self, fitted: Option<f64>, level: Level) -> Estimate {
        let factor = fitted.unwrap_or(1.0);
        let weighed: f64 = self.each.iter().map(|stratum| stratum.weighed(factor)).sum();
        let unknown = Estimate { value: None, low: 0.0, high: f64::INFINITY };
        let Some((value, _)) = self.standardised(factor, 0.0) else { return unknown };
        let Some((centre, variance)) = self.standardised(factor, 4.0 * self.dispersion / weighed) else {
            return unknown;
        };
        let reach = (-quantile(level.tail()) * (variance * self.dispersion).sqrt()).exp();
        Estimate { value: Some(value), low: (centre / reach).min(value), high: (centre * reach).max(value) }
    }

    /// The ratio of the standardised rates, and the variance of its logarithm, with so many migrations more for each
    /// instance-hour.
    fn standardised(&self, factor: f64, more: f64) -> Option<(f64, f64)> {
        let moves = |s: &Stratum| more.mul_add(s.weighed(factor), s.moves);
        // The second's rate.
        let hazard = |s: &Stratum| if s.weighed(factor) > 0.0 { moves(s) / s.weighed(factor) } else { 0.0 };
        let sum = |of: &dyn Fn(&Stratum) -> f64| -> f64 { self.each.iter().map(of).sum() };
        let hours = [sum(&|s| s.hours[0]), sum(&|s| s.hours[1])];
        let exposed = [sum(&|s| s.hours[0] * hazard(s)), sum(&|s| s.hours[1] * hazard(s))];
        if hours.iter().chain(&exposed).any(|sum| *sum <= 0.0) {
            return None;
        }
        let slope = |s: &Stratum| hazard(s) * (s.hours[0] / exposed[0] - s.hours[1] / exposed[1]);
        let own = sum(&|s| if moves(s) > 0.0 { slope(s).powi(2) / moves(s) } else { 0.0 });
        // What the factor does not know of itself, the hazards do not know either.
        let known = sum(&|s| moves(s) * s.share(factor) * (1.0 - s.share(factor)));
        let shared = sum(&|s| slope(s) * s.share(factor) * f64::from(u8::from(moves(s) > 0.0)));
        let variance = own + if known > 0.0 { shared.powi(2) / known } else { 0.0 };
        Some((exposed[0] / hours[0] / (exposed[1] / hours[1]), variance))
    }
}
