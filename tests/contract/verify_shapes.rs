//! The shapes in which observations come, and those in which they should not.

use std::fs;
use std::path::Path;

use exposure_stand_in::gzip;
use exposure_tests::sample;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::verify::{verification, verify};

fn lines() -> Vec<String> {
    let text = fs::read_to_string(sample().join("observations.jsonl")).expect("observations");
    text.lines().map(str::to_owned).collect()
}

fn instance(line: &str) -> String {
    let line: Value = serde_json::from_str(line).expect("JSON");
    line["instance_id"].as_str().expect("a name").to_owned()
}

/// A line without the instance, as of a check that IMDS had not told it yet.
fn nameless(line: &str) -> String {
    let mut line: Value = serde_json::from_str(line).expect("JSON");
    line["instance_id"] = Value::Null;
    line.to_string()
}

/// `aws logs filter-log-events`, with the instance in the stream's name alone.
fn filtered() -> String {
    let event = |line: &String| {
        json!({
            "logStreamName": format!("{}/lifecycle-check", instance(line)), "timestamp": 1_778_500_000_000_i64,
            "message": nameless(line), "ingestionTime": 1_778_500_000_100_i64, "eventId": "3912"
        })
    };
    let events: Vec<Value> = lines().iter().map(event).collect();
    serde_json::to_string_pretty(&json!({"events": events, "searchedLogStreams": []})).expect("JSON")
}

/// `aws logs get-query-results`.
fn queried() -> String {
    let row = |line: &String| {
        json!([
            {"field": "@timestamp", "value": "2026-05-11 23:04:11.000"}, {"field": "@message", "value": nameless(line)},
            {"field": "@logStream", "value": instance(line)}, {"field": "@ptr", "value": "Cnc"}
        ])
    };
    let rows: Vec<Value> = lines().iter().map(row).collect();
    json!({"queryLanguage": "CWLI", "results": rows, "statistics": {"recordsMatched": 3.0}, "status": "Complete"})
        .to_string()
}

/// What the console of Logs Insights exports.
fn table() -> String {
    let row = |line: &String| {
        format!("2026-05-11 23:04:11.000,\"{}\",{}\r\n", nameless(line).replace('"', "\"\""), instance(line))
    };
    lines().iter().map(row).fold("@timestamp,@message,@logStream\r\n".to_owned(), |all, row| all + &row)
}

/// `aws logs tail`.
fn tailed() -> String {
    let line = |line: &String| format!("2026-05-11T23:04:11.123000+00:00 {} {}\n", instance(line), nameless(line));
    lines().iter().map(line).collect()
}

/// What a subscription delivers, one document after the other.
fn subscribed() -> String {
    let document = |line: &String| {
        json!({
            "messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "/lifecycle-check",
            "logStream": instance(line), "subscriptionFilters": ["all"],
            "logEvents": [{"id": "3912", "timestamp": 1_778_500_000_000_i64, "message": nameless(line)}]
        })
    };
    lines().iter().map(|line| document(line).to_string()).collect()
}

/// `--query 'events[].[logStreamName, message]'`.
fn asked_for() -> String {
    let rows: Vec<Value> = lines().iter().map(|line| json!([instance(line), nameless(line)])).collect();
    Value::Array(rows).to_string()
}

/// Docker's and journald's own JSON.
fn wrapped() -> String {
    let docker =
        |line: &String| json!({"log": format!("{line}\n"), "stream": "stdout", "time": "…"}).to_string() + "\n";
    let journal = |line: &String| json!({"MESSAGE": line, "_PID": "7", "PRIORITY": "6"}).to_string() + "\n";
    let all = lines();
    let (some, others) = all.split_at(all.len() / 2);
    some.iter().map(docker).chain(others.iter().map(journal)).collect()
}

/// An export to S3: a folder for each stream, gzipped files with a time before each line.
fn exported(folder: &Path) {
    for line in lines() {
        let stream = folder.join("exportedlogs/5b2c1a/").join(instance(&line));
        fs::create_dir_all(&stream).expect("a folder");
        let count = fs::read_dir(&stream).expect("a folder").count();
        let packed = gzip::pack(format!("2026-05-11T23:04:11.123Z {}\n", nameless(&line)).as_bytes());
        fs::write(stream.join(format!("{count:06}.gz")), packed).expect("written");
    }
    fs::write(folder.join("aws-logs-write-test"), "Permission Check Successful").expect("written");
}

#[test]
fn every_shape_gives_the_same_answer() {
    let expected = verification(&sample(), &sample().join("observations.jsonl"), &[]);
    let folder = tempdir().expect("a folder");
    let shapes = [
        ("filtered", filtered()),
        ("queried", queried()),
        ("table", table()),
        ("tailed", tailed()),
        ("subscribed", subscribed()),
        ("asked for", asked_for()),
        ("wrapped", wrapped()),
        ("marked", format!("\u{feff}{}", lines().join("\n"))),
    ];
    for (shape, text) in shapes {
        for (name, bytes) in [("plain", text.clone().into_bytes()), ("gzip", gzip::pack(text.as_bytes()))] {
            let path = folder.path().join(format!("{shape}-{name}"));
            fs::write(&path, bytes).expect("written");
            same(&expected, &verification(&sample(), &path, &[]), &format!("{shape}, {name}"));
        }
    }
    let export = folder.path().join("export");
    exported(&export);
    same(&expected, &verification(&sample(), &export, &[]), "export");
}

fn same(expected: &Value, found: &Value, shape: &str) {
    assert_eq!(expected["observed"]["accounting"]["told"], found["observed"]["accounting"]["told"], "{shape}");
    assert_eq!(found["observed"]["accounting"]["malformed"], 0, "{shape}");
    for part in ["verdict", "migrations", "onsets", "delays", "chance", "causes", "pairs", "sentences"] {
        assert_eq!(expected[part], found[part], "{shape}: {part}");
    }
}

#[test]
fn broken_lines_are_counted_and_named_and_spoil_nothing_else() {
    let expected = verification(&sample(), &sample().join("observations.jsonl"), &[]);
    let folder = tempdir().expect("a folder");
    let good = lines();
    let cut = &good[0][..good[0].len() / 2];
    let deep = format!("{{\"event\":\"state\",\"imds\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let strange = [
        cut,
        "lifecycle-check: the Auto Scaling API failed: denied",
        "{\"event\":\"imds_absent_begins\",\"onset\":\"2026-05-11T23:00:00Z\",\"seen_before\":true,\
         \"time\":\"2026-05-11T23:00:02Z\"}",
        "{\"event\":\"imds_absent_begins\",\"instance_id\":\"i-0123456789abcdef0\",\"onset\":\"2999-12-31T23:59:59Z\",\
         \"seen_before\":true,\"time\":\"2026-05-11T23:00:00Z\"}",
        "{\"event\":\"watched\",\"instance_id\":\"\\u001b[2J\",\"since\":\"2026-05-11T23:00:00Z\",\
         \"longest_silence_seconds\":2,\"time\":\"2026-05-11T23:00:00Z\"}",
        "{\"event\":\"command\",\"what\":\"started\",\"state\":\"Terminated\"}",
        "{\"_aws\":{\"Timestamp\":1},\"ImdsAbsent\":4,\"Stack\":\"Nighttime\"}",
        "Foo { bar: 1 }",
        "null",
        deep.as_str(),
    ];
    let mut text = good.join("\n").into_bytes();
    text.push(b'\n');
    for line in strange {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    text.extend_from_slice(b"\xff\xfe{\"event\":\xff}\n");
    text.resize(text.len() + (3 << 20), b'x');
    text.extend_from_slice(b"\n{\"event\":");
    let path = folder.path().join("strange.log");
    fs::write(&path, text).expect("written");
    let found = verification(&sample(), &path, &[]);
    let accounting = &found["observed"]["accounting"];
    assert_eq!((&accounting["malformed"], &accounting["other"]), (&8.into(), &5.into()), "{accounting}");
    for part in ["verdict", "migrations", "onsets", "chance", "pairs"] {
        assert_eq!(expected[part], found[part], "{part}");
    }
    let ran = verify(&sample(), &path, &[]);
    for said in
        ["a line that breaks off", "names no instance", "before what it tells", "more than 1 MiB", "no instance ID"]
    {
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    assert!(!ran.err.contains('\u{1b}') && !ran.out.contains('\u{1b}'));
}

#[test]
fn files_that_cannot_be_read_are_named_and_none_of_their_lines_count() {
    let folder = tempdir().expect("a folder");
    let text = lines().join("\n");
    let packed = gzip::pack(text.as_bytes());
    let document = filtered();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("written");
    write("good.jsonl", text.as_bytes());
    write("cut.gz", &packed[..packed.len() / 2]);
    write("cut.json", &document.as_bytes()[..document.len() / 2]);
    write("wide\u{1b}[31m.txt", &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    let ran = verify(&sample(), folder.path(), &["--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for said in ["cut.gz: breaks off", "cut.json: not JSON", "wide\\u{1b}[31m.txt: neither JSON nor text in UTF-8"] {
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    let found: Value = serde_json::from_str(&ran.out).expect("JSON");
    let accounting = &found["observed"]["accounting"];
    assert_eq!((&accounting["files"], &accounting["unreadable_files"]), (&1.into(), &3.into()));
    assert_eq!(
        (accounting["lines"].as_u64(), &accounting["duplicates"]),
        (Some(text.lines().count() as u64), &0.into())
    );
}

#[test]
fn without_a_word_on_the_time_under_watch_it_is_assumed_and_said_so() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("old.jsonl");
    let old: Vec<String> = lines().into_iter().filter(|line| !line.contains("\"watched\"")).collect();
    fs::write(&path, old.join("\n")).expect("written");
    let found = verification(&sample(), &path, &[]);
    assert_eq!(found["observed"]["assumed_instances"], found["observed"]["instances"]);
    assert_eq!(found["observed"]["assumed_hours"], found["observed"]["hours"]);
    let assumptions = found["assumptions"].to_string();
    assert!(assumptions.contains("count against the hypothesis"), "{assumptions}");
    assert!(verify(&sample(), &path, &[]).out.contains("that is assumed"));
    let stated = verification(&sample(), &sample().join("observations.jsonl"), &[]);
    assert_eq!(stated["observed"]["assumed_instances"], 0);
}
