//! `exposure analyze` finds what the simulator made happen.

use std::fs;

use exposure_stand_in::gzip;
use exposure_tests::{account, analysis, analyze, differences, sample, truth};
use serde_json::{Value, json};

#[test]
fn the_sample_is_judged_as_it_happened() {
    let found = analysis(&sample(), &sample().join("AWSLogs"), &[]);
    let differences = differences(&truth(&sample()), &found, "sample");
    // What the simulator adds to the schema for its readers is none of the analysis.
    let differences: Vec<_> = differences.iter().filter(|line| !only_the_simulators(line)).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

fn only_the_simulators(line: &str) -> bool {
    [".kind:", ".reason:", ".fleet_time:", ".inputs"].iter().any(|field| line.contains(field))
}

#[test]
fn other_accounts_are_judged_as_they_happened_with_and_without_further_evidence() {
    for seed in ["2", "3", "4"] {
        let account = account(&["--seed", seed, "--instances", "120", "--days", "3"]);
        let (path, truth) = (account.path(), truth(account.path()));
        let time = truth["fleet_time"].as_str().expect("a time").to_owned();
        let activities = path.join("activities.json");
        let activities = activities.to_str().expect("UTF-8");
        for more in [&[][..], &["--fleet-time", &time], &["--activities", activities, "--threads", "1"]] {
            let found = analysis(path, &path.join("AWSLogs"), more);
            let differences = differences(&truth, &found, &format!("seed {seed}"));
            let differences: Vec<_> = differences.iter().filter(|line| !only_the_simulators(line)).collect();
            assert!(differences.is_empty(), "{more:?} {differences:#?}");
        }
    }
}

#[test]
fn the_comparison_can_fail() {
    let mut truth = truth(&sample());
    let found = analysis(&sample(), &sample().join("AWSLogs"), &[]);
    truth["accounting"]["sightings"] = json!(0);
    truth["instances"][0]["verdict"] = json!("no such verdict");
    let differences = differences(&truth, &found, "sample");
    assert_eq!(differences.iter().filter(|line| !only_the_simulators(line)).count(), 2, "{differences:#?}");
}

#[test]
fn every_verdict_cause_and_confidence_is_in_the_sample() {
    let found = analysis(&sample(), &sample().join("AWSLogs"), &[]);
    let text = found["instances"].to_string();
    for word in ["exposed", "recovered", "clean", "unseen", "undetermined"] {
        assert!(text.contains(&format!(r#""verdict":"{word}""#)), "no verdict {word}");
    }
    for word in ["confirmed", "presumed", "partial", "undetermined"] {
        assert!(text.contains(&format!(r#""confidence":"{word}""#)), "no confidence {word}");
    }
    for word in ["launch", "start", "attach", "root volume replacement", "reboot", "grant", "stop", "detach"] {
        assert!(text.contains(&format!(r#""cause":"{word}""#)), "no cause {word}");
    }
}

#[test]
fn identities_of_the_accounting_hold() {
    let found = analysis(&sample(), &sample().join("AWSLogs"), &[]);
    let number = |value: &Value| value.as_u64().expect("a number");
    let a = &found["accounting"];
    let parts = ["sightings", "causes", "irrelevant", "duplicates", "malformed"].map(|part| number(&a[part]));
    assert_eq!(number(&a["records"]), parts.iter().sum::<u64>());
    let stacks = found["stacks"].as_array().expect("stacks");
    assert!(stacks.len() >= 3);
    for stack in stacks {
        let parts = ["exposed", "recovered", "clean", "unseen", "undetermined"].map(|part| number(&stack[part]));
        assert_eq!(number(&stack["members"]), parts.iter().sum::<u64>(), "{stack}");
    }
}

#[test]
fn without_a_fleet_the_migrations_are_the_same_and_nobody_is_judged() {
    let trail = sample().join("AWSLogs");
    let with = analysis(&sample(), &trail, &[]);
    let mut command = exposure_tests::exposure();
    command.args(["analyze", "--format", "json", "--all", "--trail"]).arg(&trail);
    let ran = exposure_tests::run(&mut command);
    let without: Value = serde_json::from_str(&ran.out).expect("JSON");
    let moved = |analysis: &Value| -> Vec<Value> {
        let instances = analysis["instances"].as_array().expect("instances").iter();
        let moved = instances.filter(|i| i["migrations"] != json!([]));
        moved.map(|i| json!([i["instance_id"], i["migrations"]])).collect()
    };
    assert!(moved(&with).len() > 10);
    assert_eq!(moved(&with), moved(&without));
    assert!(without["instances"].as_array().expect("instances").iter().all(|i| i["verdict"].is_null()));
}

#[test]
fn from_and_to_cut_the_records_and_name_the_window() {
    let trail = sample().join("AWSLogs");
    let whole = analysis(&sample(), &trail, &[]);
    let (from, to) = ("2026-05-11T20:00:00Z", "2026-05-12T04:00:00Z");
    let cut = analysis(&sample(), &trail, &["--from", from, "--to", to]);
    assert_eq!(cut["window"], json!({"from": from, "to": to}));
    let records = |analysis: &Value| analysis["accounting"]["records"].as_u64().expect("a number");
    assert!(0 < records(&cut) && records(&cut) < records(&whole));
    let rest = [("2000-01-01", "2026-05-11T19:59:59Z"), ("2026-05-12T04:00:01Z", "2100-01-01")]
        .map(|(from, to)| records(&analysis(&sample(), &trail, &["--from", from, "--to", to])));
    // Malformed records without a time belong to no window and are counted in each; the sample has none.
    assert_eq!(records(&cut) + rest.iter().sum::<u64>(), records(&whole));
}

#[test]
fn fail_on_tells_the_shell() {
    let trail = sample().join("AWSLogs");
    assert_eq!(analyze(&sample(), &trail, &["--fail-on", "exposed"]).code, Some(3));
    assert_eq!(analyze(&sample(), &trail, &["--fail-on", "blind"]).code, Some(0));
    assert_eq!(analyze(&sample(), &trail, &["--fail-on", "exposed,blind"]).code, Some(3));
    assert_eq!(analyze(&sample(), &trail, &["--fail-on", "nothing"]).code, Some(2));
}

#[test]
fn a_trail_without_decrypts_is_blind_and_says_so_loudly() {
    let folder = tempfile::tempdir().expect("a folder");
    for (number, file) in exposure_tests::files(&sample().join("AWSLogs")).iter().enumerate() {
        if !file.to_string_lossy().contains("/CloudTrail/") {
            continue;
        }
        let text = gzip::unpack(&fs::read(file).expect("a file")).expect("gzip");
        let mut log: Value = serde_json::from_slice(&text).expect("JSON");
        let records = log["Records"].as_array_mut().expect("records");
        records.retain(|record| record["eventName"] != "Decrypt");
        fs::write(folder.path().join(format!("{number}.json")), log.to_string()).expect("written");
    }
    let ran = analyze(&sample(), folder.path(), &["--fail-on", "blind"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(ran.out.contains("BLIND: 111122223333 eu-central-1"), "{}", ran.out);
    let found = analysis(&sample(), folder.path(), &[]);
    assert_eq!(found["coverage"]["blind"], true);
    assert_eq!(found["coverage"]["baseline_seen"], 0);
}
