//! Made-up accounts, to try the statistics on.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::service::{HourOfDay, Served, Stay, served};
use crate::time::Timestamp;

pub(super) const START: i64 = 1_778_457_600;
const DAYS: i64 = 14;
/// Unoptimised, a twentieth of them takes as long.
pub(super) const ACCOUNTS: u32 = if cfg!(debug_assertions) { 100 } else { 2_000 };

/// Numbers that follow from a seed.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// Between nothing and one.
    pub(super) fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let whole = u32::try_from(self.0 >> 32).expect("32 bits");
        f64::from(whole) / 4_294_967_296.0
    }

    pub(super) fn poisson(&mut self, mean: f64) -> u32 {
        let (mut left, mut count) = (self.roll(), 0);
        let mut chance = (-mean).exp();
        while left >= chance && count < 1_000 {
            left -= chance;
            count += 1;
            chance *= mean / f64::from(count);
        }
        count
    }
}

/// How many times as likely a move is in the small hours.
fn hazard(hour: i64) -> f64 {
    if (1..5).contains(&hour) { 8.0 } else { 1.0 }
}

/// Two stacks of inverse schedules: `Nighttime` has its full capacity in the small hours, `Daytime` by day.
pub(super) fn stacks() -> [Served; 2] {
    stacks_of(DAYS)
}

fn stacks_of(days: i64) -> [Served; 2] {
    let start = Timestamp::from_second(START);
    let mut stays = Vec::new();
    let mut stay = |stack: &str, from: i64, hours: i64| {
        let from = start + SignedDuration::from_hours(from);
        let to = from + SignedDuration::from_hours(hours);
        stays.push(Stay { stack: stack.to_owned(), from, to, launched: None, assumed_until: None, assumed_from: None });
    };
    for _ in 0..10 {
        stay("Nighttime", 0, days * 24);
        stay("Daytime", 0, days * 24);
    }
    for day in 0..days {
        for _ in 0..30 {
            stay("Nighttime", day * 24, 7);
            stay("Daytime", day * 24 + 7, 13);
        }
    }
    let mut all = served(&stays, &[]);
    ["Nighttime", "Daytime"].map(|stack| all.remove(stack).expect("a stack"))
}

/// The hours of a stack's time and what is to be expected in each at rate 1.
pub(super) fn means(served: &Served) -> Vec<(i64, f64)> {
    let hour = |(time, sum): (Timestamp, HourOfDay)| {
        let hour = time.as_second() / 3_600;
        (hour, sum.hours * hazard(hour.rem_euclid(24)))
    };
    served.by_time().map(hour).collect()
}

/// What moves come of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fate {
    /// How many times the second's rate the first's is.
    pub(super) factor: f64,
    /// How many moves both stacks see together, on average, if the factor is 1.
    pub(super) expected: f64,
    /// How many instances move at once.
    pub(super) cluster: u32,
    /// In what share of the nights there is any maintenance, for each stack by itself.
    pub(super) nights: f64,
    /// For how many days the stacks are looked at.
    pub(super) days: i64,
}

impl Fate {
    /// Moves one by one, in any night.
    pub(super) const fn plain(factor: f64, expected: f64) -> Self {
        Self { factor, expected, cluster: 1, nights: 1.0, days: DAYS }
    }

    /// What each of so many accounts of [`stacks`] saw.
    pub(super) fn accounts(self, count: u32) -> impl Iterator<Item = [Served; 2]> {
        let empty = stacks_of(self.days);
        let means = [means(&empty[0]), means(&empty[1])];
        let rate = self.expected / means.iter().flatten().map(|(_, mean)| mean).sum::<f64>();
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        (0..count).map(move |_| {
            [(0, self.factor), (1, 1.0)].map(|(stack, factor): (usize, f64)| {
                empty[stack].with(self.moves(&mut dice, &means[stack], rate * factor))
            })
        })
    }

    /// In how many of [`ACCOUNTS`] each of several things holds, as shares.
    pub(super) fn shares<const N: usize>(self, holds: impl Fn([Served; 2]) -> [bool; N]) -> [f64; N] {
        let mut counts = [0_u32; N];
        for stacks in self.accounts(ACCOUNTS) {
            for (count, holds) in counts.iter_mut().zip(holds(stacks)) {
                *count += u32::from(holds);
            }
        }
        counts.map(|count| f64::from(count) / f64::from(ACCOUNTS))
    }

    pub(super) fn moves(self, dice: &mut Dice, means: &[(i64, f64)], rate: f64) -> BTreeMap<i64, u64> {
        let mut moves = BTreeMap::new();
        let (mut night, mut maintained) = (i64::MIN, true);
        for (hour, mean) in means {
            // Nights begin at noon.
            if night != (hour + 12).div_euclid(24) {
                night = (hour + 12).div_euclid(24);
                maintained = self.nights >= 1.0 || dice.roll() < self.nights;
            }
            let events = if maintained { dice.poisson(mean * rate / f64::from(self.cluster) / self.nights) } else { 0 };
            if events > 0 {
                moves.insert(*hour, u64::from(events * self.cluster));
            }
        }
        moves
    }
}

/// The true parts of the ratio of counts.
pub(super) fn truth(factor: f64) -> [f64; 3] {
    let [night, day] = stacks();
    let capacity = night.hours() / day.hours();
    let weight = |served: &Served| means(served).iter().map(|(_, mean)| mean).sum::<f64>() / served.hours();
    [capacity, weight(&night) / weight(&day), factor]
}

/// A share that is to be found in simulated accounts, and what chance makes of it: three standard errors.
pub(super) fn chance(share: f64) -> f64 {
    3.0 * (share * (1.0 - share) / f64::from(ACCOUNTS)).sqrt()
}
