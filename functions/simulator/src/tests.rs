//! Whole simulations, read back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use libdeflater::Decompressor;
use serde_json::Value;
use tempfile::TempDir;

use super::*;

/// A simulation of this configuration, in a folder that goes with the value.
fn simulated(config: &Config) -> (TempDir, Summary) {
    let folder = tempfile::tempdir().expect("a folder");
    let summary = simulate(config, folder.path(), &mut |_| {}).expect("a simulation");
    (folder, summary)
}

fn small(seed: u64) -> Config {
    Config { seed, ..Config::default() }
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("is inside").to_owned();
                found.insert(name, fs::read(path).expect("a file"));
            }
        }
    }
    found
}

fn json(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.join(name)).expect("a file")).expect("JSON")
}

fn unpack(bytes: &[u8]) -> Value {
    let mut text = vec![0; 16 << 20];
    let length = Decompressor::new().gzip_decompress(bytes, &mut text).expect("gzip");
    serde_json::from_slice(&text[..length]).expect("JSON")
}

/// The records of all log files.
fn records(folder: &Path) -> Vec<Value> {
    let is_log = |path: &Path| path.components().any(|part| part.as_os_str() == "CloudTrail");
    let logs = files(folder).into_iter().filter(|(path, _)| is_log(path));
    logs.flat_map(|(_, bytes)| unpack(&bytes)["Records"].as_array().expect("records").clone()).collect()
}

fn texts<'a>(rows: &'a Value, field: &str) -> BTreeSet<&'a str> {
    rows.as_array().expect("rows").iter().filter_map(|row| row[field].as_str()).collect()
}

#[test]
fn the_same_configuration_gives_the_same_bytes() {
    let (one, summary) = simulated(&small(3));
    let (other, again) = simulated(&small(3));
    assert_eq!(summary, again);
    assert!(files(one.path()) == files(other.path()));
    let (another, _) = simulated(&small(4));
    assert!(files(one.path()) != files(another.path()));
}

#[test]
fn every_kind_verdict_cause_and_confidence_happens() {
    for config in [small(1), Config { instances: Kind::ASSURED, ..small(2) }] {
        let (folder, _) = simulated(&config);
        let truth = json(folder.path(), "truth.json");
        let instances = &truth["instances"];
        let assured: BTreeSet<_> = Kind::ALL.into_iter().take(Kind::ASSURED).map(Kind::name).collect();
        let kinds = texts(instances, "kind");
        assert!(assured.is_subset(&kinds), "missing: {:?}", assured.difference(&kinds));
        assert_eq!(texts(instances, "verdict"), ["clean", "exposed", "recovered", "undetermined", "unseen"].into());
        let rows = instances.as_array().expect("rows").iter();
        let inner = |list: &str, field: &str| -> BTreeSet<String> {
            let all = rows.clone().flat_map(|row| texts(&row[list], field));
            all.map(str::to_owned).collect()
        };
        assert_eq!(
            inner("migrations", "confidence"),
            ["confirmed", "partial", "presumed", "undetermined"].map(str::to_owned).into()
        );
        assert_eq!(
            inner("reattachments", "cause"),
            ["attach", "detach", "grant", "launch", "reboot", "root volume replacement", "start", "stop"]
                .map(str::to_owned)
                .into()
        );
    }
}

#[test]
fn the_accounts_are_even() {
    let (folder, summary) = simulated(&small(5));
    let truth = json(folder.path(), "truth.json");
    let number = |field: &str| truth["accounting"][field].as_u64().expect("a number");
    let parts = ["sightings", "causes", "irrelevant", "duplicates", "malformed"].map(number);
    assert_eq!(number("records"), parts.iter().sum::<u64>());
    assert!(parts.iter().all(|part| *part > 0), "{parts:?}");
    assert!(number("failed_decrypts") > 0);
    assert_eq!((number("records"), number("files")), (summary.records, summary.files));
    let records = records(folder.path());
    assert_eq!(u64::try_from(records.len()).expect("fits"), summary.records);
    let times: BTreeSet<_> = records.iter().map(|record| record["eventTime"].as_str().expect("a time")).collect();
    assert_eq!(truth["window"]["from"].as_str(), times.first().copied());
    assert_eq!(truth["window"]["to"].as_str(), times.last().copied());
}

#[test]
fn rows_of_stacks_add_up_to_the_members_of_the_fleet() {
    let (folder, _) = simulated(&small(6));
    let truth = json(folder.path(), "truth.json");
    let mut members = 0;
    for row in truth["stacks"].as_array().expect("rows") {
        let number = |field: &str| row[field].as_u64().expect("a number");
        let verdicts = ["exposed", "recovered", "clean", "unseen", "undetermined"].map(number);
        assert_eq!(number("members"), verdicts.iter().sum::<u64>(), "{row}");
        members += number("members");
    }
    assert_eq!(texts(&truth["stacks"], "stack"), ["Daytime", "Nighttime", "unassigned"].into());
    let groups = json(folder.path(), "fleet.json");
    let groups = groups["AutoScalingGroups"].as_array().expect("groups");
    let pooled = json(folder.path(), "warm-pool.json")["Instances"].as_array().expect("members").len();
    let fleet = groups.iter().map(|group| group["Instances"].as_array().expect("members").len()).sum::<usize>();
    assert!(pooled > 0);
    assert_eq!(members, u64::try_from(fleet + pooled).expect("fits"));
    let rows = truth["instances"].as_array().expect("rows");
    assert_eq!(rows.iter().filter(|row| row["verdict"].is_string()).count(), fleet + pooled);
}

#[test]
fn files_lie_where_cloudtrail_puts_them() {
    let (folder, _) = simulated(&small(7));
    let names: Vec<String> =
        files(folder.path()).into_keys().map(|path| path.to_string_lossy().replace('\\', "/")).collect();
    for plain in ["activities.json", "fleet.json", "truth.json", "warm-pool.json"] {
        assert!(names.iter().any(|name| name == plain), "{plain}");
    }
    for tree in [
        "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/05/1",
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/05/1",
        "AWSLogs/444455556666/CloudTrail/eu-central-1/2026/05/1",
        "AWSLogs/111122223333/CloudTrail-Digest/eu-central-1/2026/05/1",
        "AWSLogs/111122223333/CloudTrail-Insight/eu-central-1/2026/05/1",
    ] {
        assert!(names.iter().any(|name| name.starts_with(tree)), "{tree}");
    }
    assert!(names.iter().all(|name| !name.contains("partial")));
}

#[test]
fn instances_are_in_order_and_migrations_name_their_records() {
    let (folder, _) = simulated(&small(8));
    let truth = json(folder.path(), "truth.json");
    let rows = truth["instances"].as_array().expect("rows");
    let keys: Vec<_> =
        rows.iter().map(|row| ["account", "region", "instance_id"].map(|key| row[key].as_str())).collect();
    assert!(keys.is_sorted());
    let records = records(folder.path());
    let by_id: BTreeMap<_, _> = records.iter().map(|record| (record["eventID"].as_str(), record)).collect();
    let mut named = 0;
    for row in rows {
        for migration in row["migrations"].as_array().expect("rows") {
            let ids: Vec<_> =
                migration["event_ids"].as_array().expect("ids").iter().map(|id| by_id[&id.as_str()]).collect();
            assert_eq!(ids.iter().filter_map(|record| record["eventTime"].as_str()).min(), migration["at"].as_str());
            for record in ids {
                assert_eq!(record["eventName"], "Decrypt");
                assert_eq!(record["recipientAccountId"], row["account"]);
                let arn = record["userIdentity"]["arn"].as_str().expect("an ARN");
                assert!(arn.ends_with(&format!(
                    "assumed-role/aws:ec2-infrastructure/{}",
                    row["instance_id"].as_str().expect("an ID")
                )));
                named += 1;
            }
        }
    }
    assert!(named > 20);
}

#[test]
fn nights_see_more_moves_and_groups_follow_the_clock() {
    let config = Config { instances: 2_000, records: Some(0), ..small(9) };
    let (folder, _) = simulated(&config);
    let truth = json(folder.path(), "truth.json");
    let stack = |name: &str| {
        let rows = truth["stacks"].as_array().expect("rows").iter();
        rows.clone().find(|row| row["stack"] == name).expect("a row").clone()
    };
    let moves = |name: &str| stack(name)["migrations"].as_u64().expect("a number");
    assert!(moves("Nighttime") > moves("Daytime"), "{} {}", moves("Nighttime"), moves("Daytime"));
    assert_eq!(truth["fleet_time"], "2026-05-13T10:00:00Z");
}

#[test]
fn a_folder_with_something_in_it_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("mine"), "keep").expect("a file");
    let error = simulate(&small(1), folder.path(), &mut |_| {}).expect_err("is refused");
    assert!(matches!(&error, SimulateError::NotEmpty(path) if path == folder.path()), "{error}");
    assert_eq!(files(folder.path()).len(), 1);
    let error = simulate(&small(1), &folder.path().join("mine"), &mut |_| {}).expect_err("is refused");
    assert!(matches!(error, SimulateError::NotAFolder(_)), "{error}");
}

#[test]
fn a_senseless_configuration_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config { time_zone: "Mars/Olympus".to_owned(), ..small(1) };
    let error = simulate(&config, &folder.path().join("out"), &mut |_| {}).expect_err("is refused");
    assert!(error.to_string().contains("Mars/Olympus"));
    assert!(files(folder.path()).is_empty());
}

#[test]
fn any_size_start_and_zone_can_be_simulated() {
    for (instances, days, start, time_zone) in [
        (1, 1.0, "2026-03-28T20:00:00Z", "Europe/Berlin"),
        (5, 1.5, "2026-05-11T00:00:00Z", "America/New_York"),
        (60, 1.0, "2026-05-11T15:30:00Z", "Asia/Kolkata"),
        (60, 1.0, "2026-10-24T22:00:00Z", "Europe/Berlin"),
        (120, 5.0, "2026-12-30T03:00:00Z", "Pacific/Auckland"),
    ] {
        let start = start.parse().expect("a time");
        let config = Config { instances, days, start, time_zone: time_zone.to_owned(), ..small(1) };
        let (folder, _) = simulated(&config);
        let truth = json(folder.path(), "truth.json");
        let margin = |at: &Value| {
            let at: jiff::Timestamp = at.as_str().expect("a time").parse().expect("a time");
            let end = start.as_second() + jiff::SignedDuration::from_secs_f64(days * 86_400.0).as_secs();
            (at.as_second() - start.as_second()).min(end - at.as_second())
        };
        for row in truth["instances"].as_array().expect("rows") {
            for list in ["migrations", "reattachments"] {
                for happened in row[list].as_array().expect("rows") {
                    assert!(margin(&happened["at"]) >= 3600 - 300, "{time_zone} {row}");
                }
            }
        }
    }
}

#[test]
fn a_number_of_records_is_kept_to() {
    let mut calls = 0;
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config { records: Some(30_000), ..small(1) };
    let summary = simulate(&config, folder.path(), &mut |progress| {
        assert!(progress.records <= progress.of_records);
        calls += 1;
    })
    .expect("a simulation");
    assert!((29_500..30_500).contains(&summary.records), "{summary:?}");
    assert!(calls >= 2);
}

#[test]
fn the_truth_shares_no_code_with_what_it_judges() {
    let manifest = include_str!("../Cargo.toml");
    let named = |line: &&str| !line.starts_with('#') && line.contains("exposure-");
    assert_eq!(manifest.lines().filter(named).collect::<Vec<_>>(), ["name = \"exposure-simulator\""]);
}

#[test]
fn unrelated_absences_change_what_was_observed_and_nothing_else() {
    let (usual, _) = simulated(&small(3));
    let (unrelated, _) = simulated(&Config { unrelated_absences: true, ..small(3) });
    let (usual, unrelated) = (files(usual.path()), files(unrelated.path()));
    let differ: Vec<_> = usual.iter().filter(|(name, bytes)| unrelated.get(*name) != Some(*bytes)).collect();
    let names: Vec<_> = differ.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["observations-truth.json", "observations.jsonl"]);
}

#[test]
fn observations_are_lines_in_order_and_of_some_instances_only() {
    let (folder, _) = simulated(&Config { instances: 200, ..small(5) });
    let text = fs::read_to_string(folder.path().join("observations.jsonl")).expect("a file");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let lines = Value::Array(lines);
    let events = BTreeSet::from(["imds_absent_begins", "imds_absent_ends", "state", "watched"]);
    assert_eq!(texts(&lines, "event"), events);
    let truth = json(folder.path(), "truth.json");
    let (seen, all) = (texts(&lines, "instance_id"), texts(&truth["instances"], "instance_id"));
    assert!(seen.len() > 120 && all.difference(&seen).count() > 10, "{} of {}", seen.len(), all.len());
    // Clocks are off by up to twenty seconds, and lines are in the order in which they were printed.
    let times: Vec<i64> = lines
        .as_array()
        .expect("lines")
        .iter()
        .filter_map(|line| line["time"].as_str()?.parse::<jiff::Timestamp>().ok())
        .map(jiff::Timestamp::as_second)
        .collect();
    assert!(times.len() > 1_000 && times.windows(2).all(|pair| pair[1] + 45 > pair[0]));
}

#[test]
fn what_is_scheduled_makes_nighttime_large_at_night_and_daytime_by_day() {
    let config = Config { instances: 1_000, scheduled: 90, days: 4.0, ..small(3) };
    let (folder, _) = simulated(&config);
    let activities = json(folder.path(), "activities.json");
    let activities = activities["Activities"].as_array().expect("activities");
    let standing = |side: &str, time: &str| {
        let until = |what: &str| {
            let of = |field: &str, activity: &Value| activity[field].as_str().expect("a text").to_owned();
            let counts = |a: &&Value| {
                let name = of("AutoScalingGroupName", a);
                name.starts_with(side) && of("Description", a).starts_with(what) && of("StartTime", a).as_str() < time
            };
            activities.iter().filter(counts).count()
        };
        until("Launching") - until("Terminating")
    };
    // Berlin is two hours ahead.
    for day in ["2026-05-12", "2026-05-13", "2026-05-14"] {
        let (night, noon) = (format!("{day}T00:30:00Z"), format!("{day}T12:30:00Z"));
        assert!(standing("night", &night) > standing("night", &noon) + 60, "{day}");
        assert!(standing("day", &noon) > standing("day", &night) + 60, "{day}");
    }
}
