//! The page: one file that asks nothing of anybody, for a screen of any width, for paper, and for those who listen.

use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::document::Document;
use super::few::Few;
use super::sections::{age, capacity, clock, coverage, exposed, made, parts, rates, summary, verified};
use super::words::day_text;

const STYLE: &str = include_str!("style.css");
/// Nothing may be loaded and nothing may run, whatever found its way into the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// A section of the page.
pub(super) struct Section {
    /// Where links lead to.
    pub(super) id: &'static str,
    pub(super) heading: &'static str,
    /// What links to it say.
    pub(super) link: &'static str,
    pub(super) body: Markup,
}

/// Renders the page.
pub(super) fn render(document: &Document, zone: &TimeZone) -> String {
    let few = Few::of(&document.findings);
    let sections = [
        summary::section(document, zone),
        rates::section(document, &few),
        parts::section(document, &few),
        capacity::section(document, &few, zone),
        clock::section(document, &few),
        age::section(document),
        exposed::section(document, zone),
        verified::section(document),
        coverage::section(document),
        made::section(document),
    ];
    let window = document.findings.window;
    let title = format!("Migration exposure, {} to {}", day_text(window.from, zone), day_text(window.to, zone));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content={ "exposure " (document.made_by.version) };
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the findings" }
                header {
                    h1 { "Migration exposure" }
                    p.lead { "Instances that AWS moved to another host while they ran, "
                        (day_text(window.from, zone)) " to " (day_text(window.to, zone))
                        ". Hours of the day are those of " (document.findings.time_zone) "." }
                    (coverage::banner(document))
                    nav aria-label="Contents" {
                        ul { @for section in &sections { li { a href={ "#" (section.id) } { (section.link) } } } }
                    }
                }
                main id="main" tabindex="-1" {
                    @for section in &sections {
                        section id=(section.id) aria-labelledby={ (section.id) "-h" } {
                            h2 id={ (section.id) "-h" } { (section.heading) }
                            (section.body)
                        }
                    }
                }
                footer { p { "Made by exposure " (document.made_by.version) " from records alone, without any request." } }
            }
        }
    }
    .into_string()
}

/// A figure: pictures, what they show, and the numbers behind them as a table that opens and is open on paper. `of` says
/// of what, to tell one table from another.
pub(super) fn figure(of: &str, pictures: &Markup, caption: &Markup, table: &Markup) -> Markup {
    html! {
        figure {
            (pictures)
            figcaption { (caption) }
            (numbers(of, table))
        }
    }
}

/// A table that opens.
pub(super) fn numbers(of: &str, table: &Markup) -> Markup {
    html! { details { summary { "The numbers as a table: " (of) } (scrolled(&format!("Table: {of}"), table)) } }
}

/// A table that may be wider than the screen: it scrolls in its own box, by keyboard too.
pub(super) fn scrolled(label: &str, table: &Markup) -> Markup {
    html! { div.scroll role="region" aria-label=(label) tabindex="0" { (table) } }
}
