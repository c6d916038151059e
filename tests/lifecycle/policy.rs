//! The lifecycle action, and the policy for the instance profile: the program calls what the policy allows, and nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::aws::{Aws, GROUP, Says, field};
use crate::imds::{INSTANCE, Imds, gone, says};
use crate::program::{Daemon, command, script, wait};

/// The actions of the policy's statements that allow.
fn allowed() -> BTreeSet<String> {
    let policy = exposure_tests::json(&exposure_tests::root().join("infra/lifecycle-check-policy.json"));
    assert_eq!(policy["Version"], "2012-10-17");
    let mut actions = BTreeSet::new();
    for statement in policy["Statement"].as_array().expect("statements") {
        assert_eq!(statement["Effect"], "Allow");
        for action in statement["Action"].as_array().expect("a list") {
            let action = action.as_str().expect("a text");
            assert!(!action.contains('*'), "{action}");
            actions.insert(action.to_owned());
        }
        let is_scoped = statement["Resource"] != "*" || statement.get("Condition").is_some();
        let sid = statement["Sid"].as_str().expect("a name");
        // Describe calls of Auto Scaling know neither resources nor conditions (Service Authorization Reference).
        assert!(is_scoped || sid == "AskForTheState", "{sid}: everything");
    }
    actions
}

/// Runs everything that the program has, and says what it called.
fn called() -> BTreeSet<String> {
    let (imds, aws) = (Imds::start(), Aws::start(Says::State("InService")));
    let folder = tempfile::tempdir().expect("a folder");
    let hook = script(folder.path(), "hook", "sleep 1");
    imds.target([gone()]);
    let mut once = command(&imds, Some(&aws));
    assert_eq!(exposure_tests::run(once.args(["once", "--settle", "10ms"])).code, Some(0));
    let mut bench = command(&imds, Some(&aws));
    assert_eq!(exposure_tests::run(bench.args(["bench", "--api-requests", "1", "--imds-requests", "2"])).code, Some(0));
    let mut watch = command(&imds, Some(&aws));
    watch.args(["watch", "--interval", "10s", "--time-scale", "600", "--put-metric-data", "--listen", "127.0.0.1:0"]);
    watch.args(["--complete-lifecycle-action", "drain", "--heartbeat", "30s", "--on-terminating"]).arg(hook);
    let mut daemon = Daemon::start(watch.arg("--state-dir").arg(folder.path()));
    daemon.wait_for_state("InService", "api");
    aws.says([Says::State("Terminating:Wait")]);
    daemon.wait_for("the action", |line| line["event"] == "lifecycle_action" && line["what"] == "completed");
    wait("metrics", || aws.calls("PutMetricData").first().cloned(), || daemon.complaints());
    assert!(daemon.stop().success());
    let service = |action: &str| if action == "PutMetricData" { "cloudwatch" } else { "autoscaling" };
    aws.all_calls().into_iter().map(|call| format!("{}:{}", service(&call.action), call.action)).collect()
}

#[test]
fn the_policy_allows_what_the_program_calls_and_nothing_else() {
    assert_eq!(called(), allowed());
}

fn of_action(line: &Value) -> bool {
    line["event"] == "lifecycle_action"
}

#[test]
fn the_action_is_completed_only_after_the_group_waits_with_heartbeats_before() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::State("InService")));
    let folder = tempfile::tempdir().expect("a folder");
    let go = folder.path().join("go");
    let hook = script(folder.path(), "hook", &format!("until [ -e {} ]; do sleep 0.02; done", go.display()));
    imds.target([says("Terminated")]);
    let mut watch = command(&imds, Some(&aws));
    watch.args(["watch", "--interval", "10s", "--time-scale", "300", "--heartbeat", "30s"]);
    watch
        .args(["--complete-lifecycle-action", "drain", "--on-terminating"])
        .arg(hook)
        .arg("--state-dir")
        .arg(folder.path());
    let mut daemon = Daemon::start(&mut watch);
    // IMDS has it before the API shows it: not a word to the group until then.
    let describes = || aws.calls("DescribeAutoScalingInstances").len();
    wait("questions", || (describes() >= 3).then_some(()), || daemon.complaints());
    assert_eq!(aws.calls("RecordLifecycleActionHeartbeat").len(), 0);
    aws.says([Says::State("Terminating:Wait")]);
    let beats = || aws.calls("RecordLifecycleActionHeartbeat").len();
    wait("heartbeats", || (beats() >= 2).then_some(()), || daemon.complaints());
    assert_eq!(aws.calls("CompleteLifecycleAction").len(), 0, "the command is under way");
    std::fs::write(&go, "").expect("room");
    daemon.wait_for("the action", |line| of_action(line) && line["what"] == "completed");
    let completed = aws.calls("CompleteLifecycleAction");
    assert_eq!(completed.len(), 1);
    let of = |name: &str| field(&completed[0].body, name).unwrap_or_default();
    assert_eq!(of("AutoScalingGroupName"), GROUP);
    assert_eq!((of("LifecycleHookName"), of("InstanceId")), ("drain".to_owned(), INSTANCE.to_owned()));
    assert_eq!(of("LifecycleActionResult"), "CONTINUE");
    assert!(daemon.stop().success());
    // After a restart neither the command nor the action comes again.
    let before = aws.all_calls().len();
    let daemon = Daemon::start(&mut watch);
    daemon.wait_for_state("Terminated", "imds");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!((daemon.commands(), aws.all_calls().len()), (vec![], before));
}

#[test]
fn a_command_that_fails_leaves_the_action_to_the_hooks_timeout() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::State("Terminating:Wait")));
    let folder = tempfile::tempdir().expect("a folder");
    let hook = script(folder.path(), "hook", "exit 7");
    imds.target([says("Terminated")]);
    let mut watch = command(&imds, Some(&aws));
    watch.args(["watch", "--interval", "10s", "--time-scale", "300", "--complete-lifecycle-action", "drain"]);
    let daemon = Daemon::start(watch.arg("--on-terminating").arg(hook).arg("--state-dir").arg(folder.path()));
    let line = daemon.wait_for("the word", |line| of_action(line) && line["what"] == "not completed");
    assert!(line["reason"].as_str().is_some_and(|reason| reason.contains("the command failed")), "{line}");
    assert_eq!(aws.calls("CompleteLifecycleAction").len(), 0);
}

#[test]
fn an_action_that_a_stop_left_open_is_completed_after_the_restart() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::State("InService")));
    let folder = tempfile::tempdir().expect("a folder");
    let hook = script(folder.path(), "hook", "exit 0");
    imds.target([says("Terminated")]);
    let start = || {
        let mut watch = command(&imds, Some(&aws));
        watch.args(["watch", "--interval", "10s", "--time-scale", "300", "--complete-lifecycle-action", "drain"]);
        Daemon::start(watch.arg("--on-terminating").arg(&hook).arg("--state-dir").arg(folder.path()))
    };
    let mut daemon = start();
    daemon.wait_for("success", |line| line["what"] == "succeeded");
    assert!(daemon.stop().success());
    aws.says([Says::State("Terminating:Wait")]);
    let daemon = start();
    daemon.wait_for("the action", |line| of_action(line) && line["what"] == "completed");
    assert_eq!(daemon.commands(), []);
    assert_eq!(aws.calls("CompleteLifecycleAction").len(), 1);
}
