//! What could be seen, and what had to be assumed.

use exposure_core::analysis::{Coverage, Sight, SourceCoverage};
use exposure_core::evidence::findings::{Assumed, StackFindings};
use maud::{Markup, html};

use super::super::document::Document;
use super::super::number::{count, exact, percent, short};
use super::super::page::{Section, scrolled};
use super::super::words::counted;
use crate::text::shown;

pub(crate) fn section(document: &Document) -> Section {
    let body = html! {
        ul.said {
            li { (seen(&document.coverage)) }
            @for line in assumed(&document.findings.assumed) { li { (line) } }
            @for stack in document.findings.stacks.iter().filter(|stack| stack.dispersion > CLUSTERED).take(CLUSTERS) { li { (clustered(stack)) } }
            li { "Counted are confirmed and presumed migrations of instances of a known stack; volumes without encryption "
                "leave no trace at all, and their migrations are not seen." }
            li { "A rate takes every instance-hour of a stack and an hour of the day to be equally prone to a migration, "
                "whatever the instance's type and zone." }
        }
        @if document.coverage.sources.is_empty() {
            p { "No record names an account and region." }
        } @else {
            (scrolled("Coverage by account and region", &sources(&document.coverage)))
        }
    };
    Section {
        id: "coverage",
        heading: "What could be seen, and what was assumed",
        link: "Coverage and assumptions",
        body,
    }
}

/// Above which migrations come in clusters worth a sentence.
const CLUSTERED: f64 = 1.2;
/// Of how many stacks that is said; the table of rates has it of all.
const CLUSTERS: usize = 8;

/// The first thing on the page where a source is blind: then no number of it means what it says.
pub(crate) fn banner(document: &Document) -> Markup {
    let blind: Vec<String> =
        document.coverage.sources.iter().filter(|source| source.sight == Sight::Blind).map(place).collect();
    html! {
        @if document.coverage.blind {
            p.banner role="note" {
                strong { "Blind: " (blind.join(", ")) ". " }
                "Launches are seen there and their Decrypts are not, so migrations cannot be seen either. Every count and "
                "rate on this page is too low by an unknown amount, and a zero means nothing. "
                code { "exposure preflight" } " tells why and what to do."
            }
        }
    }
}

fn place(source: &SourceCoverage) -> String {
    format!("{} {}", source.account, source.region)
}

fn seen(coverage: &Coverage) -> Markup {
    html! {
        @match coverage.percent() {
            Some(share) => {
                "Of " (counted(coverage.launched, "instance", "instances")) " launched while it was looked at, "
                (percent(share / 100.0)) " showed the Decrypt of " @if coverage.launched == 1 { "its" } @else { "their" }
                " launch; of the others a migration may look like it."
            },
            None => "No launch is in view, so nothing shows that Decrypts would be seen.",
        }
    }
}

fn assumed(assumed: &Assumed) -> Vec<String> {
    let mut said = Vec::new();
    if assumed.launches_unseen > 0 {
        said.push(format!(
            "{} launched out of view: taken to have been in service from the beginning of the time looked at.",
            counted(assumed.launches_unseen, "instance was", "instances were")
        ));
    }
    if assumed.departures_unseen > 0 {
        said.push(format!(
            "{} out of view: taken to have been in service up to the last trace.",
            counted(assumed.departures_unseen, "instance left", "instances left")
        ));
    }
    said.push(if assumed.hours_share > 0.0 {
        format!("{} of all instance-hours had to be assumed.", percent(assumed.hours_share))
    } else {
        "No instance-hour had to be assumed.".to_owned()
    });
    said
}

fn clustered(stack: &StackFindings) -> String {
    format!(
        "Migrations of {} come in clusters: they vary {} times as much as independent ones would, and intervals are wider for it.",
        super::super::few::name(&stack.stack),
        short(stack.dispersion)
    )
}

fn sources(coverage: &Coverage) -> Markup {
    html! {
        table {
            caption { "Accounts and regions" }
            thead {
                tr {
                    th scope="col" { "Account" }
                    th scope="col" { "Region" }
                    th.n scope="col" { "Launches" }
                    th.n scope="col" { "with their Decrypt" }
                    th.n scope="col" { "Share" }
                    th scope="col" { "What follows" }
                }
            }
            tbody {
                @for source in &coverage.sources {
                    tr.loud[source.sight == Sight::Blind] {
                        th scope="row" { (source.account) }
                        td { (shown(source.region.as_str())) }
                        td.n { (count(source.launched)) }
                        td.n { (count(source.baseline_seen)) }
                        td.n { @if let Some(share) = share(source) { (exact(share)) " %" } @else { "–" } }
                        td { (sight(source.sight)) }
                    }
                }
            }
        }
    }
}

fn share(source: &SourceCoverage) -> Option<f64> {
    let share = super::super::number::float(source.baseline_seen) / super::super::number::float(source.launched);
    (source.launched > 0).then_some(100.0 * share)
}

fn sight(sight: Sight) -> &'static str {
    match sight {
        Sight::Seeing => "seeing",
        Sight::Unknown => "too few launches to tell",
        Sight::Blind => "BLIND: launches without Decrypts",
    }
}
