//! `--state`: pieces in any order, and a file that is never damaged.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use exposure_tests::{analysis, analyze, exposure, files, run, sample};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

/// The sample's log files dealt out into `parts` folders.
fn parts(parts: usize) -> TempDir {
    let folder = tempdir().expect("a folder");
    for (number, file) in files(&sample().join("AWSLogs")).iter().enumerate() {
        let part = folder.path().join((number % parts).to_string());
        fs::create_dir_all(&part).expect("a folder");
        fs::copy(file, part.join(file.file_name().expect("a name"))).expect("copied");
    }
    folder
}

fn judged(analysis: &Value) -> [&Value; 3] {
    [&analysis["coverage"], &analysis["stacks"], &analysis["instances"]]
}

#[test]
fn a_piece_without_any_log_file_answers_from_the_state() {
    let folder = tempdir().expect("a folder");
    let state = folder.path().join("state.json");
    let more = ["--state", state.to_str().expect("UTF-8")];
    let whole = analysis(&sample(), &sample().join("AWSLogs"), &more);
    let piece = folder.path().join("piece");
    fs::create_dir(&piece).expect("a folder");
    fs::write(piece.join("broken.json.gz"), b"\x1f\x8b\x08 and no more").expect("written");
    let ran = analyze(&sample(), &piece, &[&["--format", "json", "--all"][..], &more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("that of the state file alone") && ran.err.contains("broken.json.gz"), "{}", ran.err);
    let last: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(judged(&last), judged(&whole));
    assert_eq!(last["accounting"]["unreadable_files"], 1);
}

#[test]
fn pieces_in_any_order_and_repeated_end_in_the_same_judgement() {
    let whole = analysis(&sample(), &sample().join("AWSLogs"), &[]);
    let pieces = parts(3);
    let mut states: Vec<Vec<u8>> = Vec::new();
    for order in [["0", "1", "2", "1"], ["2", "1", "0", "2"], ["1", "2", "0", "0"]] {
        let state = pieces.path().join(format!("state-{}", order.concat()));
        let mut last = Value::Null;
        for piece in order {
            let more = ["--state", state.to_str().expect("UTF-8")];
            last = analysis(&sample(), &pieces.path().join(piece), &more);
        }
        assert_eq!(judged(&last), judged(&whole), "{order:?}");
        states.push(fs::read(&state).expect("a state file"));
    }
    assert!(states.windows(2).all(|pair| pair[0] == pair[1]), "equal ledgers are equal bytes");
}

#[test]
fn one_piece_alone_does_not_give_the_whole() {
    let whole = analysis(&sample(), &sample().join("AWSLogs"), &[]);
    let pieces = parts(3);
    let piece = analysis(&sample(), &pieces.path().join("0"), &[]);
    assert_ne!(judged(&piece), judged(&whole));
}

#[test]
fn a_state_file_that_is_none_is_refused_and_left_alone() {
    let folder = tempdir().expect("a folder");
    let state = folder.path().join("state.json");
    let newer = r#"{"schema":"migration-exposure/ledger/2","sources":[]}"#;
    for (text, said) in [
        ("", "not a ledger"),
        ("{}", "not a ledger"),
        ("[1]", "not a ledger"),
        (r#"{"schema":"migration-exposure/analysis/1"}"#, "not a ledger"),
        (newer, "schema version 2"),
        (r#"{"schema":"migration-exposure/ledger/1","sources":"#, "not a ledger"),
    ] {
        fs::write(&state, text).expect("written");
        let ran = analyze(&sample(), &sample().join("AWSLogs"), &["--state", state.to_str().expect("UTF-8")]);
        assert_eq!(ran.code, Some(1), "{text}");
        assert!(ran.err.contains(said) && ran.err.contains("state.json"), "{text}: {}", ran.err);
        assert_eq!(fs::read_to_string(&state).expect("there"), text);
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_known_before_the_work() {
    let ran = analyze(&sample(), &sample().join("AWSLogs"), &["--state", "/proc/no/such/state.json"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("cannot write to the folder /proc/no/such"), "{}", ran.err);
    assert!(ran.out.is_empty(), "no result is shown that was not kept");
}

#[test]
#[cfg(unix)]
fn a_full_disk_leaves_the_state_file_as_it_was() {
    let folder = tempdir().expect("a folder");
    let state = folder.path().join("state.json");
    let empty = r#"{"schema":"migration-exposure/ledger/1","sources":[],"stacks":[],"forgotten":{"through":null,"instances":0,"stacks":{}},"instances":[]}"#;
    fs::write(&state, empty).expect("written");
    let binary = exposure().get_program().to_owned();
    // No file may grow beyond eight blocks: what a full disk does, without filling one.
    let ran = run(Command::new("sh")
        .args(["-c", "ulimit -f 8; trap '' XFSZ; exec \"$0\" analyze --trail \"$1\" --state \"$2\""])
        .arg(binary)
        .arg(sample().join("AWSLogs"))
        .arg(&state));
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("cannot be written, and is as it was"), "{}", ran.err);
    assert_eq!(fs::read_to_string(&state).expect("there"), empty);
    assert_eq!(files(folder.path()).len(), 1, "nothing half-written is left");
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_the_run_at_once_and_leaves_no_trace() {
    let folder = tempdir().expect("a folder");
    let state = folder.path().join("state.json");
    let pipe = folder.path().join("trail");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let mut running = exposure()
        .args(["analyze", "--trail"])
        .arg(&pipe)
        .arg("--state")
        .arg(&state)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    // Opening the other end waits until the run reads its trail, which then never comes.
    let writer = fs::OpenOptions::new().write(true).open(&pipe).expect("a pipe");
    let killed = Command::new("kill").args(["-INT", &running.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    let status = wait(&mut running);
    drop(writer);
    assert_eq!(status, Some(130));
    assert_eq!(files(folder.path()), [pipe], "no state file and no temporary one");
}

/// Waits for a process to end, for ten seconds at most: a run that hangs fails the test and is stopped by it.
fn wait(child: &mut std::process::Child) -> Option<i32> {
    for _ in 0..500 {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("killed");
    None
}

#[test]
fn an_instance_is_forgotten_after_its_retention_and_stays_in_the_totals() {
    let folder = tempdir().expect("a folder");
    let state = folder.path().join("state.json");
    let state_name = state.to_str().expect("UTF-8");
    let trail = sample().join("AWSLogs");
    let kept = analysis(&sample(), &trail, &["--state", state_name]);
    // A record of much later makes what departed in the sample old.
    let later = folder.path().join("later.json");
    let record = r#"{"eventVersion":"1.11","userIdentity":{"type":"Root","accountId":"111122223333"},"eventTime":"2026-09-01T00:00:00Z","eventSource":"ec2.amazonaws.com","eventName":"RebootInstances","awsRegion":"eu-central-1","requestParameters":{"instancesSet":{"items":[{"instanceId":"i-0ffffffffffffffff"}]}},"eventID":"11111111-1111-4111-8111-111111111111","recipientAccountId":"111122223333"}"#;
    fs::write(&later, format!(r#"{{"Records":[{record}]}}"#)).expect("written");
    let forgotten = analysis(&sample(), &later, &["--state", state_name, "--retention", "45d"]);
    let departed = |analysis: &Value| count(analysis, |instance| instance["verdict"].is_null());
    assert!(departed(&kept) > departed(&forgotten), "{} {}", departed(&kept), departed(&forgotten));
    assert_eq!(count(&kept, |i| !i["verdict"].is_null()), count(&forgotten, |i| !i["verdict"].is_null()));
    let migrations = |analysis: &Value| -> Vec<Value> {
        let stacks = analysis["stacks"].as_array().expect("stacks").iter();
        stacks.map(|stack| stack["migrations"].clone()).collect()
    };
    assert_eq!(migrations(&kept), migrations(&forgotten));
    assert!(Path::new(&state).exists());
}

fn count(analysis: &Value, which: impl Fn(&Value) -> bool) -> usize {
    analysis["instances"].as_array().expect("instances").iter().filter(|instance| which(instance)).count()
}
