//! Is it age, or the clock? Each class of age against what the hours of the day alone let expect, and each part of the
//! day against what age alone lets expect.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::words::{counted, number, percent, times};
use super::{AgeOrClock, Cell, OFTEN, Sign, Standardised};
use crate::analysis::InService;
use crate::evidence::compare::{against, dispersion_of};
use crate::evidence::exact::{Level, clustered_rate, holm};
use crate::evidence::service::{AGES, AgeAndHour, HourOfDay, Served, by_age_and_hour};

/// Parts of the local day, six hours each.
const PARTS: [&str; 4] = ["00:00 to 06:00", "06:00 to 12:00", "12:00 to 18:00", "18:00 to 24:00"];
/// How large a share of time of unknown age is worth a sentence.
const WORTH_SAYING: f64 = 0.1;

/// Nothing where no instance's launch is on record, or nothing moved whose launch is.
pub(super) fn age_or_clock(
    in_service: &InService,
    served: &BTreeMap<String, Served>,
    zone: &TimeZone,
    level: Level,
) -> Option<AgeOrClock> {
    let known: Vec<AgeAndHour> = by_age_and_hour(&in_service.stays, &in_service.moves, zone).into_values().collect();
    let sum = sum(known.iter().flatten().flatten());
    if sum.hours <= 0.0 || sum.moves == 0 {
        return None;
    }
    let together = dispersion_of(served.values(), zone);
    let ages = standardised(&known, AGES.map(|(class, _)| class), (level, together), |known, class| {
        // One stratum for each hour of the day of each stack.
        (0..24).map(|hour| split(known, |age, at| (at == hour).then_some(age == class))).collect()
    });
    let clock = standardised(&known, PARTS, (level, together), |known, class| {
        // One stratum for each class of age of each stack.
        (0..AGES.len()).map(|age| split(known, |of, hour| (of == age).then_some(hour / 6 == class))).collect()
    });
    let all =
        HourOfDay { hours: served.values().map(Served::hours).sum(), moves: served.values().map(Served::moves).sum() };
    let (hours, migrations) = ((all.hours - sum.hours).max(0.0), all.moves.saturating_sub(sum.moves));
    let rate = clustered_rate(migrations, hours, together, level).scaled(1_000.0);
    let answer = answer(&Told::of(&ages), &Told::of(&clock)).to_owned();
    let sentence = sentence(&answer, &Told::of(&ages), &Told::of(&clock), hours / all.hours);
    Some(AgeOrClock { ages, clock, unknown: Cell { hours, migrations, rate }, answer, sentence })
}

fn sum<'a>(cells: impl IntoIterator<Item = &'a HourOfDay>) -> HourOfDay {
    cells.into_iter().fold(HourOfDay::default(), |sum, cell| HourOfDay {
        hours: sum.hours + cell.hours,
        moves: sum.moves + cell.moves,
    })
}

/// The cells of one stratum of a stack: those of the class, and the others. `which` tells of an age and an hour whether
/// they belong to the class, if they belong to the stratum.
fn split(stack: &AgeAndHour, which: impl Fn(usize, usize) -> Option<bool>) -> [HourOfDay; 2] {
    let mut both = [HourOfDay::default(); 2];
    for (age, hours) in stack.iter().enumerate() {
        for (hour, cell) in hours.iter().enumerate() {
            let [class, rest] = &mut both;
            let side = match which(age, hour) {
                Some(true) => class,
                Some(false) => rest,
                None => continue,
            };
            side.hours += cell.hours;
            side.moves += cell.moves;
        }
    }
    both
}

fn standardised<const N: usize>(
    known: &[AgeAndHour],
    classes: [&'static str; N],
    (level, together): (Level, f64),
    strata: impl Fn(&AgeAndHour, usize) -> Vec<[HourOfDay; 2]>,
) -> Vec<Standardised> {
    let mut all = Vec::with_capacity(N);
    for (place, class) in classes.into_iter().enumerate() {
        let (ours, rest): (Vec<_>, Vec<_>) =
            known.iter().flat_map(|stack| strata(stack, place)).map(|[class, rest]| (class, rest)).unzip();
        let HourOfDay { hours, moves } = sum(&ours);
        // Only classes that have any time are looked at.
        if hours > 0.0 {
            all.push((class, hours, moves, against(&ours, &rest, together, level, N)));
        }
    }
    let adjusted = holm(&all.iter().map(|(_, _, _, found)| found.p).collect::<Vec<_>>());
    let mut standardised = Vec::with_capacity(N);
    for ((class, hours, migrations, found), p_adjusted) in all.into_iter().zip(adjusted) {
        let decides = if p_adjusted < 1.0 - level.share() {
            Sign::Differs
        } else if found.power_of_twice >= OFTEN {
            Sign::NoSign
        } else {
            Sign::TooFew
        };
        let (expected, factor, p) = (found.expected, found.factor, found.p);
        standardised.push(Standardised { class, hours, migrations, expected, factor, p, p_adjusted, decides });
    }
    standardised
}

fn answer(age: &Told, clock: &Told) -> &'static str {
    match (age, clock) {
        (Told::Differs(_), Told::Differs(_)) => {
            "Migrations go with both the age of the instance and the hour of the day."
        }
        (Told::Differs(_), Told::NoSign) => {
            "Migrations go with the age of the instance; no sign of the hour of the day."
        }
        (Told::Differs(_), Told::TooFew) => "Migrations go with the age of the instance; too few to tell of the clock.",
        (Told::NoSign, Told::Differs(_)) => "Migrations go with the clock; no sign that they go with age.",
        (Told::TooFew, Told::Differs(_)) => "Migrations go with the clock; too few to tell of age.",
        (Told::NoSign, Told::NoSign) => {
            "No sign that migrations go with the age of the instance or the hour of the day."
        }
        _ => "Too few migrations to tell whether they go with the age of the instance or with the clock.",
    }
}

fn sentence(answer: &str, age: &Told, clock: &Told, unknown: f64) -> String {
    let mut said = vec![answer.to_owned()];
    if let Told::Differs(class) = age {
        said.push(format!("At the same hours of the day, {}", class_in_words(class, "of age", "those of other ages")));
    }
    if let Told::Differs(class) = clock {
        said.push(format!("At the same age, {}", class_in_words(class, "from", "those of other hours")));
    }
    if unknown >= WORTH_SAYING {
        said.push(format!("{} of the instance-hours are of unknown age and left out.", percent(unknown)));
    }
    said.join(" ")
}

fn class_in_words(class: &Standardised, of: &str, others: &str) -> String {
    let times = times(&class.factor).unwrap_or_default();
    let (moves, expected) = (counted(class.migrations, "migration", "migrations"), number(class.expected));
    let class = class.class;
    format!(
        "instance-hours {of} {class} saw {times} as many migrations as {others}: {moves} where {expected} were to be expected."
    )
}

/// What several classes tell together.
enum Told<'a> {
    /// At least one differs; the surest of them.
    Differs(&'a Standardised),
    NoSign,
    TooFew,
}

impl<'a> Told<'a> {
    fn of(classes: &'a [Standardised]) -> Self {
        let differ = classes.iter().filter(|class| class.decides == Sign::Differs);
        if let Some(surest) = differ.min_by(|a, b| a.p.total_cmp(&b.p)) {
            Self::Differs(surest)
        } else if classes.len() > 1 && classes.iter().any(|class| class.decides == Sign::NoSign) {
            Self::NoSign
        } else {
            Self::TooFew
        }
    }
}
