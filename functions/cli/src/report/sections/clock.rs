//! The local day: when instances are in service, and when they are migrated.

use maud::{Markup, html};

use super::super::chart::clock::{Frame, span};
use super::super::document::Document;
use super::super::few::{Few, Part};
use super::super::number::{cells, count, exact, percent};
use super::super::page::{Section, figure};
use super::super::words::counted;

pub(crate) fn section(document: &Document, few: &Few<'_>) -> Section {
    let zone = &document.findings.time_zone;
    let body = if few.parts.is_empty() {
        html! { p { "No instance of a known stack was in service." } }
    } else {
        let frame = Frame::new(&few.parts.iter().map(|part| part.by_hour.as_slice()).collect::<Vec<_>>());
        let pictures = html! {
            div.grid-of-panels {
                @for (place, part) in few.parts.iter().enumerate() {
                    div.of-stack {
                        h3 { bdi { (part.name) } }
                        (frame.panel(&format!("clock-{place}"), (&title(part, zone), &description(part)), &part.by_hour))
                    }
                }
            }
        };
        let caption = html! {
            "Above, the rate in each hour of the day (" (zone) ") with the line that holds the true one in "
            (percent(document.findings.level)) " of such cases; a hollow dot is an hour without any migration. "
            "Below, the instance-hours that it is the rate of. All stacks have the same scales."
        };
        html! { (few.note()) (figure("by hour of the day", &pictures, &caption, &table(few))) }
    };
    Section { id: "clock", heading: "By hour of the day", link: "By hour", body }
}

fn title(part: &Part, zone: &str) -> String {
    format!("{} by hour of the day, {zone}", part.name)
}

fn description(part: &Part) -> String {
    match part.busiest() {
        Some((hour, most)) => {
            let most = counted(most, "migration", "migrations");
            format!(
                "{} in all; the most, {most}, from {}.",
                counted(part.migrations, "migration", "migrations"),
                span(hour)
            )
        }
        None => "No migration at any hour.".to_owned(),
    }
}

fn table(few: &Few<'_>) -> Markup {
    html! {
        table {
            caption { "Instance-hours, migrations, and migrations per 1,000 instance-hours, by hour of the day" }
            thead {
                tr {
                    th scope="col" { "Stack" }
                    th scope="col" { "Hour" }
                    th.n scope="col" { "Instance-hours" }
                    th.n scope="col" { "Migrations" }
                    th.n scope="col" { "Rate" }
                    th.n scope="col" { "at least" }
                    th.n scope="col" { "at most" }
                }
            }
            @for part in &few.parts {
                tbody {
                    @for (hour, cell) in part.by_hour.iter().enumerate() {
                        tr {
                            th scope="row" { (part.name) }
                            th scope="row" { (span(hour)) }
                            td.n { (exact(cell.hours)) }
                            td.n { (count(cell.migrations)) }
                            (cells(&cell.rate))
                        }
                    }
                }
            }
        }
    }
}
