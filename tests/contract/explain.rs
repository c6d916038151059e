//! `exposure explain`.

use exposure_tests::{exposure, run, sample, truth};

fn explain(kind: &str) -> String {
    let truth = truth(&sample());
    let instances = truth["instances"].as_array().expect("instances");
    let instance = instances.iter().find(|instance| instance["kind"] == kind).expect(kind);
    let mut command = exposure();
    command.arg("explain").arg(instance["instance_id"].as_str().expect("an ID"));
    command.arg("--trail").arg(sample().join("AWSLogs")).arg("--fleet").arg(sample().join("fleet.json"));
    command.arg("--activities").arg(sample().join("activities.json"));
    let ran = run(&mut command);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for line in ran.out.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    ran.out
}

#[test]
fn a_migration_is_told_with_its_baseline_its_events_and_its_rule() {
    let told = explain("live-migrated");
    for part in [
        "Verdict: exposed",
        "launch by Auto Scaling",
        "baseline of vol-",
        "MIGRATION, confirmed",
        "Decrypt ",
        "rule 7",
        "This would change it",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn explained_reattachments_name_their_cause() {
    for (kind, cause) in [
        ("stop-start", "explained by start"),
        ("reboot-moved", "explained by reboot"),
        ("granted-only", "explained by grant"),
    ] {
        let told = explain(kind);
        assert!(told.contains(cause) && told.contains("rule 3"), "{kind}: {told}");
    }
}

#[test]
fn what_is_missing_is_said() {
    assert!(explain("unencrypted").contains("Verdict: unseen"));
    assert!(explain("pretrail-migrated").contains("the trail shows launches and none of this"));
    assert!(explain("partial").contains("did not come again"));
}

#[test]
fn an_unknown_instance_is_an_error() {
    let mut command = exposure();
    command.args(["explain", "i-0123456789abcdef9", "--trail"]).arg(sample().join("AWSLogs"));
    let ran = run(&mut command);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("i-0123456789abcdef9: neither in the trail nor in the fleet"), "{}", ran.err);
}
