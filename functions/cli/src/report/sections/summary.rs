//! The findings in sentences, and the few numbers that everybody asks for.

use exposure_core::analysis::StackRow;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::super::document::Document;
use super::super::number::{count, exact, percent};
use super::super::page::Section;
use super::super::words::{clock_text, counted};
use crate::text::shown;

pub(crate) fn section(document: &Document, zone: &TimeZone) -> Section {
    let body = html! {
        (tiles(document))
        ul.said { @for sentence in &document.findings.summary { li { (shown(sentence)) } }
            @if let Some(verification) = &document.verification { li { (shown(&verification.sentences.verdict)) } }
        }
        p.note {
            "From " (clock_text(document.findings.window.from, zone)) " to "
            (clock_text(document.findings.window.to, zone)) ". "
            "A migration is a second, unexplained Decrypt of an instance's volumes. An instance is exposed from then on "
            "until its next lifecycle transition: IMDS answers 404 for its target lifecycle state."
        }
    };
    Section { id: "summary", heading: "In short", link: "In short", body }
}

fn tiles(document: &Document) -> Markup {
    let all = StackRow::sum("all", &document.stacks);
    let stacks = &document.findings.stacks;
    let migrations: u64 = stacks.iter().map(|stack| stack.migrations).sum();
    let hours: f64 = stacks.iter().map(|stack| stack.hours).sum();
    let blind = document.coverage.blind;
    html! {
        dl.tiles {
            div.tile.loud[document.fleet_known && all.exposed > 0 || blind] {
                dt { "exposed now" @if blind { ", as far as seen" } }
                dd {
                    @if document.fleet_known { b { (count(all.exposed)) } " of " (counted(all.members, "member", "members")) }
                    @else { b { "not known" } " without a fleet" }
                }
            }
            div.tile.loud[blind] {
                dt { "migrations" @if blind { ", as far as seen" } }
                dd { b { (count(migrations)) } " in " (counted(stacks.len() as u64, "stack", "stacks")) }
            }
            div.tile {
                dt { "instance-hours" }
                dd { b { (exact(hours)) } " in service" }
            }
            div.tile.loud[blind] {
                dt { "coverage" }
                dd {
                    @match document.coverage.percent() {
                        Some(share) => b { (percent(share / 100.0)) },
                        None => b { "not known" },
                    }
                    " of launches seen" @if blind { ", and blind" }
                }
            }
        }
    }
}
