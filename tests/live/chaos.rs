//! Bad days: calls that fail, runs that are killed anywhere, doubled and at the same time, records that come hours late.
//! The end is that of a calm replay, and no total ever goes back.

use std::collections::BTreeMap;
use std::time::Duration;

use exposure_stand_in::{Delivery, Draws, Fault, FaultKind};
use serde_json::Value;

use crate::account::{Stage, Values};
use crate::replay::{never_back, setting};
use crate::runtime::Function;
use crate::state::{facts, variables};

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

/// The schedule: it begins late on the first day, what lies before is found backwards. Late records come up to six hours
/// late and are looked for once an hour; the storm is over before the last of them have come.
struct Schedule {
    from: i64,
    calm_from: i64,
    over: i64,
    step: i64,
}

impl Schedule {
    fn of(stage: &Stage) -> Self {
        let (from, to) = stage.window;
        let step = setting("REPLAY_STEP", "1800").parse().expect("REPLAY_STEP in seconds");
        Self { from: from + 16 * 3_600, calm_from: to + 4 * 3_600, over: to + 9 * 3_600, step }
    }

    fn runs(&self) -> impl Iterator<Item = i64> + use<> {
        (self.from..self.over).step_by(usize::try_from(self.step).expect("a step"))
    }
}

/// The account, whose records come so.
fn stage(draws: Draws) -> Stage {
    let days = setting("REPLAY_DAYS", "1");
    Stage::delivered(&["--days", &days, "--instances", "48", "--seed", "11"], &Delivery::Drawn(draws))
}

/// Every run as it should be, and no record late: what is left.
fn calm(source: &str) -> ((Value, BTreeMap<String, f64>), Vec<Value>) {
    let stage = stage(Draws::default());
    let mut function = Stage::function(&variables(&stage, source));
    let mut last = Value::Null;
    for second in Schedule::of(&stage).runs() {
        last = stage.run(&mut function, second);
        stage.stand_in.clear_requests();
    }
    (end(&stage, &last), facts(&stage))
}

/// Bad days of a source.
struct Storm {
    /// They go before what they look at.
    functions: [Function; 2],
    stage: Stage,
    source: &'static str,
    dice: Dice,
    totals: Values,
    killed: u32,
    failed: u32,
    /// Calls while it was stormy, and those that were spoilt.
    calls: (usize, usize),
}

impl Storm {
    fn new(source: &'static str, late_causes: Option<f64>) -> Self {
        let stage = stage(Draws { late_share: 0.25, late_causes, duplicate_share: 0.25, ..Draws::default() });
        let functions = [(); 2].map(|()| Stage::function(&variables(&stage, source)));
        let dice = Dice(0x9e37_79b9_7f4a_7c15);
        Self { functions, stage, source, dice, totals: Values::new(), killed: 0, failed: 0, calls: (0, 0) }
    }

    /// What the schedule makes of one of its times: the answer of a run that went well by itself.
    fn round(&mut self, second: i64, stormy: bool) -> Option<Value> {
        let faults = if stormy { faults() } else { Vec::new() };
        self.stage.stand_in.faults(u64::try_from(second).expect("a time"), faults);
        let event = self.stage.event(second);
        let [one, other] = &mut self.functions;
        let mut answer = None;
        match self.dice.below(if stormy { 6 } else { 1 }) {
            // Killed somewhere, and tried again by Lambda.
            1 => {
                one.begin(&event);
                std::thread::sleep(Duration::from_millis(self.dice.below(400)));
                *one = Stage::function(&variables(&self.stage, self.source));
                self.killed += 1;
                self.failed += u32::from(one.invoke(&event).is_err());
            }
            // Two at once.
            2 => {
                one.begin(&event);
                other.begin(&event);
                self.failed += [one, other].map(|function| u32::from(function.end().is_err())).iter().sum::<u32>();
            }
            // The same once more.
            3 => self.failed += (0..2).map(|_| u32::from(other.invoke(&event).is_err())).sum::<u32>(),
            // Missed.
            4 => {}
            _ => {
                answer = one.invoke(&event).ok();
                self.failed += u32::from(answer.is_none());
            }
        }
        never_back(&mut self.totals, self.stage.latest(), second);
        if stormy {
            let requests = self.stage.stand_in.requests();
            self.calls.0 += requests.len();
            self.calls.1 += requests.iter().filter(|request| request.status >= 400).count();
        }
        self.stage.stand_in.clear_requests();
        answer
    }

    /// How many migrations were taken back.
    fn retracted(&self) -> f64 {
        self.totals[&("MigrationsRetractedTotal".to_owned(), None)]
    }
}

/// Bad days end as calm ones do. At least so many migrations must be taken back on the way, as their reasons come late.
fn chaos(source: &'static str, late_causes: Option<f64>, retracted: f64) {
    let expected = std::thread::spawn(move || calm(source));
    let mut storm = Storm::new(source, late_causes);
    let schedule = Schedule::of(&storm.stage);
    let (mut last, mut runs) = (Value::Null, 0);
    for second in schedule.runs() {
        last = storm.round(second, second < schedule.calm_from).unwrap_or(last);
        runs += 1;
    }
    let (end_of_calm, facts_of_calm) = expected.join().expect("calm days");
    assert!(storm.killed > runs / 12, "{} of {runs} runs were killed", storm.killed);
    let (calls, spoilt) = storm.calls;
    assert!(spoilt * 100 > calls * 12, "{spoilt} of {calls} calls were spoilt, and {} runs failed", storm.failed);
    assert!(storm.retracted() >= retracted, "{} migrations were taken back", storm.retracted());
    assert_eq!(last["outcome"], "complete", "{last:#}");
    assert_eq!(end(&storm.stage, &last), end_of_calm);
    assert_eq!(facts(&storm.stage), facts_of_calm, "the same ledger");
}

#[test]
fn chaos_over_lookups_ends_as_calm_days_do() {
    chaos("lookup", Some(0.8), 1.0);
}

#[test]
fn chaos_over_the_queue_ends_as_calm_days_do() {
    chaos("queue", Some(0.8), 1.0);
}

/// What explains a Decrypt mostly lies in its own file: seldom is anything taken back.
#[test]
fn chaos_over_the_trails_objects_ends_as_calm_days_do() {
    chaos("logs", None, 0.0);
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
