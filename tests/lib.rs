//! Helpers that the contract tests share: the built command line, its answers, and accounts made up for a test.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a helper of tests fails the test"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// The root of the workspace.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace")
}

/// The account that ships with the repository.
#[must_use]
pub fn sample() -> PathBuf {
    root().join("tests/fixtures/sample")
}

/// Builds the binaries in the profile of the tests, and names one. All in one build: their dependencies would else be
/// built for each with other features.
fn built(binary: &str) -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "exposure-cli", "--package", "exposure-analyzer", "--bins"]);
    build.current_dir(root());
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo runs").success(), "{binary} does not build");
    let tests = std::env::current_exe().expect("a path");
    tests.ancestors().nth(2).expect("target/profile/deps").join(binary)
}

/// The built function; it is built once.
pub fn bootstrap() -> Command {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    Command::new(BINARY.get_or_init(|| built("bootstrap")))
}

/// The built `exposure`; it is built once.
pub fn exposure() -> Command {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(BINARY.get_or_init(|| built("exposure")));
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env("LC_ALL", "C.UTF-8");
    command
}

/// A run's end.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it complained of.
    pub err: String,
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    Ran {
        code: status.code(),
        out: String::from_utf8(stdout).expect("UTF-8 on standard output"),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// `exposure analyze` on an account's folder as `simulate` writes it, with `more` arguments.
pub fn analyze(account: &Path, trail: &Path, more: &[&str]) -> Ran {
    let mut command = exposure();
    command.arg("analyze").arg("--trail").arg(trail).arg("--fleet").arg(account.join("fleet.json"));
    command.arg("--warm-pool").arg(account.join("warm-pool.json")).args(more);
    run(&mut command)
}

/// The analysis as JSON, of a run that must succeed.
pub fn analysis(account: &Path, trail: &Path, more: &[&str]) -> Value {
    let ran = analyze(account, trail, &[&["--format", "json", "--all"], more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    serde_json::from_str(&ran.out).expect("JSON on standard output")
}

/// What the simulator made happen.
pub fn truth(account: &Path) -> Value {
    json(&account.join("truth.json"))
}

/// A JSON file.
pub fn json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic_with(path, &error));
    serde_json::from_slice(&text).expect("JSON")
}

#[expect(clippy::panic, reason = "a helper of tests fails the test")]
fn panic_with(path: &Path, error: &std::io::Error) -> ! {
    panic!("{}: {error}", path.display())
}

/// A made-up account.
pub fn account(arguments: &[&str]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let ran = run(exposure().arg("simulate").arg(folder.path()).args(arguments));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    folder
}

/// Every file below a folder, in order.
#[must_use]
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Where `actual` does not say what `expected` says. The order of event IDs means nothing; members of an object that only `actual` has are its own affair.
#[must_use]
pub fn differences(expected: &Value, actual: &Value, place: &str) -> Vec<String> {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => expected
            .iter()
            .flat_map(|(key, value)| {
                let found = actual.get(key).unwrap_or(&Value::Null);
                differences(value, found, &format!("{place}.{key}"))
            })
            .collect(),
        (Value::Array(expected), Value::Array(actual)) if place.ends_with(".event_ids") => {
            let ids = |list: &[Value]| list.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
            let same = expected.len() == actual.len() && ids(expected) == ids(actual);
            if same { Vec::new() } else { vec![format!("{place}: expected {expected:?}, found {actual:?}")] }
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            let pairs = expected.iter().zip(actual).enumerate();
            pairs.flat_map(|(at, (e, a))| differences(e, a, &format!("{place}[{at}]"))).collect()
        }
        _ if expected == actual => Vec::new(),
        _ => vec![format!("{place}: expected {expected}, found {actual}")],
    }
}
