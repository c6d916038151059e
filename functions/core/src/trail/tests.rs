use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::filter::Filter;
use super::*;
use crate::decode::decode;
use crate::observation::Kind;
use crate::time::join_span;

const ACCOUNT: &str = "111122223333";
const INSTANCE: &str = "i-0123456789abcdef0";
const FLEET_FILE: &str = r#"{"AutoScalingGroups": [{"AutoScalingGroupName": "night-web", "Instances": []}]}"#;
/// A second of the day on which everything happens.
const DAY: &str = "2026-05-18T06:";

// ---- Records and files ----

fn time(at: &str) -> Timestamp {
    Timestamp::parse(&format!("{DAY}{at}Z")).expect("a time")
}

fn record(name: &str, at: &str) -> Value {
    json!({
        "eventVersion": "1.11", "userIdentity": {"type": "IAMUser", "accountId": ACCOUNT}, "eventTime": format!("{DAY}{at}Z"),
        "eventSource": "ec2.amazonaws.com", "eventName": name, "awsRegion": "eu-central-1",
        "requestParameters": null, "responseElements": null, "requestID": format!("request-{at}"),
        "eventID": format!("event-{name}-{at}"), "recipientAccountId": ACCOUNT, "eventCategory": "Management"
    })
}

fn sighting(at: &str) -> Value {
    let mut sighting = record("Decrypt", at);
    sighting["eventSource"] = json!("kms.amazonaws.com");
    sighting["userIdentity"] = json!({
        "type": "AssumedRole", "principalId": format!("{ACCOUNT}:aws:ec2-infrastructure:{INSTANCE}"),
        "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/aws:ec2-infrastructure/{INSTANCE}"), "accountId": ACCOUNT,
        "sessionContext": {"sessionIssuer": {"userName": "aws:ec2-infrastructure"}}, "invokedBy": "AWS Internal"
    });
    sighting["requestParameters"] = json!({"encryptionContext": {"aws:ebs:id": "vol-0123456789abcdef0"}});
    sighting
}

fn reboot(at: &str) -> Value {
    let mut reboot = record("RebootInstances", at);
    reboot["requestParameters"] = json!({"instancesSet": {"items": [{"instanceId": INSTANCE}]}});
    reboot
}

fn standby(at: &str) -> Value {
    let mut standby = record("EnterStandby", at);
    standby["eventSource"] = json!("autoscaling.amazonaws.com");
    standby["requestParameters"] = json!({"instanceIds": [INSTANCE]});
    standby
}

/// A sighting, a cause, a transition, a record of no concern, a failed Decrypt, a launch without instance IDs.
fn six() -> Vec<Value> {
    let mut failed = sighting("05:00");
    failed["errorCode"] = json!("AccessDenied");
    vec![
        record("DescribeInstances", "03:00"),
        sighting("04:00"),
        failed,
        reboot("01:00"),
        record("RunInstances", "06:00"),
        standby("02:00"),
    ]
}

fn log(records: &[Value]) -> String {
    json!({"Records": records}).to_string()
}

fn lines(records: &[Value]) -> String {
    records.iter().fold(String::new(), |lines, record| lines + &record.to_string() + "\n")
}

/// An entry of `lookup-events` around a record.
fn entry(record: &Value) -> Value {
    json!({"EventId": record["eventID"], "EventName": record["eventName"], "EventTime": record["eventTime"],
        "Resources": [], "CloudTrailEvent": record.to_string()})
}

fn envelope(record: &Value) -> Value {
    json!({"version": "0", "id": "x", "detail-type": "AWS API Call via CloudTrail", "source": "aws.kms",
        "account": ACCOUNT, "time": record["eventTime"], "region": "eu-central-1", "resources": [], "detail": record})
}

fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    gzip_at(Compression::new(1), text)
}

fn gzip_at(level: Compression, text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(text.as_ref()).expect("gzip");
    encoder.finish().expect("gzip")
}

/// A record of no concern and of about `bytes` bytes.
fn bulky(bytes: usize, at: &str) -> Value {
    let mut record = record("PutParameter", at);
    record["requestParameters"] = json!({"value": "x\\\"{[ ".repeat(bytes / 8)});
    record
}

/// How many records of no concern make a text too large to be read whole: more than 4 MiB as it is ...
const LARGE: usize = 18;
/// ... and more than 12 MiB once unpacked.
const LARGE_UNPACKED: usize = 51;

/// Some records in the midst of many large ones.
fn large(records: &[Value], others: usize) -> String {
    let mut all = vec![bulky(250_000, "03:30"); others];
    all.splice(others / 2..others / 2, records.iter().cloned());
    log(&all)
}

// ---- Reading ----

const TIGHT: Limits = Limits { unpacked: 100_000, record: 4_000 };

fn read_within(limits: Limits, asked: Asked, file: impl AsRef<[u8]>) -> LogFile {
    LogReader::new(limits, asked).read(file.as_ref())
}

fn read(file: impl AsRef<[u8]>) -> LogFile {
    read_within(Limits::default(), Asked::default(), file)
}

fn reading(file: impl AsRef<[u8]>) -> FileReading {
    match read(&file) {
        LogFile::Read(reading) => reading,
        other => panic!("not read but {other:?}: {}", shown(file.as_ref())),
    }
}

fn unreadable(file: impl AsRef<[u8]>) -> String {
    match read(&file) {
        LogFile::Unreadable(reason) => reason,
        other => panic!("not unreadable but {other:?}: {}", shown(file.as_ref())),
    }
}

fn shown(file: &[u8]) -> String {
    String::from_utf8_lossy(&file[..file.len().min(2_000)]).into_owned()
}

fn malformed(reading: &FileReading) -> u64 {
    reading.malformed.iter().map(|(_, count)| count).sum()
}

fn sightings(reading: &FileReading) -> usize {
    reading.observations.iter().filter(|o| matches!(o.kind, Kind::Sighting { .. })).count()
}

/// Every record is something, and one thing only.
fn assert_accounted(reading: &FileReading) {
    let observed = reading.observations.iter().filter(|o| o.kind != Kind::UnnamedLaunch).count() as u64;
    assert_eq!(reading.records, observed + reading.irrelevant + malformed(reading), "{reading:?}");
    assert!(reading.failed_decrypts <= reading.irrelevant, "{reading:?}");
    let unnamed = reading.observations.len() as u64 - observed;
    assert!(unnamed <= malformed(reading), "{reading:?}");
}

/// What [`six`] come to, however they are wrapped.
fn assert_six(file: impl AsRef<[u8]>, what: &str) {
    let reading = reading(file);
    let kinds: Vec<_> = reading.observations.iter().map(|o| format!("{:?}", o.kind)).collect();
    let starts = ["Sighting", "Cause", "UnnamedLaunch", "Transition"];
    assert_eq!(kinds.len(), starts.len(), "{what}: {kinds:?}");
    assert!(kinds.iter().zip(starts).all(|(kind, start)| kind.starts_with(start)), "{what}: {kinds:?}");
    assert_eq!(
        (reading.records, reading.irrelevant, malformed(&reading), reading.failed_decrypts),
        (6, 2, 1, 1),
        "{what}"
    );
    assert_eq!(reading.span, Some(TimeSpan { from: time("01:00"), to: time("06:00") }), "{what}");
    assert_accounted(&reading);
}

/// Feeds a text as the reader of large files does, in pieces that end at `cuts`.
fn in_pieces(text: &[u8], cuts: &[usize], limits: Limits, asked: Asked) -> LogFile {
    let filter = Filter::new();
    let mut scanner = Scanner::new(&filter, InstructionSet::detect(), asked, limits.record);
    let (mut held, mut begin) = (Vec::new(), 0);
    for end in cuts.iter().copied().chain([text.len()]) {
        held.extend_from_slice(&text[begin..end]);
        begin = end;
        match scanner.feed(&held, false) {
            Ok(done) => drop(held.drain(..done.min(held.len()))),
            Err(reason) => return LogFile::Unreadable(reason),
        }
    }
    match scanner.feed(&held, true) {
        Ok(_) => scanner.finish(),
        Err(reason) => LogFile::Unreadable(reason),
    }
}

/// What became of a file, without the wording of why not.
fn outcome(file: &LogFile) -> String {
    match file {
        LogFile::Read(reading) => {
            let FileReading { observations, records, irrelevant, malformed, failed_decrypts, span, .. } = reading;
            format!("{observations:?} {records} {irrelevant} {malformed:?} {failed_decrypts} {span:?}")
        }
        LogFile::Skipped(kind) => format!("skipped: {kind}"),
        LogFile::Unreadable(_) => "unreadable".to_owned(),
    }
}

// ---- Log files as delivered ----

#[test]
fn a_log_file_is_read_however_it_is_written() {
    let compact = log(&six());
    let pretty = serde_json::to_string_pretty(&json!({"Records": six()})).expect("JSON");
    let members = json!({"before": {"Records": [1, {"eventName": "Decrypt"}]}, "n": 1, "list": [[], {}]}).to_string();
    let inside = |object: &str| object[1..object.len() - 1].to_owned();
    let (members, bare) = (inside(&members), inside(&compact));
    let table = [
        ("compact", compact.clone()),
        ("pretty", pretty.clone()),
        ("CRLF", pretty.replace('\n', "\r\n")),
        ("a BOM", format!("\u{feff}{compact}")),
        ("white space around", format!(" \r\n\t{compact}\n\n")),
        ("keys before", format!("{{{members},{bare}}}")),
        ("keys after", format!("{{{bare},\"n\":1,\"more\":{{\"Records\":[1]}},\"s\":\"]}}\"}}")),
        ("an escaped key of the file itself", compact.replacen("Records", r"Rec\u006frds", 1)),
        ("two lists", format!("{{\"Records\":[],{bare}}}")),
    ];
    for (what, text) in table {
        assert_six(&text, what);
        assert_six(gzip(&text), what);
    }
}

#[test]
fn a_file_without_records_is_read_and_has_none() {
    for text in
        ["", " ", "\r\n\t\n", "\u{feff}", "{\"Records\":[]}", "{ \"Records\" : [ ] }\n", "[]", "{\"Events\":[]}"]
    {
        for file in [text.as_bytes().to_vec(), gzip(text)] {
            let reading = reading(&file);
            assert_eq!((reading.records, reading.observations.len(), reading.span), (0, 0, None), "{text:?}");
            assert_eq!(places(&reading), [""; 0], "{text:?}");
        }
    }
}

#[test]
fn gzip_files_of_several_members_are_one_text() {
    let text = log(&six());
    let (head, tail) = text.split_at(text.len() / 3);
    assert_six([gzip(head), gzip(tail)].concat(), "a document split over two members");
    assert_six([gzip(""), gzip(&text), gzip("\n")].concat(), "members without text");
    let half = |range: std::ops::Range<usize>| gzip(log(&six()[range]));
    assert_six([half(0..2), half(2..6)].concat(), "a document in each member");
    // Of the same size, so that the last member's trailer fits the first.
    let (first, second) = (log(&[sighting("01:00")]), log(&[sighting("02:00")]));
    assert_eq!(first.len(), second.len());
    assert_eq!(sightings(&reading([gzip(first), gzip(second)].concat())), 2);
    let padded = [gzip(&text), vec![0; 512]].concat();
    assert_six(padded, "padded with zeros, as tapes leave them");
}

#[test]
fn what_does_not_unpack_counts_nothing() {
    let whole = gzip(log(&six()));
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    let mut wrong_sum = whole.clone();
    let sum = wrong_sum.len() - 6;
    wrong_sum[sum] ^= 1;
    let mut wrong_size = whole.clone();
    let size = wrong_size.len() - 1;
    wrong_size[size] ^= 1;
    let mut table = vec![
        ("garbage behind", [&*whole, b"garbage"].concat()),
        ("text behind", [whole.clone(), log(&six()).into_bytes()].concat()),
        ("a member that breaks off behind", [&*whole, &whole[..40]].concat()),
        ("a flipped bit", flipped),
        ("a wrong checksum", wrong_sum),
        ("a wrong size", wrong_size),
        ("the magic alone", whole[..3].to_vec()),
    ];
    for cut in [10, 11, whole.len() / 2, whole.len() - 9, whole.len() - 8, whole.len() - 1] {
        table.push(("cut", whole[..cut].to_vec()));
    }
    for (what, file) in table {
        let reason = unreadable(&file);
        assert!(reason.starts_with("does not unpack"), "{what}: {reason}");
    }
}

#[test]
fn what_is_not_json_counts_nothing() {
    let mut random = Dice(7);
    let noise: Vec<u8> = (0..4_096).map(|_| u8::try_from(random.below(256)).expect("a byte")).collect();
    let text = log(&six());
    for (what, file) in [
        ("random bytes", noise),
        ("text", b"Hello".to_vec()),
        ("XML", b"<?xml version=\"1.0\"?><a/>".to_vec()),
        ("another compression", b"\x28\xb5\x2f\xfd....".to_vec()),
        ("two bytes of gzip", b"\x1f\x8b".to_vec()),
        ("text before", format!("x{text}").into_bytes()),
        ("text behind", format!("{text}x").into_bytes()),
        ("a bracket too many", format!("{text}]").into_bytes()),
        ("no comma between records", text.replacen("},{\"aws", "}{\"aws", 1).into_bytes()),
        ("two commas between records", text.replacen("},{\"aws", "},,{\"aws", 1).into_bytes()),
        ("a comma behind the last record", text.replacen("]}", ",]}", text.matches("]}").count()).into_bytes()),
        ("no comma behind the list", text.replace("}]}", "}] \"n\":1}").into_bytes()),
    ] {
        for file in [gzip(&file), file] {
            let LogFile::Unreadable(reason) = read(&file) else { panic!("{what} was read: {}", shown(&file)) };
            assert!(reason.contains("not JSON") || reason.contains("unpack"), "{what}: {reason}");
        }
    }
}

#[test]
fn a_text_that_breaks_off_anywhere_counts_nothing() {
    let text = log(&six());
    for end in 1..text.len() {
        assert!(matches!(read(&text[..end]), LogFile::Unreadable(_)), "cut at {end}: {}", &text[..end]);
    }
    assert_eq!(unreadable(&text[..text.len() - 1]), "breaks off");
    assert_six(&text, "not cut");
}

// ---- Limits ----

#[test]
fn a_gzip_file_is_unpacked_so_far_and_no_further() {
    let text = log(&[record("DescribeInstances", "01:00"), sighting("02:00")]);
    let bomb = format!("{text}{}", " ".repeat(100_000));
    for (file, fits) in [(gzip(&text), true), (gzip(&bomb), false), ([gzip(&text), gzip(&bomb)].concat(), false)] {
        match read_within(TIGHT, Asked::default(), file) {
            LogFile::Read(reading) => assert!(fits && reading.records == 2),
            LogFile::Unreadable(reason) => assert!(!fits && reason.contains("unpacks to more than 100000"), "{reason}"),
            LogFile::Skipped(kind) => panic!("{kind}"),
        }
    }
}

#[test]
fn a_record_may_be_so_large_and_no_larger() {
    type File<'a> = (&'a str, &'a dyn Fn(usize) -> Vec<u8>);

    let limits = Limits { record: 600_000, ..Limits::default() };
    let records = |size| vec![sighting("01:00"), bulky(size, "02:00"), sighting("03:00")];
    let files: [File<'_>; 5] = [
        ("whole", &|size| log(&records(size)).into_bytes()),
        ("whole, packed", &|size| gzip(log(&records(size)))),
        ("in pieces", &|size| large(&records(size), LARGE).into_bytes()),
        ("in pieces, packed", &|size| gzip(large(&records(size), LARGE_UNPACKED))),
        ("JSON Lines", &|size| lines(&records(size)).into_bytes()),
    ];
    for (what, file) in files {
        match read_within(limits, Asked::default(), file(500_000)) {
            LogFile::Read(reading) => assert_eq!(sightings(&reading), 2, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        for size in [601_000, 2_500_000] {
            match read_within(limits, Asked::default(), file(size)) {
                LogFile::Unreadable(reason) => assert_eq!(reason, "a record of more than 600000 bytes", "{what}"),
                other => panic!("{what}: {other:?}"),
            }
        }
    }
    // One that never ends is given up before all of it is held.
    let endless = large(&[], LARGE).replace("}]}", "");
    let endless = format!("{endless},\"x\":\"{}", "x".repeat(5 << 20));
    let LogFile::Unreadable(reason) = read_within(limits, Asked::default(), endless) else { panic!("it was read") };
    assert_eq!(reason, "a record of more than 600000 bytes");
}

#[test]
fn a_large_file_is_read_in_pieces_with_the_same_answer() {
    let (plain, unpacked) = (large(&six(), LARGE), large(&six(), LARGE_UNPACKED));
    let stored = gzip_at(Compression::none(), &plain);
    assert!(plain.len() > 4 << 20 && stored.len() > 4 << 20 && unpacked.len() > 12 << 20);
    let cut = &plain[..plain.len() - 1_000];
    assert_eq!(unreadable(cut), "breaks off");
    let packed = gzip(&unpacked);
    for (what, file, others) in
        [("plain", plain.as_bytes(), LARGE), ("stored", &stored, LARGE), ("packed", &packed, LARGE_UNPACKED)]
    {
        let (reading, others) = (reading(file), others as u64);
        assert_eq!((reading.records, reading.irrelevant, malformed(&reading)), (others + 6, others + 2, 1), "{what}");
        assert_eq!(reading.observations.len(), 4, "{what}");
        assert_eq!(places(&reading), ["111122223333 eu-central-1"], "{what}");
        assert_accounted(&reading);
    }
}

// ---- Elements that are no records ----

#[test]
fn an_element_that_is_no_object_is_malformed_and_spoils_itself_alone() {
    let odd = ["null", "17", "-1.5e3", "true", "\"eventName\"", "\"},{\"", "[]", "[{\"eventName\":\"Decrypt\"}]"];
    for element in odd {
        for text in [
            format!("{{\"Records\":[{element},{}]}}", sighting("01:00")),
            format!("{{\"Records\":[{},{element}]}}", sighting("01:00")),
            format!("{{\"Records\":[{} , {element} , {}]}}", sighting("01:00"), record("X", "02:00")),
        ] {
            let reading = reading(&text);
            assert_eq!((malformed(&reading), sightings(&reading)), (1, 1), "{text}");
            assert_accounted(&reading);
        }
    }
    let reading = reading(format!("{{\"Records\":[{}]}}", odd.join(",")));
    assert_eq!((reading.records, malformed(&reading)), (8, 8));
}

// ---- Other shapes ----

#[test]
fn json_lines_are_read() {
    assert_six(lines(&six()), "lines");
    assert_six(lines(&six()).replace('\n', "\r\n"), "CRLF");
    assert_six(lines(&six()).replace('\n', "\n\n"), "empty lines");
    assert_six(format!("\u{feff}{}", lines(&six())), "a BOM");
    assert_six(lines(&six()).trim_end(), "no end of line at the end");
    assert_six(gzip(lines(&six())), "packed");
    assert_six(lines(&[json!({"Records": &six()[..2]}), json!({"Records": &six()[2..]})]), "a log file on each line");
    let entries: Vec<_> = six().iter().map(entry).collect();
    assert_six(lines(&entries), "an entry of lookup-events on each line");
    let envelopes: Vec<_> = six().iter().map(envelope).collect();
    assert_six(lines(&envelopes), "an EventBridge event on each line");
}

#[test]
fn a_line_that_is_no_object_is_malformed_and_spoils_itself_alone() {
    let (first, last) = (sighting("01:00"), sighting("02:00"));
    let broken = sighting("01:30").to_string();
    let cases = [
        ("{", "a line that breaks off"),
        (&broken[..broken.len() - 1], "a line that breaks off"),
        (&broken[..broken.len() / 2], "a line that breaks off"),
        ("oops", "not a JSON object"),
        ("17", "not a JSON object"),
        ("}", "not a JSON object"),
        ("{\"eventName\": Decrypt}", "not JSON"),
    ];
    for (line, reason) in cases {
        let reading = reading(format!("{first}\n{line}\n{last}\n"));
        assert_eq!((reading.records, sightings(&reading)), (3, 2), "{line}");
        assert_eq!(reading.malformed, [(reason, 1)], "{line}");
    }
}

#[test]
fn a_last_line_that_is_cut_makes_the_file_unreadable_unless_its_line_was_ended() {
    let text = lines(&[sighting("01:00"), sighting("02:00")]);
    assert_eq!(unreadable(&text[..text.len() - 2]), "breaks off");
    assert_eq!(unreadable(&text[..text.len() - 100]), "breaks off");
    let ended = reading(format!("{}\n", &text[..text.len() - 2]));
    assert_eq!((ended.records, sightings(&ended), malformed(&ended)), (2, 1, 1));
}

#[test]
fn the_output_of_lookup_events_is_read() {
    let entries: Vec<_> = six().iter().map(entry).collect();
    let page = json!({"Events": entries, "NextToken": "token"});
    assert_six(page.to_string(), "a page");
    assert_six(serde_json::to_string_pretty(&page).expect("JSON"), "pretty");
    assert_six(format!("{}\n{}", json!({"Events": &entries[..1]}), json!({"Events": &entries[1..]})), "two pages");
    assert_six(json!(entries).to_string(), "a list of entries, as --query leaves it");
    assert_six(json!(six()).to_string(), "a list of records");
    assert_six(json!(six().iter().map(envelope).collect::<Vec<_>>()).to_string(), "a list of EventBridge events");

    let bare = json!({"Events": [{"EventId": "x", "EventName": "Decrypt"}, entry(&sighting("01:00"))]});
    let bare = reading(bare.to_string());
    assert_eq!((bare.records, sightings(&bare)), (2, 1));
    assert_eq!(bare.malformed, [("a lookup-events entry without its CloudTrailEvent", 1)]);
    let torn = json!({"Events": [{"EventId": "x", "CloudTrailEvent": "{\"eventName\":"}, entry(&sighting("01:00"))]});
    let torn = reading(torn.to_string());
    assert_eq!((torn.records, sightings(&torn), torn.malformed), (2, 1, vec![("not JSON", 1)]));
}

#[test]
fn a_single_record_is_read_alone_and_in_its_envelope() {
    let record = sighting("01:00");
    for text in [
        record.to_string(),
        serde_json::to_string_pretty(&record).expect("JSON"),
        envelope(&record).to_string(),
        serde_json::to_string_pretty(&envelope(&record)).expect("JSON"),
        entry(&record).to_string(),
    ] {
        let reading = reading(&text);
        assert_eq!((reading.records, sightings(&reading)), (1, 1), "{text}");
        assert_eq!(reading.span, Some(TimeSpan::at(time("01:00"))), "{text}");
        assert_eq!(places(&reading), ["111122223333 eu-central-1"], "{text}");
    }
}

#[test]
fn documents_one_after_the_other_are_one_file() {
    let pretty = |record: &Value| serde_json::to_string_pretty(record).expect("JSON");
    assert_six(six().iter().map(pretty).collect::<Vec<_>>().join("\n"), "pretty records");
    assert_six(format!("{}{}", log(&six()[..3]), log(&six()[3..])), "log files without a gap");
    assert_six(format!("{}\u{feff}\r\n{}", log(&six()[..3]), log(&six()[3..])), "log files with a BOM between");
    let with_more = json!({"A": {"b": [1]}, "Records": &six()[3..], "z": 1});
    assert_six(format!("{}\n{with_more}", log(&six()[..3])), "log files with keys before the list");
}

#[test]
fn digests_and_insight_files_are_skipped_by_what_they_hold() {
    let digest = json!({
        "awsAccountId": ACCOUNT, "digestStartTime": "2026-05-18T05:00:00Z", "digestEndTime": "2026-05-18T06:00:00Z",
        "digestS3Bucket": "b", "digestS3Object": "AWSLogs/x", "logFiles": [{"s3Bucket": "b", "s3Object": "x.json.gz"}]
    });
    let mut insight = record("Decrypt", "01:00");
    insight["eventCategory"] = json!("Insight");
    insight["eventType"] = json!("AwsCloudTrailInsight");
    insight["insightDetails"] = json!({"state": "Start", "eventName": "Decrypt"});
    let table = [
        (digest.to_string(), "a digest"),
        (serde_json::to_string_pretty(&digest).expect("JSON"), "a digest"),
        (log(&[insight.clone()]), "an Insight file"),
        (log(&[insight.clone(), insight.clone()]), "an Insight file"),
        (lines(&[insight.clone(), insight.clone()]), "an Insight file"),
        (insight.to_string(), "an Insight file"),
    ];
    for (text, expected) in table {
        for file in [text.clone().into_bytes(), gzip(&text)] {
            match read(&file) {
                LogFile::Skipped(kind) => assert_eq!(kind, expected, "{text}"),
                other => panic!("not skipped but {other:?}: {text}"),
            }
        }
    }
    // A record that only speaks of either is none.
    let mut about = record("PutObject", "01:00");
    about["requestParameters"] = json!({"eventCategory": "Insight", "digestS3Bucket": "b", "text": digest.to_string()});
    assert_eq!(reading(log(&[about.clone()])).records, 1);
    assert_eq!(reading(about.to_string()).records, 1);
}

#[test]
fn other_json_is_unreadable_and_told_what_it_is() {
    let table = [
        (FLEET_FILE, "the output of describe-auto-scaling-groups"),
        (r#"{"Reservations": []}"#, "the output of describe-instances"),
        (r#"{"fruit": "apple", "n": 1}"#, "a JSON object with fruit, n"),
        ("{}", "an empty object"),
        (r#"{"Records": {"a": 1}}"#, "its Records are no list"),
        (r#"{"Events": null}"#, "its Events are no list"),
        ("{\"fruit\": \"apple\"}\n{\"fruit\": \"pear\"}\n", "a JSON object with fruit"),
    ];
    for (text, found) in table {
        for file in [text.as_bytes().to_vec(), gzip(text)] {
            assert_eq!(unreadable(&file), format!("not a CloudTrail log file: {found}"), "{text}");
        }
    }
}

// ---- Judged as JSON ----

#[test]
fn text_inside_strings_and_nested_objects_deceives_nobody() {
    let decoy = sighting("59:59");
    let nested = json!({"eventName": "Decrypt", "eventTime": "1999-01-01T00:00:00Z", "copy": decoy,
        "records": {"Records": [decoy, decoy]}, "aws:ec2-infrastructure": [decoy]});
    let mut outer = record("PutParameter", "01:00");
    outer["aNested"] = nested.clone();
    outer["requestParameters"] =
        json!({"value": decoy.to_string(), "twice": json!(decoy.to_string()).to_string(), "nested": nested});
    outer["userAgent"] = json!(r#"","eventName":"Decrypt","eventTime":"1999-01-01T00:00:00Z","x":""#);
    outer["errorMessage"] = json!("\\\"}]},{\"eventName\":\"Decrypt\" aws:ec2-infrastructure \\\\");
    outer["zeroth"] = nested;
    let text = outer.to_string();
    assert!(text.matches("eventTime").count() > 8);
    let reversed = Value::Object(outer.as_object().expect("an object").clone().into_iter().rev().collect());
    let pretty = serde_json::to_string_pretty(&outer).expect("JSON");
    for text in [
        log(&[outer.clone()]),
        log(&[outer.clone(), reversed.clone()]),
        format!("{{\"Records\":[{pretty}]}}"),
        text,
        lines(&[outer.clone(), reversed]),
        json!({"Events": [entry(&outer)]}).to_string(),
        envelope(&outer).to_string(),
    ] {
        let reading = reading(&text);
        assert_eq!(reading.observations, [], "{text}");
        assert_eq!(reading.records, reading.irrelevant, "{text}");
        assert!((1..=2).contains(&reading.records), "{text}");
        assert_eq!(reading.span, Some(TimeSpan::at(time("01:00"))), "{text}");
    }
    // And the other way: nothing nested hides a record or its time.
    let harmless = json!({"eventName": "ListKeys", "eventTime": "1999-01-01T00:00:00Z"});
    for record in [sighting("01:00"), record("DescribeTags", "01:00")] {
        let mut wrapped = record.clone();
        (wrapped["aNested"], wrapped["zNested"]) = (harmless.clone(), harmless.clone());
        let (plain, wrapped) = (reading(log(&[record])), reading(log(&[wrapped])));
        assert_eq!(format!("{wrapped:?}"), format!("{plain:?}"));
    }
    let both = reading(log(&[outer.clone(), sighting("02:00"), outer]));
    assert_eq!((both.records, sightings(&both)), (3, 1));
    assert_eq!(both.span, Some(TimeSpan { from: time("01:00"), to: time("02:00") }));
}

#[test]
fn escapes_hide_no_record_and_no_time() {
    let text = log(&[record("DescribeInstances", "01:00"), sighting("02:00"), reboot("03:00")]);
    let table = [
        ("\"Decrypt\"", r#""\u0044ecrypt""#),
        ("\"eventName\"", r#""event\u004eame""#),
        ("\"eventName\"", r#""event\u004Eame""#),
        ("\"eventSource\"", r#""eventSourc\u0065""#),
        ("RebootInstances", r"Re\u0062ootInstances"),
        ("aws:ec2-infrastructure", r"aws\u003Aec2-infrastructure"),
        ("aws:ec2-infrastructure", r"aws:ec2\u002dinfrastructure"),
        ("aws:ec2-infrastructure/", r"aws:ec2-infrastructure\/"),
        ("\"eventTime\"", r#""\u0065ventTime""#),
        ("2026-", r"\u00320\u00326-"),
        ("Z\"", r#"\u005a""#),
        ("Z\"", r#"\u002b00:00""#),
        ("kms.amazonaws.com", r"kms\u002eamazonaws.com"),
        ("vol-", r"\u0076ol-"),
    ];
    for (plain, escaped) in table {
        let hidden = text.replace(plain, escaped);
        assert_ne!(hidden, text);
        let reading = reading(&hidden);
        assert_eq!((reading.records, reading.observations.len(), sightings(&reading)), (3, 2, 1), "{escaped}");
        assert_eq!(reading.span, Some(TimeSpan { from: time("01:00"), to: time("03:00") }), "{escaped}");
    }
}

#[test]
fn the_order_of_keys_and_white_space_hide_no_record() {
    let backwards: Vec<String> = sighting("02:00")
        .as_object()
        .expect("an object")
        .iter()
        .rev()
        .map(|(k, v)| format!("\"{k}\" :\t\r\n {v}"))
        .collect();
    let text =
        format!("{{\"Records\" :\n[ {{ {} }} , {} ] }}", backwards.join(" ,\n"), record("DescribeTags", "01:00"));
    let reading = reading(&text);
    assert_eq!((reading.records, sightings(&reading)), (2, 1));
    assert_eq!(reading.span, Some(TimeSpan { from: time("01:00"), to: time("02:00") }));
}

// ---- Times and places ----

#[test]
fn what_is_asked_for_counts_and_both_ends_belong_to_it() {
    let all = [
        record("DescribeInstances", "01:00"),
        sighting("02:00"),
        reboot("03:00"),
        record("DescribeInstances", "04:00"),
        record("RunInstances", "05:00"),
    ];
    let between = |from: Option<&str>, to: Option<&str>| Asked { from: from.map(time), to: to.map(time) };
    let table = [
        (between(None, None), 5),
        (between(Some("01:00"), Some("05:00")), 5),
        (between(Some("01:01"), Some("04:59")), 3),
        (between(Some("02:00"), Some("02:00")), 1),
        (between(Some("02:01"), Some("02:59")), 0),
        (between(Some("04:00"), None), 2),
        (between(None, Some("03:00")), 3),
        (between(Some("06:00"), None), 0),
    ];
    let entries: Vec<_> = all.iter().map(entry).collect();
    for (asked, expected) in table {
        for text in [log(&all), lines(&all), json!({"Events": entries}).to_string()] {
            let LogFile::Read(reading) = read_within(Limits::default(), asked, &text) else { panic!("{text}") };
            assert_eq!(reading.records, expected, "{asked:?}: {text}");
            assert_accounted(&reading);
            assert!(reading.observations.iter().all(|o| asked.holds(o.time)), "{asked:?}");
            let span = reading.span;
            assert_eq!(span.is_some(), expected > 0, "{asked:?}");
            assert!(span.is_none_or(|span| asked.holds(span.from) && asked.holds(span.to)), "{asked:?}");
        }
    }
}

#[test]
fn a_record_without_a_time_lies_in_no_window_but_malformed_it_is() {
    let mut timeless = record("DescribeInstances", "01:00");
    timeless["eventTime"] = Value::Null;
    let mut lost = sighting("01:00");
    lost["eventTime"] = json!("never");
    let text = format!("{{\"Records\":[{timeless},{lost},17,{}]}}", sighting("02:00"));
    let everything = reading(&text);
    assert_eq!((everything.records, everything.irrelevant, malformed(&everything)), (4, 1, 2));
    assert_eq!(everything.span, Some(TimeSpan::at(time("02:00"))));
    let asked = Asked { from: Some(time("02:00")), to: None };
    let LogFile::Read(windowed) = read_within(Limits::default(), asked, &text) else { panic!("{text}") };
    assert_eq!((windowed.records, windowed.irrelevant, malformed(&windowed)), (3, 0, 2));
    let text = lines(&[timeless, lost, sighting("02:00")]);
    let LogFile::Read(windowed) = read_within(Limits::default(), asked, &text) else { panic!("{text}") };
    assert_eq!((windowed.records, windowed.irrelevant, malformed(&windowed)), (2, 0, 1));
}

fn places(reading: &FileReading) -> Vec<String> {
    reading.spans.keys().map(ToString::to_string).collect()
}

#[test]
fn each_account_and_region_is_seen_for_as_long_as_its_own_records_say() {
    let here = |at: &str| record("DescribeInstances", at);
    let moved = |at: &str, pointer: &str, value: Value| {
        let mut record = here(at);
        record[pointer] = value;
        record
    };
    let west = |at: &str| moved(at, "awsRegion", json!("us-west-2"));
    let other = |at: &str| moved(at, "recipientAccountId", json!("444455556666"));
    let (mine, wests, others) = ("111122223333 eu-central-1", "111122223333 us-west-2", "444455556666 eu-central-1");
    let table = [
        (vec![here("01:00")], vec![(mine, "01:00", "01:00")]),
        (vec![here("01:00"), sighting("03:00"), here("02:00")], vec![(mine, "01:00", "03:00")]),
        (vec![here("01:00"), west("02:00")], vec![(mine, "01:00", "01:00"), (wests, "02:00", "02:00")]),
        (vec![west("05:00"), here("01:00"), here("02:00")], vec![(mine, "01:00", "02:00"), (wests, "05:00", "05:00")]),
        (vec![here("01:00"), other("02:00")], vec![(mine, "01:00", "01:00"), (others, "02:00", "02:00")]),
        // A record in the midst that is parsed anyway tells that the file is of several.
        (
            vec![
                here("01:00"),
                moved("05:00", "awsRegion", json!("us-west-2")),
                {
                    let mut foreign = sighting("06:00");
                    foreign["awsRegion"] = json!("us-west-2");
                    foreign
                },
                here("02:00"),
            ],
            vec![(mine, "01:00", "02:00"), (wests, "05:00", "06:00")],
        ),
        // What does not tell is taken for one of the others'.
        (vec![here("01:00"), moved("02:00", "recipientAccountId", Value::Null)], vec![(mine, "01:00", "02:00")]),
        (vec![json!(17), here("01:00"), json!({})], vec![(mine, "01:00", "01:00")]),
        (vec![moved("01:00", "awsRegion", json!("")), here("02:00")], vec![(mine, "02:00", "02:00")]),
    ];
    for (records, expected) in table {
        let texts = [log(&records), lines(&records), json!(records).to_string()];
        // Lines that begin with a number are none of JSON Lines'.
        for text in texts.iter().filter(|text| !text.starts_with("17")) {
            let found = reading(text).spans;
            let found: Vec<_> = found.iter().map(|(source, span)| (source.to_string(), span.from, span.to)).collect();
            let of = |(source, from, to): &(&str, &str, &str)| ((*source).to_owned(), time(from), time(to));
            // A list of anything has no first record whose place the others could share.
            let shared = text.starts_with("{\"Records") || !records.iter().any(|r| r["recipientAccountId"].is_null());
            if shared {
                assert_eq!(found, expected.iter().map(of).collect::<Vec<_>>(), "{text}");
            }
        }
    }
}

// ---- Whole and in pieces ----

/// Small files of every shape.
fn corpus() -> Vec<String> {
    let entries: Vec<_> = six().iter().map(entry).collect();
    let mut elsewhere = record("DescribeInstances", "01:00");
    elsewhere["awsRegion"] = json!("us-east-1");
    let escaped = log(&[sighting("01:00")]).replace("Decrypt", r"\u0044ecrypt");
    vec![
        log(&six()),
        serde_json::to_string_pretty(&json!({"a": [1, {}], "Records": [sighting("01:00"), 17, "x"], "z": {}}))
            .expect("JSON"),
        log(&[record("DescribeInstances", "01:00"), elsewhere]),
        log(&[]),
        escaped,
        format!("\u{feff}{}\n\u{feff}{}", log(&[sighting("01:00")]), json!({"n": 1, "Records": [reboot("02:00")]})),
        lines(&six()[..3]),
        format!("{}\nbad\n{}\n", sighting("01:00"), record("DescribeInstances", "02:00")),
        json!({"Events": &entries[..3], "NextToken": "t"}).to_string(),
        json!(entries[..2]).to_string(),
        serde_json::to_string_pretty(&envelope(&sighting("01:00"))).expect("JSON"),
        serde_json::to_string_pretty(&sighting("01:00")).expect("JSON"),
        FLEET_FILE.to_owned(),
        r#"{"awsAccountId":"111122223333","digestS3Bucket":"b","logFiles":[]}"#.to_owned(),
    ]
}

#[test]
fn a_text_cut_anywhere_gives_the_same_answer() {
    let asked = Asked { from: Some(time("01:30")), to: None };
    let mut checked = 0;
    for text in corpus() {
        let text = text.as_bytes();
        let step = 1 + text.len() / 1_000;
        for (asked, step) in [(Asked::default(), step), (asked, 7 * step)] {
            let whole = read_within(Limits::default(), asked, text);
            for cut in (0..=text.len()).step_by(step) {
                let pieces = in_pieces(text, &[cut], Limits::default(), asked);
                assert_eq!(outcome(&pieces), outcome(&whole), "cut at {cut}: {}", shown(text));
                checked += 1;
            }
            for size in [7, 64] {
                let cuts: Vec<_> = (0..text.len()).step_by(size).collect();
                let pieces = in_pieces(text, &cuts, Limits::default(), asked);
                assert_eq!(outcome(&pieces), outcome(&whole), "in pieces of {size}: {}", shown(text));
            }
        }
    }
    assert!(checked > 5_000);
}

// ---- Damage ----

/// Xorshift, after Marsaglia (2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).expect("below the bound")
    }
}

/// Damages `bytes` once: flips, inserts, deletes, doubles, splices or truncates.
fn damage(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    const TOKENS: [&str; 16] = [
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\n",
        " ",
        "\\u0044",
        "null",
        "{}",
        "\"Records\":[",
        "\"eventName\":\"Decrypt\",",
        "\u{feff}",
    ];
    let at = dice.below(bytes.len());
    let end = (at + dice.below(40)).min(bytes.len());
    match dice.below(8) {
        0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
        2 | 3 => drop(bytes.splice(at..at, TOKENS[dice.below(TOKENS.len())].bytes())),
        4 => drop(bytes.drain(at..end)),
        5 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
        6 => {
            let from = dice.below(other.len());
            let until = (from + dice.below(400)).min(other.len());
            drop(bytes.splice(at..at, other[from..until].iter().copied()));
        }
        _ => bytes.truncate(bytes.len() - dice.below(bytes.len() / 4 + 1)),
    }
}

/// Damages files of the corpus and hands each to `check`, with the dice.
fn damaged(corpus: &[Vec<u8>], seed: u64, rounds: u64, mut check: impl FnMut(&[u8], &mut Dice)) {
    let mut dice = Dice(seed);
    for _ in 0..rounds {
        let mut file = corpus[dice.below(corpus.len())].clone();
        let other = &corpus[dice.below(corpus.len())];
        for _ in 0..dice.below(4) {
            damage(&mut file, other, &mut dice);
        }
        check(&file, &mut dice);
    }
}

/// The members of a JSON object, in order, doubled ones too.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl Members {
    fn has_doubles(&self) -> bool {
        let keys: BTreeSet<_> = self.0.iter().map(|(key, _)| key).collect();
        keys.len() < self.0.len()
    }
}

/// The elements of a text that is strictly `{"Records": […]}`, by a plain JSON reader.
fn strict_records(text: &[u8]) -> Option<Vec<Box<RawValue>>> {
    serde_json::from_slice::<IgnoredAny>(text).ok()?;
    let members: Members = serde_json::from_slice(text).ok()?;
    if members.has_doubles() || members.0.iter().any(|(key, _)| key == "Events" || key.starts_with("digest")) {
        return None;
    }
    let (_, list) = members.0.iter().find(|(key, _)| key == "Records")?;
    let elements: Vec<Box<RawValue>> = serde_json::from_str(list.get()).ok()?;
    Some(elements)
}

/// What a reader that parses every record would find.
fn plainly(elements: &[Box<RawValue>]) -> FileReading {
    let mut plain = FileReading::default();
    for element in elements {
        plain.records += 1;
        plain.take(decode(element.get().as_bytes()));
        let time = serde_json::from_str::<Value>(element.get())
            .ok()
            .and_then(|value| Timestamp::parse(value["eventTime"].as_str()?));
        if let Some(time) = time {
            join_span(&mut plain.span, TimeSpan::at(time));
        }
    }
    plain
}

#[test]
fn a_damaged_text_is_read_as_a_plain_json_reader_would_or_not_at_all() {
    let corpus: Vec<_> = corpus().into_iter().map(String::into_bytes).collect();
    let mut reader = LogReader::new(Limits::default(), Asked::default());
    let (mut read_on, mut compared) = (0_u64, 0_u64);
    let rounds = 8_000;
    damaged(&corpus, 0x9e37_79b9_7f4a_7c15, rounds, |text, dice| {
        let file = reader.read(text);
        if let LogFile::Read(reading) = &file {
            assert_accounted(reading);
            read_on += 1;
        }
        let cuts: BTreeSet<_> = (0..dice.below(4)).map(|_| dice.below(text.len())).collect();
        let cuts: Vec<_> = cuts.into_iter().collect();
        let pieces = in_pieces(text, &cuts, Limits::default(), Asked::default());
        assert_eq!(outcome(&pieces), outcome(&file), "cut at {cuts:?}: {}", shown(text));
        let Some(elements) = strict_records(text) else { return };
        match &file {
            LogFile::Read(reading) => {
                let mut plain = plainly(&elements);
                // Of a damaged record the place may differ.
                plain.spans.clone_from(&reading.spans);
                // Of what is no object the reasons may differ.
                assert_eq!(malformed(reading), malformed(&plain), "{}", shown(text));
                plain.malformed.clone_from(&reading.malformed);
                assert_eq!(format!("{reading:?}"), format!("{plain:?}"), "{}", shown(text));
            }
            LogFile::Skipped(_) => {}
            LogFile::Unreadable(reason) => panic!("valid, but {reason}: {}", shown(text)),
        }
        compared += 1;
    });
    assert!(read_on > rounds / 10 && compared > rounds / 20, "{read_on} read and {compared} compared of {rounds}");
}

#[test]
fn a_damaged_gzip_file_is_read_to_its_end_or_not_at_all() {
    let corpus: Vec<_> = corpus().iter().flat_map(|text| [gzip(text), gzip_at(Compression::none(), text)]).collect();
    let mut reader = LogReader::new(TIGHT, Asked::default());
    let (mut read_on, mut refused) = (0_u64, 0_u64);
    let rounds = 8_000;
    damaged(&corpus, 0x2545_f491_4f6c_dd1d, rounds, |file, _| match reader.read(file) {
        LogFile::Read(reading) => {
            assert_accounted(&reading);
            read_on += 1;
        }
        LogFile::Skipped(_) => {}
        LogFile::Unreadable(_) => refused += 1,
    });
    assert!(read_on > rounds / 10 && refused > rounds / 10, "{read_on} read and {refused} refused of {rounds}");
}
