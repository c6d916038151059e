//! Whether a second Decrypt really means a 404, held against what instances observed.

use exposure_core::evidence::exact::Estimate;
use exposure_core::evidence::observed::{Percentile, Permutation, Share, Verdict, Verification};
use maud::{Markup, html};

use super::super::chart::axis::Scale;
use super::super::chart::whiskers::{Row, whiskers};
use super::super::document::Document;
use super::super::number::{count, exact, percent};
use super::super::page::{Section, figure};
use crate::text::shown;

const HEADING: &str = "Does a second Decrypt mean a 404?";

pub(crate) fn section(document: &Document) -> Section {
    let body = match &document.verification {
        None => html! {
            p { "Not looked at: no observations of the on-instance check were given (" code { "--observations" } "). "
                "That a second Decrypt is the moment at which the 404 begins is what this page assumes, not what it shows." }
        },
        Some(found) => html! {
            p.verdict.(verdict_class(found.verdict)) { (shown(&found.sentences.verdict)) }
            div.beside {
                ul.said { @for sentence in sentences(found) { li { (shown(sentence)) } } }
                (figure("migrations and 404s", &picture(found), &caption(found), &tables(found)))
            }
            h3 { "Taken for granted" }
            ul.said { @for assumption in &found.assumptions { li { (shown(assumption)) } } }
        },
    };
    Section { id: "verified", heading: HEADING, link: "The 404", body }
}

fn verdict_class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "no-sign",
        Verdict::Partly | Verdict::TooFew => "too-few",
        Verdict::DoesNotHold => "differs",
    }
}

fn sentences(found: &Verification) -> impl Iterator<Item = &String> {
    let said = &found.sentences;
    let all = [
        &said.observed,
        &said.migrations,
        &said.onsets,
        &said.delays,
        &said.chance,
        &said.reboots,
        &said.causes,
        &said.sensitivity,
    ];
    all.into_iter().filter(|sentence| !sentence.is_empty())
}

/// The shares of the figure and of its table.
fn shares(found: &Verification) -> Vec<(String, Share)> {
    let mut shares = vec![
        ("Migrations → 404".to_owned(), found.migrations.followed),
        ("404s ← migration".to_owned(), found.onsets.preceded),
    ];
    shares.extend(found.causes.iter().map(|cause| (format!("{} → 404", cause.cause), cause.followed)));
    shares
}

fn picture(found: &Verification) -> Markup {
    let row = |(label, share): (String, Share)| {
        let estimate = Estimate { value: share.value, low: share.low, high: share.high };
        let value = match share.value {
            Some(value) => format!("{} of {}: {}", share.part, share.of, percent(value)),
            None => "none to judge".to_owned(),
        };
        Row { value, ..Row::new(label, estimate) }
    };
    let rows: Vec<Row> = shares(found).into_iter().map(row).collect();
    whiskers("verified-1", HEADING, Scale::Share, None, &rows)
}

fn caption(found: &Verification) -> Markup {
    html! {
        "Of the migrations that were watched, how many were followed by a 404 within "
        (found.settings.within_seconds / 60) " minutes; of the 404s, how many had a migration before them; and how many "
        "reattachments of other causes came with one. The lines hold the true share in "
        (percent(found.settings.level)) " of such cases."
    }
}

fn tables(found: &Verification) -> Markup {
    html! {
        table {
            caption { "Shares" }
            thead {
                tr {
                    th scope="col" { "Of" }
                    @for heading in ["How many", "of", "Share", "at least", "at most"] { th.n scope="col" { (heading) } }
                }
            }
            tbody {
                @for (label, share) in shares(found) {
                    tr {
                        th scope="row" { (label) }
                        td.n { (count(share.part)) }
                        td.n { (count(share.of)) }
                        td.n { @match share.value { Some(value) => (exact(value)), None => "–" } }
                        td.n { (exact(share.low)) }
                        td.n { (exact(share.high)) }
                    }
                }
            }
        }
        (percentiles("From the first Decrypt to the 404, in seconds", &found.delays.percentiles))
        (percentiles("How long a 404 lasted, in seconds", &found.absences.percentiles))
        (chance(found))
    }
}

fn percentiles(caption: &str, found: &[Percentile]) -> Markup {
    let cell = |seconds: Option<i64>| html! { td.n { @match seconds { Some(seconds) => data value=(seconds) { (seconds) }, None => "–" } } };
    html! {
        table {
            caption { (caption) }
            thead {
                tr {
                    th scope="col" { "Percentile" }
                    @for heading in ["Seconds", "at least", "at most"] { th.n scope="col" { (heading) } }
                }
            }
            tbody {
                @for one in found {
                    tr { th scope="row" { (one.percent) " %" } (cell(one.seconds)) (cell(one.low)) (cell(one.high)) }
                }
            }
        }
    }
}

fn chance(found: &Verification) -> Markup {
    let row = |label: &str, permutation: Option<&Permutation>| {
        html! {
            tr {
                th scope="row" { (label) }
                @match permutation {
                    Some(permutation) => { td.n { (exact(permutation.expected)) } td.n { (exact(permutation.p)) } },
                    None => { td.n { "–" } td.n { "–" } },
                }
            }
        }
    };
    html! {
        table {
            caption { "Pairs by chance: " (count(found.chance.matched)) " of " (count(found.chance.migrations))
                " migrations have a 404 where they are" }
            thead {
                tr {
                    th scope="col" { "Migrations put" }
                    th.n scope="col" { "Pairs expected" }
                    th.n scope="col" { "p" }
                }
            }
            tbody {
                (row("onto any instance at any time", found.chance.anywhere.as_ref()))
                (row("onto another instance at the same time", found.chance.same_times.as_ref()))
            }
        }
    }
}
