//! How often the comparison finds out a stack that is worse.

use super::Comparison;
use super::distribution::{Trials, distribution, saddlepoint_tails};
use super::normal::quantile;
use super::strata::{EXACT, Strata};
use crate::evidence::exact::{self, Level};

/// The quantile of the normal distribution at 80 %.
const FOUR_IN_FIVE: f64 = 0.841_621_233_572_914_3;

impl Strata {
    /// How likely the conditional test calls the stack itself different, at a level, if the first's rate is `factor`
    /// times the second's: given how many migrations each stratum saw in all.
    pub(super) fn power(&self, factor: f64, level: Level) -> f64 {
        if self.moves() <= 0.0 {
            0.0
        } else if self.dispersion <= 1.0 && self.moves() <= EXACT {
            self.exact(factor, level)
        } else {
            self.smooth(factor, level)
        }
    }

    /// The power to find out either side if it is twice as bad as the other; the smaller of the two.
    pub(super) fn power_of_twice(&self, level: Level) -> f64 {
        self.power(2.0, level).min(self.power(0.5, level))
    }

    /// The sum over all numbers that the test calls different.
    fn exact(&self, factor: f64, level: Level) -> f64 {
        let (null, truth) = (distribution(&self.trials(1.0)), distribution(&self.trials(factor)));
        let mut power = 0.0;
        let mut below = 0.0;
        for (null, truth) in null.iter().zip(truth) {
            let fewer = below + null / 2.0;
            if fewer < level.tail() || 1.0 - fewer < level.tail() {
                power += truth;
            }
            below += null;
        }
        power.min(1.0)
    }

    /// By the saddlepoint: from which factor on a difference is called, on either side, and how likely such are.
    fn smooth(&self, factor: f64, level: Level) -> f64 {
        /// Where all that there is falls to one side.
        const EXTREME: f64 = 1e12;
        let (null, truth) = (self.trials(1.0), self.trials(factor));
        let beyond = |trials: &[Trials], fitted: f64, to: f64, side: usize| {
            let tails = saddlepoint_tails(trials, self.expected(fitted) / self.dispersion, (fitted / to).ln());
            tails.get(side).copied().unwrap_or_default()
        };
        let side = |side: usize, extreme: f64| {
            let tail = |fitted: f64| beyond(&null, fitted, 1.0, side) - level.tail();
            if tail(extreme) >= 0.0 {
                return 0.0;
            }
            let grows = if extreme > 1.0 { -1.0 } else { 1.0 };
            beyond(&truth, exact::root_of_exponent(|fitted| grows * tail(fitted)), factor, side)
        };
        (side(0, EXTREME) + side(1, 1.0 / EXTREME)).min(1.0)
    }
}

impl Comparison {
    /// How many times as much of the same would find out, in four cases of five, a first stack that is itself `factor`
    /// times as bad as the second. Nothing where no amount would. By the normal approximation to the logarithm.
    #[must_use]
    pub fn needed(&self, factor: f64, level: Level) -> Option<f64> {
        let apart = FOUR_IN_FIVE - quantile(level.tail());
        let times = (apart / factor.ln()).powi(2) / self.information;
        times.is_finite().then_some(times)
    }
}
