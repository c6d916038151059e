//! Ctrl-C ends the process at once, whatever it waits for: files are replaced in one step, so there is nothing to
//! finish, only temporary files to take away.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

/// What a shell reports of a process that ended by an interrupt.
const INTERRUPTED: i32 = 130;

static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Listens for the interrupt.
pub(crate) fn watch() -> Result<()> {
    ctrlc::set_handler(|| {
        let temporary = TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner);
        for path in temporary.iter() {
            // It is gone already if the file that it was for has just been replaced.
            let _ = fs::remove_file(path);
        }
        let _ = writeln!(io::stderr(), "exposure: interrupted");
        std::process::exit(INTERRUPTED);
    })
    .context("cannot listen for interrupts")
}

/// Notes a file to take away if the interrupt comes.
pub(crate) fn takes_away(path: &Path) {
    TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_path_buf());
}
