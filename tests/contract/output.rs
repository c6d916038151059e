//! What a person sees.

use std::fs;
use std::process::{Command, Stdio};

use exposure_tests::{analyze, exposure, run, sample};

fn table(more: &[&str]) -> String {
    analyze(&sample(), &sample().join("AWSLogs"), more).out
}

#[test]
fn the_table_of_the_sample() {
    insta::assert_snapshot!(table(&[]));
}

#[test]
fn the_table_without_a_fleet() {
    let mut command = exposure();
    command.args(["analyze", "--trail"]).arg(sample().join("AWSLogs"));
    insta::assert_snapshot!(run(&mut command).out);
}

#[test]
fn it_fits_a_hundred_columns() {
    let table = table(&["--all"]);
    assert!(table.lines().count() > 20);
    for line in table.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn hostile_names_stay_in_their_cells() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut fleet = exposure_tests::json(&sample().join("fleet.json"));
    for group in fleet["AutoScalingGroups"].as_array_mut().expect("groups") {
        let name = format!("=cmd|' /C calc'!A0\u{1b}[2J\n{}", "夜".repeat(60));
        group["Tags"] = serde_json::json!([{"Key": "Stack", "Value": name}]);
    }
    fs::write(folder.path().join("fleet.json"), fleet.to_string()).expect("written");
    fs::copy(sample().join("warm-pool.json"), folder.path().join("warm-pool.json")).expect("copied");
    let ran = analyze(folder.path(), &sample().join("AWSLogs"), &[]);
    assert!(ran.out.contains("=cmd|") && !ran.out.contains('\u{1b}'), "{}", ran.out);
    for line in ran.out.lines() {
        let width = line.chars().map(|c| if c == '夜' { 2 } else { 1 }).sum::<usize>();
        assert!(width <= 100, "{line}");
    }
    let csv = analyze(folder.path(), &sample().join("AWSLogs"), &["--format", "csv"]).out;
    assert!(csv.contains("'=cmd|") && !csv.contains(",=cmd|") && !csv.contains(",\"=cmd|"), "{csv}");
    let json = analyze(folder.path(), &sample().join("AWSLogs"), &["--format", "json"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert!(json["stacks"].to_string().contains("夜".repeat(60).as_str()), "verbatim in JSON");
}

#[test]
fn results_go_to_standard_output_and_everything_else_to_standard_error() {
    let ran = analyze(&sample(), &sample().join("AWSLogs"), &["--format", "json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&ran.out).is_ok());
    assert!(ran.err.contains("malformed records"), "{}", ran.err);
    assert!(!ran.err.contains('\u{1b}') && !ran.err.contains("files read"), "no progress off a terminal: {}", ran.err);
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    assert!(!table(&[]).contains('\u{1b}'));
    let mut forced = exposure();
    forced.env("CLICOLOR_FORCE", "1").args(["analyze", "--trail"]).arg(sample().join("AWSLogs"));
    assert!(run(&mut forced).out.contains('\u{1b}'));
    let mut never = exposure();
    never.env("NO_COLOR", "1").args(["analyze", "--trail"]).arg(sample().join("AWSLogs"));
    assert!(!run(&mut never).out.contains('\u{1b}'));
}

#[test]
fn csv_has_a_heading_and_one_row_for_each_instance() {
    let csv = table(&["--format", "csv", "--all"]);
    let mut lines = csv.lines();
    assert!(lines.next().is_some_and(|heading| heading.starts_with("account,region,instance_id,")));
    let instances = exposure_tests::analysis(&sample(), &sample().join("AWSLogs"), &[]);
    assert_eq!(lines.count(), instances["instances"].as_array().map_or(0, Vec::len));
}

#[test]
#[cfg(unix)]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut command = exposure();
    command.args(["analyze", "--format", "json", "--all", "--trail"]).arg(sample().join("AWSLogs"));
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(running.stdout.take());
    let ended = running.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(Command::new("true").status().is_ok_and(|status| status.success()));
}
