use jiff::SignedDuration;

use super::*;
use crate::evidence::service::{Moved, Stay};

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

fn found(account: &InService) -> Findings {
    findings(account, window(14), &TimeZone::UTC, Level::USUAL, None)
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
    assert_eq!(quiet.comparisons[0].sentences.itself, None);
    assert!(quiet.stacks[0].sentence.contains("at most"), "{}", quiet.stacks[0].sentence);
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
