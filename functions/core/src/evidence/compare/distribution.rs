//! The distribution of how many of several strata's events fall to one side: exact where they are few and independent,
//! by the saddlepoint where they are many or come in clusters.

use super::normal;
use crate::evidence::binomial::log_probability;

/// Events of one stratum: how many, and with which probability each falls to the one side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trials {
    pub(super) count: f64,
    pub(super) share: f64,
}

/// How likely each number of events on the one side is, for whole numbers of trials: exact.
pub(super) fn distribution(trials: &[Trials]) -> Vec<f64> {
    trials.iter().fold(vec![1.0], |distribution, stratum| folded(&distribution, stratum.count, stratum.share))
}

/// How likely more than `seen`, and fewer, fall to the one side; so many themselves count half to either side, since
/// the sum of several binomials would else be judged too timidly (H. Lancaster, "Significance tests in discrete
/// distributions", JASA 56, 1961).
pub(super) fn exact_tails(trials: &[Trials], seen: u64) -> [f64; 2] {
    let distribution = distribution(trials);
    let seen = usize::try_from(seen).unwrap_or(usize::MAX).min(distribution.len());
    let (below, rest) = distribution.split_at(seen);
    let half = rest.first().copied().unwrap_or_default() / 2.0;
    [rest.iter().rev().sum::<f64>() - half, below.iter().sum::<f64>() + half]
}

/// The same for any numbers, whole or not, by the saddlepoint (R. Lugannani and S. Rice, Advances in Applied
/// Probability 12, 1980, in the form of O. Barndorff-Nielsen, 1986). Without a correction for whole numbers it comes
/// close to counting half of `seen` to either side. `tilt` is the logarithm of how many times the odds of every stratum
/// must grow for `seen` to be what is expected.
pub(super) fn saddlepoint_tails(trials: &[Trials], seen: f64, tilt: f64) -> [f64; 2] {
    let all: f64 = trials.iter().map(|stratum| stratum.count).sum();
    let half = |chance: fn(f64) -> f64| -> f64 {
        trials.iter().map(|stratum| stratum.count * chance(stratum.share)).sum::<f64>().exp() / 2.0
    };
    if seen <= 0.0 {
        let half = half(|share| (-share).ln_1p());
        return [1.0 - half, half];
    }
    if seen >= all {
        let half = half(f64::ln);
        return [half, 1.0 - half];
    }
    let grown = tilt.exp();
    let (mut generating, mut variance, mut skew) = (0.0, 0.0, 0.0);
    for Trials { count, share } in trials {
        let weight = share.mul_add(tilt.exp_m1(), 1.0);
        let share = share * grown / weight;
        generating += count * weight.ln();
        variance += count * share * (1.0 - share);
        skew += count * share * (1.0 - share) * (1.0 - 2.0 * share);
    }
    let root = (2.0 * (tilt * seen - generating)).max(0.0).sqrt().copysign(tilt);
    let distance = if root.abs() < 0.01 {
        root + skew / variance.powf(1.5) / 6.0
    } else {
        root + (tilt * variance.sqrt() / root).ln() / root
    };
    [normal::above(distance), normal::above(-distance)]
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
