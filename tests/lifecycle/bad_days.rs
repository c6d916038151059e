//! Bad days of `watch`: nothing panics, no transition is lost, no zombie is left, and a stop is bounded.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::aws::{Aws, Says};
use crate::imds::{Imds, TARGET, gone, says};
use crate::program::{Daemon, command, script, wait};
use crate::server::Act;

/// A watch with a short interval, whose command for termination does this.
fn watch(imds: &Imds, aws: Option<&Aws>, folder: &TempDir, lines: &str) -> Command {
    let hook = script(folder.path(), "hook", lines);
    let mut command = command(imds, aws);
    command.args(["watch", "--interval", "100ms", "--state-dir"]).arg(folder.path());
    command.arg("--on-terminating").arg(hook);
    command
}

fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !stat.is_empty() && !stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
}

/// Children of a process that have ended and were not waited for.
fn zombies(parent: u32) -> usize {
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let stats = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let rest = stats.filter_map(|stat| stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned()));
    rest.filter(|rest| rest.starts_with(&format!("Z {parent} "))).count()
}

fn wait_for_file(path: &Path) -> String {
    let read = || std::fs::read_to_string(path).ok().filter(|text| text.ends_with('\n'));
    wait(&path.display().to_string(), read, String::new)
}

#[test]
fn a_stop_during_a_command_is_bounded_and_the_command_runs_again_at_the_next_start() {
    let (imds, folder) = (Imds::start(), tempfile::tempdir().expect("a folder"));
    imds.target([says("Terminated")]);
    let log = folder.path().join("log");
    // The first attempt ignores the signal, in a child of its own.
    let lines = format!(
        "echo $LIFECYCLE_ATTEMPT $$ >> {0}\n[ $LIFECYCLE_ATTEMPT = 2 ] && exit 0\ntrap '' TERM\nsleep 600 & wait; wait",
        log.display()
    );
    let start = || {
        let mut command = watch(&imds, None, &folder, &lines);
        Daemon::start(command.args(["--grace", "300ms"]))
    };
    let mut daemon = start();
    let first = wait_for_file(&log);
    let began = Instant::now();
    assert!(daemon.stop().success());
    // The grace, two seconds for last words, and a loaded machine.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(daemon.commands().last().map(|(what, _)| what.clone()), Some("cut_off".to_owned()));
    let pid = first.split_whitespace().nth(1).expect("a number").to_owned();
    wait("the command's end", || (!is_alive(&pid)).then_some(()), || pid.clone());

    let mut daemon = start();
    daemon.wait_for("success", |line| line["what"] == "succeeded");
    assert!(daemon.stop().success());
    // It is done now, and stays done.
    let mut daemon = start();
    daemon.wait_for_state("Terminated", "imds");
    std::thread::sleep(Duration::from_millis(400));
    assert!(daemon.stop().success());
    assert_eq!(daemon.commands(), []);
    let attempts: Vec<String> =
        std::fs::read_to_string(&log).expect("a log").lines().map(|l| l[..1].to_owned()).collect();
    assert_eq!(attempts, ["1", "2"]);
}

#[test]
fn a_kill_in_the_middle_loses_no_transition_and_one_after_it_repeats_none() {
    let (imds, folder) = (Imds::start(), tempfile::tempdir().expect("a folder"));
    imds.target([says("Terminated")]);
    let log = folder.path().join("log");
    let lines =
        format!("echo $LIFECYCLE_ATTEMPT $$ >> {0}\n[ $LIFECYCLE_ATTEMPT = 2 ] || exec sleep 600", log.display());
    let mut daemon = Daemon::start(&mut watch(&imds, None, &folder, &lines));
    wait_for_file(&log);
    daemon.signal("KILL");
    daemon.end();
    let mut daemon = Daemon::start(&mut watch(&imds, None, &folder, &lines));
    daemon.wait_for("success", |line| line["what"] == "succeeded");
    daemon.signal("KILL");
    daemon.end();
    let daemon = Daemon::start(&mut watch(&imds, None, &folder, &lines));
    daemon.wait_for_state("Terminated", "imds");
    std::thread::sleep(Duration::from_millis(400));
    let log = std::fs::read_to_string(&log).expect("a log");
    let attempts: Vec<(&str, &str)> = log.lines().filter_map(|line| line.split_once(' ')).collect();
    assert_eq!(attempts.iter().map(|(attempt, _)| *attempt).collect::<Vec<_>>(), ["1", "2"]);
    // The command of the first one lives on as an orphan: who kills the watch kills its group, as systemd does.
    let kill = format!("kill -KILL {}", attempts[0].1);
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
}

#[test]
fn a_command_that_hangs_is_ended_and_the_next_transition_is_not_lost() {
    let (imds, folder) = (Imds::start(), tempfile::tempdir().expect("a folder"));
    imds.target([says("Terminated")]);
    let mut command = watch(&imds, None, &folder, "trap '' TERM; sleep 600 & wait; wait");
    let standby = script(folder.path(), "standby", "exit 3");
    let mut daemon = Daemon::start(command.args(["--command-timeout", "300ms", "--on-standby"]).arg(standby));
    let ended = daemon.wait_for("its end", |line| line["what"] == "ended");
    assert_eq!(ended["reason"], "it took too long");
    imds.target([says("Standby")]);
    let failed = daemon.wait_for("the failure", |line| line["what"] == "failed");
    assert_eq!((&failed["exit_code"], &failed["state"]), (&3.into(), &"Standby".into()));
    // A command that failed is not run again.
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(daemon.commands().len(), 4, "{:?}", daemon.commands());
    assert_eq!(zombies(daemon.pid()), 0);
    assert!(daemon.stop().success());
}

#[test]
fn a_termination_waits_for_no_other_command() {
    let (imds, folder) = (Imds::start(), tempfile::tempdir().expect("a folder"));
    imds.target([says("Standby")]);
    let mut command = watch(&imds, None, &folder, "exit 0");
    let standby = script(folder.path(), "standby", "sleep 600");
    let mut daemon = Daemon::start(command.arg("--on-standby").arg(standby));
    daemon.wait_for("standby", |line| line["what"] == "started" && line["state"] == "Standby");
    imds.target([says("Terminated")]);
    let came = Instant::now();
    daemon.wait_for("the drain", |line| line["what"] == "succeeded" && line["state"] == "Terminated");
    assert!(came.elapsed() < Duration::from_secs(15), "{:?}", came.elapsed());
    let happened = daemon.commands().into_iter().map(|(what, state)| format!("{what} {state}")).collect::<Vec<_>>();
    assert_eq!(happened, ["started Standby", "ended Standby", "started Terminated", "succeeded Terminated"]);
    assert!(daemon.stop().success());
}

#[test]
fn a_token_that_is_revoked_costs_one_refresh() {
    let imds = Imds::start();
    imds.target([says("InService")]);
    let mut daemon = Daemon::start(command(&imds, None).args(["watch", "--interval", "100ms"]));
    daemon.wait_for_state("InService", "imds");
    let given = imds.tokens_given();
    imds.revoke();
    imds.target([says("Standby")]);
    daemon.wait_for_state("Standby", "imds");
    assert_eq!(imds.tokens_given(), given + 1);
    assert!(daemon.lines().iter().all(|line| line["imds"] != "refused"), "{:?}", daemon.lines());
    // Tokens are refused for good: refused, and the state held.
    imds.tokens(Some(Act::new(403, "")));
    imds.revoke();
    let refused = daemon.wait_for("the refusal", |line| line["imds"] == "refused");
    assert_eq!((&refused["state"], &refused["source"]), (&"Standby".into(), &"imds".into()));
    imds.tokens(None);
    daemon.wait_for("IMDS again", |line| line["imds"] == "known" && line["state"] == "Standby");
    assert!(daemon.stop().success());
}

#[test]
fn when_both_sources_are_down_the_state_is_assumed_and_counted() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::Down));
    imds.target([gone()]);
    let mut command = command(&imds, Some(&aws));
    command.args(["watch", "--interval", "100ms", "--hold-imds", "0s", "--listen", "127.0.0.1:0"]);
    let daemon = Daemon::start(&mut command);
    let line = daemon.wait_for_state("InService", "assumed");
    assert!(line["reason"].as_str().is_some_and(|reason| reason.contains("taken to be in service")), "{line}");
    let url = daemon.wait_for("the address", |line| line["event"] == "listening")["address"].clone();
    let metrics = || {
        let answer = crate::client::ask(url.as_str()?, "GET", "/metrics", &[])?;
        let line = answer.body.lines().find(|line| line.starts_with("lifecycle_fail_open_total"))?.to_owned();
        line.rsplit(' ').next()?.parse::<u64>().ok().filter(|count| *count > 0)
    };
    wait("FailOpen", metrics, String::new);
}

#[test]
fn a_closed_output_and_a_reader_that_stalls_hold_up_nothing() {
    let (imds, folder) = (Imds::start(), tempfile::tempdir().expect("a folder"));
    for closes in [true, false] {
        imds.target([says("InService")]);
        let done = folder.path().join(format!("done-{closes}"));
        let mut command = watch(&imds, None, &folder, &format!("echo > {}", done.display()));
        // A line for each poll, into a pipe that nobody reads.
        command.args(["--emf", "stdout", "--metrics-interval", "100ms", "--stack", &"x".repeat(900)]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut out = child.stdout.take();
        if closes {
            drop(out.take());
        }
        let asked = imds.asked(TARGET);
        wait("polls", || (imds.asked(TARGET) > asked + 80).then_some(()), || imds.asked(TARGET).to_string());
        imds.target([says("Terminated")]);
        wait("the drain", || done.exists().then_some(()), String::new);
        let kill = format!("kill -TERM {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
        let began = Instant::now();
        assert!(child.wait().expect("a state").success());
        assert!(began.elapsed() < Duration::from_secs(10));
        drop(out);
        std::fs::remove_file(folder.path().join("transition.json")).expect("the marker");
    }
}

#[test]
fn a_command_or_a_configuration_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let (imds, folder) = (Imds::start(), tempfile::tempdir().expect("a folder"));
    imds.target([says("Terminated")]);
    let open = |path: &Path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).expect("ours");
    let mut refused = watch(&imds, None, &folder, "exit 0");
    open(&folder.path().join("hook"));
    let ran = exposure_tests::run(&mut refused);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("refused") && ran.err.contains("everybody can write it"), "{}", ran.err);

    let config = folder.path().join("config.json");
    let hook = script(folder.path(), "sound", "exit 0");
    let text = serde_json::json!({"interval": "100ms", "on-terminating": [hook], "state-dir": folder.path()});
    std::fs::write(&config, text.to_string()).expect("a file");
    open(&config);
    let ran = exposure_tests::run(command(&imds, None).arg("watch").arg("--config").arg(&config));
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("configuration is refused"), "{}", ran.err);
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o644)).expect("ours");
    let daemon = Daemon::start(command(&imds, None).arg("watch").arg("--config").arg(&config));
    daemon.wait_for("success", |line| line["what"] == "succeeded");

    // A program that becomes writable while the watch runs is not run.
    imds.target([says("InService")]);
    let other = tempfile::tempdir().expect("a folder");
    let daemon = Daemon::start(&mut watch(&imds, None, &other, "exit 0"));
    daemon.wait_for_state("InService", "imds");
    open(&other.path().join("hook"));
    imds.target([says("Terminated")]);
    let failed = daemon.wait_for("the refusal", |line| line["what"] == "failed");
    assert!(failed["reason"].as_str().is_some_and(|reason| reason.contains("everybody")), "{failed}");
}

#[test]
fn a_stop_waits_for_no_answer() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::Hangs(Duration::from_secs(30))));
    imds.target([gone()]);
    let mut watch = command(&imds, Some(&aws));
    watch.args(["watch", "--interval", "10s", "--time-scale", "600", "--api-timeout", "30s"]);
    let mut daemon = Daemon::start(&mut watch);
    wait("a question", || (!aws.all_calls().is_empty()).then_some(()), || daemon.complaints());
    let began = Instant::now();
    assert!(daemon.stop().success());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// Adds to the time of day what a file says, and leaves the clocks alone that are never set.
const STEPS: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    FILE *file = clock == CLOCK_REALTIME ? fopen(getenv("STEP"), "r") : NULL;
    long step = 0;
    if (file) { if (fscanf(file, "%ld", &step) == 1) time->tv_sec += step; fclose(file); }
    return result;
}
"#;

#[test]
fn a_clock_that_is_stepped_changes_no_decision() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, library, step) = (folder.path().join("s.c"), folder.path().join("s.so"), folder.path().join("step"));
    std::fs::write(&source, STEPS).expect("a file");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl");
    assert!(compiler.status().expect("a C compiler, which the build needs too").success());
    let (imds, aws) = (Imds::start(), Aws::start(Says::State("Standby")));
    imds.target([says("InService")]);
    let mut watch = watch(&imds, Some(&aws), &folder, "exit 0");
    watch.env("LD_PRELOAD", &library).env("STEP", &step).args(["--time-scale", "10"]);
    let mut daemon = Daemon::start(&mut watch);
    daemon.wait_for_state("InService", "imds");
    // Eleven years ahead: every token is over, and nothing that was learnt is any older.
    std::fs::write(&step, "350000000").expect("room");
    imds.target([gone()]);
    let line = daemon.wait_for_state("Standby", "api");
    assert!(line["time"].as_str().is_some_and(|time| time > "2036"), "the clock was not stepped: {line}");
    let years = 300_000_000;
    let ages: Vec<u64> = daemon.lines().iter().filter_map(|line| line["age_seconds"].as_u64()).collect();
    assert!(ages.len() >= 2 && ages.iter().all(|age| *age < years), "{:#?}", daemon.lines());
    assert!(daemon.lines().iter().all(|line| line["source"] != "assumed"), "{:#?}", daemon.lines());
    // And back behind the start: tokens that seem good for years are over for IMDS.
    std::fs::write(&step, "-350000000").expect("room");
    imds.revoke();
    imds.target([says("Terminated")]);
    daemon.wait_for("the drain", |line| line["event"] == "command" && line["what"] == "succeeded");
    let ends = daemon.wait_for("the end", |line| line["event"] == "imds_absent_ends");
    assert!(ends["lasted_seconds"].as_u64().is_some_and(|seconds| seconds < 3_600), "{ends}");
    assert!(daemon.stop().success());
    assert_eq!(daemon.commands().len(), 2, "once: {:?}", daemon.commands());
}
