//! Bad input gets an error that names the thing, or a counted and named skip.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use exposure_stand_in::gzip;
use exposure_tests::{analysis, analyze, exposure, files, run, sample};
use tempfile::tempdir;

#[test]
fn usage_errors_exit_with_2_and_say_what_is_wrong() {
    for (arguments, said) in [
        (&["analyze"][..], "--trail"),
        (&["analyze", "--trail", ".", "--format", "xml"], "xml"),
        (&["analyze", "--trail", ".", "--from", "yesterday"], "2026-05-11"),
        (&["analyze", "--trail", ".", "--coalesce", "0s"], "1s to 24h"),
        (&["analyze", "--trail", ".", "--fleet-time", "2026-05-11"], "--fleet"),
        (&["explain", "vol-0123456789abcdef0", "--trail", "."], "instance ID"),
        (&["frobnicate"], "frobnicate"),
        (&["analyze", "--trail", ".", "--from", "2026-05-12", "--to", "2026-05-11"], "lies after --to"),
        (&["analyze", "--trail", ".", "--stack-rule", "night"], "REGEX=NAME"),
    ] {
        let ran = run(exposure().args(arguments));
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(said) && ran.out.is_empty(), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn a_trail_that_is_not_there_or_holds_no_logs_is_an_error_that_names_it() {
    let folder = tempdir().expect("a folder");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    let strange = folder.path().join("strange");
    fs::create_dir(&strange).expect("a folder");
    fs::copy(sample().join("fleet.json"), strange.join("fleet.json")).expect("copied");
    fs::write(strange.join("README.txt"), "read me").expect("written");
    for (trail, said) in [
        (folder.path().join("missing"), "No such file"),
        (empty, "no files in"),
        (strange, "2 files of another kind or unreadable"),
    ] {
        let ran = analyze(&sample(), &trail, &[]);
        assert_eq!(ran.code, Some(1), "{}", trail.display());
        assert!(ran.err.contains(said), "{}: {}", trail.display(), ran.err);
        assert!(ran.err.contains(&*trail.to_string_lossy()), "{}: {}", trail.display(), ran.err);
        assert!(ran.out.is_empty());
    }
}

#[test]
fn a_fleet_file_of_the_wrong_kind_is_told_what_it_is() {
    let folder = tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        path
    };
    let table = [
        (sample().join("activities.json"), "describe-scaling-activities"),
        (sample().join("truth.json"), "this tool wrote"),
        (file("instances.json", r#"{"Reservations":[]}"#), "describe-instances"),
        (file("list.json", "[]"), "--query"),
        (file("text.json", "hello"), "not JSON"),
        (file("empty.json", ""), "not JSON"),
        (
            file(
                "id.json",
                r#"{"AutoScalingGroups":[{"AutoScalingGroupName":"web","Instances":[{"InstanceId":"x"}]}]}"#,
            ),
            "web",
        ),
        (folder.path().join("missing.json"), "No such file"),
    ];
    for (fleet, said) in table {
        let mut command = exposure();
        command.args(["analyze", "--trail"]).arg(sample().join("AWSLogs")).arg("--fleet").arg(&fleet);
        let ran = run(&mut command);
        assert_eq!(ran.code, Some(1), "{}", fleet.display());
        assert!(ran.err.contains(said) && ran.err.contains("--fleet"), "{}: {}", fleet.display(), ran.err);
    }
}

#[test]
fn strange_files_are_named_and_counted_and_spoil_nothing_else() {
    let folder = tempdir().expect("a folder");
    for file in files(&sample().join("AWSLogs")) {
        fs::copy(&file, folder.path().join(file.file_name().expect("a name"))).expect("copied");
    }
    let packed = files(folder.path()).into_iter().find(|f| f.extension().is_some_and(|e| e == "gz")).expect("a file");
    let bytes = fs::read(&packed).expect("bytes");
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("written");
    write("cut.json.gz", &bytes[..bytes.len() / 2]);
    write("noise.json.gz", &[0x1f, 0x8b, 0x08, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    write("notes\u{1b}[31m.txt", b"not a log file");
    write("fleet.json", &fs::read(sample().join("fleet.json")).expect("bytes"));
    let ran = analyze(&sample(), folder.path(), &[]);
    assert_eq!(ran.code, Some(0));
    for name in ["cut.json.gz", "noise.json.gz", "notes\\u{1b}[31m.txt", "describe-auto-scaling-groups"] {
        assert!(ran.err.contains(name), "{name}: {}", ran.err);
    }
    let found = analysis(&sample(), folder.path(), &[]);
    let undisturbed = analysis(&sample(), &sample().join("AWSLogs"), &[]);
    assert_eq!(found["accounting"]["unreadable_files"], 4);
    for part in ["window", "coverage", "stacks", "instances"] {
        assert_eq!(found[part], undisturbed[part], "{part}");
    }
}

#[test]
fn a_gzip_bomb_is_an_unreadable_file() {
    let folder = tempdir().expect("a folder");
    let mut bomb = br#"{"Records":[{"eventName":""#.to_vec();
    bomb.resize(40 << 20, b' ');
    fs::write(folder.path().join("bomb.json.gz"), gzip::pack(&bomb)).expect("written");
    fs::write(folder.path().join("log.json"), r#"{"Records":[]}"#).expect("written");
    let ran = analyze(&sample(), folder.path(), &["--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("bomb.json.gz: a record of more than"), "{}", ran.err);
}

#[test]
fn the_same_folder_given_twice_is_read_once() {
    let trail = sample().join("AWSLogs");
    let inner = files(&trail)[0].parent().map(Path::to_path_buf).expect("a folder");
    let mut command = exposure();
    command.args(["analyze", "--format", "json", "--trail"]).arg(&trail).arg(&trail).arg("--trail").arg(&inner);
    let twice: serde_json::Value = serde_json::from_str(&run(&mut command).out).expect("JSON");
    let once = analysis(&sample(), &trail, &[]);
    assert_eq!(twice["accounting"], once["accounting"]);
}

#[test]
#[cfg(unix)]
fn a_trail_may_come_through_a_pipe() {
    let mut packed = Vec::new();
    for file in files(&sample().join("AWSLogs")) {
        // Digests and Insight files lie in folders of their own.
        if file.to_string_lossy().contains("/CloudTrail/") {
            packed.extend(fs::read(file).expect("bytes"));
        }
    }
    let mut command = exposure();
    command.args(["analyze", "--format", "json", "--trail", "/dev/stdin"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = command.spawn().expect("it starts");
    let mut input = running.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || input.write_all(&packed));
    let output = running.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("all was read");
    let piped: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let once = analysis(&sample(), &sample().join("AWSLogs"), &[]);
    assert_eq!(piped["accounting"]["files"], 1);
    for part in ["records", "sightings", "causes", "irrelevant", "duplicates", "malformed"] {
        assert_eq!(piped["accounting"][part], once["accounting"][part], "{part}");
    }
}
