//! Each stack by itself.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::words::{counted, interval, name, number};
use super::{AgeCell, Cell, Point, StackFindings};
use crate::evidence::compare::dispersion_of;
use crate::evidence::exact::{self, Level};
use crate::evidence::service::{AGES, HourOfDay, Moved, Served};
use crate::time::{TimeSpan, Timestamp};

/// How many points all stacks may have together, and one alone: more is no picture, only a large page.
const POINTS: usize = 12_000;
const POINTS_OF_ONE: usize = 2_200;
/// How many times of migrations are listed for each stack.
const LISTED: usize = 500;

pub(super) fn stacks(
    served: &BTreeMap<String, Served>,
    moves: &[Moved],
    window: TimeSpan,
    zone: &TimeZone,
    level: Level,
) -> Vec<StackFindings> {
    let step = step(window, served.len());
    let together = dispersion_of(served.values(), zone);
    let mut times: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
    for moved in moves {
        times.entry(&moved.stack).or_default().push(moved.at);
    }
    let mut all = Vec::with_capacity(served.len());
    for (stack, served) in served {
        let mut at = times.remove(stack.as_str()).unwrap_or_default();
        at.sort_unstable();
        at.drain(..at.len().saturating_sub(LISTED));
        all.push(of_one(stack, served, at, &points(served, window, step), zone, (level, together)));
    }
    all
}

fn of_one(
    stack: &str,
    served: &Served,
    migrations_at: Vec<Timestamp>,
    points: &[Point],
    zone: &TimeZone,
    (level, together): (Level, f64),
) -> StackFindings {
    // A stack that saw no cluster yet may be hit by one like those of the others.
    let dispersion = dispersion_of([served], zone).max(together);
    let cell = |sum: HourOfDay| Cell {
        hours: sum.hours,
        migrations: sum.moves,
        rate: exact::clustered_rate(sum.moves, sum.hours, dispersion, level).scaled(1_000.0),
    };
    let all = cell(HourOfDay { hours: served.hours(), moves: served.moves() });
    let mut found = StackFindings {
        stack: stack.to_owned(),
        migrations: all.migrations,
        hours: all.hours,
        assumed_hours: served.assumed_hours(),
        rate: all.rate,
        dispersion,
        by_hour: served.by_hour(zone).into_iter().map(cell).collect(),
        by_age: AGES
            .into_iter()
            .zip(served.by_age())
            .map(|((class, _), sum)| AgeCell { class, cell: cell(sum) })
            .collect(),
        by_time: points.to_vec(),
        migrations_at,
        sentence: String::new(),
    };
    found.sentence = sentence(&found);
    found
}

fn sentence(found: &StackFindings) -> String {
    let stack = name(&found.stack);
    let moves = match found.migrations {
        0 => "no migration".to_owned(),
        count => counted(count, "migration", "migrations"),
    };
    let Some(rate) = found.rate.value else {
        return format!("{stack}: {moves}, and no time in service on record, so there is no rate.");
    };
    let hours = number(found.hours);
    if found.migrations == 0 {
        let high = number(found.rate.high);
        return format!("{stack}: no migration in {hours} instance-hours, so at most {high} for each 1,000.");
    }
    let (rate, interval) = (number(rate), interval(&found.rate));
    format!("{stack}: {moves} in {hours} instance-hours, {rate} for each 1,000 ({interval}).")
}

/// How many hours each point takes: as few as the number of points allows.
fn step(window: TimeSpan, stacks: usize) -> i64 {
    const STEPS: [i64; 8] = [1, 2, 3, 6, 12, 24, 48, 168];
    let hours = window.from.until(window.to).as_hours() + 2;
    let points = i64::try_from((POINTS / stacks.max(1)).clamp(1, POINTS_OF_ONE)).unwrap_or(1);
    // The first and the last may be broken ones.
    let whole = (points - 2).max(1);
    STEPS.into_iter().find(|step| hours / step < whole).unwrap_or_else(|| hours / whole + 1)
}

/// The stack over time, from the beginning of the window to its end.
fn points(served: &Served, window: TimeSpan, step: i64) -> Vec<Point> {
    let seconds = step * 3_600;
    let begin = |time: Timestamp| time.as_second().div_euclid(seconds);
    let (first, last) = (begin(window.from), begin(window.to));
    let mut sums: BTreeMap<i64, HourOfDay> = BTreeMap::new();
    for (at, hour) in served.by_time() {
        let sum = sums.entry(begin(at)).or_default();
        sum.hours += hour.hours;
        sum.moves += hour.moves;
    }
    let point = |number: i64| {
        let sum = sums.get(&number).copied().unwrap_or_default();
        Point { at: Timestamp::from_second(number * seconds), hours: sum.hours, migrations: sum.moves }
    };
    (first..=last).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_few_enough_and_without_gaps() {
        let from = Timestamp::from_second(1_778_457_600);
        for days in [0, 1, 14, 90, 400, 4_000] {
            let window = TimeSpan { from, to: from + jiff::SignedDuration::from_hours(days * 24) };
            for stacks in [0, 1, 2, 50] {
                let points = points(&Served::default(), window, step(window, stacks));
                assert!(points.len() * stacks.max(1) <= POINTS && points.len() <= POINTS_OF_ONE, "{days} {stacks}");
                let gap = points.windows(2).map(|pair| pair[0].at.until(pair[1].at)).min();
                assert_eq!(gap, points.windows(2).map(|pair| pair[0].at.until(pair[1].at)).max());
            }
        }
    }
}
