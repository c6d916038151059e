//! Where a difference between stacks comes from: capacity, timing, and the stack itself.

use exposure_core::evidence::exact::Estimate;
use exposure_core::evidence::findings::{ComparisonFindings, Decides, Findings};
use maud::{Markup, html};

use super::super::chart::axis::Scale;
use super::super::chart::whiskers::{Reference, Row, whiskers};
use super::super::document::Document;
use super::super::few::{Few, full_name, name};
use super::super::number::{cells, chance, exact, percent};
use super::super::page::{Section, figure, numbers};
use crate::text::shown;

const HEADING: &str = "Where a difference comes from";
const ITSELF: &str = "× the stack itself";
const RATES: &str = "Rates";

pub(crate) fn section(document: &Document, few: &Few<'_>) -> Section {
    let findings = &document.findings;
    let body = match findings.comparisons.as_slice() {
        [] => html! { p { "There are no two stacks to compare." } },
        [only] => html! {
            p { (how(findings)) }
            (comparison(0, only, findings.level))
        },
        several => {
            let is_named = |one: &&ComparisonFindings| few.named.iter().any(|stack| stack.stack == one.first);
            html! {
                p { (how(findings)) " Each stack is held against all others together, and every verdict allows for how "
                    "many of them there are (Holm's way)." }
                (few.note())
                @for (place, one) in several.iter().filter(is_named).enumerate() { (comparison(place, one, findings.level)) }
                @if several.len() > few.named.len() { (numbers("all comparisons", &table(several))) }
            }
        }
    };
    Section { id: "parts", heading: HEADING, link: "Where a difference comes from", body }
}

fn how(findings: &Findings) -> Markup {
    html! {
        "The number of migrations of one stack for each of another's is a product: of " b { "capacity" }
        " (how many more instance-hours it had in service), of " b { "timing" }
        " (how much more an hour of the day in which they lie is prone to migrations), and of " b { "the stack itself" }
        " (what is left when instance-hours of the same hour of the day are compared). The lines hold the truth in "
        (percent(findings.level)) " of such cases; that of capacity counts none or all of the time that had to be assumed."
    }
}

fn comparison(place: usize, one: &ComparisonFindings, level: f64) -> Markup {
    let against = one.second.as_deref().map_or_else(|| "all others".to_owned(), name);
    let sentences = &one.sentences;
    let said = [&sentences.capacity, &sentences.timing, &Some(sentences.itself.clone()), &sentences.rates];
    let text = html! {
        p.verdict.(verdict_class(one.decides)) { (verdict(one, level)) }
        @if let Some(whole) = &sentences.whole { p { (shown(whole)) } }
        ul.said {
            @for sentence in said.into_iter().flatten() { li { (shown(sentence)) } }
            @if let Some(needed) = &one.needed { li { (shown(&needed.sentence)) } }
        }
    };
    let picture = picture(place, one, &against);
    let of = format!("{} against {against}", name(&one.first));
    html! {
        h3 { bdi { (name(&one.first)) } " against " bdi { (against) } }
        div.beside {
            div { (text) }
            (figure(&of, &picture, &caption(), &table(std::slice::from_ref(one))))
        }
    }
}

fn verdict_class(decides: Decides) -> &'static str {
    match decides {
        Decides::StackDiffers => "differs",
        Decides::NoSign => "no-sign",
        Decides::TooFew => "too-few",
    }
}

fn verdict(one: &ComparisonFindings, level: f64) -> Markup {
    let p = chance(one.itself_p_adjusted);
    html! {
        @match one.decides {
            Decides::StackDiffers => { b { "The stack itself differs" } " (" (p) ")." },
            Decides::NoSign => { b { "No sign that the stack itself differs" } " (" (p) "); one twice as bad would most "
                "likely have shown." },
            Decides::TooFew => { b { "Too few migrations to tell" } " whether the stack itself differs (" (p)
                "; below " (percent(1.0 - level)) " would be a sign)." },
        }
    }
}

fn caption() -> Markup {
    html! {
        "Factors on a scale of equal ratios; the line in the middle is 1, no difference. To the right the first stack "
        "has more. Rates are timing × the stack itself. Where a line ends in an arrow it goes on."
    }
}

/// The parts of a comparison, in the order in which they multiply.
fn factors(one: &ComparisonFindings) -> [(&'static str, Estimate); 5] {
    let counts = one.counts.unwrap_or(f64::NAN);
    let counts = if counts.is_finite() {
        Estimate { value: Some(counts), low: counts, high: counts }
    } else {
        Estimate { value: None, low: 0.0, high: f64::INFINITY }
    };
    [
        ("Migrations", counts),
        ("= capacity", one.capacity),
        ("× timing", one.timing),
        (ITSELF, one.itself),
        (RATES, one.rates),
    ]
}

fn picture(place: usize, one: &ComparisonFindings, against: &str) -> Markup {
    let factors = factors(one);
    let scale = Scale::of_factors(factors.iter().map(|(_, estimate)| estimate));
    let rows = factors.map(|(label, estimate)| Row { strong: label == ITSELF, ..Row::new(label, estimate) });
    let title = format!("Parts of the difference between {} and {against}", name(&one.first));
    let reference = Reference { at: 1.0, label: "no difference".to_owned() };
    whiskers(&format!("parts-{place}"), &title, scale, Some(&reference), &rows)
}

fn table(comparisons: &[ComparisonFindings]) -> Markup {
    html! {
        table {
            caption { "Parts of the difference between stacks, as factors" }
            thead {
                tr {
                    th scope="col" { "Stack" }
                    th scope="col" { "against" }
                    th scope="col" { "Part" }
                    th.n scope="col" { "Factor" }
                    th.n scope="col" { "at least" }
                    th.n scope="col" { "at most" }
                    th.n scope="col" { "p" }
                    th.n scope="col" { "p, adjusted" }
                }
            }
            @for one in comparisons {
                @let factors = factors(one);
                tbody {
                    @for (place, (part, factor)) in factors.iter().enumerate() {
                        tr {
                            @if place == 0 {
                                th scope="rowgroup" rowspan=(factors.len()) { (full_name(&one.first)) }
                                td rowspan=(factors.len()) {
                                    (one.second.as_deref().map_or_else(|| "all others".to_owned(), full_name))
                                }
                            }
                            th scope="row" { (part) }
                            (cells(factor))
                            (chances(one, part))
                        }
                    }
                }
            }
        }
    }
}

fn chances(one: &ComparisonFindings, part: &str) -> Markup {
    let found = match part {
        ITSELF => Some([one.itself_p, one.itself_p_adjusted]),
        RATES => Some([one.rates_p, one.rates_p_adjusted]),
        _ => None,
    };
    html! {
        @match found {
            Some(both) => @for p in both { td.n { (exact(p)) } },
            None => { td.n { "–" } td.n { "–" } },
        }
    }
}
