//! The rates of the stacks with their intervals.

use exposure_core::evidence::findings::Findings;
use maud::{Markup, html};

use super::super::chart::axis::Scale;
use super::super::chart::whiskers::{Reference, Row, whiskers};
use super::super::document::Document;
use super::super::few::{Few, full_name};
use super::super::number::{cells, count, exact, float, percent, short};
use super::super::page::{Section, figure};
use crate::text::shown;

const HEADING: &str = "Rates: migrations per 1,000 instance-hours";

/// From which share of the largest stack's instance-hours on a stack has a say in the scale.
const WEIGHTY: f64 = 0.02;
/// Of how many stacks the rates are told in words too.
const IN_WORDS: usize = 3;

pub(crate) fn section(document: &Document, few: &Few<'_>) -> Section {
    let findings = &document.findings;
    let body = if few.parts.is_empty() {
        html! { p { "No instance of a known stack was in service, so there is no rate." } }
    } else {
        html! {
            @if few.named.len() <= IN_WORDS {
                ul.said { @for stack in &few.named { li { (shown(&stack.sentence)) } } }
            }
            (few.note())
            (figure("rates", &picture(findings, few), &caption(findings), &table(findings)))
        }
    };
    Section { id: "rates", heading: HEADING, link: "Rates", body }
}

fn picture(findings: &Findings, few: &Few<'_>) -> Markup {
    let rows: Vec<Row> = few.parts.iter().map(|part| Row::new(part.name.clone(), part.total.rate)).collect();
    let all = pooled(findings).map(|rate| Reference { at: rate, label: format!("all: {}", short(rate)) });
    // A stack of a few instance-hours has an interval that would flatten all the others.
    let most = few.parts.iter().map(|part| part.total.hours).fold(0.0, f64::max);
    let weighty = few.parts.iter().filter(|part| part.total.hours >= WEIGHTY * most);
    let scale = Scale::of_rates(weighty.map(|part| &part.total.rate));
    whiskers("rates-1", HEADING, scale, all.as_ref(), &rows)
}

/// The rate of all stacks together.
fn pooled(findings: &Findings) -> Option<f64> {
    let hours: f64 = findings.stacks.iter().map(|stack| stack.hours).sum();
    let migrations: u64 = findings.stacks.iter().map(|stack| stack.migrations).sum();
    (hours > 0.0 && findings.stacks.len() > 1).then(|| 1_000.0 * float(migrations) / hours)
}

fn caption(findings: &Findings) -> Markup {
    html! {
        "The dot is the rate; the line holds the true one in " (percent(findings.level)) " of such cases. "
        @if findings.stacks.len() > 1 { "The dashed line is the rate of all stacks together. " }
        "Where a line ends in an arrow it goes on. "
        "A higher rate alone says nothing of the stack itself: see where the difference comes from."
    }
}

fn table(findings: &Findings) -> Markup {
    html! {
        table {
            caption { "Migrations per 1,000 instance-hours by stack" }
            thead {
                tr {
                    th scope="col" { "Stack" }
                    th.n scope="col" { "Migrations" }
                    th.n scope="col" { "Instance-hours" }
                    th.n scope="col" { "of them assumed" }
                    th.n scope="col" { "Rate" }
                    th.n scope="col" { "at least" }
                    th.n scope="col" { "at most" }
                    th.n scope="col" { "Clustering" }
                }
            }
            tbody {
                @for stack in &findings.stacks {
                    tr {
                        th scope="row" { (full_name(&stack.stack)) }
                        td.n { (count(stack.migrations)) }
                        td.n { (exact(stack.hours)) }
                        td.n { (exact(stack.assumed_hours)) }
                        (cells(&stack.rate))
                        td.n { (exact(stack.dispersion)) }
                    }
                }
            }
        }
    }
}
