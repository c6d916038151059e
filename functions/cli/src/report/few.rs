//! The stacks that figures show: all where they are few, else the worst and the rest together.

use exposure_core::evidence::exact::{Level, clustered_rate};
use exposure_core::evidence::findings::{Cell, Findings, Point, StackFindings};
use maud::{Markup, html};

use crate::text::{counted, cut, shown};

/// How many stacks a figure shows by name.
const SHOWN: usize = 8;
/// How many columns of a name are shown where there is little room.
const NAME: usize = 40;
/// How many columns of a name are shown at all: a page of hundreds of stacks is to stay small.
const LONGEST: usize = 128;

/// One row, panel or group of a figure.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) migrations: u64,
    pub(super) total: Cell,
    pub(super) by_hour: Vec<Cell>,
    pub(super) by_time: Vec<Point>,
}

/// What the figures show.
pub(super) struct Few<'a> {
    /// The stacks by name, the worst first.
    pub(super) named: Vec<&'a StackFindings>,
    pub(super) parts: Vec<Part>,
    left_out: usize,
}

impl<'a> Few<'a> {
    pub(super) fn of(findings: &'a Findings) -> Self {
        let mut named: Vec<&StackFindings> = findings.stacks.iter().collect();
        if named.len() > SHOWN + 1 {
            // By what their rate is at least: one migration in ten hours makes no stack the worst.
            named.sort_by(|a, b| b.rate.low.total_cmp(&a.rate.low).then_with(|| a.stack.cmp(&b.stack)));
        }
        let rest = if named.len() > SHOWN + 1 { named.split_off(SHOWN) } else { Vec::new() };
        let mut parts: Vec<Part> = named.iter().map(|stack| Part::of(stack)).collect();
        parts.extend(Part::together(&rest, findings.level));
        Self { named, parts, left_out: rest.len() }
    }

    /// That some are shown together, where it is so.
    pub(super) fn note(&self) -> Markup {
        html! {
            @if self.left_out > 0 {
                p.note {
                    "Shown are the " (SHOWN) " stacks whose rate is surely the highest, and "
                    (counted(self.left_out as u64, "other", "others")) " together. "
                    "The tables of rates and of comparisons, and the JSON, have every stack."
                }
            }
        }
    }
}

impl Part {
    fn of(stack: &StackFindings) -> Self {
        Self {
            name: name(&stack.stack),
            migrations: stack.migrations,
            total: Cell { hours: stack.hours, migrations: stack.migrations, rate: stack.rate },
            by_hour: stack.by_hour.clone(),
            by_time: stack.by_time.clone(),
        }
    }

    /// Some stacks as one. Its intervals allow for the most clustered of them.
    fn together(stacks: &[&StackFindings], level: f64) -> Option<Self> {
        let first = stacks.first()?;
        let dispersion = stacks.iter().map(|stack| stack.dispersion).fold(1.0, f64::max);
        let level = Level::new(level).unwrap_or(Level::USUAL);
        let cell = |hours: f64, migrations: u64| Cell {
            hours,
            migrations,
            rate: clustered_rate(migrations, hours, dispersion, level).scaled(1_000.0),
        };
        let by_hour = (0..first.by_hour.len()).map(|hour| {
            let cells = || stacks.iter().filter_map(|stack| stack.by_hour.get(hour));
            cell(cells().map(|cell| cell.hours).sum(), cells().map(|cell| cell.migrations).sum())
        });
        let by_time = first.by_time.iter().enumerate().map(|(place, point)| {
            let points = || stacks.iter().filter_map(|stack| stack.by_time.get(place));
            let (hours, migrations) = (points().map(|p| p.hours).sum(), points().map(|p| p.migrations).sum());
            Point { at: point.at, hours, migrations }
        });
        let migrations = stacks.iter().map(|stack| stack.migrations).sum();
        Some(Self {
            name: format!("The other {} stacks", stacks.len()),
            migrations,
            total: cell(stacks.iter().map(|stack| stack.hours).sum(), migrations),
            by_hour: by_hour.collect(),
            by_time: by_time.collect(),
        })
    }

    /// The mean number of instances in service over the hours of a point, the least and the most of them.
    pub(super) fn instances(&self, hours: f64) -> Option<(f64, f64)> {
        let inner = self.by_time.get(1..self.by_time.len().saturating_sub(1)).filter(|inner| !inner.is_empty());
        let points = inner.unwrap_or(&self.by_time).iter().map(|point| point.hours / hours.max(f64::MIN_POSITIVE));
        let (low, high) = points.fold((f64::INFINITY, 0.0_f64), |(low, high), at| (low.min(at), high.max(at)));
        low.is_finite().then_some((low, high))
    }

    /// The hour of the day that saw the most migrations, if any saw one.
    pub(super) fn busiest(&self) -> Option<(usize, u64)> {
        let hours = self.by_hour.iter().map(|cell| cell.migrations).enumerate();
        hours.max_by_key(|(hour, count)| (*count, std::cmp::Reverse(*hour))).filter(|(_, count)| *count > 0)
    }
}

/// A name from outside as the page shows it; the JSON has it verbatim.
pub(super) fn full_name(text: &str) -> String {
    if text.trim().is_empty() { "(no name)".to_owned() } else { cut(&shown(text), LONGEST) }
}

/// The same where room is short.
pub(super) fn name(text: &str) -> String {
    cut(&full_name(text), NAME)
}
