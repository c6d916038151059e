//! Whether migrations go with the age of an instance or with the hour of the day.

use exposure_core::evidence::findings::{AgeOrClock, Standardised};
use maud::{Markup, html};

use super::super::chart::axis::Scale;
use super::super::chart::whiskers::{Reference, Row, whiskers};
use super::super::document::Document;
use super::super::number::{cells, count, exact};
use super::super::page::{Section, figure};
use crate::text::shown;

pub(crate) fn section(document: &Document) -> Section {
    let body = match &document.findings.age_or_clock {
        None => html! { p { "No launch of an instance is on record, so no age is known." } },
        Some(found) => html! {
            p { (shown(&found.sentence)) }
            (figure("age and clock", &pictures(found), &caption(), &table(found)))
        },
    };
    Section { id: "age", heading: "Age or the clock?", link: "Age or clock", body }
}

fn pictures(found: &AgeOrClock) -> Markup {
    let all = || found.ages.iter().chain(&found.clock);
    let scale = Scale::of_factors(all().filter(|class| class.hours > 0.0).map(|class| &class.factor));
    html! {
        div.grid-of-panels {
            (picture("age-1", "By age of the instance", scale, &found.ages))
            (picture("age-2", "By part of the day", scale, &found.clock))
        }
    }
}

fn picture(id: &str, heading: &str, scale: Scale, classes: &[Standardised]) -> Markup {
    let with_time = classes.iter().filter(|class| class.hours > 0.0);
    let rows: Vec<Row> = with_time.map(|class| Row::new(class.class, class.factor)).collect();
    let reference = Reference { at: 1.0, label: "as the others".to_owned() };
    html! {
        div.of-stack {
            h3 { (heading) }
            (whiskers(id, heading, scale, Some(&reference), &rows))
        }
    }
}

fn caption() -> Markup {
    html! {
        "How many times as often an instance-hour of a class sees a migration as others that are alike but for it: "
        "classes of age at the same hours of the day, and parts of the day at the same ages. Only instances whose "
        "launch is on record have an age."
    }
}

fn table(found: &AgeOrClock) -> Markup {
    html! {
        table {
            caption { "Migrations by age and by part of the day, with those expected if it made no difference" }
            thead {
                tr {
                    th scope="col" { "Class" }
                    th.n scope="col" { "Instance-hours" }
                    th.n scope="col" { "Migrations" }
                    th.n scope="col" { "Expected" }
                    th.n scope="col" { "Factor" }
                    th.n scope="col" { "at least" }
                    th.n scope="col" { "at most" }
                    th.n scope="col" { "p, adjusted" }
                }
            }
            @for classes in [&found.ages, &found.clock] {
                tbody {
                    @for class in classes {
                        tr {
                            th scope="row" { (class.class) }
                            td.n { (exact(class.hours)) }
                            td.n { (count(class.migrations)) }
                            td.n { (exact(class.expected)) }
                            (cells(&class.factor))
                            td.n { (exact(class.p_adjusted)) }
                        }
                    }
                }
            }
            @if found.unknown.hours > 0.0 {
                tbody {
                    tr {
                        th scope="row" { "of unknown age" }
                        td.n { (exact(found.unknown.hours)) }
                        td.n { (count(found.unknown.migrations)) }
                        @for _ in 0..5 { td.n { "–" } }
                    }
                }
            }
        }
    }
}
