//! The local day of one stack: its rate in each hour, and below it the instance-hours that the rate is of.

use exposure_core::evidence::findings::Cell;
use maud::Markup;

use super::axis::{Scale, round_marks, short_mark};
use super::{Anchor, Panel};
use crate::report::number::{float, short};
use crate::report::words::counted;

const TOP: f64 = 26.0;
const RATES: f64 = 116.0;
const GAP: f64 = 30.0;
const HOURS: f64 = 62.0;
const AXIS: f64 = 22.0;

/// What all panels of a figure share.
pub(crate) struct Frame {
    rates: Scale,
    most_hours: f64,
}

impl Frame {
    /// The frame for some stacks.
    pub(crate) fn new(stacks: &[&[Cell]]) -> Self {
        let cells = || stacks.iter().copied().flatten();
        let most_hours = cells().map(|cell| cell.hours).fold(0.0, f64::max);
        // An hour in which next to nobody was in service has an interval that would flatten all the rest.
        let weighty = cells().filter(|cell| cell.hours >= 0.05 * most_hours).map(|cell| &cell.rate);
        Self {
            rates: Scale::of_rates(weighty.collect::<Vec<_>>().into_iter()),
            most_hours: if most_hours > 0.0 { 1.1 * most_hours } else { 1.0 },
        }
    }

    /// One stack. `id` is unique on the page.
    pub(crate) fn panel(&self, id: &str, (title, description): (&str, &str), hours: &[Cell]) -> Markup {
        let (floor, bottom) = (TOP + RATES, TOP + RATES + GAP + HOURS);
        let mut panel = Panel::new(id, bottom + AXIS, title, description);
        self.grid(&mut panel, floor, bottom);
        let width = 1.0 / float(hours.len() as u64).max(1.0);
        let mut at = 0.0;
        for (hour, cell) in hours.iter().enumerate() {
            self.rate(&mut panel, hour, cell, at + width / 2.0);
            let height = HOURS * cell.hours / self.most_hours;
            let told = format!("{}: {} instance-hours", span(hour), short(cell.hours));
            panel.bar("hours", (at + 0.1 * width, at + 0.9 * width), (bottom - height, bottom), &told);
            at += width;
        }
        // Above the lines, which may stand where the scale is written.
        for (at, mark) in self.marks() {
            panel.text("tick over", (0.0, floor - RATES * at - 3.0), Anchor::Start, &mark);
        }
        panel.line("base", (0.0, floor), (1.0, floor));
        panel.line("base", (0.0, bottom), (1.0, bottom));
        panel.markup()
    }

    /// The marks of the rates, but for those at the ends.
    fn marks(&self) -> impl Iterator<Item = (f64, String)> {
        self.rates.marks().into_iter().filter(|(at, _)| (0.01..0.97).contains(at))
    }

    fn grid(&self, panel: &mut Panel, floor: f64, bottom: f64) {
        panel.text("axis", (0.0, TOP - 14.0), Anchor::Start, "Migrations per 1,000 instance-hours");
        panel.text("axis", (0.0, floor + 20.0), Anchor::Start, "Instance-hours");
        for (at, _) in self.marks() {
            let y = floor - RATES * at;
            panel.line("grid", (0.0, y), (1.0, y));
        }
        for mark in round_marks(self.most_hours, 2.0).filter(|mark| *mark > 0.0) {
            let y = bottom - HOURS * mark / self.most_hours;
            panel.line("grid", (0.0, y), (1.0, y));
            panel.text("tick over", (1.0, y - 3.0), Anchor::End, &short_mark(mark));
        }
        for (hour, at) in [(0, 0.0), (6, 0.25), (12, 0.5), (18, 0.75), (24, 1.0)] {
            panel.line("grid", (at, TOP), (at, floor));
            panel.line("grid", (at, floor + GAP), (at, bottom + 4.0));
            let anchor = match hour {
                0 => Anchor::Start,
                24 => Anchor::End,
                _ => Anchor::Middle,
            };
            panel.text("tick", (at, bottom + 17.0), anchor, &format!("{hour:02}:00"));
        }
    }

    fn rate(&self, panel: &mut Panel, hour: usize, cell: &Cell, at: f64) {
        let Some(value) = cell.rate.value else { return };
        let down = |value: f64| TOP + RATES * (1.0 - self.rates.at(value).clamp(0.0, 1.0));
        let (low, high) = (down(cell.rate.low), down(cell.rate.high));
        panel.line("whisker thin", (at, low), (at, high));
        if self.rates.at(cell.rate.high) > 1.0 {
            panel.shape("tip thin", (at, TOP), "M0 0L-3 5H3Z");
        }
        let moved = counted(cell.migrations, "migration", "migrations");
        let told = format!("{}: {moved}, {}", span(hour), crate::report::number::estimate(&cell.rate));
        let class = if cell.migrations == 0 { "dot hollow" } else { "dot" };
        if self.rates.at(value) <= 1.0 {
            panel.dot(class, (at, down(value)), 3.4, &told);
        }
    }
}

/// An hour of the day in words.
pub(crate) fn span(hour: usize) -> String {
    format!("{hour:02}:00 to {:02}:00", hour + 1)
}
