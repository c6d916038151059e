//! The state file: read before the run, replaced at its end in one step or not at all.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use exposure_core::ledger::Ledger;

use crate::replace::{Readers, Replacement};

/// A state file that a run has begun with.
pub(crate) struct State {
    next: Replacement,
    found: Option<Stamp>,
}

/// What tells one content of a file from another.
type Stamp = (u64, Option<SystemTime>);

impl State {
    /// Opens the state file and reads its ledger; an empty one if there is no such file yet.
    pub(crate) fn open(path: &Path) -> Result<(Self, Ledger)> {
        let ledger = match fs::read(path) {
            Ok(text) => Ledger::from_json(&text).with_context(|| name(path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ledger::new(),
            Err(error) => return Err(error).with_context(|| name(path)),
        };
        let next = Replacement::of("--state", path, Readers::Owner)?;
        let found = stamp(next.path());
        Ok((Self { next, found }, ledger))
    }

    /// Reads the ledger of a state file that is to stay as it is.
    pub(crate) fn read(path: &Path) -> Result<Ledger> {
        let text = fs::read(path).with_context(|| name(path))?;
        Ledger::from_json(&text).with_context(|| name(path))
    }

    /// Replaces the file.
    pub(crate) fn save(self, ledger: &Ledger) -> Result<()> {
        let name = name(self.next.path());
        if stamp(self.next.path()) != self.found {
            bail!("{name}: another run has changed it meanwhile; nothing was written, run again");
        }
        self.next.with(&ledger.to_json().context(name)?)
    }
}

fn name(path: &Path) -> String {
    format!("--state {}", path.display())
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}
