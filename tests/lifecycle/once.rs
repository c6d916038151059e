//! `once`: every outcome of either source, through the real binary.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::aws::{Aws, Says};
use crate::imds::{Imds, TARGET, gone, page_as_state, says};
use crate::program::command;
use crate::server::Act;

struct Row {
    name: &'static str,
    imds: Vec<Act>,
    api: Says,
    /// State, source, outcome of IMDS, exit code.
    expected: (&'static str, &'static str, &'static str, i32),
    /// How often the API was asked.
    calls: usize,
}

fn row(
    name: &'static str,
    imds: impl IntoIterator<Item = Act>,
    api: Says,
    expected: (&'static str, &'static str, &'static str, i32),
    calls: usize,
) -> Row {
    Row { name, imds: imds.into_iter().collect(), api, expected, calls }
}

fn rows() -> Vec<Row> {
    let slow = |time| Act::Slow(Duration::from_millis(time), Box::new(says("Standby")));
    let other = Says::State("Standby");
    let mut rows = vec![
        row("in service", [says("InService")], other.clone(), ("InService", "imds", "known", 0), 0),
        row("terminated", [says("Terminated")], other.clone(), ("Terminated", "imds", "known", 10), 0),
        row("standby", [says("Standby")], Says::Down, ("Standby", "imds", "known", 11), 0),
        row("detached", [says("Detached")], other.clone(), ("Detached", "imds", "known", 12), 0),
        row("warmed", [says("Warmed:Stopped")], other.clone(), ("Warmed:Stopped", "imds", "known", 13), 0),
        row("warm end", [says("Warmed:Terminated")], other.clone(), ("Warmed:Terminated", "imds", "known", 10), 0),
        row("a blip at boot", [gone(), says("InService")], other.clone(), ("InService", "imds", "known", 0), 0),
        row("unknown state", [says("Resting")], other.clone(), ("Unknown", "imds", "unreachable", 20), 0),
        row("empty body", [says("")], other.clone(), ("InService", "assumed", "unreachable", 0), 0),
        row("a page for a state", [page_as_state()], other.clone(), ("InService", "assumed", "unreachable", 0), 0),
        row("403", [Act::new(403, "")], other.clone(), ("InService", "assumed", "refused", 0), 0),
        row("401", [Act::new(401, "")], other.clone(), ("InService", "assumed", "refused", 0), 0),
        row("500", [Act::new(500, "")], other.clone(), ("InService", "assumed", "unreachable", 0), 0),
        row("dropped", [Act::Drop], other.clone(), ("InService", "assumed", "unreachable", 0), 0),
        row("too slow", [slow(5_000)], other.clone(), ("InService", "assumed", "unreachable", 0), 0),
        row("slow", [slow(200)], other, ("Standby", "imds", "known", 11), 0),
    ];
    let by_api = [
        ("404, in service", Says::State("InService"), ("InService", "api", "absent", 0)),
        ("404, waiting to go", Says::State("Terminating:Wait"), ("Terminated", "api", "absent", 10)),
        ("404, standby", Says::State("EnteringStandby"), ("Standby", "api", "absent", 11)),
        ("404, detached", Says::State("Detaching"), ("Detached", "api", "absent", 12)),
        ("404, into the warm pool", Says::State("Warmed:Pending:Wait"), ("Warmed", "api", "absent", 13)),
        ("404, unknown state", Says::State("Quarantined"), ("Unknown", "api", "absent", 20)),
        ("404, no group", Says::NoGroup, ("NotInGroup", "api", "absent", 14)),
        ("404, throttled", Says::Throttled, ("InService", "assumed", "absent", 0)),
        ("404, denied", Says::Denied, ("InService", "assumed", "absent", 0)),
        ("404, down", Says::Down, ("InService", "assumed", "absent", 0)),
        ("404, dropped", Says::Drops, ("InService", "assumed", "absent", 0)),
        ("404, hanging", Says::Hangs(Duration::from_secs(30)), ("InService", "assumed", "absent", 0)),
    ];
    rows.extend(by_api.map(|(name, api, expected)| row(name, [gone()], api, expected, 1)));
    rows.push(row("short pages", [gone()], Says::Late(3, "Standby"), ("Standby", "api", "absent", 11), 4));
    rows.push(row("endless pages", [gone()], Says::Endless, ("InService", "assumed", "absent", 0), 10));
    rows
}

#[test]
fn every_outcome_has_its_state_source_and_exit_code() {
    let rows = rows();
    assert_eq!(rows.len(), 30);
    for Row { name, imds: script, api, expected, calls } in rows {
        let (imds, aws) = (Imds::start(), Aws::start(api));
        imds.target(script);
        let mut command = command(&imds, Some(&aws));
        command.args(["once", "--format", "json", "--settle", "10ms", "--api-timeout", "500ms"]);
        let ran = exposure_tests::run(&mut command);
        let answer: Value =
            serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{name}: {} {}", ran.out, ran.err));
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        let found = (text("state"), text("source"), text("imds"), ran.code.expect("a code"));
        let (state, source, outcome, code) = expected;
        assert_eq!(found, (state.to_owned(), source.to_owned(), outcome.to_owned(), code), "{name}: {answer}");
        assert_eq!(answer["age_seconds"], 0, "{name}");
        assert!(!text("reason").is_empty(), "{name}");
        assert_eq!(answer.as_object().map(serde_json::Map::len), Some(5), "{name}: {answer}");
        assert_eq!(aws.all_calls().len(), calls, "{name}");
        assert!(imds.asked(TARGET) <= 2, "{name}: a question and, after a 404 or a 401, one more");
    }
}

#[test]
fn the_text_is_the_state_alone_and_flags_do_as_the_environment_does() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::State("Standby")));
    let other = Imds::start();
    imds.target([gone()]);
    other.target([says("InService")]);
    let mut command = command(&other, None);
    command.args(["once", "--settle", "10ms", "--imds-endpoint", &imds.url(), "--api-endpoint", &aws.url()]);
    let ran = exposure_tests::run(&mut command);
    assert_eq!((ran.out.as_str(), ran.code), ("Standby\n", Some(11)), "{}", ran.err);
    assert_eq!(other.asked(TARGET), 0);
}

#[test]
fn a_closed_output_does_not_change_the_exit_code() {
    let imds = Imds::start();
    imds.target([says("Terminated")]);
    let mut child = command(&imds, None).arg("once").stdout(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("a state").code(), Some(10));
}

#[test]
fn wrong_flags_are_refused_before_anything_is_asked() {
    let imds = Imds::start();
    for flags in [&["--imds-endpoint", "169.254.169.254"][..], &["--instance-id", "i-1"], &["--imds-timeout", "0s"]] {
        let mut command = command(&imds, None);
        let ran = exposure_tests::run(command.arg("once").args(flags));
        assert!(matches!(ran.code, Some(1 | 2)), "{flags:?}: {:?} {}", ran.code, ran.err);
        assert!(ran.out.is_empty() && !ran.err.is_empty());
    }
}
