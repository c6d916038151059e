//! Time in service, on a grid: the denominator of every rate.

mod ages;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::time::Timestamp;

pub use ages::{AgeAndHour, by_age_and_hour};

/// A time that one instance was in service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// Its stack.
    pub stack: String,
    /// From when.
    pub from: Timestamp,
    /// To when, excluded.
    pub to: Timestamp,
    /// When the instance was launched, where that is on record.
    pub launched: Option<Timestamp>,
    /// Up to when it had to be assumed: its launch is not in view, so it is taken to have been in service from the
    /// beginning of the time in view.
    pub assumed_until: Option<Timestamp>,
    /// From when on it had to be assumed: its departure is not in view.
    pub assumed_from: Option<Timestamp>,
}

/// A migration that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The stack that it counts under.
    pub stack: String,
    /// Its first sighting.
    pub at: Timestamp,
    /// When the instance was launched, where that is on record.
    pub launched: Option<Timestamp>,
}

/// Classes of age, by their upper ends in seconds; the last has none.
pub const AGES: [(&str, i64); 6] = [
    ("under 1 h", 3_600),
    ("1 to 6 h", 6 * 3_600),
    ("6 to 24 h", 24 * 3_600),
    ("1 to 7 days", 7 * 86_400),
    ("7 to 30 days", 30 * 86_400),
    ("over 30 days", i64::MAX),
];

/// Instance-hours in service and migrations of one stack.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Served {
    /// In quarters of an hour since 1970: seconds in service.
    cells: BTreeMap<i64, f64>,
    /// How many migrations began in each.
    moves: BTreeMap<i64, u64>,
    /// Seconds in service by class of age, of instances whose launch is on record.
    ages: [f64; AGES.len()],
    /// And migrations.
    ages_moved: [u64; AGES.len()],
    /// Seconds that had to be assumed.
    assumed: f64,
}

/// Hours in service and migrations of a stack in one hour of the local day.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct HourOfDay {
    /// Instance-hours.
    pub hours: f64,
    /// Migrations.
    pub moves: u64,
}

/// A quarter of an hour: every time zone's hours begin at one.
const CELL: i64 = 900;
const HOUR: f64 = 3_600.0;

/// Puts stays and migrations on the grid, by stack. A stay costs the same however long it is.
#[must_use]
pub fn served<'a>(
    stays: impl IntoIterator<Item = &'a Stay>,
    moves: impl IntoIterator<Item = &'a Moved>,
) -> BTreeMap<String, Served> {
    let mut by_stack: BTreeMap<String, (Served, BTreeMap<i64, i64>)> = BTreeMap::new();
    for stay in stays {
        if stay.from >= stay.to {
            continue;
        }
        let (served, changes) = entry(&mut by_stack, &stay.stack);
        served.stay(stay, changes);
    }
    for moved in moves {
        let (served, _) = entry(&mut by_stack, &moved.stack);
        *served.moves.entry(moved.at.as_second().div_euclid(CELL)).or_default() += 1;
        let class = moved.launched.map(|launched| ages::class(launched, moved.at));
        if let Some(count) = class.and_then(|class| served.ages_moved.get_mut(class)) {
            *count += 1;
        }
    }
    by_stack.into_iter().map(|(stack, (served, changes))| (stack, served.summed(&changes))).collect()
}

fn entry<'m, V: Default>(map: &'m mut BTreeMap<String, V>, stack: &str) -> &'m mut V {
    if !map.contains_key(stack) {
        map.insert(stack.to_owned(), V::default());
    }
    map.entry(stack.to_owned()).or_default()
}

impl Served {
    /// Adds time in service: its broken cells at once, the whole ones between as a change at either end.
    fn time(&mut self, from: i64, to: i64, changes: &mut BTreeMap<i64, i64>) {
        let (first, last) = (from.div_euclid(CELL), to.div_euclid(CELL));
        if first == last {
            *self.cells.entry(first).or_default() += seconds(to - from);
        } else {
            *self.cells.entry(first).or_default() += seconds((first + 1) * CELL - from);
            *self.cells.entry(last).or_default() += seconds(to - last * CELL);
            *changes.entry(first + 1).or_default() += 1;
            *changes.entry(last).or_default() -= 1;
        }
    }

    fn stay(&mut self, stay: &Stay, changes: &mut BTreeMap<i64, i64>) {
        let (from, to) = (stay.from.as_second(), stay.to.as_second());
        self.time(from, to, changes);
        let within = |time: Timestamp| time.as_second().clamp(from, to);
        let known_from = stay.assumed_until.map_or(from, within);
        let known_to = stay.assumed_from.map_or(to, within).max(known_from);
        self.assumed += seconds(known_from - from + to - known_to);
        if let Some(launched) = stay.launched.map(Timestamp::as_second) {
            for (time, (young, old)) in self.ages.iter_mut().zip(ages::pieces(launched, from, to)) {
                *time += seconds((old - young).max(0));
            }
        }
    }

    fn summed(mut self, changes: &BTreeMap<i64, i64>) -> Self {
        let mut standing = 0;
        let mut ends = changes.keys().skip(1);
        for (cell, change) in changes {
            standing += change;
            let end = ends.next().copied().unwrap_or(*cell);
            if standing > 0 {
                for cell in *cell..end {
                    *self.cells.entry(cell).or_default() += seconds(standing * CELL);
                }
            }
        }
        self.cells.retain(|_, time| *time > 0.0);
        self
    }

    /// The same time in service with other migrations.
    #[cfg(test)]
    pub(super) fn with(&self, moves: std::collections::BTreeMap<i64, u64>) -> Self {
        Self { moves: moves.into_iter().map(|(hour, count)| (hour * 4, count)).collect(), ..self.clone() }
    }

    /// Adds what another has.
    pub fn join(&mut self, other: &Self) {
        self.change(other, 1.0, |count, more| count + more);
    }

    /// What is left of a sum without one of its parts: seconds are whole numbers, so nothing is lost by rounding.
    #[must_use]
    pub fn without(&self, part: &Self) -> Self {
        let mut rest = self.clone();
        rest.change(part, -1.0, u64::saturating_sub);
        rest.cells.retain(|_, time| *time > 0.0);
        rest.moves.retain(|_, moves| *moves > 0);
        rest
    }

    fn change(&mut self, other: &Self, sign: f64, count: fn(u64, u64) -> u64) {
        for (cell, time) in &other.cells {
            *self.cells.entry(*cell).or_default() += sign * time;
        }
        for (cell, moves) in &other.moves {
            let slot = self.moves.entry(*cell).or_default();
            *slot = count(*slot, *moves);
        }
        for (age, time) in self.ages.iter_mut().zip(other.ages) {
            *age += sign * time;
        }
        for (age, moves) in self.ages_moved.iter_mut().zip(other.ages_moved) {
            *age = count(*age, moves);
        }
        self.assumed += sign * other.assumed;
    }

    /// Instance-hours in all.
    #[must_use]
    pub fn hours(&self) -> f64 {
        self.cells.values().sum::<f64>() / HOUR
    }

    /// Those among them that had to be assumed.
    #[must_use]
    pub fn assumed_hours(&self) -> f64 {
        self.assumed / HOUR
    }

    /// Migrations in all.
    #[must_use]
    pub fn moves(&self) -> u64 {
        self.moves.values().sum()
    }

    /// By hour of the day in a time zone. Where clocks are set back an hour has twice the time, where they are set
    /// forward none: each moment counts for the hour that its clocks show.
    #[must_use]
    pub fn by_hour(&self, zone: &TimeZone) -> [HourOfDay; 24] {
        let mut hours = [HourOfDay::default(); 24];
        for (cell, time) in &self.cells {
            if let Some(hour) = local_hour(*cell, zone).and_then(|hour| hours.get_mut(hour)) {
                hour.hours += time / HOUR;
            }
        }
        for (cell, moves) in &self.moves {
            if let Some(hour) = local_hour(*cell, zone).and_then(|hour| hours.get_mut(hour)) {
                hour.moves += moves;
            }
        }
        hours
    }

    /// By class of age, in the order of [`AGES`], of instances whose launch is on record.
    #[must_use]
    pub fn by_age(&self) -> [HourOfDay; AGES.len()] {
        let mut ages = [HourOfDay::default(); AGES.len()];
        for ((class, time), moves) in ages.iter_mut().zip(self.ages).zip(self.ages_moved) {
            *class = HourOfDay { hours: time / HOUR, moves };
        }
        ages
    }

    /// Hour by hour of the calendar: when it begins, instance-hours, and migrations.
    pub fn by_time(&self) -> impl Iterator<Item = (Timestamp, HourOfDay)> {
        let mut hours: BTreeMap<i64, HourOfDay> = BTreeMap::new();
        for (cell, time) in &self.cells {
            hours.entry(cell.div_euclid(4)).or_default().hours += time / HOUR;
        }
        for (cell, moves) in &self.moves {
            hours.entry(cell.div_euclid(4)).or_default().moves += moves;
        }
        hours.into_iter().map(|(hour, sum)| (Timestamp::from_second(hour * 3_600), sum))
    }
}

/// The hour that clocks show at the beginning of a cell.
fn local_hour(cell: i64, zone: &TimeZone) -> Option<usize> {
    let time = jiff::Timestamp::from_second(cell.checked_mul(CELL)?).ok()?;
    usize::try_from(zone.to_datetime(time).hour()).ok()
}

#[expect(clippy::cast_precision_loss, reason = "no account sums up 2^53 seconds")]
fn seconds(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn stay(from: &str, to: &str) -> Stay {
        let (from, to) = (at(from), at(to));
        Stay { stack: "Nighttime".to_owned(), from, to, launched: Some(from), assumed_until: None, assumed_from: None }
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }

    /// The same second by second.
    fn plain(stays: &[Stay], zone: &TimeZone) -> [f64; 24] {
        let mut hours = [0.0; 24];
        for stay in stays {
            for second in (stay.from.as_second()..stay.to.as_second()).step_by(60) {
                let clock = zone.to_datetime(jiff::Timestamp::from_second(second).unwrap());
                hours[usize::try_from(clock.hour()).unwrap()] += 60.0 / HOUR;
            }
        }
        hours
    }

    #[test]
    fn the_grid_agrees_with_counting_minutes() {
        let zones = [TimeZone::UTC, TimeZone::fixed(jiff::tz::offset(-7)), half_hour(), berlin()];
        let stays = [
            stay("2026-03-28T22:10:00Z", "2026-03-29T03:20:00Z"),
            stay("2026-03-29T00:00:00Z", "2026-03-29T00:05:00Z"),
            stay("2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z"),
            stay("2026-03-28T22:14:00Z", "2026-03-28T22:16:00Z"),
            stay("2026-03-28T22:15:00Z", "2026-03-28T22:15:00Z"),
        ];
        let all = served(&stays, &[]);
        for zone in zones {
            let found = all["Nighttime"].by_hour(&zone);
            for (hour, expected) in found.iter().zip(plain(&stays, &zone)) {
                close(hour.hours, expected);
            }
        }
        let sum: f64 = all["Nighttime"].by_time().map(|(_, hour)| hour.hours).sum();
        close(sum, all["Nighttime"].hours());
    }

    /// India's clocks.
    fn half_hour() -> TimeZone {
        TimeZone::fixed(jiff::tz::Offset::from_seconds(19_800).unwrap())
    }

    /// Clocks that go forward and back.
    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    #[test]
    fn clocks_that_are_set_forward_skip_an_hour_and_back_repeat_it() {
        let day = |from: &str, to: &str| served(&[stay(from, to)], &[])["Nighttime"].by_hour(&berlin());
        let spring = day("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
        let autumn = day("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
        close(spring[2].hours, 0.0);
        close(spring[3].hours, 1.0);
        close(autumn[2].hours, 2.0);
        close(autumn[3].hours, 1.0);
    }

    #[test]
    fn a_sum_without_one_part_is_the_other() {
        let part = |stack: &str, from: &str, to: &str| {
            let assumed_until = Some(at("2026-05-01T06:00:00Z"));
            let stays = [Stay { stack: stack.to_owned(), assumed_until, ..stay(from, to) }];
            let moves =
                [from, to].map(|time| Moved { stack: stack.to_owned(), at: at(time), launched: Some(at(from)) });
            served(&stays, &moves)[stack].clone()
        };
        let one = part("A", "2026-05-01T00:00:01Z", "2026-05-03T00:12:00Z");
        let other = part("B", "2026-05-01T00:07:13Z", "2026-05-09T11:00:00Z");
        let mut sum = one.clone();
        sum.join(&other);
        close(sum.hours(), one.hours() + other.hours());
        assert_eq!((sum.moves(), sum.by_age()[0].moves), (4, 2));
        close(sum.assumed_hours(), one.assumed_hours() + other.assumed_hours());
        assert_eq!((sum.without(&one), sum.without(&other)), (other, one));
    }

    #[test]
    fn what_had_to_be_assumed_is_stated() {
        let stays = [Stay {
            assumed_until: Some(at("2026-05-01T06:00:00Z")),
            assumed_from: Some(at("2026-05-01T20:00:00Z")),
            launched: None,
            ..stay("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z")
        }];
        let all = served(&stays, &[]);
        close(all["Nighttime"].assumed_hours(), 10.0);
        close(all["Nighttime"].hours(), 24.0);
        close(all["Nighttime"].by_age().iter().map(|age| age.hours).sum(), 0.0);
    }

    #[test]
    fn ages_are_those_of_the_instance_at_the_time() {
        let one = stay("2026-05-01T00:00:00Z", "2026-05-03T00:00:00Z");
        let moved = |time: &str| Moved { stack: one.stack.clone(), at: at(time), launched: one.launched };
        let both = [moved("2026-05-01T00:30:00Z"), moved("2026-05-02T12:00:00Z")];
        let ages = served([&one], &both)["Nighttime"].by_age();
        for (age, (hours, moves)) in ages.iter().zip([(1.0, 1), (5.0, 0), (18.0, 0), (24.0, 1), (0.0, 0), (0.0, 0)]) {
            close(age.hours, hours);
            assert_eq!(age.moves, moves);
        }
    }

    #[test]
    fn a_long_stay_and_many_are_summed_up_alike() {
        let many: Vec<Stay> = (0..500)
            .map(|number| {
                let from = at("2026-05-01T00:00:00Z") + jiff::SignedDuration::from_secs(number * 617);
                let to = from + jiff::SignedDuration::from_secs(number * 1_231 + 5);
                Stay { from, to, launched: None, ..stay("2026-05-01T00:00:00Z", "2026-05-01T00:00:01Z") }
            })
            .collect();
        let expected: i64 = many.iter().map(|stay| stay.from.until(stay.to).as_secs()).sum();
        close(served(&many, &[])["Nighttime"].hours(), seconds(expected) / HOUR);
    }
}
