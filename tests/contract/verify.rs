//! `exposure verify`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use exposure_tests::{Ran, account, exposure, json, run, sample};
use serde_json::Value;
use tempfile::tempdir;

/// `exposure verify` on an account's trail and these observations.
pub(crate) fn verify(account: &Path, observations: &Path, more: &[&str]) -> Ran {
    let mut command = exposure();
    command.arg("verify").arg("--trail").arg(account.join("AWSLogs")).arg("--observations").arg(observations);
    run(command.args(more))
}

/// The verification as JSON, of a run that must succeed.
pub(crate) fn verification(account: &Path, observations: &Path, more: &[&str]) -> Value {
    let ran = verify(account, observations, &[&["--format", "json"], more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    serde_json::from_str(&ran.out).expect("JSON on standard output")
}

fn observations(account: &Path) -> std::path::PathBuf {
    account.join("observations.jsonl")
}

/// Instance, migration and 404 of each pair.
fn pairs(of: &Value) -> BTreeSet<[String; 3]> {
    let text = |pair: &Value, member: &str| pair[member].as_str().expect("a text").to_owned();
    let pairs = of["pairs"].as_array().expect("a list").iter();
    pairs.map(|pair| ["instance_id", "migration", "onset"].map(|member| text(pair, member))).collect()
}

#[test]
fn the_answer_is_what_was_made_to_happen() {
    for arguments in [
        &["--days", "2"][..],
        &["--seed", "2", "--instances", "150", "--days", "4"],
        &["--seed", "3", "--instances", "400", "--days", "3"],
    ] {
        let folder = account(arguments);
        let truth = json(&folder.path().join("observations-truth.json"));
        let found = verification(folder.path(), &observations(folder.path()), &[]);
        let (migrations, made) = (&found["migrations"], &truth["migrations"]);
        for part in ["migrations", "not_watched", "cut_short", "already_absent"] {
            assert_eq!(migrations[part], made[part], "{arguments:?}: {part}");
        }
        assert_eq!(
            (&migrations["followed"]["part"], &migrations["followed"]["of"]),
            (&made["followed"], &made["watched"])
        );
        let (onsets, made) = (&found["onsets"], &truth["onsets"]);
        for part in ["onsets", "found_absent", "untraceable", "outside_trail"] {
            assert_eq!(onsets[part], made[part], "{arguments:?}: {part}");
        }
        assert_eq!(onsets["preceded"]["part"], made["preceded"], "{arguments:?}");
        for part in ["undetermined", "nothing"] {
            assert_eq!(onsets["traces"][part], made[part], "{arguments:?}: {part}");
        }
        assert!(truth["pairs"].as_array().is_some_and(|pairs| pairs.len() > 9));
        assert_eq!(pairs(&found), pairs(&truth), "{arguments:?}");
        for cause in found["causes"].as_array().expect("causes") {
            let lost = &truth["causes"][cause["cause"].as_str().expect("a name")];
            let made = |part: &str| lost[part].as_u64().unwrap_or(0);
            let told = (cause["followed"]["part"].as_u64(), cause["brief"].as_u64());
            assert_eq!(told, (Some(made("followed")), Some(made("brief"))), "{arguments:?}: {cause}");
        }
    }
}

#[test]
fn every_number_adds_up() {
    let found = verification(&sample(), &observations(&sample()), &[]);
    let number = |value: &Value| value.as_u64().expect("a number");
    let sum = |of: &Value, parts: &[&str]| parts.iter().map(|part| number(&of[*part])).sum::<u64>();
    assert_eq!(found["schema"], "migration-exposure/verification/1");
    let moves = found["by_confidence"].as_array().expect("rows").iter().chain([&found["migrations"]]);
    for of in moves {
        let parts = sum(of, &["not_watched", "cut_short", "already_absent"]) + number(&of["followed"]["of"]);
        assert_eq!(number(&of["migrations"]), parts, "{of}");
    }
    let onsets = &found["onsets"];
    let judged = number(&onsets["preceded"]["of"]);
    assert_eq!(number(&onsets["onsets"]), sum(onsets, &["untraceable", "outside_trail"]) + judged);
    let traces = ["confirmed", "presumed", "partial", "undetermined", "reattachment", "nothing"];
    assert_eq!(judged, sum(&onsets["traces"], &traces));
    let lines = &found["observed"]["accounting"];
    assert_eq!(number(&lines["lines"]), sum(lines, &["told", "duplicates", "other", "malformed"]));
    assert!(number(&lines["told"]) > 100);
    for sentence in found["sentences"].as_object().expect("sentences").values() {
        assert!(sentence.as_str().is_some_and(|text| text.ends_with('.') && text.len() > 20), "{sentence}");
    }
}

#[test]
fn it_says_so_where_404s_have_nothing_to_do_with_decrypts() {
    let arguments = ["--seed", "4", "--instances", "300", "--days", "4"];
    let (true_, false_) = (account(&arguments), account(&[&arguments[..], &["--unrelated-absences"]].concat()));
    let holds = verification(true_.path(), &observations(true_.path()), &[]);
    assert_eq!(holds["verdict"], "holds", "{}", holds["sentences"]);
    for permutation in ["anywhere", "same_times"] {
        assert!(holds["chance"][permutation]["p"].as_f64() < Some(0.001), "{}", holds["chance"]);
    }
    let fails = verification(false_.path(), &observations(false_.path()), &[]);
    assert_eq!(fails["verdict"], "does_not_hold", "{}", fails["sentences"]);
    assert!(fails["onsets"]["onsets"].as_u64() > Some(50), "{}", fails["onsets"]);
    assert!(fails["chance"]["anywhere"]["p"].as_f64() > Some(0.05), "{}", fails["chance"]);
    // The trail is the same: only what the instances saw is not.
    assert_eq!(holds["migrations"]["migrations"], fails["migrations"]["migrations"]);
}

#[test]
fn the_same_input_gives_the_same_answer_whatever_its_order_and_however_often() {
    let text = fs::read_to_string(observations(&sample())).expect("observations");
    let folder = tempdir().expect("a folder");
    let backwards: Vec<&str> = text.lines().rev().collect();
    let halves = backwards.split_at(backwards.len() / 2);
    fs::write(folder.path().join("a.jsonl"), halves.1.join("\n")).expect("written");
    fs::write(folder.path().join("b.jsonl"), halves.0.join("\r\n")).expect("written");
    fs::write(folder.path().join("c.jsonl"), &text).expect("written");
    let once = verification(&sample(), &observations(&sample()), &[]);
    let again = verification(&sample(), folder.path(), &[]);
    let lines = again["observed"]["accounting"]["duplicates"].as_u64();
    assert_eq!(lines, Some(u64::try_from(backwards.len()).expect("few")));
    for part in ["verdict", "migrations", "onsets", "delays", "chance", "causes", "sensitivity", "pairs", "sentences"] {
        assert_eq!(once[part], again[part], "{part}");
    }
}

#[test]
fn the_window_is_a_flag_and_a_narrow_one_finds_less() {
    let folder = account(&["--seed", "5", "--instances", "200", "--days", "3"]);
    let of = |within: &str| verification(folder.path(), &observations(folder.path()), &["--within", within]);
    let (narrow, wide) = (of("5s"), of("20m"));
    assert_eq!(narrow["settings"]["within_seconds"], 5);
    let part = |of: &Value| of["migrations"]["followed"]["part"].as_u64().expect("a number");
    assert!(part(&narrow) + 5 < part(&wide), "{} {}", part(&narrow), part(&wide));
    let rows = |of: &Value| of["sensitivity"].as_array().expect("rows").clone();
    let chosen: Vec<Value> = rows(&narrow).into_iter().filter(|row| row["chosen"] == true).collect();
    assert_eq!(chosen.len(), 1);
    assert_eq!((&chosen[0]["within_seconds"], &chosen[0]["followed"]), (&5.into(), &narrow["migrations"]["followed"]));
    assert!(rows(&wide).iter().any(|row| row["within_seconds"] == 60));
}

#[test]
fn the_table_of_the_sample() {
    insta::assert_snapshot!(verify(&sample(), &observations(&sample()), &[]).out);
}

#[test]
fn the_table_fits_a_hundred_columns() {
    let folder = account(&["--seed", "6", "--instances", "300", "--days", "4", "--unrelated-absences"]);
    let table = verify(folder.path(), &observations(folder.path()), &[]).out;
    assert!(table.lines().count() > 30);
    for line in table.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    let (trail, seen) = (sample().join("AWSLogs"), observations(&sample()));
    let (trail, seen) = (trail.to_string_lossy(), seen.to_string_lossy());
    for (arguments, code, said) in [
        (&["verify", "--trail", &trail][..], 2, "--observations"),
        (&["verify", "--observations", &seen], 2, "--trail"),
        (&["verify", "--trail", &trail, "--observations", &seen, "--within", "0s"], 2, "1s to 24h"),
        (&["verify", "--trail", &trail, "--observations", &seen, "--clock-tolerance", "2h"], 2, "up to 1h"),
        (&["verify", "--trail", &trail, "--observations", &seen, "--format", "csv"], 2, "csv"),
        (&["verify", "--trail", &trail, "--observations", "/no/such/file"], 1, "--observations /no/such/file"),
        (&["verify", "--trail", "/no/such/file", "--observations", &seen], 1, "--trail /no/such/file"),
        (&["verify", "--trail", &trail, "--observations", &trail], 1, "no line of lifecycle-check in"),
    ] {
        let ran = run(exposure().args(arguments));
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(said) && ran.out.is_empty(), "{arguments:?}: {}", ran.err);
    }
}
