//! `exposure preflight` against a stand-in whose clock is the system's: what it finds, and how it ends.

use std::time::{Duration, Instant};

use exposure_stand_in::{Fault, FaultKind, Switches};
use exposure_tests::{Ran, exposure, run};
use serde_json::{Value, json};

use crate::account::{ACCOUNT, Stage};

/// An account of which the last day has just ended. It lies where it is about eleven in the morning: whenever this runs,
/// a stack has scaled out some hours ago.
fn stage() -> Stage {
    let now = jiff::Timestamp::now();
    let start = now - jiff::SignedDuration::from_hours(25);
    let start = jiff::Timestamp::from_second(start.as_second()).expect("a time").to_string();
    let hour = now.as_second().div_euclid(3_600) % 24;
    // The sign of these names says how far it is to Greenwich (tz database, `etcetera`).
    let zone = match (11 - hour + 12).rem_euclid(24) - 12 {
        0 => "Etc/GMT".to_owned(),
        ahead => format!("Etc/GMT{:+}", -ahead),
    };
    let stage = Stage::new(&["--days", "1", "--instances", "48", "--start", &start, "--time-zone", &zone]);
    stage.stand_in.set_clock(jiff::Timestamp::now().as_second());
    stage
}

/// The variables of a source, with a pace that AWS would allow; the stand-in has no quota.
fn variables(stage: &Stage, source: &str) -> Vec<(&'static str, String)> {
    let mut variables = stage.variables(source);
    variables.retain(|(name, _)| !matches!(*name, "LOOKUP_REQUESTS_PER_SECOND" | "LOOKUP_REQUESTS_PER_RUN" | "CLOCK"));
    set(&mut variables, "LOOKUP_REQUESTS_PER_SECOND", "20");
    variables
}

fn set(variables: &mut Vec<(&'static str, String)>, name: &'static str, value: &str) {
    variables.retain(|(known, _)| *known != name);
    variables.push((name, value.to_owned()));
}

fn preflight(variables: &[(&'static str, String)], more: &[&str]) -> Ran {
    let mut command = exposure();
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
    run(command.envs(variables.iter().map(|(name, value)| (name, value))).arg("preflight").args(more))
}

fn report(variables: &[(&'static str, String)]) -> (Option<i32>, Value) {
    let ran = preflight(variables, &["--format", "json"]);
    let report = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("no JSON: {} {}", ran.out, ran.err));
    (ran.code, report)
}

/// The checks of a name, of all targets.
fn checks<'a>(report: &'a Value, name: &str) -> Vec<&'a Value> {
    let targets = report["targets"].as_array().expect("targets");
    let all = targets.iter().flat_map(|target| target["checks"].as_array().expect("checks"));
    all.filter(|check| check["name"] == name).collect()
}

/// The names of what failed.
fn failed(report: &Value) -> Vec<&str> {
    let targets = report["targets"].as_array().expect("targets");
    let all = targets.iter().flat_map(|target| target["checks"].as_array().expect("checks"));
    all.filter(|check| check["result"] == "fail").map(|check| check["name"].as_str().expect("a name")).collect()
}

#[test]
fn a_healthy_account_passes_with_every_source() {
    let stage = stage();
    for source in ["lookup", "queue", "logs", "directory"] {
        let (code, report) = report(&variables(&stage, source));
        assert_eq!((code, failed(&report)), (Some(0), vec![]), "{source}: {report:#}");
        assert_eq!(report["schema"], "migration-exposure/preflight/1");
        assert_eq!(report["ok"], true);
        for target in report["targets"].as_array().expect("targets") {
            assert_eq!(target["account"], ACCOUNT);
            assert!(target["region"].is_string());
            for check in target["checks"].as_array().expect("checks") {
                assert!(["ok", "note", "warn"].iter().any(|result| check["result"] == *result), "{check}");
                assert!(check["detail"].as_str().is_some_and(|text| !text.is_empty()), "{check}");
                assert!(check["fix"].is_string() || check["fix"].is_null(), "{check}");
                assert!(check["result"] != "warn" || check["fix"].is_string(), "{check}");
            }
        }
        let needed = match source {
            "lookup" => vec!["cloudtrail:LookupEvents", "baselines", "lookup budget"],
            "queue" => vec!["trail", "sqs:GetQueueAttributes"],
            "logs" => vec!["trail", "s3:ListObjectsV2", "s3:GetObject"],
            _ => vec!["folder"],
        };
        let always = ["identity", "region", "autoscaling:DescribeAutoScalingGroups", "state", "stack tags"];
        for name in needed.iter().chain(&always) {
            assert!(!checks(&report, name).is_empty(), "{source}: no {name} in {report:#}");
        }
        assert_eq!(checks(&report, "cloudwatch:PutMetricData")[0]["result"], "note");
    }
    assert!(stage.stand_in.metrics().is_empty());
    assert!(!stage.state().exists());
    let writes = ["PutObject", "PutMetricData", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch"];
    let requests = stage.stand_in.requests();
    assert!(!requests.iter().any(|request| writes.contains(&request.operation.as_str())));
}

#[test]
fn a_trail_that_hides_what_is_needed_fails_with_its_reason() {
    let stage = stage();
    let table = [
        (Switches { trail_excludes_kms: true, ..Switches::default() }, "ExcludeManagementEventSources leaves out KMS"),
        (Switches { trail_is_write_only: true, ..Switches::default() }, "WriteOnly"),
        (Switches { trail_is_off: true, ..Switches::default() }, "logging is off"),
    ];
    for (switches, said) in table {
        stage.stand_in.switches(switches);
        for source in ["logs", "queue"] {
            let (code, report) = report(&variables(&stage, source));
            assert_eq!((code, &report["ok"]), (Some(3), &json!(false)), "{report:#}");
            for check in checks(&report, "trail") {
                assert_eq!(check["result"], "fail", "{check}");
                assert!(check["detail"].as_str().is_some_and(|text| text.contains(said)), "{check}");
                assert!(check["fix"].as_str().is_some_and(|text| text.contains("SOURCE=lookup")), "{check}");
            }
        }
        // Lookups need no trail.
        assert_eq!(report(&variables(&stage, "lookup")).0, Some(0));
    }
    stage.stand_in.switches(Switches { trail_is_single_region: true, ..Switches::default() });
    let mut elsewhere = variables(&stage, "queue");
    set(&mut elsewhere, "TARGETS", &json!([{"account": ACCOUNT, "regions": ["ap-south-2"]}]).to_string());
    let (_, report) = report(&elsewhere);
    assert!(checks(&report, "trail")[0]["detail"].as_str().is_some_and(|text| text.contains("not this region")));
}

#[test]
fn launches_without_decrypts_are_called_blind() {
    let stage = stage();
    stage.stand_in.switches(Switches { kms_is_hidden: true, ..Switches::default() });
    let (_, report) = report(&variables(&stage, "lookup"));
    let found = checks(&report, "baselines");
    // Regions without launches of late cannot tell.
    assert!(found.iter().all(|check| check["result"] != "ok"), "{report:#}");
    assert!(found.iter().any(|check| check["result"] == "fail" || check["result"] == "warn"), "{report:#}");
}

#[test]
fn what_the_state_knows_is_asked_before_the_account_is() {
    let stage = stage();
    let variables = variables(&stage, "lookup");
    let mut command = exposure();
    let ran = run(command.envs(variables.iter().map(|(name, value)| (name, value))).arg("run"));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let (code, report) = report(&variables);
    assert_eq!(code, Some(0), "{report:#}");
    assert!(
        checks(&report, "state")[0]["detail"].as_str().is_some_and(|text| text.contains("remembered")),
        "{report:#}"
    );
    let by_state = |check: &&Value| check["detail"].as_str().is_some_and(|text| text.starts_with("by the state"));
    assert!(checks(&report, "baselines").iter().any(by_state), "{report:#}");
    assert!(checks(&report, "lookup budget").iter().all(|check| check["result"] == "ok" || check["result"] == "warn"));
}

#[test]
fn a_call_that_is_denied_fails_alone() {
    let stage = stage();
    let table = [
        ("lookup", "cloudtrail:LookupEvents", "cloudtrail:LookupEvents", "allow cloudtrail:LookupEvents"),
        (
            "queue",
            "autoscaling:DescribeScalingActivities",
            "autoscaling:DescribeScalingActivities",
            "allow autoscaling:DescribeScalingActivities",
        ),
        ("logs", "s3:ListObjectsV2", "s3:ListObjectsV2", "allow s3:ListBucket"),
    ];
    for (source, operation, name, fix) in table {
        stage.stand_in.faults(1, vec![Fault::of(operation, FaultKind::AccessDenied)]);
        let (code, report) = report(&variables(&stage, source));
        assert_eq!(code, Some(3), "{report:#}");
        let names = failed(&report);
        assert!(!names.is_empty() && names.iter().all(|found| *found == name), "{names:?} {report:#}");
        let check = checks(&report, name)[0];
        assert!(check["detail"].as_str().is_some_and(|text| text.contains("denied")), "{check}");
        assert!(check["fix"].as_str().is_some_and(|text| text.contains(fix)), "{check}");
    }
    // The analyzer itself does not ask these.
    let both = vec![
        Fault::of("cloudtrail:DescribeTrails", FaultKind::AccessDenied),
        Fault::of("sqs:GetQueueAttributes", FaultKind::AccessDenied),
    ];
    stage.stand_in.faults(1, both);
    let (code, report) = report(&variables(&stage, "queue"));
    assert_eq!((code, failed(&report)), (Some(0), vec![]), "{report:#}");
    assert_eq!(checks(&report, "trail")[0]["result"], "warn");
}

#[test]
fn one_account_that_is_denied_spoils_no_other() {
    let stage = stage();
    let mut variables = variables(&stage, "lookup");
    let role = "arn:aws:iam::444455556666:role/reader";
    let targets = json!([
        {"account": ACCOUNT, "regions": ["eu-central-1"]},
        {"regions": ["eu-central-1"], "roleArn": role},
    ]);
    set(&mut variables, "TARGETS", &targets.to_string());
    stage.stand_in.faults(1, vec![Fault::of("sts:AssumeRole", FaultKind::AccessDenied)]);
    let (code, report) = report(&variables);
    assert_eq!(code, Some(3), "{report:#}");
    let targets = report["targets"].as_array().expect("targets");
    assert_eq!(targets.len(), 2);
    for target in targets {
        let is_ours = target["account"] == ACCOUNT;
        let failed = target["checks"].as_array().expect("checks").iter().filter(|check| check["result"] == "fail");
        let failed: Vec<&Value> = failed.collect();
        assert_eq!(failed.is_empty(), is_ours, "{target:#}");
        assert!(is_ours || failed[0]["fix"].as_str().is_some_and(|fix| fix.contains("trust policy")), "{target:#}");
    }
}

#[test]
fn credentials_of_another_account_than_is_meant_fail() {
    let stage = stage();
    let mut variables = variables(&stage, "lookup");
    set(&mut variables, "TARGETS", r#"[{"account": "444455556666", "regions": ["eu-central-1"]}]"#);
    let (code, report) = report(&variables);
    assert_eq!(code, Some(3));
    let identity = checks(&report, "identity").into_iter().find(|check| check["result"] == "fail").expect("a failure");
    assert!(identity["fix"].as_str().is_some_and(|fix| fix.contains("roleArn")), "{identity}");
}

#[test]
fn without_credentials_or_an_answer_it_ends_soon_and_says_why() {
    let stage = stage();
    let mut missing = variables(&stage, "lookup");
    missing.retain(|(name, _)| !name.starts_with("AWS_ACCESS") && !name.starts_with("AWS_SECRET"));
    // Where an instance's role would be asked for, nobody answers.
    let mut unserved = missing.clone();
    set(&mut unserved, "AWS_EC2_METADATA_DISABLED", "false");
    set(&mut unserved, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    let mut dead = variables(&stage, "lookup");
    set(&mut dead, "AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    // Connections are made and nothing is ever said.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut silent = variables(&stage, "logs");
    set(&mut silent, "AWS_ENDPOINT_URL", &format!("http://{}", listener.local_addr().expect("an address")));
    set(&mut silent, "STATE_URL", "s3://bucket/state");
    let table = [
        (missing, "give valid credentials"),
        (unserved, "give valid credentials"),
        (dead, "check the network"),
        (silent, "check the network"),
    ];
    for (variables, said) in table {
        let began = Instant::now();
        let ran = preflight(&variables, &[]);
        assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
        assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("no call was answered") && ran.err.contains(said), "{}", ran.err);
        assert!(ran.out.contains("FAIL"), "{}", ran.out);
    }
}

#[test]
fn settings_that_cannot_be_used_are_a_wrong_usage() {
    let stage = stage();
    for (name, value) in [("STATE_URL", "bucket"), ("SOURCE", "athena"), ("STATE_URL", "s3://bucket/")] {
        let mut variables = variables(&stage, "lookup");
        set(&mut variables, name, value);
        let ran = preflight(&variables, &[]);
        assert_eq!(ran.code, Some(2), "{name}={value}: {}", ran.err);
        assert!(ran.err.contains(name), "{}", ran.err);
    }
    let mut nowhere = variables(&stage, "lookup");
    nowhere.retain(|(name, _)| !matches!(*name, "AWS_REGION" | "TARGETS"));
    let ran = preflight(&nowhere, &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("AWS_REGION"), "{}", ran.err);
}

#[test]
fn the_table_fits_a_terminal_and_has_no_colour_elsewhere() {
    let stage = stage();
    stage.stand_in.switches(Switches { trail_excludes_kms: true, ..Switches::default() });
    let ran = preflight(&variables(&stage, "logs"), &[]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.out.lines().all(|line| line.chars().count() <= 100), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'));
    for said in [ACCOUNT, "CHECK", "FAIL", "fix: ", "checks failed"] {
        assert!(ran.out.contains(said), "no {said} in {}", ran.out);
    }
}
