use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::*;
use crate::evidence::service::{HourOfDay, Stay, served};
use crate::time::Timestamp;

const DAYS: i64 = 14;
/// Unoptimised, a twentieth of them takes as long.
const ACCOUNTS: u32 = if cfg!(debug_assertions) { 100 } else { 2_000 };

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    /// Between nothing and one.
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        float(self.0 >> 11) / float(1 << 53)
    }

    fn poisson(&mut self, mean: f64) -> u64 {
        let (mut left, mut count) = (self.roll(), 0);
        let mut chance = (-mean).exp();
        while left >= chance && count < 1_000 {
            left -= chance;
            count += 1;
            chance *= mean / float(count);
        }
        count
    }
}

/// How many times as likely a move is in the small hours.
fn hazard(hour: i64) -> f64 {
    if (1..5).contains(&hour) { 8.0 } else { 1.0 }
}

/// Two stacks of inverse schedules: `Nighttime` has its full capacity in the small hours, `Daytime` by day.
fn stacks() -> [Served; 2] {
    let start = Timestamp::from_second(1_778_457_600);
    let mut stays = Vec::new();
    let mut stay = |stack: &str, from: i64, hours: i64| {
        let from = start + SignedDuration::from_hours(from);
        let to = from + SignedDuration::from_hours(hours);
        stays.push(Stay { stack: stack.to_owned(), from, to, launched: None, assumed_until: None, assumed_from: None });
    };
    for _ in 0..10 {
        stay("Nighttime", 0, DAYS * 24);
        stay("Daytime", 0, DAYS * 24);
    }
    for day in 0..DAYS {
        for _ in 0..30 {
            stay("Nighttime", day * 24, 7);
            stay("Daytime", day * 24 + 7, 13);
        }
    }
    let mut all = served(&stays, &[]);
    ["Nighttime", "Daytime"].map(|stack| all.remove(stack).expect("a stack"))
}

/// The hours of a stack's time with the instance-hours of each and what is to be expected there at rate 1.
fn means(served: &Served) -> Vec<(i64, f64)> {
    let hour = |(time, sum): (Timestamp, HourOfDay)| {
        let hour = time.as_second() / 3_600;
        (hour, sum.hours * hazard(hour.rem_euclid(24)))
    };
    served.by_time().map(hour).collect()
}

/// Moves one by one, or `cluster` at a time.
fn moves(dice: &mut Dice, means: &[(i64, f64)], rate: f64, cluster: u64) -> BTreeMap<i64, u64> {
    let drawn = means.iter().map(|(hour, mean)| (*hour, dice.poisson(mean * rate / float(cluster)) * cluster));
    drawn.filter(|(_, count)| *count > 0).collect()
}

/// In what share of the accounts something holds.
fn shares<const N: usize>(
    factor: f64,
    expected: f64,
    cluster: u64,
    holds: impl Fn(&[Served; 2], &Comparison) -> [bool; N],
) -> [f64; N] {
    let empty = stacks();
    let means = [means(&empty[0]), means(&empty[1])];
    let sum: f64 = means.iter().flatten().map(|(_, mean)| mean).sum();
    let rate = expected / sum;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut counts = [0_u32; N];
    for _ in 0..ACCOUNTS {
        let [night, day] = [factor, 1.0].map(|factor| factor * rate);
        let drawn = [
            empty[0].with(moves(&mut dice, &means[0], night, cluster)),
            empty[1].with(moves(&mut dice, &means[1], day, cluster)),
        ];
        let found = compare(&drawn[0], &drawn[1], &TimeZone::UTC, Level::USUAL);
        for (count, holds) in counts.iter_mut().zip(holds(&drawn, &found)) {
            *count += u32::from(holds);
        }
    }
    counts.map(|count| f64::from(count) / f64::from(ACCOUNTS))
}

/// The true parts of the ratio of counts.
fn truth(factor: f64) -> [f64; 3] {
    let [night, day] = stacks();
    let capacity = night.hours() / day.hours();
    let weight = |served: &Served| means(served).iter().map(|(_, mean)| mean).sum::<f64>() / served.hours();
    [capacity, weight(&night) / weight(&day), factor]
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    for (factor, expected) in [(1.0, 120.0), (2.0, 120.0), (1.0, 400.0)] {
        let [capacity, timing, itself] = truth(factor);
        let found = shares(factor, expected, 1, |_, found| {
            [
                found.rates.holds(timing * itself),
                found.timing.holds(timing),
                found.itself.holds(itself),
                found.capacity.holds(capacity),
            ]
        });
        // So few accounts as unoptimised tests have say less. The exact interval for the rates errs on the safe side.
        let (low, high) = if cfg!(debug_assertions) { (0.88, 1.0) } else { (0.93, 0.97) };
        for (share, more) in found.iter().zip([0.01, 0.0, 0.0]) {
            assert!((low..=high + more).contains(share), "{factor} {expected}: {found:?}");
        }
        assert!(found[3] >= 0.95, "nothing of the capacity was assumed: {found:?}");
    }
}

#[test]
fn equal_stacks_are_not_called_different_and_a_bad_one_is() {
    let differs = |_: &[Served; 2], found: &Comparison| [found.itself_p < 0.05, found.rates_p < 0.05];
    let [equal, raw] = shares(1.0, 120.0, 1, differs);
    assert!(equal <= if cfg!(debug_assertions) { 0.11 } else { 0.05 }, "{equal}");
    assert!(raw > 0.9, "the plain rates mislead, for the hours differ: {raw}");
    let [worse, _] = shares(2.0, 120.0, 1, differs);
    assert!(worse > 0.6, "{worse}");
}

#[test]
fn clusters_do_not_cry_wolf() {
    let differs = |_: &[Served; 2], found: &Comparison| [found.itself_p < 0.05, found.dispersion > 2.0];
    let [wolf, seen] = shares(1.0, 400.0, 5, differs);
    assert!(wolf <= if cfg!(debug_assertions) { 0.12 } else { 0.05 }, "{wolf}");
    assert!(seen > 0.95, "{seen}");
}

#[test]
fn the_parts_make_up_the_whole() {
    let empty = stacks();
    let means = [means(&empty[0]), means(&empty[1])];
    let mut dice = Dice(7);
    let [a, b] = [0, 1].map(|stack: usize| empty[stack].with(moves(&mut dice, &means[stack], 0.01, 1)));
    let found = compare(&a, &b, &TimeZone::UTC, Level::USUAL);
    let parts = [found.capacity, found.timing, found.itself].map(|part| part.value.expect("a part"));
    let product: f64 = parts.iter().product();
    assert!((product - found.counts.expect("a ratio")).abs() < 1e-9 * product, "{found:?}");
}

#[test]
fn nothing_and_one_sided_counts_bound_what_they_can() {
    let [night, day] = stacks();
    let none = compare(&night, &day, &TimeZone::UTC, Level::USUAL);
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
    let [night, day] = stacks();
    let means = [means(&night), means(&day)];
    let mut dice = Dice(11);
    for (rate, bound) in [(0.0005, 0.02), (0.002, 3e-3), (0.012, 3e-4)] {
        let [a, b] = [night.with(moves(&mut dice, &means[0], rate, 1)), day.with(moves(&mut dice, &means[1], rate, 1))];
        let strata = Strata::new(&a.by_hour(&TimeZone::UTC), &b.by_hour(&TimeZone::UTC), 1.0);
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
