//! Everything that differs between Linux and Windows: who can write a file, groups of processes, the boot, the service
//! manager.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// What is known of the start of the operating system. A live migration changes none of it; a reboot changes all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Boot {
    /// A name of this boot, where the system gives one.
    pub id: Option<String>,
    /// When it was, in seconds since 1970, as the system's clock has it.
    pub at: Option<i64>,
    /// How long ago, by a clock that is never set.
    pub uptime: Option<Duration>,
}

/// This boot.
#[must_use]
pub fn boot() -> Boot {
    system::boot()
}

/// Where the marker of commands that ran is kept, unless told otherwise.
#[must_use]
pub fn state_folder() -> PathBuf {
    system::state_folder()
}

/// The real path of a file that nobody but administrators, and the user that this runs as, can change or replace.
///
/// # Errors
/// Who else can, or that there is no such file.
pub fn trusted(path: &Path) -> Result<PathBuf, String> {
    if !path.is_absolute() {
        return Err(format!("{}: write the whole path", path.display()));
    }
    let real = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
    for part in real.ancestors() {
        system::check_writers(part, part == real).map_err(|why| format!("{}: {why}", part.display()))?;
    }
    Ok(system::plain(real))
}

/// A command under way, with all that it starts.
#[derive(Debug)]
pub struct Running {
    inner: system::Running,
}

impl Running {
    /// Starts a command in a group of its own.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        system::Running::start(command).map(|inner| Self { inner })
    }

    /// How it ended, if it did. Its entry in the table of processes is given back then.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.inner.ended()
    }

    /// Asks it to end, where the system has a way of asking.
    pub fn ask_to_end(&mut self) {
        self.inner.ask_to_end();
    }

    /// Ends it and all that it started, and waits for that.
    pub fn end(&mut self) {
        self.inner.end();
    }
}

/// Runs `body` under the service manager, and calls `stop` when that says so. Returns at once with nothing, where this
/// process was not started by one.
pub fn as_service(name: &'static str, body: fn() -> u8, stop: fn()) -> Option<io::Result<()>> {
    system::as_service(name, body, stop)
}
