//! The runbook has a section for each alarm of the catalogue, with what it must say, and no other.

use std::collections::BTreeMap;
use std::fs;

use exposure_core::alarms::{COMPOSITES, Delay, METRIC_ALARMS, Rule, Scope, Severity};
use exposure_tests::root;

/// The sections below the heading of the alarms, by their anchor.
fn sections() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("infra/runbook.md")).expect("the runbook");
    let alarms = text.split_once("\n## The alarms\n").expect("the alarms").1;
    let alarms = alarms.split("\n## ").next().expect("a section");
    let mut sections = BTreeMap::new();
    for section in alarms.split("\n### ").skip(1) {
        let (heading, body) = section.split_once('\n').expect("a body");
        // GitHub's anchor of a heading of small letters and hyphens is the heading.
        assert!(sections.insert(heading.to_owned(), body.to_owned()).is_none(), "{heading} twice");
    }
    sections
}

/// The line that says what kind of alarm it is.
fn facts(name: &str, severity: Severity, scope: Scope, delay: &Delay) -> String {
    let within = |composite: &&exposure_core::alarms::CompositeAlarm| match composite.rule {
        Rule::Any(names) | Rule::AnyNotOk(names) => names.contains(&name),
        Rule::AnyStack(of) => of == name,
    };
    let leads = match severity {
        Severity::Page => "**Page**".to_owned(),
        Severity::Ticket => "**Ticket**".to_owned(),
        Severity::Part => {
            let mut of: Vec<&str> = COMPOSITES.iter().filter(within).map(|composite| composite.name).collect();
            of.extend(COMPOSITES.iter().filter(|c| c.suppressor.is_some_and(|s| s.alarm == name)).map(|c| c.name));
            let of: Vec<String> = of.iter().map(|name| format!("[{name}](#{name})")).collect();
            if of.is_empty() { "Its end is told".to_owned() } else { format!("Part of {}", of.join(" and ")) }
        }
    };
    let scope = if scope == Scope::Stack { "one for each stack" } else { "one" };
    format!("{leads}; {scope}; {} from event to notification by default.", delay.minutes())
}

#[test]
fn every_alarm_has_a_section_with_all_that_it_must_say_and_no_section_is_without_an_alarm() {
    let mut sections = sections();
    let metric = METRIC_ALARMS.iter().map(|alarm| (alarm.name, alarm.severity, alarm.scope, alarm.delay));
    let composites = COMPOSITES.iter().map(|alarm| (alarm.name, alarm.severity, alarm.scope, alarm.delay));
    for (name, severity, scope, delay) in metric.chain(composites) {
        let body = sections.remove(name).unwrap_or_else(|| panic!("{name} has no section"));
        let facts = facts(name, severity, scope, &delay);
        let first = body.trim_start().split("\n\n").next().expect("a paragraph").replace('\n', " ");
        assert_eq!(first, facts, "{name}");
        for part in ["Means", "Confirm", "Do", "Ignore"] {
            let told = body.split(&format!("- **{part}:** ")).nth(1).and_then(|rest| rest.split("\n- ").next());
            assert!(told.is_some_and(|told| told.trim().len() > 15), "{name} does not say: {part}");
        }
    }
    assert!(sections.is_empty(), "no alarms: {:?}", sections.keys());
}

#[test]
fn links_within_the_runbook_lead_somewhere() {
    let text = fs::read_to_string(root().join("infra/runbook.md")).expect("the runbook");
    let anchor = |heading: &str| -> String {
        let kept = heading.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_ascii_alphanumeric() || "- ".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#')));
    let headings: Vec<String> = headings.collect();
    let links: Vec<&str> = text.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 20);
    for link in links {
        assert!(headings.iter().any(|heading| heading == link), "#{link}");
    }
}
