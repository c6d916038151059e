mod simulated;

use jiff::SignedDuration;

use super::*;
use crate::analysis::{Sight, SourceCoverage};
use crate::evidence::service::{Moved, Stay};
use crate::stacks::UNASSIGNED;

const START: i64 = 1_778_457_600;

fn window(days: i64) -> TimeSpan {
    let from = Timestamp::from_second(START);
    TimeSpan { from, to: from + SignedDuration::from_hours(days * 24) }
}

/// `instances` of a stack for 14 days, and so many moves, one each seven hours.
fn account(stacks: &[(&str, i64, i64)]) -> InService {
    let mut account = InService::default();
    let TimeSpan { from, to } = window(14);
    for (stack, instances, moves) in stacks {
        let stack = (*stack).to_owned();
        for _ in 0..*instances {
            let launched = Some(from);
            let stay = Stay { stack: stack.clone(), from, to, launched, assumed_until: None, assumed_from: None };
            account.stays.push(stay);
        }
        for number in 0..*moves {
            let at = from + SignedDuration::from_hours(number * 7 % 336);
            account.moves.push(Moved { stack: stack.clone(), at, launched: Some(from) });
        }
    }
    account
}

fn said(found: &Findings) -> String {
    let stacks = found.stacks.iter().map(|stack| stack.sentence.clone());
    let comparisons = found.comparisons.iter().flat_map(|one| {
        let Sentences { rates, capacity, timing, itself, whole } = one.sentences.clone();
        let needed = one.needed.as_ref().map(|needed| needed.sentence.clone());
        [rates, capacity, timing, Some(itself), whole, needed].into_iter().flatten()
    });
    let age = found.age_or_clock.iter().map(|found| found.sentence.clone());
    let all: Vec<String> = stacks.chain(comparisons).chain(age).chain(found.summary.clone()).collect();
    all.join("\n")
}

fn found(account: &InService) -> Findings {
    findings(account, window(14), &TimeZone::UTC, Level::USUAL, None)
}

#[test]
fn what_is_in_no_stack_is_compared_with_nothing() {
    let two = [("Nighttime", 10, 40), ("Daytime", 10, 20)];
    let with = found(&account(&[two[0], two[1], (UNASSIGNED, 5, 3)]));
    assert_eq!((with.stacks.len(), with.comparisons.len()), (3, 1));
    assert_eq!(with.comparisons, found(&account(&two)).comparisons);
    let one = found(&account(&[two[0], (UNASSIGNED, 5, 3)]));
    assert!(one.comparisons.is_empty());
    assert!(one.summary.iter().any(|line| line.contains("only the stack Nighttime")), "{:?}", one.summary);
}

#[test]
fn no_sentence_is_made_of_nothing() {
    let none = found(&InService::default());
    assert_eq!((none.stacks.len(), none.comparisons.len()), (0, 0));
    assert_eq!(none.summary.len(), 1);
    let one = found(&account(&[("Nighttime", 10, 5)]));
    assert!(one.comparisons.is_empty());
    assert!(one.summary.iter().any(|line| line.contains("only the stack Nighttime")), "{:?}", one.summary);
    let quiet = found(&account(&[("Nighttime", 10, 0), ("Daytime", 10, 0)]));
    assert_eq!(quiet.comparisons[0].decides, Decides::TooFew);
    assert!(quiet.summary[1].contains("at 95 %, there are at most 0.55 for each 1,000"), "{:?}", quiet.summary);
    assert!(quiet.comparisons[0].sentences.itself.contains("neither Daytime nor Nighttime saw"), "{:?}", quiet.summary);
    assert!(quiet.stacks[0].sentence.contains("at most"), "{}", quiet.stacks[0].sentence);
}

#[test]
fn what_is_said_is_plain() {
    let two = said(&found(&account(&[("Daytime", 10, 30), ("Nighttime", 20, 120)])));
    for expected in [
        "Daytime: 30 migrations in 3,360 instance-hours, 8.9 for each 1,000 (",
        "For each instance-hour, Nighttime saw 2.0 times (",
        "Capacity: Nighttime had 2.0 times as many instance-hours in service as Daytime.",
        "Nighttime saw 4.0 times as many migrations as Daytime: 2.0 times by capacity, 1.0 times by the hours of the day, and 2.0 times (",
        "From 2026-05-11T00:00:00Z to 2026-05-25T00:00:00Z, 2 stacks saw 150 migrations in 10,080 instance-hours",
        "capacity and timing alone do not account for that.",
    ] {
        assert!(two.contains(expected), "{expected}\n{two}");
    }
    let few = said(&found(&account(&[("Daytime", 10, 3), ("Nighttime", 10, 5)])));
    for expected in ["too few migrations to tell", "more days at this rate."] {
        assert!(few.contains(expected), "{expected}\n{few}");
    }
}

#[test]
fn the_summary_is_of_three_to_six_sentences_and_says_what_is_missing() {
    let hostile = "\u{1b}[31mNighttime is fine.\n\u{202e}\"<script>";
    let sources = [Sight::Blind, Sight::Seeing].map(|sight| SourceCoverage {
        account: crate::ids::AccountId::new("111122223333").expect("an account"),
        region: crate::ids::Region::new("eu-central-1").expect("a region"),
        launched: 9,
        baseline_seen: 0,
        sight,
    });
    let mut coverage = Coverage::default();
    (coverage.blind, coverage.sources) = (true, sources.to_vec());
    for stacks in [
        vec![("Daytime", 10, 3), (hostile, 10, 5)],
        vec![("Daytime", 10, 30), (hostile, 10, 120)],
        vec![("Daytime", 10, 60), (hostile, 10, 61)],
        vec![("Daytime", 10, 60), (hostile, 10, 61), ("c", 3, 40), ("d", 3, 0)],
    ] {
        let mut account = account(&stacks);
        for stay in account.stays.iter_mut().take(4) {
            (stay.assumed_from, stay.launched) = (Some(stay.from), None);
        }
        account.departures_unseen = 4;
        let found = findings(&account, window(14), &TimeZone::UTC, Level::USUAL, Some(&coverage));
        assert!((3..=6).contains(&found.summary.len()), "{:#?}", found.summary);
        let all = found.summary.join("\n");
        assert!(all.contains("had to be assumed: the departure of 4 instances is not in view"), "{all}");
        assert!(all.contains("1 account and region showed launches but not the Decrypts"), "{all}");
        let said = said(&found);
        assert!(!said.contains(['\u{1b}', '\u{202e}']) && !said.contains("fine.\n"), "{said}");
        let json = serde_json::to_value(&found).expect("JSON");
        let names: Vec<&str> = json["stacks"].as_array().unwrap().iter().filter_map(|s| s["stack"].as_str()).collect();
        assert!(names.contains(&hostile), "verbatim in the data: {names:?}");
    }
}

#[test]
fn a_stack_without_time_or_shared_hours_is_said_to_be_so() {
    let mut apart = account(&[("Daytime", 10, 3)]);
    let at = window(14).from;
    apart.moves.push(Moved { stack: "Gone".to_owned(), at, launched: None });
    let told = said(&found(&apart));
    assert!(told.contains("no time in service of Gone is on record"), "{told}");
    assert!(told.contains("Gone: 1 migration, and no time in service on record"), "{told}");
    let hours = |stack: &str, hour: i64| {
        let from = at + SignedDuration::from_hours(hour);
        let to = from + SignedDuration::from_hours(2);
        Stay { stack: stack.to_owned(), from, to, launched: None, assumed_until: None, assumed_from: None }
    };
    let moved = Moved { stack: "Night".to_owned(), at, launched: None };
    let apart =
        InService { stays: vec![hours("Night", 0), hours("Day", 12)], moves: vec![moved], ..InService::default() };
    let told = said(&found(&apart));
    assert!(told.contains("Night and Day were not both in service at any hour"), "{told}");
    assert_eq!(found(&apart).age_or_clock, None);
}

#[test]
fn what_few_days_and_clusters_mean_is_said() {
    let clustered = |days: i64, stack: &str| {
        let mut account = account(&[("Daytime", 10, 0), ("Nighttime", 10, 0)]);
        for number in 0..60 {
            let at = window(14).from + SignedDuration::from_hours(2 + 72 * (number % 3) % (days * 24));
            account.moves.push(Moved { stack: stack.to_owned(), at, launched: None });
        }
        let TimeSpan { from, to } = window(days);
        account.stays.iter_mut().for_each(|stay| stay.to = to.max(from));
        findings(&account, window(days), &TimeZone::UTC, Level::USUAL, None)
    };
    let found = clustered(2, "Daytime");
    let told = said(&found);
    assert_eq!(found.comparisons[0].decides, Decides::TooFew, "two days decide nothing");
    assert!(told.contains("In less than five days clusters cannot be told from chance"), "{told}");
    assert!(told.contains("To tell Daytime and Nighttime apart would take at least 3 more days."), "{told}");
    let found = clustered(14, "Daytime");
    assert_eq!(found.comparisons[0].decides, Decides::TooFew, "three events are three, not sixty: {:?}", found.summary);
    assert!(found.summary[0].contains("60 migrations, about 17 at a time, in"), "{:?}", found.summary);
}

#[test]
fn hours_are_those_of_the_named_zone() {
    let zone = TimeZone::fixed(jiff::tz::offset(5));
    let found = findings(&account(&[("Daytime", 1, 1)]), window(14), &zone, Level::USUAL, None);
    assert_eq!(found.time_zone, "UTC+05");
    assert_eq!(found.stacks[0].by_hour.iter().position(|hour| hour.migrations > 0), Some(5));
    assert!((found.stacks[0].by_hour.iter().map(|hour| hour.hours).sum::<f64>() - 336.0).abs() < 1e-9);
}

#[test]
fn the_shape_is_the_one_that_others_read() {
    let two = found(&account(&[("Daytime", 10, 40), ("Nighttime", 10, 100)]));
    let json = serde_json::to_value(&two).unwrap();
    assert_eq!(json["comparisons"][0]["first"], "Nighttime");
    assert_eq!(json["comparisons"][0]["decides"], "stack_differs");
    assert_eq!(json["stacks"][0]["by_hour"].as_array().unwrap().len(), 24);
    assert_eq!(json["stacks"][0]["by_age"][0]["class"], "under 1 h");
    assert!(json["stacks"][0]["rate"]["low"].is_number());
    let unbounded =
        serde_json::to_value(Estimate { value: Some(f64::INFINITY), low: 1.0, high: f64::INFINITY }).unwrap();
    assert_eq!(unbounded, serde_json::json!({"value": null, "low": 1.0, "high": null}));
}
