//! The binomial distribution, to the last digits for large counts too, where differences of logarithms of factorials
//! have lost them (C. Loader, "Fast and Accurate Computation of Binomial Probabilities", 2000).

use std::f64::consts::TAU;

/// The logarithm of the probability of `k` of `n`, each with probability `p` between nothing and one.
pub(super) fn log_probability(k: f64, n: f64, p: f64) -> f64 {
    if k <= 0.0 {
        return n * (-p).ln_1p();
    }
    if k >= n {
        return n * p.ln();
    }
    let rest = n - k;
    stirling_error(n) - stirling_error(k) - stirling_error(rest) - deviance(k, n * p) - deviance(rest, n * (1.0 - p))
        + 0.5 * (n / (TAU * k * rest)).ln()
}

/// The probability of at most `k` of `n`.
pub(super) fn at_most(k: f64, n: f64, p: f64) -> f64 {
    if k >= n { 1.0 } else { share_below(n - k, k + 1.0, 1.0 - p) }
}

/// The probability of at least `k` of `n`.
pub(super) fn at_least(k: f64, n: f64, p: f64) -> f64 {
    if k <= 0.0 { 1.0 } else { share_below(k, n - k + 1.0, p) }
}

/// The regularised incomplete beta function: the probability that a share with distribution beta(`a`, `b`) is below
/// `x`, by the continued fraction of Abramowitz and Stegun, 26.5.8.
pub(super) fn share_below(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - share_below(b, a, 1.0 - x);
    }
    (log_probability(a, a + b, x) + (b / (a + b)).ln()).exp() * fraction(a, b, x)
}

/// The continued fraction, by the method of Lentz. It takes about as many steps as the root of the larger of `a`, `b`.
fn fraction(first: f64, second: f64, share: f64) -> f64 {
    const STEPS: u32 = 1_000_000;
    const TINY: f64 = 1e-300;
    let floor = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut upper = 1.0;
    let mut lower = 1.0 / floor(1.0 - (first + second) * share / (first + 1.0));
    let mut product = lower;
    for step in (1..STEPS).map(f64::from) {
        let twice = first + 2.0 * step;
        let even = step * (second - step) * share / ((twice - 1.0) * twice);
        let odd = -(first + step) * (first + second + step) * share / (twice * (twice + 1.0));
        let before = product;
        for term in [even, odd] {
            lower = 1.0 / floor(1.0 + term * lower);
            upper = floor(1.0 + term / upper);
            product *= upper * lower;
        }
        if (product - before).abs() <= 1e-16 * product.abs() {
            break;
        }
    }
    product
}

/// By how much the logarithm of `n!` exceeds Stirling's formula.
fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        return statrs::function::gamma::ln_gamma(n + 1.0) - (n + 0.5) * n.ln() + n - 0.5 * TAU.ln();
    }
    let square = n * n;
    // The asymptotic series; its next term is below 1e-16 from 16 on.
    let terms = [1.0 / 12.0, 1.0 / 360.0, 1.0 / 1_260.0, 1.0 / 1_680.0, 1.0 / 1_188.0, 691.0 / 360_360.0, 1.0 / 156.0];
    let inner = terms.iter().rev().fold(0.0, |sum, term| term - sum / square);
    inner / n
}

/// `k ln(k / mean) + mean - k`, without the loss of digits where both are close.
fn deviance(k: f64, mean: f64) -> f64 {
    if (k - mean).abs() >= 0.1 * (k + mean) {
        return k * (k / mean).ln() + mean - k;
    }
    let ratio = (k - mean) / (k + mean);
    let mut sum = (k - mean) * ratio;
    let mut power = 2.0 * k * ratio;
    let mut odd = 3.0;
    loop {
        power *= ratio * ratio;
        let next = sum + power / odd;
        if (next - sum).abs() <= f64::EPSILON * sum.abs() * 0.01 {
            return next;
        }
        sum = next;
        odd += 2.0;
    }
}
