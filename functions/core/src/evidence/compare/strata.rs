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

    /// The second's rate in each stratum.
    pub(super) fn hazards(&self, fitted: Option<f64>) -> Vec<f64> {
        let factor = fitted.unwrap_or(1.0);
        let hazard = |stratum: &Stratum| {
            let weighed = factor * stratum.hours[0] + stratum.hours[1];
            if weighed > 0.0 { stratum.moves / weighed } else { 0.0 }
        };
        self.each.iter().map(hazard).collect()
    }

    /// How much more exposed an instance-hour of the first is by its stratum, if the stacks make no difference: direct
    /// standardisation with the fitted rates. Its interval is that of the logarithm, by the delta method.
    pub(super) fn timing(&self, fitted: Option<f64>, level: Level) -> Estimate {
        let hazards = self.hazards(fitted);
        let sum = |of: &dyn Fn(&Stratum, f64) -> f64| -> f64 {
            self.each.iter().zip(&hazards).map(|(stratum, hazard)| of(stratum, *hazard)).sum()
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
        let known = self.information(factor) * self.dispersion;
        let shared = sum(&|s, hazard| slope(s, hazard) * s.share(factor) * f64::from(u8::from(s.moves > 0.0)));
        let variance = own + if known > 0.0 { shared.powi(2) / known } else { 0.0 };
        let reach = (-quantile(level.tail()) * (variance * self.dispersion).sqrt()).exp();
        Estimate { value: Some(value), low: value / reach, high: value * reach }
    }
}
