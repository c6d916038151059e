//! What must hold of the catalogue whatever it says.

use std::collections::BTreeSet;

use super::*;
use crate::metrics::{Kind, Split, Stability};

/// The identifiers of an expression, without the names of functions.
fn identifiers(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric());
    let plain = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
    words.filter(plain).collect()
}

fn parameters() -> BTreeSet<&'static str> {
    PARAMETERS.iter().map(|parameter| parameter.name).collect()
}

#[test]
fn names_stand_once_and_belong_to_their_words() {
    let names: Vec<&str> =
        METRIC_ALARMS.iter().map(|alarm| alarm.name).chain(COMPOSITES.iter().map(|alarm| alarm.name)).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert_eq!(names.len(), 25);
    for name in names {
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{name}");
    }
}

#[test]
fn every_alarm_rests_on_stable_metrics_in_the_dimension_that_they_have() {
    let mut own = 0;
    for alarm in METRIC_ALARMS {
        for line in alarm.lines {
            let Line::Of(_, Watched::Own(metric)) = line else { continue };
            own += 1;
            assert_eq!(metric.stability, Stability::Stable, "{}: {}", alarm.name, metric.name);
            let by_stack = alarm.scope == Scope::Stack;
            assert!(
                if by_stack { metric.split != Split::Fleet } else { metric.split != Split::Stack },
                "{}",
                alarm.name
            );
        }
    }
    assert!(own > 20);
}

#[test]
fn counters_are_read_as_differences() {
    let mut counters = 0;
    for alarm in METRIC_ALARMS {
        let counter = |line: &Line| matches!(line, Line::Of(_, Watched::Own(metric)) if metric.kind == Kind::Counter);
        if alarm.lines.iter().any(counter) {
            counters += 1;
            let math = alarm.lines.iter().any(|line| matches!(line, Line::Math(_, math) if math.starts_with("DIFF(")));
            assert!(math && alarm.lines.iter().filter(|line| counter(line)).count() == 2, "{}", alarm.name);
        }
    }
    assert_eq!(counters, 2);
}

#[test]
fn expressions_name_lines_before_them_and_use_all_of_them() {
    for alarm in METRIC_ALARMS {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        let mut used: BTreeSet<&str> = BTreeSet::new();
        for line in alarm.lines {
            let id = match line {
                Line::Of(id, _) => id,
                Line::Math(id, expression) => {
                    let plain = expression.split("${").next().unwrap_or_default();
                    let named = identifiers(plain);
                    assert!(named.is_subset(&known), "{}: {expression}", alarm.name);
                    used.extend(named);
                    id
                }
            };
            assert!(known.insert(id), "{}: {id}", alarm.name);
        }
        assert_eq!(known.difference(&used).count(), 1, "{}: all but the last are used", alarm.name);
    }
}

#[test]
fn what_holds_its_state_over_missing_data_needs_all_its_points_or_lingers() {
    // Of an alarm that needs only some of its points, those that fall out of CloudWatch's view one after the other could
    // leave a good one over, and make it look recovered. The steady points of an exposure do not.
    let mut lingering = Vec::new();
    for alarm in METRIC_ALARMS.iter().filter(|alarm| alarm.missing == Missing::Ignore) {
        if alarm.periods != alarm.datapoints {
            lingering.push(alarm.name);
        }
    }
    assert_eq!(lingering, ["exposed-share", "exposed-count", "worst-stack"]);
    let silent = METRIC_ALARMS.iter().filter(|alarm| alarm.missing == Missing::Breaching).map(|alarm| alarm.name);
    assert_eq!(silent.collect::<Vec<_>>(), ["run-missing"], "silence pages once");
}

#[test]
fn only_composites_page_and_every_part_is_in_one() {
    assert!(METRIC_ALARMS.iter().all(|alarm| alarm.severity != Severity::Page));
    let pages = COMPOSITES.iter().filter(|alarm| alarm.severity == Severity::Page).map(|alarm| alarm.name);
    assert_eq!(pages.collect::<Vec<_>>(), ["exposure", "health", "other-stacks"]);
    let scope_of = |name: &str| {
        let metric = METRIC_ALARMS.iter().find(|alarm| alarm.name == name).map(|alarm| alarm.scope);
        metric.or_else(|| COMPOSITES.iter().find(|alarm| alarm.name == name).map(|alarm| alarm.scope))
    };
    let mut parts = BTreeSet::new();
    for composite in COMPOSITES {
        match composite.rule {
            Rule::Any(names) | Rule::AnyNotOk(names) => {
                for name in names {
                    assert_eq!(scope_of(name), Some(composite.scope), "{}: {name}", composite.name);
                    parts.insert(*name);
                }
            }
            Rule::AnyStack(name) => assert_eq!((scope_of(name), composite.scope), (Some(Scope::Stack), Scope::Fleet)),
        }
        if let Some(suppressor) = composite.suppressor {
            assert_eq!(scope_of(suppressor.alarm), Some(Scope::Fleet), "{}", composite.name);
            parts.insert(suppressor.alarm);
        }
    }
    let acts = |name: &str| COMPOSITES.iter().any(|alarm| alarm.name == name && alarm.tells_end);
    let silent = METRIC_ALARMS.iter().map(|alarm| (alarm.name, alarm.severity));
    let silent = silent.chain(COMPOSITES.iter().map(|alarm| (alarm.name, alarm.severity)));
    for (name, severity) in silent.filter(|(_, severity)| *severity == Severity::Part) {
        assert!(parts.contains(name) || acts(name), "{name} ({severity:?}) leads to nothing");
    }
}

#[test]
fn nothing_tells_an_end_that_could_not_be_seen() {
    for composite in COMPOSITES.iter().filter(|alarm| alarm.tells_end) {
        // Health ends with what it watches: each of its parts needs a point of a run to end.
        if composite.name == "health" {
            continue;
        }
        let suppressor = composite.suppressor.unwrap_or_else(|| panic!("{} has no suppressor", composite.name));
        assert_eq!(suppressor.alarm, "unsighted");
        let slowest = METRIC_ALARMS
            .iter()
            .filter(|alarm| ["run-missing", "source-blind", "targets-failing", "coverage-low"].contains(&alarm.name))
            .map(|alarm| alarm.delay.at_most)
            .max();
        // Eleven points of which three must breach: it takes nine good ones to end.
        let lingers = METRIC_ALARMS.iter().filter(|alarm| ["exposed-share", "exposed-count"].contains(&alarm.name));
        for alarm in lingers {
            assert_eq!((alarm.periods, alarm.datapoints), (Setting::Fixed(11.0), Setting::Fixed(3.0)));
        }
        assert!(Some(9 - 1) >= slowest, "{}: {slowest:?}", composite.name);
        assert_eq!(composite.delay.at_least, 9 + suppressor.wait - 1);
    }
}

#[test]
fn parameters_are_all_used_and_all_known() {
    let mut used = BTreeSet::new();
    let settings = METRIC_ALARMS.iter().flat_map(|alarm| [alarm.threshold, alarm.periods, alarm.datapoints]);
    used.extend(settings.filter_map(|setting| if let Setting::Parameter(name) = setting { Some(name) } else { None }));
    assert_eq!(used, parameters());
}

#[test]
fn texts_say_what_is_so_how_long_it_takes_and_where_to_read_on() {
    let told = METRIC_ALARMS.iter().map(|alarm| (alarm.name, alarm.meaning, alarm.delay));
    let told = told.chain(COMPOSITES.iter().map(|alarm| (alarm.name, alarm.meaning, alarm.delay)));
    for (name, meaning, delay) in told {
        let text = description(name, meaning, &delay);
        // CloudWatch API, PutMetricAlarm, AlarmDescription: at most 1024. A URL and values take the places.
        assert!(text.len() < 700, "{name}: {}", text.len());
        assert!(meaning.ends_with('.') && !meaning.contains("  "), "{name}");
        assert!(text.ends_with(&format!("${{RunbookUrl}}#{name}")), "{text}");
        assert!(text.contains("periods of ${PeriodSeconds} s"), "{text}");
        let known = ["Stack", "RunbookUrl", "PeriodSeconds"];
        for named in text.split("${").skip(1).filter_map(|rest| rest.split('}').next()) {
            assert!(known.contains(&named) || parameters().contains(named), "{name}: {named}");
        }
    }
}

#[test]
fn delays_follow_from_periods_delivery_and_settling() {
    let named = |name: &str| METRIC_ALARMS.iter().find(|alarm| alarm.name == name).expect(name).delay;
    let minutes = |delay: Delay| {
        let (least, most) = delay.of(Duration::from_mins(5));
        (least.as_secs() / 60, most.as_secs() / 60)
    };
    // Five minutes until CloudTrail shows it, fifteen to settle, up to a period until a run, and two points more.
    assert_eq!(minutes(named("exposed-share")), (30, 36));
    assert_eq!(named("exposed-share").minutes(), "30 to 36 minutes");
    // The two periods that are asked for, and two that CloudWatch looks back.
    assert_eq!(minutes(named("run-missing")), (20, 26));
    for alarm in METRIC_ALARMS.iter().filter(|alarm| alarm.period == Period::Run) {
        let points = match alarm.datapoints {
            Setting::Fixed(points) => points,
            Setting::Parameter(name) => PARAMETERS.iter().find(|p| p.name == name).expect(name).default,
        };
        assert!(f64::from(alarm.delay.at_least) + 1.0 >= points, "{}", alarm.name);
        assert!(alarm.delay.at_least < alarm.delay.at_most, "{}", alarm.name);
    }
}
