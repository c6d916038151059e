//! The findings: rates, comparisons and their sentences, in the shape that the report shows.

mod ages;
mod comparisons;
mod stacks;
mod summary;
mod words;

use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};

use super::exact::{Estimate, Level};
use super::service::served;
use crate::analysis::{Coverage, InService};
use crate::time::{TimeSpan, Timestamp};

/// From how many days on clusters of migrations can be told from chance.
const ENOUGH_DAYS: f64 = 5.0;

fn days(window: TimeSpan) -> f64 {
    window.from.until(window.to).as_secs_f64() / 86_400.0
}

/// How often what is twice as bad must be found out before its absence says something.
const OFTEN: f64 = 0.8;

/// What the time in service and the migrations of a window say of the stacks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// The time looked at.
    pub window: TimeSpan,
    /// The time zone of every hour of the day here.
    pub time_zone: String,
    /// How sure the intervals are to be, such as 0.95.
    pub level: f64,
    /// What had to be assumed.
    pub assumed: Assumed,
    /// Each stack, by name.
    pub stacks: Vec<StackFindings>,
    /// Two stacks: the one with more migrations against the other. More: each against all others together.
    pub comparisons: Vec<ComparisonFindings>,
    /// Whether age or the clock goes with migrations; nothing where no instance's launch is on record.
    pub age_or_clock: Option<AgeOrClock>,
    /// All that in a few sentences.
    pub summary: Vec<String>,
}

/// What had to be assumed of the time in service.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Assumed {
    /// Instances taken to have been in service from the beginning, for their launch is not in view.
    pub launches_unseen: u64,
    /// Instances that are gone, taken to have left with their last trace, for their departure is not in view.
    pub departures_unseen: u64,
    /// The share of all instance-hours that had to be assumed, between 0 and 1.
    pub hours_share: f64,
}

/// Rates of one stack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StackFindings {
    /// Its name, verbatim: from outside, to be escaped where it is shown.
    pub stack: String,
    /// Migrations.
    pub migrations: u64,
    /// Instance-hours in service.
    pub hours: f64,
    /// Those among them that had to be assumed.
    pub assumed_hours: f64,
    /// Migrations for each 1,000 instance-hours.
    pub rate: Estimate,
    /// How much more its migrations vary than independent ones would, at least 1. Its intervals allow for it.
    pub dispersion: f64,
    /// By hour of the local day, from midnight on.
    pub by_hour: Vec<Cell>,
    /// By age of the instance, as far as launches are on record.
    pub by_age: Vec<AgeCell>,
    /// Over time, without gaps.
    pub by_time: Vec<Point>,
    /// When its migrations were; the latest, where they are too many to list.
    pub migrations_at: Vec<Timestamp>,
    /// The rate in words.
    pub sentence: String,
}

/// A part of a stack's time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cell {
    /// Instance-hours.
    pub hours: f64,
    /// Migrations.
    pub migrations: u64,
    /// Migrations for each 1,000 instance-hours.
    pub rate: Estimate,
}

/// A class of age.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AgeCell {
    /// Which, in words.
    pub class: &'static str,
    /// Its time and migrations.
    #[serde(flatten)]
    pub cell: Cell,
}

/// A stretch of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// When it begins; it ends with the next.
    pub at: Timestamp,
    /// Instance-hours.
    pub hours: f64,
    /// Migrations.
    pub migrations: u64,
}

/// Two stacks beside each other, or one beside all others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparisonFindings {
    /// The first.
    pub first: String,
    /// The second; nothing for all others together.
    pub second: Option<String>,
    /// Migrations of the first for each of the second.
    pub counts: Option<f64>,
    /// Migrations for each instance-hour, first to second.
    pub rates: Estimate,
    /// How likely such a ratio of rates is if they are the same.
    pub rates_p: f64,
    /// The same, where several stacks are compared.
    pub rates_p_adjusted: f64,
    /// The part of `counts` that is capacity. Its ends count none or all of the time that had to be assumed.
    pub capacity: Estimate,
    /// The part that is timing: in which hours of the day the instance-hours lie.
    pub timing: Estimate,
    /// What is left of the stack itself.
    pub itself: Estimate,
    /// How likely such a factor is if the stack makes no difference.
    pub itself_p: f64,
    /// The same, where several stacks are compared.
    pub itself_p_adjusted: f64,
    /// How much more migrations vary than independent ones would, at least 1. Intervals and p-values allow for it.
    pub dispersion: f64,
    /// How often such data would show it if either were itself twice as bad as the other.
    pub power_of_twice: f64,
    /// What follows.
    pub decides: Decides,
    /// Each part in words; none where there is nothing to say of it.
    pub sentences: Sentences,
    /// What would be needed to decide what these data do not.
    pub needed: Option<Needed>,
}

/// What a comparison decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decides {
    /// Something of the stack itself differs.
    StackDiffers,
    /// No sign of it, in data that would show a stack twice as bad.
    NoSign,
    /// Too few migrations to tell.
    TooFew,
}

/// A comparison in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sentences {
    /// The plain rates.
    pub rates: Option<String>,
    /// Capacity.
    pub capacity: Option<String>,
    /// Timing.
    pub timing: Option<String>,
    /// The stack itself, or what is missing to tell.
    pub itself: String,
    /// All parts in one.
    pub whole: Option<String>,
}

/// What would be needed to decide.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Needed {
    /// How many more days at this rate.
    pub days: f64,
    /// The same in words.
    pub sentence: String,
}

/// Whether migrations go with the age of an instance or with the hour of the day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgeOrClock {
    /// The classes of age, against what the clock alone lets expect.
    pub ages: Vec<Standardised>,
    /// The parts of the local day, against what age alone lets expect.
    pub clock: Vec<Standardised>,
    /// Instance-hours and migrations of instances whose launch is not on record: left out.
    pub unknown: Cell,
    /// The answer in one sentence.
    pub answer: String,
    /// The same with what it rests on.
    pub sentence: String,
}

/// A class of instance-hours against what others let expect.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standardised {
    /// Which, in words.
    pub class: &'static str,
    /// Instance-hours.
    pub hours: f64,
    /// Migrations.
    pub migrations: u64,
    /// Migrations expected if the class made no difference.
    pub expected: f64,
    /// How many times as often its instance-hours see a migration as others that are alike but for the class.
    pub factor: Estimate,
    /// How likely such a factor is if the class makes no difference.
    pub p: f64,
    /// The same, for all classes looked at.
    pub p_adjusted: f64,
    /// What follows.
    pub decides: Sign,
}

/// What a class of instance-hours decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// It sees more migrations, or fewer, than others.
    Differs,
    /// No sign of it, in data that would show a class twice as bad.
    NoSign,
    /// Too few migrations to tell.
    TooFew,
}

impl Serialize for Estimate {
    /// `{"value", "low", "high"}`; `null` is a value that is not known or has no bound, and an upper end that there is
    /// none of.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape {
            value: Option<f64>,
            low: f64,
            high: Option<f64>,
        }
        let finite = |number: f64| number.is_finite().then_some(number);
        Shape { value: self.value.and_then(finite), low: self.low, high: finite(self.high) }.serialize(serializer)
    }
}

/// What the time in service says of the stacks, by the clocks of a time zone.
#[must_use]
pub fn findings(
    in_service: &InService,
    window: TimeSpan,
    zone: &TimeZone,
    level: Level,
    coverage: Option<&Coverage>,
) -> Findings {
    let served = served(&in_service.stays, &in_service.moves);
    let hours: f64 = served.values().map(super::service::Served::hours).sum();
    let assumed: f64 = served.values().map(super::service::Served::assumed_hours).sum();
    let mut findings = Findings {
        window,
        time_zone: zone_name(zone),
        level: level.share(),
        assumed: Assumed {
            launches_unseen: in_service.launches_unseen,
            departures_unseen: in_service.departures_unseen,
            hours_share: if hours > 0.0 { assumed / hours } else { 0.0 },
        },
        stacks: stacks::stacks(&served, &in_service.moves, window, zone, level),
        comparisons: comparisons::comparisons(&served, window, zone, level),
        age_or_clock: ages::age_or_clock(in_service, &served, zone, level),
        summary: Vec::new(),
    };
    findings.summary = summary::summary(&findings, coverage);
    findings
}

/// The name of a time zone, or how far it is from UTC.
fn zone_name(zone: &TimeZone) -> String {
    let fixed = || zone.to_fixed_offset().map_or_else(|_| "local time".to_owned(), |offset| format!("UTC{offset}"));
    zone.iana_name().map_or_else(fixed, str::to_owned)
}

#[cfg(test)]
mod tests;
