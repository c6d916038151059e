//! Instances in service over time, with migrations on them.

use std::fmt::Write;

use exposure_core::evidence::findings::Point;
use exposure_core::time::{TimeSpan, Timestamp};
use jiff::tz::TimeZone;
use jiff::{ToSpan, ZonedDateTime};
use maud::Markup;

use super::axis::{round_marks, short_mark};
use super::{Anchor, Panel, pixels};
use crate::report::number::float;
use crate::report::words::{clock_text, counted};

const TOP: f64 = 14.0;
const HEIGHT: f64 = 120.0;
const AXIS: f64 = 22.0;
/// The width of the box that lines are drawn in.
const BOX: u32 = 2_400;
/// In how many places along a panel migrations are marked at most; those of one place share a larger mark.
const PLACES: usize = 240;

/// A stretch of the calendar with its mean number of instances in service.
struct Stretch {
    from: Timestamp,
    to: Timestamp,
    instances: f64,
    migrations: u64,
}

/// What all panels of a figure share.
pub(crate) struct Frame<'a> {
    window: TimeSpan,
    zone: &'a TimeZone,
    /// The most instances in any of them.
    most: f64,
}

impl<'a> Frame<'a> {
    /// The frame for some stacks.
    pub(crate) fn new<'p>(window: TimeSpan, zone: &'a TimeZone, stacks: impl Iterator<Item = &'p [Point]>) -> Self {
        let highest = |points: &[Point]| stretches(points, window).iter().map(|s| s.instances).fold(0.0, f64::max);
        let most = stacks.map(highest).fold(0.0, f64::max);
        Self { window, zone, most: if most > 0.0 { 1.15 * most } else { 1.0 } }
    }

    fn across(&self, at: Timestamp) -> f64 {
        let whole = seconds(self.window.from, self.window.to).max(1.0);
        (seconds(self.window.from, at) / whole).clamp(0.0, 1.0)
    }

    fn down(&self, instances: f64) -> f64 {
        TOP + HEIGHT * (1.0 - instances / self.most)
    }

    /// One stack. `id` is unique on the page.
    pub(crate) fn panel(&self, id: &str, (title, description): (&str, &str), points: &[Point]) -> Markup {
        let stretches = stretches(points, self.window);
        let bottom = TOP + HEIGHT;
        let mut panel = Panel::new(id, bottom + AXIS, title, description);
        for mark in round_marks(self.most, 3.0).filter(|mark| *mark > 0.0) {
            panel.line("grid", (0.0, self.down(mark)), (1.0, self.down(mark)));
        }
        self.days(&mut panel, bottom);
        panel.stretched((TOP, bottom), BOX, &self.outline(&stretches));
        // Above the area, since a scale that it covers is of no use.
        for mark in round_marks(self.most, 3.0).filter(|mark| *mark > 0.0) {
            panel.text("tick over", (0.0, self.down(mark) - 4.0), Anchor::Start, &short_mark(mark));
        }
        panel.line("base", (0.0, bottom), (1.0, bottom));
        self.migrations(&mut panel, &stretches);
        panel.markup()
    }

    /// The area below the number of instances, and its upper edge.
    fn outline(&self, stretches: &[Stretch]) -> [(&'static str, String); 2] {
        let mut edge = String::new();
        for stretch in stretches {
            let y = pixels(self.down(stretch.instances) - TOP);
            let (from, to) = (self.across(stretch.from), self.across(stretch.to));
            let command = if edge.is_empty() { 'M' } else { 'L' };
            // Writing to a string does not fail.
            let _ = write!(edge, "{command}{} {y}H{}", in_box(from), in_box(to));
        }
        let (first, last) = (stretches.first(), stretches.last());
        let ends = first.zip(last).map(|(first, last)| (self.across(first.from), self.across(last.to)));
        let area = ends.map(|(from, to)| {
            let floor = pixels(HEIGHT);
            format!("{edge}H{}V{floor}H{}Z", in_box(to), in_box(from))
        });
        [("area", area.unwrap_or_default()), ("edge", edge)]
    }

    fn migrations(&self, panel: &mut Panel, stretches: &[Stretch]) {
        let together = stretches.len().div_ceil(PLACES).max(1);
        for place in stretches.chunks(together) {
            let migrations: u64 = place.iter().map(|stretch| stretch.migrations).sum();
            let (Some(first), Some(last)) = (place.first(), place.last()) else { continue };
            if migrations == 0 {
                continue;
            }
            let instances = place.iter().map(|stretch| stretch.instances).fold(0.0, f64::max);
            let at = f64::midpoint(self.across(first.from), self.across(last.to));
            let told =
                format!("{}: {}", clock_text(first.from, self.zone), counted(migrations, "migration", "migrations"));
            let radius = (2.6 + 1.4 * (float(migrations).sqrt() - 1.0)).min(8.0);
            panel.dot("moved", (at, self.down(instances)), radius, &told);
        }
    }

    /// Midnights of the time zone, or hours where the window is short.
    fn days(&self, panel: &mut Panel, bottom: f64) {
        let mut shown = 0;
        for (at, label) in ticks(self.window, self.zone) {
            let x = self.across(at);
            panel.line("grid", (x, TOP), (x, bottom + 4.0));
            if x > 0.97 {
                continue;
            }
            // On a phone every other one is left out.
            let class = if shown % 2 == 0 { "tick" } else { "tick wide" };
            panel.text(class, (x, bottom + 17.0), if x < 0.03 { Anchor::Start } else { Anchor::Middle }, &label);
            shown += 1;
        }
    }
}

/// The stretches that points name, cut to the window. What is cut off held no time in service.
fn stretches(points: &[Point], window: TimeSpan) -> Vec<Stretch> {
    let step = match points {
        [first, second, ..] => first.at.until(second.at),
        _ => window.from.until(window.to).max(jiff::SignedDuration::from_hours(1)),
    };
    let cut = points.iter().filter_map(|point| {
        let (from, to) = (point.at.max(window.from), (point.at + step).min(window.to));
        let hours = seconds(from, to) / 3_600.0;
        (hours > 0.0).then(|| Stretch { from, to, instances: point.hours / hours, migrations: point.migrations })
    });
    let mut all: Vec<Stretch> = cut.collect();
    // A sliver at either end is a mean over so little time that it says nothing.
    for end in [all.len().checked_sub(1), Some(0)].into_iter().flatten() {
        let sliver = all.get(end).is_some_and(|s| seconds(s.from, s.to) < 0.1 * step.as_secs_f64());
        if all.len() > 2 && sliver && all.get(end).is_some_and(|s| s.migrations == 0) {
            all.remove(end);
        }
    }
    all
}

/// Where the calendar is marked, at most 14 times, and what is written there.
fn ticks(window: TimeSpan, zone: &TimeZone) -> Vec<(Timestamp, String)> {
    const MOST: f64 = 10.0;
    let hours = seconds(window.from, window.to) / 3_600.0;
    let by_hours = [1, 3, 6, 12].into_iter().find(|step| hours / f64::from(*step) <= MOST);
    let by_days = [1, 2, 7, 14, 28, 91, 182, 364].into_iter().find(|days| hours / f64::from(24 * days) <= MOST);
    let Ok(start) = jiff::Timestamp::from_second(window.from.as_second()) else { return Vec::new() };
    let Ok(mut at) = start.to_zoned_datetime(zone.clone()).start_of_day() else { return Vec::new() };
    let step = by_hours.map_or_else(|| by_days.unwrap_or(3_640).days(), ToSpan::hours);
    let mut found = Vec::new();
    // From a midnight on, so that marks are round; the first days may lie before the window.
    while at.timestamp().as_second() <= window.to.as_second() && found.len() < 14 {
        if at.timestamp().as_second() >= window.from.as_second() {
            found.push((Timestamp::from_second(at.timestamp().as_second()), label(&at, by_hours.is_some())));
        }
        let Ok(next) = at.checked_add(step) else { break };
        at = next;
    }
    found
}

fn label(at: &ZonedDateTime, with_hours: bool) -> String {
    let form = if with_hours && at.hour() != 0 { "%H:%M" } else { "%-d %b" };
    at.strftime(form).to_string()
}

fn in_box(across: f64) -> String {
    pixels(across * f64::from(BOX))
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    from.until(to).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    #[test]
    fn the_calendar_is_marked_at_local_midnights_and_not_too_often() {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        let window = TimeSpan { from: at("2026-05-11T10:00:00Z"), to: at("2026-05-25T10:00:00Z") };
        let marks = ticks(window, &zone);
        assert_eq!(
            marks.first().map(|(at, label)| (at.to_string(), label.as_str())),
            Some(("2026-05-12T22:00:00Z".to_owned(), "13 May"))
        );
        for days in [0, 1, 3, 14, 90, 400, 4_000] {
            let to = window.from + jiff::SignedDuration::from_hours(24 * days + 2);
            let marks = ticks(TimeSpan { from: window.from, to }, &zone);
            assert!((1..=14).contains(&marks.len()), "{days}: {marks:?}");
        }
    }

    #[test]
    fn a_stretch_that_is_cut_keeps_its_height() {
        let hours = |number: i64| at("2026-05-11T10:00:00Z") + jiff::SignedDuration::from_hours(number);
        let point = |number: i64, hours_in: f64| Point { at: hours(number), hours: hours_in, migrations: 0 };
        let window = TimeSpan { from: at("2026-05-11T10:30:00Z"), to: at("2026-05-11T12:30:00Z") };
        let found = stretches(&[point(0, 5.0), point(1, 10.0), point(2, 5.0)], window);
        let heights: Vec<f64> = found.iter().map(|stretch| stretch.instances).collect();
        assert_eq!(heights, [10.0, 10.0, 10.0]);
    }
}
