//! The members that are exposed now.

use exposure_core::analysis::{InstanceRow, StackRow};
use exposure_core::time::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::super::document::Document;
use super::super::few::full_name;
use super::super::number::{count, percent};
use super::super::page::{Section, scrolled};
use super::super::words::{clock_text, counted, duration};
use crate::table::last_counted;
use crate::text::shown;

/// How many instances stand in sight, and how many older ones in a table that opens.
const IN_SIGHT: usize = 25;
const LISTED: usize = 300;

pub(crate) fn section(document: &Document, zone: &TimeZone) -> Section {
    let body = if document.fleet_known {
        html! {
            (scrolled("Verdicts by stack", &verdicts(&document.stacks)))
            (listed(document, zone))
        }
    } else {
        html! {
            p { "Who is in the fleet now is not known, so there are no verdicts: give the output of "
                code { "aws autoscaling describe-auto-scaling-groups" } " as " code { "--fleet" }
                ". Migrations are found without it." }
        }
    };
    Section { id: "exposed", heading: "Exposed now", link: "Exposed now", body }
}

fn verdicts(stacks: &[StackRow]) -> Markup {
    let all = StackRow::sum("All", stacks);
    html! {
        table {
            caption { "Members by verdict" }
            thead {
                tr {
                    th scope="col" { "Stack" }
                    @for heading in ["Members", "In service", "Exposed", "Recovered", "Clean", "Unseen", "Undetermined", "Exposed share"] {
                        th.n scope="col" { (heading) }
                    }
                }
            }
            tbody { @for row in stacks { (verdict_row(row)) } }
            @if stacks.len() > 1 { tfoot { (verdict_row(&all)) } }
        }
    }
}

fn verdict_row(row: &StackRow) -> Markup {
    let counts = [row.members, row.in_service, row.exposed, row.recovered, row.clean, row.unseen, row.undetermined];
    html! {
        tr {
            th scope="row" { (full_name(&row.stack)) }
            @for found in counts { td.n { (count(found)) } }
            td.n { (row.exposed_percent().map_or_else(|| "–".to_owned(), |share| percent(share / 100.0))) }
        }
    }
}

fn listed(document: &Document, zone: &TimeZone) -> Markup {
    let exposed = &document.exposed;
    if exposed.is_empty() {
        return html! { p { "No member is known to be exposed." } };
    }
    let now = document.findings.window.to;
    let (newest, older) = exposed.split_at(exposed.len().min(IN_SIGHT));
    let (older, left_out) = older.split_at(older.len().min(LISTED));
    html! {
        (scrolled("Exposed members", &list("Exposed members, newest first", newest, now, zone)))
        @if !older.is_empty() {
            details {
                summary { (counted(older.len() as u64, "older one", "older ones")) }
                (scrolled("Older exposed members", &list("Exposed members, the older ones", older, now, zone)))
            }
        }
        @if !left_out.is_empty() {
            p.note { "And " (counted(left_out.len() as u64, "still older one", "still older ones"))
                " that this page does not list; " code { "exposure report --format json" } " lists them all." }
        }
    }
}

fn list(caption: &str, instances: &[InstanceRow], now: Timestamp, zone: &TimeZone) -> Markup {
    html! {
        table {
            caption { (caption) }
            thead {
                tr {
                    @for heading in ["Instance", "Stack", "Group", "Account and region", "Exposed since", "For", "Age then", "Migration"] {
                        th scope="col" { (heading) }
                    }
                }
            }
            tbody { @for instance in instances { (row(instance, now, zone)) } }
        }
    }
}

fn row(instance: &InstanceRow, now: Timestamp, zone: &TimeZone) -> Markup {
    let migration = instance.migrations.iter().rfind(|migration| migration.confidence.counts());
    let since = instance.exposed_since.or_else(|| last_counted(instance));
    let place = [instance.account.map(|a| a.to_string()), instance.region.as_ref().map(ToString::to_string)];
    let place = place.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let age = migration
        .and_then(|migration| Some(migration.at - jiff::SignedDuration::from_secs(migration.instance_age_seconds?)));
    html! {
        tr {
            th scope="row" { code { (instance.instance_id) } }
            td { (instance.stack.as_deref().map_or_else(|| "–".to_owned(), full_name)) }
            td { (instance.auto_scaling_group.as_ref().map_or_else(|| "–".to_owned(), |group| shown(group.as_str()))) }
            td { (place) }
            td { (since.map_or_else(|| "–".to_owned(), |since| clock_text(since, zone))) }
            td { (since.map_or_else(|| "–".to_owned(), |since| duration(since, now))) }
            td { (migration.zip(age).map_or_else(|| "–".to_owned(), |(migration, launched)| duration(launched, migration.at))) }
            td { (migration.map_or_else(|| "–".to_owned(), |migration| migration.confidence.to_string())) }
        }
    }
}
