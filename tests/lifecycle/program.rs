//! The real binary, as a user starts it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::aws::Aws;
use crate::imds::Imds;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The built `lifecycle-check`. Built beside the other binaries: with other features its dependencies would be built again.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--bins"]).current_dir(exposure_tests::root());
        build.args(["--package", "exposure-cli", "--package", "exposure-analyzer", "--package", "exposure-lifecycle"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "lifecycle-check does not build");
        let tests = std::env::current_exe().expect("a path");
        tests.ancestors().nth(2).expect("target/profile/deps").join("lifecycle-check")
    })
}

/// The Windows build to play the scenarios with, under Wine: `windows.py` names it.
fn windows_build() -> Option<PathBuf> {
    std::env::var_os("LIFECYCLE_CHECK_EXE").map(PathBuf::from)
}

/// Whether it is the Windows build that is under test.
pub(crate) fn is_windows() -> bool {
    windows_build().is_some()
}

/// A path as the program under test knows it.
pub(crate) fn path(path: &Path) -> String {
    let text = path.to_str().expect("UTF-8");
    if is_windows() { format!("Z:{}", text.replace('/', "\\")) } else { text.to_owned() }
}

/// The program with these sources, dummy credentials, and nothing of the environment that could lead elsewhere.
pub(crate) fn command(imds: &Imds, aws: Option<&Aws>) -> Command {
    let mut command = match windows_build() {
        Some(build) => {
            let mut wine = Command::new("wine");
            wine.arg(build);
            wine
        }
        None => Command::new(binary()),
    };
    command.env_clear();
    for kept in ["PATH", "HOME", "TMPDIR", "WINEPREFIX", "WINEDEBUG"] {
        command.envs(std::env::var_os(kept).map(|value| (kept, value)));
    }
    command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url());
    command.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "not-a-secret");
    // Without an endpoint: one that refuses, never the real one.
    command.env("AWS_ENDPOINT_URL", aws.map_or_else(|| "http://127.0.0.1:1".to_owned(), Aws::url));
    command
}

/// A daemon under test. It is killed when this is dropped.
pub(crate) struct Daemon {
    child: Child,
    lines: Arc<Mutex<Vec<Value>>>,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let (lines, complaints) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (keeps, out) = (Arc::clone(&lines), child.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).expect("every line is JSON");
                keeps.lock().expect("no panic before").push(value);
            }
        });
        let (keeps, err) = (Arc::clone(&complaints), child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                keeps.lock().expect("no panic before").push(line);
            }
        });
        Self { child, lines, complaints }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.lines.lock().expect("no panic before").clone()
    }

    pub(crate) fn complaints(&self) -> String {
        self.complaints.lock().expect("no panic before").join("\n")
    }

    /// Waits for a line.
    pub(crate) fn wait_for(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        wait(
            what,
            || self.lines().into_iter().find(|line| is_it(line)),
            || format!("{:#?}\n{}", self.lines(), self.complaints()),
        )
    }

    /// Waits for a state line.
    pub(crate) fn wait_for_state(&self, state: &str, source: &str) -> Value {
        let is_it = |line: &Value| line["event"] == "state" && line["state"] == state && line["source"] == source;
        self.wait_for(&format!("{state} by {source}"), is_it)
    }

    /// Lines about commands: what happened, and for which state.
    pub(crate) fn commands(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let lines = self.lines().into_iter().filter(|line| line["event"] == "command");
        lines.map(|line| (text(&line["what"]), text(&line["state"]))).collect()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.pid())]).status();
        assert!(status.expect("a shell").success());
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let child = Mutex::new(&mut self.child);
        wait("the end", || child.lock().expect("no panic before").try_wait().expect("a state"), String::new)
    }

    /// Ends a scenario: tells it to stop, and waits for its end, which must be a good one. Wine has no signal for that.
    pub(crate) fn finish(mut self) {
        if !is_windows() {
            assert!(self.stop().success(), "{}", self.complaints());
        }
    }

    /// Tells it to stop, and waits for its end.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.end()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for something to be there.
pub(crate) fn wait<T>(what: &str, look: impl Fn() -> Option<T>, tell: impl Fn() -> String) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} does not come: {}", tell());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A command that writes a line for each run, with the state that it is told, to a file.
pub(crate) fn recorder(folder: &Path, log: &Path) -> PathBuf {
    if is_windows() {
        let batch = folder.join("hook.bat");
        std::fs::write(&batch, format!("@>>\"{}\" echo %LIFECYCLE_STATE%\r\n", path(log))).expect("a file");
        return batch;
    }
    script(folder, "hook", &format!("echo $LIFECYCLE_STATE >> {}", log.display()))
}

/// An executable file that runs these lines of shell, in a folder that only its owner can write.
pub(crate) fn script(folder: &Path, name: &str, lines: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("ours");
    path
}
