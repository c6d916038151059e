//! `quota`, `bench`, and what the documents say of the program.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::aws::{Aws, Says};
use crate::imds::{Imds, says};
use crate::program::command;

#[test]
fn the_quota_says_whether_a_limit_is_kept_and_what_keeps_it() {
    let imds = Imds::start();
    let quota = |more: &[&str]| {
        let mut command = command(&imds, None);
        exposure_tests::run(
            command.args(["quota", "--instances", "1000", "--zones", "2", "--format", "json"]).args(more),
        )
    };
    let over = quota(&["--limit", "5"]);
    let figures: Value = serde_json::from_str(&over.out).expect("JSON");
    assert_eq!(over.code, Some(3));
    assert_eq!((&figures["before"], &figures["naive"]), (&0.0.into(), &500.0.into()));
    assert_eq!((&figures["limit"]["is_kept"], &figures["limit"]["api_floor_seconds"]), (&false.into(), &110.into()));
    let kept = quota(&["--limit", "5", "--api-floor", "110s"]);
    assert_eq!(kept.code, Some(0), "{}", kept.out);
    assert_eq!(quota(&[]).code, Some(0));
    let text = exposure_tests::run(command(&imds, None).args(["quota", "--instances", "100", "--limit", "10"]));
    assert!(text.out.contains("All of it is under 10 calls per second."), "{}", text.out);
}

#[test]
fn the_bench_measures_both_ways_and_says_what_it_means() {
    let (imds, aws) = (Imds::start(), Aws::start(Says::State("InService")));
    imds.target([says("InService")]);
    let mut bench = command(&imds, Some(&aws));
    bench.args(["bench", "--imds-requests", "20", "--api-requests", "2", "--format", "json"]);
    let ran = exposure_tests::run(&mut bench);
    let figures: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&figures["imds"]["answers"], &figures["api"]["answers"]), (&20.into(), &2.into()), "{figures}");
    assert!(figures["imds"]["p50_milliseconds"].as_f64().is_some_and(|p50| p50 > 0.0), "{figures}");
    assert!(figures["delta_p50_milliseconds"].is_number(), "{figures}");
    aws.says([Says::Down]);
    imds.target([crate::server::Act::new(500, "")]);
    let mut bench = command(&imds, Some(&aws));
    let ran = exposure_tests::run(bench.args(["bench", "--imds-requests", "2", "--api-requests", "1"]));
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("IMDS         0       2"), "{}", ran.out);
}

/// The flags that a text names.
fn flags(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words.filter(|word| word.starts_with("--") && word.len() > 3).collect()
}

#[test]
fn the_documents_name_no_flag_that_is_not_there_and_the_default_of_each_bound() {
    let imds = Imds::start();
    let help = |name: &str| exposure_tests::run(command(&imds, None).args([name, "--help"])).out;
    let there = ["once", "watch", "serve", "bench", "quota"].map(help).concat();
    let readme = std::fs::read_to_string(exposure_tests::root().join("functions/lifecycle/README.md")).expect("a file");
    let others = ["--locked", "--release", "--package", "--owner", "--mode", "--now", "--test", "--time-scale", "---"];
    let named = flags(&readme);
    assert!(named.len() > 20, "{named:?}");
    for flag in named.iter().filter(|flag| !others.contains(flag)) {
        assert!(there.contains(*flag), "{flag} is not there");
    }
    assert!(!there.contains("--time-scale"), "hidden");
    let bound = exposure_lifecycle::limiter::Pace::default().longest_age();
    assert_eq!(bound, Duration::from_secs(375));
    assert!(readme.contains("at most 375 s old"));
}
