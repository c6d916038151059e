//! Metrics on their ways out: the log, the CloudWatch agent's port, the API; and the stack that they are counted under.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;

use serde_json::Value;

use crate::aws::{Aws, Says};
use crate::imds::{Imds, gone, says};
use crate::program::{Daemon, command, wait};

const COUNTED: [&str; 5] = ["ImdsAbsent", "ImdsUnreachable", "ApiFallback", "ApiFallbackFailed", "FailOpen"];

/// A watch on which a minute takes a tenth of a second.
fn watch(imds: &Imds, aws: &Aws) -> std::process::Command {
    let mut command = command(imds, Some(aws));
    command.args(["watch", "--interval", "10s", "--time-scale", "600"]);
    command
}

fn is_metrics(line: &Value) -> bool {
    line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "MigrationExposure"
}

#[test]
fn counts_are_told_in_the_log_zeros_among_them() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::State("InService")));
    imds.target([says("InService")]);
    let mut daemon = Daemon::start(watch(&imds, &aws).args(["--emf", "stdout", "--stack", "Nighttime"]));
    let quiet = daemon.wait_for("metrics", is_metrics);
    for name in COUNTED {
        assert_eq!(quiet[name], 0, "{quiet}");
    }
    assert_eq!(quiet["Stack"], "Nighttime");
    assert!(quiet["ImdsLatency"].as_array().is_some_and(|list| !list.is_empty()), "{quiet}");
    assert!(!quiet.to_string().contains("i-0"), "no instance in metrics");
    imds.target([gone()]);
    daemon.wait_for("404s", |line| line["ImdsAbsent"].as_u64() > Some(0));
    daemon.wait_for("the API", |line| line["ApiFallback"].as_u64() > Some(0) && line["ApiFallbackFailed"] == 0);
    aws.says([Says::Down]);
    daemon.wait_for("its failure", |line| line["ApiFallbackFailed"].as_u64() > Some(0));
    assert!(daemon.stop().success());
    let last = daemon.lines().into_iter().rfind(is_metrics);
    assert!(last.is_some_and(|line| line.get("_aws").is_some()), "what was counted last is told at the end");
}

#[test]
fn the_agents_port_gets_lines_with_a_log_group_and_survives_a_restart_of_the_agent() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::Down));
    imds.target([says("InService")]);
    let agent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = agent.local_addr().expect("an address").to_string();
    let mut command = watch(&imds, &aws);
    let daemon = Daemon::start(command.args(["--emf", &format!("tcp://{address}"), "--stack", "Nighttime"]));
    for _ in 0..2 {
        let (stream, _) = agent.accept().expect("a connection");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("a line");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        assert!(is_metrics(&line), "{line}");
        assert_eq!(line["_aws"]["LogGroupName"], "/migration-exposure/lifecycle-check");
    }
    drop(agent);
    wait(
        "the complaint",
        || daemon.complaints().contains("the CloudWatch agent").then_some(()),
        || daemon.complaints(),
    );
    assert_eq!(daemon.complaints().matches("metrics are lost").count(), 1, "once, while it lasts");
}

#[test]
fn the_api_gets_the_metrics_of_the_stack_and_of_no_instance() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::Down));
    imds.target([says("InService")]);
    imds.play("/latest/meta-data/tags/instance/Stack", [says("Nighttime")]);
    let mut daemon = Daemon::start(watch(&imds, &aws).arg("--put-metric-data"));
    let body =
        wait("metrics", || aws.calls("PutMetricData").first().map(|call| call.body.clone()), || daemon.complaints());
    for expected in COUNTED.into_iter().chain(["ImdsLatency", "MigrationExposure", "Stack", "Nighttime"]) {
        assert!(body.contains(expected), "{expected} is not in {body:?}");
    }
    assert!(!body.contains("i-0123456789abcdef0"), "no instance in metrics");
    assert_eq!(aws.calls("DescribeTags").len(), 0, "IMDS had the tag");
    assert!(daemon.stop().success());
    assert_eq!(daemon.complaints(), "");
}

#[test]
fn the_groups_tag_names_the_stack_where_imds_does_not_and_is_asked_for_once() {
    for (tag, expected) in [(Some("Nighttime"), "Nighttime"), (None, "unassigned")] {
        let (imds, aws) = (Imds::start(), Aws::start(Says::State("InService")));
        if let Some(tag) = tag {
            aws.tag(tag);
        }
        imds.target([says("InService")]);
        let daemon = Daemon::start(watch(&imds, &aws).args(["--emf", "stdout"]));
        let line = daemon.wait_for("metrics", is_metrics);
        assert_eq!(line["Stack"], expected, "{}", daemon.complaints());
        let told = daemon.lines().len();
        wait("more metrics", || (daemon.lines().len() > told + 10).then_some(()), String::new);
        assert_eq!(aws.calls("DescribeTags").len(), 1);
        let asked = aws.calls("DescribeTags").remove(0).body;
        for expected in ["auto-scaling-group", crate::aws::GROUP, "Stack"] {
            assert!(asked.contains(expected), "{asked}");
        }
    }
}

#[test]
fn the_time_under_watch_is_told_without_a_gap_and_at_the_end() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::State("InService")));
    imds.target([says("InService")]);
    let mut daemon = Daemon::start(watch(&imds, &aws).args(["--watched-interval", "3m"]));
    let is_watched = |line: &Value| line["event"] == "watched";
    let count = || daemon.lines().iter().filter(|line| is_watched(line)).count();
    wait("lines", || (count() > 1).then_some(()), || daemon.complaints());
    imds.target([gone()]);
    daemon.wait_for("the 404", |line| line["event"] == "imds_absent_begins");
    assert!(daemon.stop().success());
    let lines = daemon.lines();
    let watched: Vec<&Value> = lines.iter().filter(|line| is_watched(line)).collect();
    assert!(watched.len() >= 3, "{lines:#?}");
    let second = |text: &Value| text.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).expect("a time");
    for (before, after) in watched.iter().zip(watched.iter().skip(1)) {
        // The clock is looked at twice: a second may begin in between.
        let apart = second(&before["time"]).as_second() - second(&after["since"]).as_second();
        assert!((0..=2).contains(&apart), "{watched:#?}");
    }
    for line in &watched {
        assert_eq!(line["instance_id"], crate::imds::INSTANCE, "{line}");
        assert!(line["boot_time"].is_string() && line["answered"].as_u64().is_some(), "{line}");
        // An interval of ten seconds, at ten minutes a second on a loaded machine.
        let silence = line["longest_silence_seconds"].as_u64();
        assert!(silence.is_some_and(|seconds| (1..3_600).contains(&seconds)), "{line}");
    }
    assert_eq!((&watched[0]["imds"], &lines.last().expect("lines")["event"]), (&"known".into(), &"watched".into()));
    assert_eq!(watched.last().expect("a line")["imds"], "absent");
}

#[test]
fn what_is_told_is_what_the_verification_reads_and_what_the_simulator_writes() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::State("InService")));
    imds.target([says("InService")]);
    let mut daemon = Daemon::start(watch(&imds, &aws).args(["--emf", "stdout", "--stack", "Nighttime"]));
    daemon.wait_for_state("InService", "imds");
    imds.target([gone()]);
    daemon.wait_for("the 404", |line| line["event"] == "imds_absent_begins");
    imds.target([says("InService")]);
    daemon.wait_for("its end", |line| line["event"] == "imds_absent_ends");
    assert!(daemon.stop().success());
    let lines = daemon.lines();
    let simulated = std::fs::read_to_string(exposure_tests::sample().join("observations.jsonl")).expect("observations");
    let simulated: Vec<Value> = simulated.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut told = 0;
    for event in ["state", "watched", "imds_absent_begins", "imds_absent_ends"] {
        let of =
            |lines: &[Value]| -> Vec<Value> { lines.iter().filter(|line| line["event"] == event).cloned().collect() };
        let members = |line: &Value| -> Vec<String> { line.as_object().expect("an object").keys().cloned().collect() };
        let kind = |value: &Value| std::mem::discriminant(value);
        let (real, made) = (of(&lines), of(&simulated));
        let (one, other) = (real.first().expect(event), made.first().expect(event));
        assert_eq!(members(one), members(other), "{event}");
        for member in members(one) {
            assert_eq!(kind(&one[&member]), kind(&other[&member]), "{event}: {member}");
        }
        told += real.len();
    }
    let text: String = lines.iter().map(|line| line.to_string() + "\n").collect();
    let mut observations = exposure_core::evidence::observed::Observations::new();
    observations.read(text.as_bytes(), "stdout", exposure_core::trail::Limits::default()).expect("lines");
    let accounting = observations.accounting();
    assert_eq!(accounting.lines, u64::try_from(lines.len()).expect("few"));
    assert_eq!((accounting.told + accounting.duplicates, accounting.malformed), (u64::try_from(told).expect("few"), 0));
    assert!(accounting.other > 0, "metrics are among the lines");
}
