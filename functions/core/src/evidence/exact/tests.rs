use serde::Deserialize;

use super::*;

type Ratio = (u64, f64, u64, f64, f64, [Option<f64>; 2], f64);

/// What `SciPy` says, as `tests/evidence/oracle.py` writes it.
#[derive(Deserialize)]
struct Oracle {
    rates: Vec<(u64, f64, f64, [Option<f64>; 2])>,
    ratios: Vec<Ratio>,
    shares: Vec<(u64, u64, f64, [f64; 2])>,
    clustered: Vec<Clustered>,
}

type Clustered = (u64, f64, u64, f64, f64, f64, [f64; 2], [Option<f64>; 2], f64);

fn oracle() -> Oracle {
    serde_json::from_str(include_str!("../oracle.json")).expect("the oracle's answers")
}

#[track_caller]
pub(in crate::evidence) fn agree(found: f64, expected: Option<f64>, of: &str) {
    let Some(expected) = expected else { return assert!(found.is_infinite(), "{of}: {found:e}") };
    assert!((found - expected).abs() <= 1e-9 * expected, "{of}: {found:e}, not {expected:e}");
}

#[test]
fn rates_are_those_of_the_oracle() {
    let cases = oracle().rates;
    assert!(cases.len() > 40);
    for (count, exposure, level, [low, high]) in cases {
        let found = rate(count, exposure, Level::new(level).unwrap());
        let of = format!("{count} in {exposure} at {level}");
        agree(found.low, low, &of);
        agree(found.high, high, &of);
        assert!(found.holds(found.value.unwrap()), "{of}");
    }
}

#[test]
fn ratios_are_those_of_the_oracle() {
    let cases = oracle().ratios;
    assert!(cases.len() > 60);
    for (a, s, b, t, level, [low, high], p) in cases {
        let found = rate_ratio((a, s), (b, t), Level::new(level).unwrap());
        let of = format!("{a} in {s} to {b} in {t} at {level}");
        agree(found.low, low, &of);
        agree(found.high, high, &of);
        let found = rate_ratio_p((a, s), (b, t));
        // A p-value of nothing is one that has left the range of numbers.
        assert!((found - p).abs() <= 1e-9 * p || p < 1e-280, "{of}: p {found:e}, not {p:e}");
    }
}

#[test]
fn shares_are_those_of_the_oracle() {
    let cases = oracle().shares;
    assert!(cases.len() > 20);
    for (successes, trials, level, [low, high]) in cases {
        let found = share(successes, trials, Level::new(level).unwrap());
        let of = format!("{successes} of {trials} at {level}");
        agree(found.low, Some(low), &of);
        agree(found.high, Some(high), &of);
    }
}

#[test]
fn events_that_come_together_are_those_of_the_oracle() {
    let cases = oracle().clustered;
    assert!(cases.len() > 60);
    for (a, s, b, t, together, level, rate, [low, high], p) in cases {
        let of = format!("{a} in {s} to {b} in {t} at {level}, {together} together");
        let level = Level::new(level).unwrap();
        let found = clustered_rate(a, s, together, level);
        agree(found.low, Some(rate[0]), &of);
        agree(found.high, Some(rate[1]), &of);
        let found = clustered_ratio((a, s), (b, t), together, level);
        agree(found.low, low, &of);
        agree(found.high, high, &of);
        let found = clustered_ratio_p((a, s), (b, t), together);
        assert!((found - p).abs() <= 1e-9 * p || p < 1e-280, "{of}: p {found:e}, not {p:e}");
    }
}

#[test]
fn nothing_is_known_without_exposure_or_events() {
    assert!(rate(0, 0.0, Level::USUAL).high.is_infinite());
    assert_eq!(rate_ratio((0, 10.0), (0, 10.0), Level::USUAL).value, None);
    assert!(rate_ratio((3, 0.0), (3, 10.0), Level::USUAL).high.is_infinite());
    assert!((rate_ratio_p((0, 10.0), (0, 10.0)) - 1.0).abs() < f64::EPSILON);
    assert_eq!(share(0, 0, Level::USUAL).value, None);
    assert_eq!((Level::new(0.0), Level::new(1.0), Level::new(f64::NAN)), (None, None, None));
}

#[test]
fn several_differences_are_called_more_carefully() {
    let adjusted = holm(&[0.01, 0.04, 0.03, 0.5]);
    for (found, expected) in adjusted.iter().zip([0.04, 0.09, 0.09, 0.5]) {
        assert!((found - expected).abs() < 1e-12, "{adjusted:?}");
    }
    assert!(holm(&[]).is_empty());
}

#[test]
fn what_is_needed_shrinks_with_the_difference() {
    let close = needed((10, 100.0), (8, 100.0)).unwrap();
    let far = needed((20, 100.0), (5, 100.0)).unwrap();
    assert!(close > 30.0 && far < 1.1, "{close} {far}");
    assert_eq!((needed((0, 1.0), (5, 1.0)), needed((5, 1.0), (5, 1.0))), (None, None));
}
