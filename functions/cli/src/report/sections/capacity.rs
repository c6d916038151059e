//! Instances in service over time, with migrations marked.

use exposure_core::time::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::super::chart::time::Frame;
use super::super::document::Document;
use super::super::few::{Few, Part};
use super::super::number::{count, exact, short};
use super::super::page::{Section, figure};
use super::super::words::{clock_text, counted, day_text};

/// How many rows the table has at most.
const ROWS: usize = 100;

pub(crate) fn section(document: &Document, few: &Few<'_>, zone: &TimeZone) -> Section {
    let body = if few.parts.is_empty() {
        html! { p { "No instance of a known stack was in service." } }
    } else {
        let window = document.findings.window;
        let frame = Frame::new(window, zone, few.parts.iter().map(|part| part.by_time.as_slice()));
        let pictures = html! {
            @for (place, part) in few.parts.iter().enumerate() {
                div.of-stack {
                    h3 { bdi { (part.name) } }
                    (frame.panel(&format!("capacity-{place}"), (&title(part), &description(part)), &part.by_time))
                }
            }
        };
        let caption = html! {
            "The area is the number of instances in service, on the same scale for every stack. Each dot is a migration "
            "at its time; several close together share a larger dot. Standby and warm pools are not in service."
        };
        html! { (few.note()) (figure("over time", &pictures, &caption, &table(few, zone))) }
    };
    Section { id: "capacity", heading: "Instances in service, and migrations", link: "Over time", body }
}

fn title(part: &Part) -> String {
    format!("Instances of {} in service over time", part.name)
}

fn description(part: &Part) -> String {
    let migrations = counted(part.migrations, "migration", "migrations");
    match part.instances(step(part)) {
        Some((low, high)) => format!("Between {} and {} instances in service; {migrations}.", short(low), short(high)),
        None => format!("{migrations}."),
    }
}

/// How many hours each point takes.
fn step(part: &Part) -> f64 {
    match part.by_time.as_slice() {
        [first, second, ..] => first.at.until(second.at).as_secs_f64() / 3_600.0,
        _ => 1.0,
    }
}

/// Points in rows: each a day, or several where there would be too many of them, or a point where they are few.
fn rows(few: &Few<'_>, zone: &TimeZone) -> Vec<(Timestamp, String, std::ops::Range<usize>)> {
    let Some(part) = few.parts.first() else { return Vec::new() };
    if part.by_time.len() <= ROWS / 2 {
        let point = |(place, at): (usize, Timestamp)| (at, clock_text(at, zone), place..place + 1);
        return part.by_time.iter().map(|point| point.at).enumerate().map(point).collect();
    }
    let mut days: Vec<(Timestamp, String, std::ops::Range<usize>)> = Vec::new();
    for (place, point) in part.by_time.iter().enumerate() {
        let day = day_text(point.at, zone);
        match days.last_mut() {
            Some((_, last, places)) if *last == day => places.end = place + 1,
            _ => days.push((point.at, day, place..place + 1)),
        }
    }
    let together = days.len().div_ceil(ROWS).max(1);
    let merged = days.chunks(together).filter_map(|days| {
        let (first, last) = days.first().zip(days.last())?;
        let name = if together == 1 { first.1.clone() } else { format!("{} to {}", first.1, last.1) };
        Some((first.0, name, first.2.start..last.2.end))
    });
    merged.collect()
}

fn table(few: &Few<'_>, zone: &TimeZone) -> Markup {
    html! {
        table {
            caption { "Instance-hours in service and migrations, over time" }
            thead {
                tr {
                    th scope="col" rowspan="2" { "From" }
                    @for part in &few.parts { th scope="colgroup" colspan="2" { (part.name) } }
                }
                tr {
                    @for _ in &few.parts {
                        th.n scope="col" { "Instance-hours" }
                        th.n scope="col" { "Migrations" }
                    }
                }
            }
            tbody {
                @for (_, name, places) in rows(few, zone) {
                    tr {
                        th scope="row" { (name) }
                        @for part in &few.parts {
                            @let points = part.by_time.get(places.clone()).unwrap_or_default();
                            td.n { (exact(points.iter().map(|point| point.hours).sum())) }
                            td.n { (count(points.iter().map(|point| point.migrations).sum())) }
                        }
                    }
                }
            }
        }
    }
}
