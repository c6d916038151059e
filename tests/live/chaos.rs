//! Bad days: calls that fail, runs that are killed anywhere, doubled and at the same time, records that come hours late.
//! The end is that of a calm replay, and no total ever goes back.

use std::collections::BTreeMap;
use std::time::Duration;

use exposure_stand_in::{Delivery, Draws, Fault, FaultKind};
use serde_json::Value;

use crate::account::Stage;
use crate::runtime::Function;
use crate::state::{facts, variables};

const ACCOUNT: [&str; 6] = ["--days", "1", "--instances", "48", "--seed", "11"];
const STEP: i64 = 1_800;

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What is left in the end: the verdicts, and the totals net of what was taken back.
fn end(stage: &Stage, last: &Value) -> (Value, BTreeMap<String, f64>) {
    let latest = stage.latest();
    let stacks = last["stacks"].as_array().expect("stacks");
    let net = stacks.iter().map(|row| {
        let stack = row["stack"].as_str().expect("a name").to_owned();
        let total = |name: &str| latest[&(name.to_owned(), Some(stack.clone()))];
        (stack.clone(), total("MigrationsTotal") - total("MigrationsRetractedTotal"))
    });
    (last["stacks"].clone(), net.collect())
}

/// A tenth of all calls is throttled, and another tenth fails in some way.
fn faults() -> Vec<Fault> {
    vec![
        Fault::of("*", FaultKind::Throttle).share(0.1),
        Fault::of("*", FaultKind::ServerError { status: 503 }).share(0.04),
        Fault::of("*", FaultKind::Drop).share(0.02),
        Fault::of("*", FaultKind::DropAnswer).share(0.02),
        Fault::of("cloudtrail:LookupEvents", FaultKind::ExpiredToken).share(0.02),
    ]
}

fn late(late_share: f64) -> Delivery {
    Delivery::Drawn(Draws { late_share, duplicate_share: late_share, ..Draws::default() })
}

#[test]
fn chaos_ends_as_a_calm_day_does() {
    let calm = Stage::delivered(&ACCOUNT, &late(0.0));
    let mut function = Stage::function(&variables(&calm, "lookup"));
    // The last hours of a day; what lies before them is found backwards.
    let to = calm.window.1;
    let from = to - 8 * 3_600;
    // Late records come up to six hours late, and are looked for once an hour.
    let over = to + 9 * 3_600;
    let mut last = Value::Null;
    for second in (from..over).step_by(usize::try_from(STEP).expect("a step")) {
        last = calm.run(&mut function, second);
    }
    let expected = end(&calm, &last);
    drop(function);

    let wild = Stage::delivered(&ACCOUNT, &late(0.25));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut functions = [Stage::function(&variables(&wild, "lookup")), Stage::function(&variables(&wild, "lookup"))];
    let mut totals: BTreeMap<(String, Option<String>), f64> = BTreeMap::new();
    let (mut killed, mut failed) = (0_u32, 0_u32);
    for (round, second) in (from..over).step_by(usize::try_from(STEP).expect("a step")).enumerate() {
        let stormy = second < to + 4 * 3_600;
        wild.stand_in.faults(u64::try_from(round).expect("a round"), if stormy { faults() } else { Vec::new() });
        let event = wild.event(second);
        match dice.below(if stormy { 6 } else { 1 }) {
            // Killed somewhere, and tried again by Lambda.
            1 => {
                functions[0].begin(&event);
                std::thread::sleep(Duration::from_millis(dice.below(400)));
                functions[0] = Stage::function(&variables(&wild, "lookup"));
                killed += 1;
                failed += u32::from(functions[0].invoke(&event).is_err());
            }
            // Two at once.
            2 => {
                functions[0].begin(&event);
                functions[1].begin(&event);
                failed += functions.iter_mut().map(|function| u32::from(function.end().is_err())).sum::<u32>();
            }
            // The same once more.
            3 => failed += (0..2).map(|_| u32::from(functions[1].invoke(&event).is_err())).sum::<u32>(),
            // Missed.
            4 => {}
            _ => match functions[0].invoke(&event) {
                Ok(answer) => last = answer,
                Err(_) => failed += 1,
            },
        }
        for (key, value) in wild.latest().into_iter().filter(|((name, _), _)| name.ends_with("Total")) {
            let before = totals.entry(key.clone()).or_insert(value);
            assert!(value >= *before, "{key:?} went back from {before} to {value} at {event}");
            *before = value;
        }
    }
    assert!(killed > 2, "{killed} runs were killed");
    let throttled = wild.stand_in.requests().iter().filter(|request| request.status >= 400).count();
    assert!(throttled > 100, "{throttled} calls were spoilt, and {failed} runs failed");
    assert_eq!(last["outcome"], "complete", "{last:#}");
    assert_eq!(end(&wild, &last), expected);
    assert_eq!(facts(&wild), facts(&calm), "the same ledger");
}

#[test]
fn a_denied_region_keeps_its_numbers_and_spoils_no_other() {
    let stage = Stage::new(&["--days", "1", "--instances", "48"]);
    let mut function = Stage::function(&stage.variables("directory"));
    let (_, to) = stage.window;
    let before = stage.run(&mut function, to + 3_600);
    assert_eq!(before["outcome"], "complete", "{before:#}");
    let region = "eu-central-1";
    let denied = Fault { region: Some(region.to_owned()), ..Fault::of("autoscaling:*", FaultKind::AccessDenied) };
    stage.stand_in.faults(1, vec![denied]);
    let after = stage.run(&mut function, to + 3_900);
    assert_eq!(after["outcome"], "partial");
    assert_eq!(after["stacks"], before["stacks"], "stale verdicts stay");
    let target = |region: &str| {
        let targets = after["targets"].as_array().expect("targets");
        targets.iter().find(|target| target["region"] == region).expect(region).clone()
    };
    assert_eq!(target(region)["stale"], true);
    assert!(target(region)["failure"].as_str().is_some_and(|said| said.contains("denied")), "{after:#}");
    assert_eq!(target("eu-west-1")["stale"], false);
    let latest = stage.latest();
    assert_eq!(latest.get(&("TargetsFailed".to_owned(), None)), Some(&1.0));
    assert_eq!(latest.get(&("RunCompleted".to_owned(), None)), Some(&0.0));
}

#[test]
fn a_state_that_cannot_be_read_is_set_aside_and_one_of_a_later_version_left_alone() {
    let stage = Stage::new(&["--days", "1", "--instances", "12"]);
    let (_, to) = stage.window;
    let mut function = Stage::function(&stage.variables("directory"));
    std::fs::write(stage.state(), "no state at all").expect("written");
    let answer = stage.run(&mut function, to);
    let problems = answer["problems"].to_string();
    assert!(problems.contains("set aside as") && problems.contains("rebuilt"), "{problems}");
    let aside = |path: &std::path::Path| path.parent().expect("a folder").read_dir().expect("a folder").count();
    assert_eq!(aside(&stage.state()), 2, "the unreadable one is kept");
    std::fs::write(stage.state(), r#"{"schema": "migration-exposure/state/99"}"#).expect("written");
    let event = stage.event(to + 300);
    let error = function.invoke(&event).expect_err("a later version");
    assert!(error.to_string().contains("schema version 99"), "{error}");
    assert!(std::fs::read_to_string(stage.state()).expect("kept").contains("state/99"));
    let future = stage.event(to + 300);
    drop(function);
    let mut variables = stage.variables("directory");
    variables.retain(|(name, _)| *name != "CLOCK");
    let ahead = serde_json::json!({"scheduledTime": "2999-01-01T00:00:00Z"});
    let error = Stage::function(&variables).invoke(&ahead).expect_err("the future");
    assert!(error.to_string().contains("ahead of the clock"), "{error} {future}");
}

/// A function is not left to hang where nobody answers.
#[test]
fn an_endpoint_that_is_not_there_fails_by_name() {
    let stage = Stage::new(&["--days", "1", "--instances", "12"]);
    let mut variables = stage.variables("directory");
    for (name, value) in &mut variables {
        if *name == "AWS_ENDPOINT_URL" {
            "http://127.0.0.1:9".clone_into(value);
        }
    }
    let mut function: Function = Stage::function(&variables);
    let event = stage.event(stage.window.1);
    let answer = function.invoke(&event);
    let said = format!("{answer:?}");
    assert!(said.contains("unavailable"), "{said}");
}
