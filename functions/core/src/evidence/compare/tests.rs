use std::collections::BTreeMap;

use super::*;
use crate::evidence::exact::tests::agree;
use crate::evidence::simulated::{Dice, Fate, chance, means, stacks, truth};

/// What `SciPy` says of strata, as `tests/evidence/oracle.py` writes it.
#[derive(serde::Deserialize)]
struct Oracle {
    strata: Vec<Case>,
}

#[derive(Debug, serde::Deserialize)]
struct Case {
    /// Migrations and hours of the first, and of the second.
    strata: Vec<(u64, f64, u64, f64)>,
    level: f64,
    factor: Option<f64>,
    interval: [Option<f64>; 2],
    p: f64,
    powers: Vec<[f64; 2]>,
    timing: Option<[f64; 3]>,
}

#[test]
fn strata_are_those_of_the_oracle() {
    let cases: Oracle = serde_json::from_str(include_str!("../oracle.json")).expect("the oracle's answers");
    assert!(cases.strata.len() >= 10);
    for case in cases.strata {
        let of = format!("{case:?}");
        let cell = |moves, hours| HourOfDay { hours, moves };
        let cells = case.strata.iter().map(|(a, s, b, t)| (cell(*a, *s), cell(*b, *t)));
        let (ours, theirs): (Vec<_>, Vec<_>) = cells.unzip();
        let (strata, level) = (Strata::new(&ours, &theirs, 1.0), Level::new(case.level).unwrap());
        let fitted = strata.fitted();
        let found = strata.factor(fitted, level);
        agree(found.value.expect("a factor"), case.factor, &of);
        agree(found.low, case.interval[0], &of);
        agree(found.high, case.interval[1], &of);
        agree(strata.p(1.0, fitted), Some(case.p), &of);
        assert!(!case.powers.is_empty());
        for [factor, power] in case.powers {
            agree(strata.power(factor, level), Some(power), &format!("power of {factor}, {of}"));
        }
        if let Some([value, low, high]) = case.timing {
            let found = strata.timing(fitted, level);
            agree(found.value.expect("a ratio"), Some(value), &of);
            agree(found.low, Some(low), &of);
            agree(found.high, Some(high), &of);
        }
    }
}

fn compared([first, second]: &[Served; 2]) -> Comparison {
    compare(first, second, &TimeZone::UTC, Level::USUAL)
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    for (factor, expected) in [(1.0, 60.0), (1.0, 120.0), (2.0, 120.0), (1.0, 400.0)] {
        let [capacity, timing, itself] = truth(factor);
        let found = Fate::plain(factor, expected).shares(|stacks| {
            let found = compared(&stacks);
            [
                found.rates.holds(timing * itself),
                found.timing.holds(timing),
                found.itself.holds(itself),
                found.capacity.holds(capacity),
            ]
        });
        // So few accounts as unoptimised tests have say less. Few migrations, and exact intervals, err on the safe side.
        let (low, high) = if cfg!(debug_assertions) { (0.9, 1.0) } else { (0.93, 0.97) };
        let few = if expected < 100.0 { 0.01 } else { 0.0 };
        for (share, more) in found.iter().zip([0.01, 0.0, 0.0]) {
            assert!((low..=high + more + few).contains(share), "{factor} {expected}: {found:?}");
        }
        assert!(found[3] >= 0.95, "nothing of the capacity was assumed: {found:?}");
    }
}

#[test]
fn equal_stacks_are_not_called_different_though_their_rates_are() {
    let [equal, raw] = Fate::plain(1.0, 120.0).shares(|stacks| {
        let found = compared(&stacks);
        [found.itself_p < 0.05, found.rates_p < 0.05]
    });
    assert!(equal <= 0.05 + chance(0.05), "{equal}");
    assert!(raw > 0.9, "the plain rates mislead, for the hours differ: {raw}");
}

/// Events that each move many, and nights without any, for each stack by itself; of two weeks, and of few days.
#[test]
fn clusters_do_not_cry_wolf() {
    for (cluster, nights, expected, days) in [
        (5, 1.0, 400.0, 14),
        (20, 1.0, 120.0, 14),
        (30, 1.0, 90.0, 14),
        (1, 0.25, 200.0, 14),
        (5, 0.5, 400.0, 14),
        (1, 0.5, 200.0, 5),
        (1, 0.5, 200.0, 2),
        (5, 1.0, 200.0, 1),
    ] {
        let [_, timing, itself] = truth(1.0);
        let fate = Fate { cluster, nights, days, ..Fate::plain(1.0, expected) };
        let [wolf, seen, rates, part] = fate.shares(|stacks| {
            let found = compared(&stacks);
            let held = [found.rates.holds(timing * itself), found.timing.holds(timing)];
            [found.itself_p < 0.05, found.dispersion > 2.0, held[0], held[1]]
        });
        let of = format!("{cluster} at once, {nights} of {days} nights, {expected} moves");
        assert!(wolf <= 0.05 + chance(0.05), "{of}: {wolf}");
        assert!(seen > 0.9, "{of}: {seen}");
        assert!(rates >= 0.93 - chance(0.07) && part >= 0.91 - chance(0.09), "{of}: {rates} {part}");
    }
}

/// The migrations of the many others, which come one by one, do not hide that those of the one come in few events.
#[test]
fn a_clustered_stack_among_many_does_not_cry_wolf() {
    let others = std::cell::RefCell::new(Fate::plain(1.0, 120.0).accounts(u32::MAX));
    let [wolf] = Fate { cluster: 15, ..Fate::plain(1.0, 120.0) }.shares(|[first, _]| {
        let mut all = Served::default();
        for pair in others.borrow_mut().by_ref().take(8) {
            all.join(&pair[0]);
            all.join(&pair[1]);
        }
        [compared(&[first, all]).itself_p < 0.05]
    });
    assert!(wolf <= 0.05 + chance(0.05), "{wolf}");
}

/// The power that is stated, averaged over accounts, is the share of them in which a difference is called.
#[test]
fn a_stack_that_is_worse_is_found_out_as_often_as_the_power_says() {
    for (factor, expected, cluster) in
        [(2.0, 30.0, 1), (2.0, 120.0, 1), (1.5, 120.0, 1), (2.0, 400.0, 5), (0.6, 400.0, 1)]
    {
        let fate = Fate { cluster, ..Fate::plain(factor, expected) };
        let [differs] = fate.shares(|stacks| [compared(&stacks).itself_p < 0.05]);
        let few = 100;
        let stated = |[first, second]: [Served; 2]| power(&first, &second, &TimeZone::UTC, factor, Level::USUAL);
        let stated = fate.accounts(few).map(stated).sum::<f64>() / f64::from(few);
        let bound = 0.04 + chance(stated);
        assert!((stated - differs).abs() < bound, "{factor} times, {expected} moves: {stated} stated, {differs} found");
    }
}

/// As many more days as are said to be needed do find out a stack that is twice as bad in four cases of five.
#[test]
fn what_is_needed_is_enough() {
    for cluster in [1, 4] {
        let fate = Fate { cluster, ..Fate::plain(2.0, 40.0) };
        let (mut times, few) = (0.0, 20);
        for pair in fate.accounts(few) {
            times += compared(&pair).needed(2.0, Level::USUAL).expect("some") / f64::from(few);
        }
        let enough = Fate { expected: 40.0 * times, ..fate };
        let [differs] = enough.shares(|stacks| [compared(&stacks).itself_p < 0.05]);
        assert!((0.7..=0.95).contains(&differs), "{cluster} at once, {times} times as much: {differs}");
    }
}

#[test]
fn the_parts_make_up_the_whole() {
    let pair = Fate::plain(1.0, 300.0).accounts(1).next().expect("an account");
    let found = compared(&pair);
    let parts = [found.capacity, found.timing, found.itself].map(|part| part.value.expect("a part"));
    let product: f64 = parts.iter().product();
    assert!((product - found.counts.expect("a ratio")).abs() < 1e-9 * product, "{found:?}");
    assert!(found.needed(2.0, Level::USUAL) < found.needed(1.2, Level::USUAL), "{found:?}");
}

#[test]
fn nothing_and_one_sided_counts_bound_what_they_can() {
    let [night, day] = stacks();
    let none = compared(&[night.clone(), day.clone()]);
    assert_eq!((none.itself.value, none.itself.low, none.itself.high), (None, 0.0, f64::INFINITY));
    assert!((none.itself_p - 1.0).abs() < 1e-12 && none.counts.is_none());
    let some = night.with(BTreeMap::from([(494_016 + 30, 9)]));
    let found = compare(&some, &day, &TimeZone::UTC, Level::USUAL);
    assert_eq!((found.itself.value, found.itself.high), (Some(f64::INFINITY), f64::INFINITY));
    assert!(found.itself.low > 0.0, "{found:?}");
    let other = compare(&day, &some, &TimeZone::UTC, Level::USUAL);
    assert!((other.itself.high * found.itself.low - 1.0).abs() < 1e-9, "{other:?}");
}

#[test]
fn the_exact_distribution_and_the_saddlepoint_meet() {
    let empty = stacks();
    let mut dice = Dice(11);
    for (rate, bound) in [(0.0005, 0.02), (0.002, 3e-3), (0.012, 3e-4)] {
        let [a, b] = empty.each_ref().map(|stack| {
            let moves = Fate::plain(1.0, 0.0).moves(&mut dice, &means(stack), rate);
            stack.with(moves).by_hour(&TimeZone::UTC)
        });
        let strata = Strata::new(&a, &b, 1.0);
        let fitted = strata.fitted();
        for factor in [0.5, 0.9, 1.1, 2.0, fitted.unwrap_or(1.0)] {
            let trials = strata.trials(factor);
            let exact = distribution::exact_tails(&trials, strata.ours);
            let tilt = (fitted.unwrap_or(1.0) / factor).ln();
            let close = distribution::saddlepoint_tails(&trials, float(strata.ours), tilt);
            for (exact, close) in exact.iter().zip(close) {
                assert!((exact - close).abs() < bound, "{} moves, {factor}: {exact} {close}", strata.moves());
            }
        }
    }
}
