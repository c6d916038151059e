//! Each history leads to the states and the notifications that it states, and the engine is the one of the User Guide.

use std::collections::{BTreeMap, BTreeSet};

use exposure_core::alarms::{COMPOSITES, Comparison, METRIC_ALARMS, Scope};
use serde_json::{Value, json};

use super::engine::{Key, MetricAlarm, State};
use super::histories::{Histories, Outcome};
use super::math::Series;
use crate::template::load;

fn outcomes(histories: &Histories, template: &Value) -> BTreeMap<String, (Outcome, Outcome)> {
    let resources = histories.resources(template);
    let all = histories.all.iter();
    all.map(|history| (history.name.clone(), (history.expected(), histories.play(history, &resources)))).collect()
}

#[test]
fn every_history_leads_to_what_it_states() {
    let histories = Histories::load();
    let outcomes = outcomes(&histories, &load("alarms.yaml"));
    assert_eq!(outcomes.len(), histories.all.len(), "names stand once");
    assert!(outcomes.len() > 50);
    let wrong: Vec<String> = outcomes
        .iter()
        .filter(|(_, (expected, found))| expected != found)
        .map(|(name, (expected, found))| format!("{name}\n  expected {expected:?}\n  found    {found:?}\n"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn one_cause_notifies_once() {
    for history in &Histories::load().all {
        let expected = history.expected();
        let counts = [&expected.pages, &expected.tickets, &expected.ends].map(|counts| counts.values());
        assert!(counts.into_iter().flatten().all(|count| *count == 1), "{}", history.name);
        // Two stacks, or a stack and the analyzer, are two causes.
        let together = ["two stacks", "a listed stack and another"].contains(&history.name.as_str());
        let pages: BTreeSet<&str> = expected.pages.keys().map(String::as_str).collect();
        let of_stacks = pages.iter().filter(|name| **name != "health").count();
        assert!(of_stacks <= if together { 2 } else { 1 }, "{}: {pages:?}", history.name);
    }
}

#[test]
fn every_alarm_has_a_history_in_which_it_fires_and_one_spike() {
    let histories = Histories::load();
    let names: BTreeSet<&str> = histories.all.iter().map(|history| history.name.as_str()).collect();
    let fired: BTreeSet<String> = histories
        .all
        .iter()
        .flat_map(|history| history.expected().states)
        .filter(|(_, states)| states.contains('A'))
        .map(|(name, _)| name.replace("Nighttime-", "").replace("Daytime-", ""))
        .collect();
    for alarm in METRIC_ALARMS {
        assert!(fired.contains(alarm.name), "{} never fires", alarm.name);
        for kind in ["rising", "one spike"] {
            assert!(names.contains(format!("{}: {kind}", alarm.name).as_str()), "{}: no {kind}", alarm.name);
        }
    }
    for composite in COMPOSITES {
        assert!(fired.contains(composite.name), "{} never fires", composite.name);
    }
}

#[test]
fn nothing_is_told_to_be_well_while_the_analyzer_does_not_see() {
    for history in &Histories::load().all {
        let expected = history.expected();
        let unsighted = expected.states.get("unsighted").is_some_and(|states| states.ends_with('A'));
        let cleared = expected.ends.keys().any(|name| name.ends_with("all-clear"));
        assert!(!(unsighted && cleared), "{}", history.name);
    }
}

/// The tables of the User Guide: `0` is good, `X` bad, `-` missing, for alarms of 3 of 3 and 2 of 3.
#[test]
fn the_tables_of_the_user_guide_come_out() {
    let table = [
        (3, "0 - X - X", "O O O"),
        (3, "0 - - - -", "O O O"),
        (3, "- - - - -", "r A O"),
        (3, "0 X X - X", "A A A"),
        (3, "- - X - -", "r A O"),
        (2, "0 - X - X", "A A A"),
        (2, "0 0 X 0 X", "A A A"),
        (2, "0 - X - -", "O A O"),
        (2, "- - - - 0", "O A O"),
        (2, "- - - X -", "r A O"),
    ];
    assert_eq!(table.len(), 10);
    for (datapoints, points, expected) in table {
        let series: Series = (0..)
            .zip(points.split(' '))
            .filter(|(_, point)| *point != "-")
            .map(|(period, point)| (period, if point == "X" { 1.0 } else { 0.0 }))
            .collect();
        let visible = |_: &Key, _: i64| series.clone();
        for (missing, expected) in ["ignore", "breaching", "notBreaching"].iter().zip(expected.split(' ')) {
            let resource = json!({
                "AlarmName": "x", "MetricName": "x", "Period": 300, "Threshold": 1, "EvaluationPeriods": 3,
                "ComparisonOperator": "GreaterThanOrEqualToThreshold", "DatapointsToAlarm": datapoints,
                "TreatMissingData": missing
            });
            let alarm = MetricAlarm::of(&resource);
            for before in [State::Ok, State::Alarm] {
                let expected = match expected {
                    "O" => State::Ok,
                    "A" => State::Alarm,
                    _ => before,
                };
                assert_eq!(alarm.judge(&visible, 4, before), expected, "{datapoints} of 3, {missing}: {points}");
            }
        }
    }
}

/// The first history that a change of the template breaks, of those of an alarm first.
fn broken(histories: &Histories, template: &Value, name: &str, change: impl Fn(&mut Value)) -> Option<String> {
    let mut template = template.clone();
    change(&mut template);
    let resources = histories.resources(&template);
    let (own, others): (Vec<_>, Vec<_>) =
        histories.all.iter().partition(|history| history.name.starts_with(&format!("{name}:")));
    let mut all = own.into_iter().chain(others);
    all.find(|history| history.expected() != histories.play(history, &resources)).map(|history| history.name.clone())
}

/// A change of the properties of an alarm.
type Change = fn(&mut Value);

/// The properties of a metric alarm or a composite.
fn properties<'a>(template: &'a mut Value, name: &str, by_stack: bool) -> &'a mut Value {
    let words: Vec<String> = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    let logical = words.concat();
    let resources = &mut template["Resources"];
    if by_stack {
        &mut resources["Fn::ForEach::StackAlarms"][2][format!("{logical}&{{Stack}}")]["Properties"]
    } else {
        &mut resources[logical]["Properties"]
    }
}

#[test]
fn each_threshold_count_and_treatment_is_held_by_a_history() {
    let changes: [(&str, Change); 4] = [
        ("a threshold out of reach", |alarm| {
            let above = alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold";
            alarm["Threshold"] = if above { json!(1_000_000) } else { json!(-1) };
        }),
        ("a threshold that everything breaches", |alarm| {
            let above = alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold";
            alarm["Threshold"] = if above { json!(0) } else { json!(1_000_000) };
        }),
        ("fewer points", |alarm| {
            (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) = (json!(1), json!(1));
        }),
        ("another treatment of missing points", |alarm| {
            let breaching = alarm["TreatMissingData"] == "breaching";
            alarm["TreatMissingData"] = json!(if breaching { "notBreaching" } else { "breaching" });
        }),
    ];
    let histories = Histories::load();
    let template = load("alarms.yaml");
    for alarm in METRIC_ALARMS {
        let by_stack = alarm.scope == Scope::Stack;
        for (what, change) in changes {
            // The dead man's switch has no value that breaches, and one point is what these already take.
            let silence = alarm.name == "run-missing" && what == "a threshold out of reach";
            let one = ["migration-rate", "schedule-dead-letters", "record-dead-letters"].contains(&alarm.name);
            // A band has no number in the template.
            let band = alarm.comparison == Comparison::AboveBand && what.starts_with("a threshold");
            if silence || band || (one && what == "fewer points") {
                continue;
            }
            let broken = broken(&histories, &template, alarm.name, |t| change(properties(t, alarm.name, by_stack)));
            assert!(broken.is_some(), "{}: {what} is not noticed", alarm.name);
        }
    }
}

#[test]
fn each_suppressor_is_held_by_a_history() {
    let histories = Histories::load();
    let template = load("alarms.yaml");
    for composite in COMPOSITES.iter().filter(|composite| composite.suppressor.is_some()) {
        let by_stack = composite.scope == Scope::Stack;
        let changes: [(&str, Change); 2] = [
            ("none", |alarm| {
                alarm.as_object_mut().expect("properties").remove("ActionsSuppressor");
            }),
            ("no wait", |alarm| alarm["ActionsSuppressorWaitPeriod"] = json!(0)),
        ];
        for (what, change) in changes {
            let broken =
                broken(&histories, &template, composite.name, |t| change(properties(t, composite.name, by_stack)));
            assert!(broken.is_some(), "{}: {what} is not noticed", composite.name);
        }
    }
    let told_at_once = broken(&histories, &template, "blind while exposed", |template| {
        properties(template, "exposure", true)["OKActions"] = json!([{"Ref": "PageTopicArn"}]);
    });
    assert!(told_at_once.is_some(), "an end that is told at once is not noticed");
}
