//! The catalogue of alarms: what each one watches, when it fires, whom it wakes, and how long that takes. The template
//! and the runbook are checked against it.
//!
//! Three rules shape it. A page is for what a human must act on now; the rest is a ticket. Alarms of the fleet hold their
//! state over missing data: a run that did not happen is neither good nor bad news. And no notification says that a stack
//! is well while the analyzer may not see it.

mod list;

use std::time::Duration;

use crate::metrics::Metric;

pub use list::{COMPOSITES, METRIC_ALARMS, PARAMETERS};

/// The longest list of stacks of which each keeps the fleet's alarm from paging for it.
pub const LISTED_STACKS: usize = 8;
/// Which periods of a run the templates offer, in seconds.
pub const PERIODS: [u32; 7] = [60, 120, 300, 600, 900, 1_800, 3_600];

/// What a state of ALARM leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Somebody is woken.
    Page,
    /// Somebody looks at it in working hours.
    Ticket,
    /// Nothing of its own: it is a part of composites.
    Part,
}

/// Of what there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One for each stack that is listed.
    Stack,
    /// One.
    Fleet,
}

/// A metric of the analyzer or of what it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// One of the catalogue, read with `Maximum`: of the stack, for alarms by stack, else of the fleet.
    Own(&'static Metric),
    /// One that AWS publishes.
    Aws {
        /// The namespace.
        namespace: &'static str,
        /// The metric.
        name: &'static str,
        /// How it is read.
        statistic: &'static str,
        /// Its only dimension.
        dimension: &'static str,
        /// The parameter of the template that gives the dimension's value.
        parameter: &'static str,
    },
}

/// One line of an alarm's metric math, by the name that expressions call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A metric.
    Of(&'static str, Watched),
    /// An expression over other lines. `${Parameter}` stands for a parameter of the template.
    Math(&'static str, &'static str),
}

/// How a value is held against the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Breaching from the threshold up.
    AtLeast,
    /// Breaching below the threshold.
    Below,
    /// Breaching above the band that `CloudWatch` has learned.
    AboveBand,
}

impl Comparison {
    /// `CloudWatch`'s name of it (`CloudWatch` API, `PutMetricAlarm`, `ComparisonOperator`).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtLeast => "GreaterThanOrEqualToThreshold",
            Self::Below => "LessThanThreshold",
            Self::AboveBand => "GreaterThanUpperThreshold",
        }
    }
}

/// A number that the template fixes, or a parameter of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Setting {
    /// Always the same.
    Fixed(f64),
    /// The parameter of this name.
    Parameter(&'static str),
}

/// How long one point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// The time between two runs, `PeriodSeconds`.
    Run,
    /// So many seconds.
    Seconds(u32),
}

/// What counts for a point that is missing (`CloudWatch` User Guide, "Configuring how `CloudWatch` alarms treat missing
/// data").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It breaches: silence is the trouble.
    Breaching,
    /// It does not breach: silence is normal.
    NotBreaching,
    /// The alarm stays as it is: silence says nothing.
    Ignore,
}

impl Missing {
    /// `CloudWatch`'s name of it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Breaching => "breaching",
            Self::NotBreaching => "notBreaching",
            Self::Ignore => "ignore",
        }
    }
}

/// From what happens to the notification: a fixed part, and so many periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay {
    /// What passes before the first run can know of it.
    pub known_after: Duration,
    /// The least number of periods from then on.
    pub at_least: u32,
    /// The largest.
    pub at_most: u32,
}

impl Delay {
    /// How long `CloudWatch` may take to judge what has been published.
    pub const JUDGING: Duration = Duration::from_mins(1);

    /// The least and the most, where a run is made every `period`.
    #[must_use]
    pub fn of(&self, period: Duration) -> (Duration, Duration) {
        (self.known_after + period * self.at_least, self.known_after + period * self.at_most + Self::JUDGING)
    }

    /// The sentence of the alarm's text, with the period as a parameter of the template.
    #[must_use]
    pub fn sentence(&self) -> String {
        let periods = format!("{} to {} periods of ${{PeriodSeconds}} s", self.at_least, self.at_most);
        match self.known_after.as_secs() / 60 {
            0 => format!("From event to notification, by default: {periods}."),
            minutes => format!("From event to notification, by default: {minutes} min and {periods}."),
        }
    }

    /// The same in minutes, where a run is made every five.
    #[must_use]
    pub fn minutes(&self) -> String {
        let (least, most) = self.of(Duration::from_mins(5));
        format!("{} to {} minutes", least.as_secs() / 60, most.as_secs().div_ceil(60))
    }
}

/// An alarm on a metric or on metric math.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricAlarm {
    /// Its name, after the prefix and the stack; also the heading of its section in the runbook.
    pub name: &'static str,
    /// What it leads to.
    pub severity: Severity,
    /// Of what there is one.
    pub scope: Scope,
    /// What it watches; the last line is what is held against the threshold.
    pub lines: &'static [Line],
    /// How.
    pub comparison: Comparison,
    /// Against what.
    pub threshold: Setting,
    /// How long a point is.
    pub period: Period,
    /// How many of the latest points are judged.
    pub periods: Setting,
    /// How many of them must breach.
    pub datapoints: Setting,
    /// What counts for a missing point.
    pub missing: Missing,
    /// Why.
    pub missing_because: &'static str,
    /// The condition of the template under which it exists.
    pub condition: Option<&'static str>,
    /// What it means when it fires. `${Parameter}` stands for a parameter of the template.
    pub meaning: &'static str,
    /// From what happens to the notification.
    pub delay: Delay,
}

/// A rule over other alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Any of these is in ALARM; of the same stack, for composites by stack.
    Any(&'static [&'static str]),
    /// Any of these is not OK, be it in ALARM or without data.
    AnyNotOk(&'static [&'static str]),
    /// The composite of this name is in ALARM for any of the listed stacks.
    AnyStack(&'static str),
}

/// What keeps a composite from acting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suppressor {
    /// The alarm that does while it is in ALARM.
    pub alarm: &'static str,
    /// For how many periods it may still come to that.
    pub wait: u32,
    /// And for how many periods its end is not trusted.
    pub extension: u32,
}

/// An alarm on other alarms. Only these page, so that one cause pages once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompositeAlarm {
    /// Its name, after the prefix and the stack; also the heading of its section in the runbook.
    pub name: &'static str,
    /// Of what there is one.
    pub scope: Scope,
    /// When it is in ALARM.
    pub rule: Rule,
    /// What ALARM leads to.
    pub severity: Severity,
    /// Whether its end is told to those who get pages.
    pub tells_end: bool,
    /// What keeps it from acting.
    pub suppressor: Option<Suppressor>,
    /// What it means when it acts.
    pub meaning: &'static str,
    /// From what happens to the notification.
    pub delay: Delay,
}

/// A parameter of the template that the catalogue uses, with its default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its default.
    pub default: f64,
    /// What it is.
    pub meaning: &'static str,
}

/// The text of an alarm: what it means, how long that takes to show, and where it says what to do.
#[must_use]
pub fn description(name: &str, meaning: &str, delay: &Delay) -> String {
    format!("{meaning} {} Runbook: ${{RunbookUrl}}#{name}", delay.sentence())
}

#[cfg(test)]
mod tests;
