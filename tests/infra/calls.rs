//! The operations of AWS that the function can call: as its code names them, and as they are seen on the wire.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use exposure_stand_in::RequestLine;
use exposure_tests::{files, root};
use serde_json::{Value, json};

use crate::account::{ACCOUNT, Stage};

/// The account of the reader role.
pub(crate) const MEMBER: &str = "444455556666";
/// The role that the function takes on there.
pub(crate) const READER: &str = "migration-exposure-reader";
/// The buckets of the state and of the trail.
pub(crate) const STATE_BUCKET: &str = "exposure-state";
pub(crate) const TRAIL_BUCKET: &str = "trail";

/// A service, as its crate and the stand-in call it, and an operation.
pub(crate) type Operation = (String, String);

/// What the code of the function names: every builder of an operation that any of the SDK's crates has. The preflight is
/// part of the command line alone, which a check of the function's code sees to.
pub(crate) fn named_in_code() -> BTreeSet<Operation> {
    let function = root().join("functions/analyzer/src");
    for file in files(&function) {
        assert!(!code_of(&file).contains("preflight"), "{} runs the preflight", file.display());
    }
    let sources = root().join("functions/aws/src");
    let mut named = BTreeSet::new();
    for file in [files(&sources), files(&function)].concat() {
        if !is_part_of_the_function(file.strip_prefix(root().join("functions")).expect("a path below functions/")) {
            continue;
        }
        named.extend(operations_in(&code_of(&file)));
    }
    named
}

/// What only the preflight names, which a person runs.
pub(crate) fn named_in_preflight() -> BTreeSet<Operation> {
    let sources = root().join("functions/aws/src");
    let preflight = files(&sources).into_iter().filter(|file| file.display().to_string().contains("preflight"));
    preflight.flat_map(|file| operations_in(&code_of(&file))).collect()
}

fn operations_in(code: &str) -> BTreeSet<Operation> {
    let builders = builders();
    let mut found = BTreeSet::new();
    for call in code.split('.').skip(1) {
        let Some((name, _)) = call.split_once("()") else { continue };
        if let Some(operations) = builders.get(name.trim()) {
            found.extend(operations.iter().cloned());
        }
    }
    if code.contains("AssumeRoleProvider::builder") {
        found.insert(("sts".to_owned(), "AssumeRole".to_owned()));
    }
    found
}

fn is_part_of_the_function(path: &Path) -> bool {
    let is_code = path.extension().is_some_and(|extension| extension == "rs");
    let path = path.display().to_string();
    let is_a_test = ["/tests.rs", "/tests/", "/testing.rs", "/loopback.rs"].iter().any(|part| path.contains(part));
    is_code && !is_a_test && !path.contains("/preflight")
}

/// A file without its tests.
fn code_of(file: &Path) -> String {
    let text = std::fs::read_to_string(file).expect("a source file");
    text.split("#[cfg(test)]\nmod tests {").next().expect("code").to_owned()
}

/// Every operation of the SDK's crates, by the name of its builder, as the crates themselves list them.
fn builders() -> &'static BTreeMap<String, BTreeSet<Operation>> {
    static BUILDERS: OnceLock<BTreeMap<String, BTreeSet<Operation>>> = OnceLock::new();
    BUILDERS.get_or_init(listed)
}

fn listed() -> BTreeMap<String, BTreeSet<Operation>> {
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--format-version", "1", "--locked"]).current_dir(root());
    let answer: Value = serde_json::from_slice(&metadata.output().expect("cargo runs").stdout).expect("metadata");
    let mut builders: BTreeMap<String, BTreeSet<Operation>> = BTreeMap::new();
    for package in answer["packages"].as_array().expect("packages") {
        let Some(service) = package["name"].as_str().and_then(|name| name.strip_prefix("aws-sdk-")) else { continue };
        let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
        let folder = manifest.parent().expect("a folder").join("src/operation");
        for entry in std::fs::read_dir(folder).expect("operations") {
            let path = entry.expect("an entry").path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".rs"))
            else {
                continue;
            };
            builders.entry(name.to_owned()).or_default().insert((service.to_owned(), camel_case(name)));
        }
    }
    assert!(builders.len() > 300, "the crates of the SDK list their operations elsewhere: {}", builders.len());
    builders
}

fn camel_case(name: &str) -> String {
    let capital = |word: &str| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect();
    name.split('_').map(capital).collect::<Vec<String>>().concat()
}

/// What the function asks for with a source: its first run, where there is no state yet, one that goes on from it, and one
/// that finds a state it cannot read. It looks at its own account, and by a role at another.
pub(crate) fn on_the_wire(source: &str) -> Vec<RequestLine> {
    let stage = Stage::new(&["--days", "1", "--instances", "48"]);
    let targets = json!([
        {"account": ACCOUNT, "regions": ["eu-central-1"]},
        {"regions": ["eu-central-1"], "roleArn": format!("arn:aws:iam::{MEMBER}:role/{READER}"), "externalId": "a-secret"},
    ]);
    let mut variables = stage.variables(source);
    for (name, value) in &mut variables {
        match *name {
            "STATE_URL" => *value = format!("s3://{STATE_BUCKET}/state.json.gz"),
            "TARGETS" => *value = targets.to_string(),
            _ => {}
        }
    }
    let mut function = Stage::function(&variables);
    let end = stage.window.1;
    stage.run(&mut function, end);
    stage.run(&mut function, end + 300);
    stage.stand_in.put_object(STATE_BUCKET, "state.json.gz", b"not a state".to_vec());
    stage.run(&mut function, end + 600);
    stage.stand_in.requests()
}
