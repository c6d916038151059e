//! Dependencies point inwards only: the domain knows no AWS, no runtime, no network, and the simulator knows nothing of
//! the code that it judges.

#![expect(clippy::expect_used, reason = "helpers of tests fail the test")]

use std::process::Command;

/// The crates that a package is built of, itself left out.
fn dependencies(package: &str) -> Vec<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--package", package, "--edges", "normal,build", "--prefix", "none"])
        .args(["--target", "all", "--format", "{p}"])
        .current_dir(exposure_tests::root())
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("UTF-8");
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != package).map(str::to_owned).collect()
}

fn forbidden_in_core(crates: &[String]) -> Vec<&String> {
    const FAMILIES: [&str; 4] = ["aws-", "tokio", "hyper", "rustls"];
    const ALONE: [&str; 8] = ["lambda_runtime", "reqwest", "mio", "socket2", "rand", "chrono", "async-std", "futures"];
    let forbidden =
        |name: &&String| FAMILIES.iter().any(|family| name.starts_with(family)) || ALONE.contains(&name.as_str());
    crates.iter().filter(forbidden).collect()
}

#[test]
fn the_domain_depends_on_no_aws_crate_no_runtime_and_no_network() {
    let crates = dependencies("exposure-core");
    assert!(crates.iter().any(|name| name == "serde_json"), "the tree was not read: {crates:?}");
    assert!(forbidden_in_core(&crates).is_empty(), "{:?}", forbidden_in_core(&crates));
}

#[test]
fn the_check_of_the_domain_can_fail() {
    for name in ["aws-config", "aws-sdk-cloudtrail", "tokio", "tokio-util", "hyper-util", "lambda_runtime"] {
        assert_eq!(forbidden_in_core(&["serde".to_owned(), name.to_owned()]), [name]);
    }
}

#[test]
fn the_simulator_shares_no_code_with_what_it_judges() {
    let crates = dependencies("exposure-simulator");
    assert!(crates.iter().any(|name| name == "jiff"), "the tree was not read: {crates:?}");
    let ours: Vec<_> = crates.iter().filter(|name| name.starts_with("exposure-")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
fn the_stand_in_shares_no_code_with_what_asks_it() {
    let crates = dependencies("exposure-stand-in");
    assert!(crates.iter().any(|name| name == "serde_json"), "the tree was not read: {crates:?}");
    let ours: Vec<_> = crates.iter().filter(|name| name.starts_with("exposure-")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
fn the_check_of_the_simulator_can_fail() {
    let crates = dependencies("exposure-cli");
    assert!(crates.iter().any(|name| name == "exposure-core"), "{crates:?}");
}
