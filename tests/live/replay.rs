//! Replays: the metrics of every run follow from what was done to the account, and the end is that of the analysis of
//! its log files.

use std::collections::BTreeMap;

use exposure_tests::{exposure, json, run, truth};
use serde_json::Value;

use crate::account::{Stage, Values};
use crate::oracle::{Oracle, stated_delay};

/// A row's numbers by name.
fn stacks(answer: &Value) -> BTreeMap<String, Value> {
    let rows = answer["stacks"].as_array().expect("stacks");
    rows.iter().map(|row| (row["stack"].as_str().expect("a name").to_owned(), row.clone())).collect()
}

/// The analysis of the account's log files, fleet, activities and warm pool, at a time.
fn analysis(stage: &Stage, second: i64) -> Value {
    let at = |name: &str| stage.account.path().join(name);
    let taken = jiff::Timestamp::from_second(second).expect("a time").to_string();
    let mut command = exposure();
    command.arg("analyze").arg("--trail").arg(at("AWSLogs")).arg("--fleet").arg(at("fleet.json"));
    command.arg("--fleet-time").arg(taken).arg("--activities").arg(at("activities.json"));
    command.arg("--warm-pool").arg(at("warm-pool.json")).args(["--format", "json", "--all"]);
    let ran = run(&mut command);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    serde_json::from_str(&ran.out).expect("JSON")
}

#[test]
fn a_replay_from_local_files_ends_as_the_analysis_of_them() {
    replay("directory", "1", "1800");
}

#[test]
fn a_replay_from_lookups_ends_as_the_analysis_of_the_files() {
    replay("lookup", "1", "1800");
}

#[test]
fn a_replay_from_the_trails_objects_ends_as_the_analysis_of_the_files() {
    replay("logs", "1", "1800");
}

#[test]
fn a_replay_from_the_queue_ends_as_the_analysis_of_the_files() {
    replay("queue", "14", "300");
}

/// A setting of a longer replay, such as `REPLAY_DAYS=14 REPLAY_STEP=300 cargo test --release --test live replay`.
pub(crate) fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// Holds the totals of a run against those before it.
pub(crate) fn never_back(totals: &mut Values, latest: Values, second: i64) {
    for (key, value) in latest.into_iter().filter(|((name, _), _)| name.ends_with("Total")) {
        let before = totals.entry(key.clone()).or_insert(value);
        assert!(value >= *before, "{key:?} went back from {before} to {value} at {second}");
        *before = value;
    }
}

#[test]
fn an_event_may_ask_for_records_again_and_for_none_after_a_time() {
    for source in ["lookup", "logs", "directory"] {
        let stage = Stage::new(&["--days", "1", "--instances", "48"]);
        let mut function = Stage::function(&stage.variables(source));
        let (from, to) = stage.window;
        let half = jiff::Timestamp::from_second(i64::midpoint(from, to)).expect("a time").to_string();
        let mut event = stage.event(to + 3_600);
        event["to"] = half.clone().into();
        let first = function.invoke(&event).expect("a run");
        let latest = first["window"]["to"].as_str().expect("records").to_owned();
        assert!(latest <= half, "{source}: {latest}");
        let whole = stage.run(&mut function, to + 3_900);
        assert!(whole["window"]["to"].as_str().expect("records") > latest.as_str(), "{source}");
        let mut event = stage.event(to + 4_200);
        event["from"] = half.into();
        let again = function.invoke(&event).expect("a run");
        assert!(again["accounting"]["duplicates"].as_u64().expect("a number") > 10, "{source}: {again:#}");
        assert_eq!(again["stacks"], whole["stacks"], "{source}: what is read twice changes nothing");
    }
}

#[test]
fn the_first_run_in_a_new_account_cannot_be_mistaken_for_an_all_clear() {
    for source in ["lookup", "logs", "queue", "directory"] {
        let stage = Stage::new(&["--days", "1", "--instances", "48"]);
        let mut function = Stage::function(&stage.variables(source));
        let answer = stage.run(&mut function, stage.window.0);
        let latest = stage.latest();
        let metric = |name: &str| latest.get(&(name.to_owned(), None)).copied();
        assert!(metric("Members").is_some_and(|members| members > 0.0), "{source}: {answer:#}");
        assert_eq!(metric("MembersUnseen"), metric("Members"), "{source}");
        assert_eq!((metric("Coverage"), metric("MembersExposed")), (Some(0.0), Some(0.0)), "{source}");
        assert_eq!((metric("ExposedPercent"), metric("WorstStackExposedPercent")), (None, None), "{source}");
    }
}

/// How long late records may come after the window, and lookups take to look for them again.
const AFTER: i64 = 11 * 3_600;

/// Replays an account: after every run its metrics are the truth within the stated delay, and no total goes back.
fn replay(source: &str, days: &str, step: &str) {
    let (days, instances) = (setting("REPLAY_DAYS", days), setting("REPLAY_INSTANCES", "48"));
    let step: i64 = setting("REPLAY_STEP", step).parse().expect("REPLAY_STEP in seconds");
    let stage = Stage::new(&["--days", &days, "--instances", &instances]);
    let mut function = Stage::function(&stage.variables(source));
    let (from, to) = stage.window;
    let end = to + AFTER;
    let (truth, fleet) = (truth(stage.account.path()), json(&stage.account.path().join("fleet.json")));
    let mut oracle = Oracle::new(stage.stand_in.account(), &truth, &fleet, stated_delay(source, step));
    let mut last = Value::Null;
    let mut totals = Values::new();
    let (mut second, mut runs) = (from.div_euclid(step) * step, 0);
    while second <= end {
        last = stage.run(&mut function, second);
        oracle.check(second, &stage.published(second));
        never_back(&mut totals, stage.latest(), second);
        stage.stand_in.clear_requests();
        second += step;
        runs += 1;
    }
    let (compared, exact) = oracle.compared;
    assert!(compared >= runs * 8 && exact * 100 > compared * 85, "{exact} of {compared} comparisons left no room");
    assert!(oracle.migrations() > 15, "{source}: {} migrations", oracle.migrations());
    ends_as_the_analysis(source, &stage, &last, end);
}

/// The end of a replay: the verdicts, and the metrics with them, are those of `exposure analyze`.
fn ends_as_the_analysis(source: &str, stage: &Stage, last: &Value, end: i64) {
    let analysis = analysis(stage, end);
    let (found, expected) = (stacks(last), stacks(&analysis));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{source}");
    for (stack, row) in &expected {
        let number = |row: &Value, name: &str| row[name].as_i64().expect(name);
        let found = &found[stack];
        for name in ["members", "in_service", "recovered", "clean", "unseen", "partial_reattachments"] {
            assert_eq!(number(found, name), number(row, name), "{source}: {name} of {stack}\n{last:#}");
        }
        // The function has seen the fleet all along, which places a Decrypt that the files alone cannot (rule 7).
        let placed = number(found, "exposed") - number(row, "exposed");
        assert!(placed >= 0, "{source}: {found} and {row}");
        assert_eq!(number(row, "undetermined") - number(found, "undetermined"), placed, "{source}: {stack}");
        assert_eq!(number(found, "migrations") - number(row, "migrations"), placed, "{source}: {stack}");
    }
    let latest = stage.latest();
    for (stack, row) in &found {
        let metric = |name: &str| latest.get(&(name.to_owned(), Some(stack.clone()))).copied();
        for (name, member) in [
            ("Members", "members"),
            ("MembersInService", "in_service"),
            ("MembersExposed", "exposed"),
            ("MembersRecovered", "recovered"),
            ("MembersUnseen", "unseen"),
            ("MembersUndetermined", "undetermined"),
        ] {
            assert_eq!(metric(name), row[member].as_f64(), "{source}: {name} of {stack}");
        }
        let counted = metric("MigrationsTotal").zip(metric("MigrationsRetractedTotal"));
        assert_eq!(
            counted.map(|(all, back)| all - back),
            row["migrations"].as_f64(),
            "{source}: migrations of {stack}"
        );
    }
    assert_eq!(last["outcome"], "complete", "{last:#}");
    assert_eq!(latest.get(&("RunCompleted".to_owned(), None)), Some(&1.0));
}
