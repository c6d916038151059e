//! One command under way.

use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use exposure_lifecycle::platform::Running;

/// How often a command is looked after.
pub(super) const TEND: Duration = Duration::from_millis(50);
/// How long a command that is asked to end has for it.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// By itself, with this code, or by a signal.
    Exited(Option<i32>),
    /// It was ended, and why.
    Ended(&'static str),
}

/// A command under way.
#[derive(Debug)]
pub(super) struct Job {
    running: Running,
    began: Instant,
    timeout: Duration,
    ending: Option<(Instant, &'static str)>,
}

impl Job {
    /// Starts it. What it prints goes to standard error: standard output is for lines that programs read.
    pub(super) fn start(
        program: &Path,
        arguments: &[String],
        variables: &[(&str, &str)],
        timeout: Duration,
    ) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(io::stderr()).stderr(Stdio::inherit());
        let running = Running::start(&mut command)?;
        Ok(Self { running, began: Instant::now(), timeout, ending: None })
    }

    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Begins to end it.
    pub(super) fn end_for(&mut self, why: &'static str) {
        if self.ending.is_none() {
            self.running.ask_to_end();
            self.ending = Some((Instant::now(), why));
        }
    }

    /// How it ended, if it did; ends it, where it takes too long.
    pub(super) fn tend(&mut self) -> Option<End> {
        if let Ok(Some(status)) = self.running.ended() {
            return Some(self.end(status));
        }
        if self.age() >= self.timeout {
            self.end_for("it took too long");
        }
        match self.ending {
            Some((since, why)) if since.elapsed() >= LAST_WORDS => {
                self.running.end();
                Some(End::Ended(why))
            }
            _ => None,
        }
    }

    fn end(&self, status: ExitStatus) -> End {
        match self.ending {
            Some((_, why)) => End::Ended(why),
            None => End::Exited(status.code()),
        }
    }

    /// Ends it, with the time for last words.
    pub(super) async fn stop(&mut self) {
        self.end_for("this program stops");
        let deadline = Instant::now() + LAST_WORDS;
        while Instant::now() < deadline && !matches!(self.running.ended(), Ok(Some(_))) {
            tokio::time::sleep(TEND).await;
        }
        self.running.end();
    }
}
