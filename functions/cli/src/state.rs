//! The state file: read before the run, replaced at its end in one step or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use exposure_core::ledger::Ledger;
use tempfile::NamedTempFile;

use crate::interrupt;

/// A state file that a run has begun with.
pub(crate) struct State {
    path: PathBuf,
    /// Made at the beginning, so that a folder that cannot be written to is known before hours of work.
    room: NamedTempFile,
    found: Option<Stamp>,
}

/// What tells one content of a file from another.
type Stamp = (u64, Option<SystemTime>);

impl State {
    /// Opens the state file and reads its ledger; an empty one if there is no such file yet.
    pub(crate) fn open(path: &Path) -> Result<(Self, Ledger)> {
        let name = || format!("--state {}", path.display());
        // What a link points to is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let ledger = match fs::read(&path) {
            Ok(text) => Ledger::from_json(&text).with_context(name)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ledger::new(),
            Err(error) => return Err(error).with_context(name),
        };
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let room = tempfile::Builder::new()
            .prefix(".exposure-state-")
            .tempfile_in(folder)
            .with_context(|| format!("{}: cannot write to the folder {}", name(), folder.display()))?;
        interrupt::takes_away(room.path());
        let found = stamp(&path);
        Ok((Self { path, room, found }, ledger))
    }

    /// Replaces the file.
    pub(crate) fn save(mut self, ledger: &Ledger) -> Result<()> {
        let name = format!("--state {}", self.path.display());
        if stamp(&self.path) != self.found {
            bail!("{name}: another run has changed it meanwhile; nothing was written, run again");
        }
        let text = ledger.to_json().with_context(|| name.clone())?;
        let written = self.room.write_all(&text).and_then(|()| self.room.as_file().sync_all());
        written.with_context(|| format!("{name}: cannot be written, and is as it was"))?;
        if let Ok(old) = fs::metadata(&self.path) {
            fs::set_permissions(self.room.path(), old.permissions()).with_context(|| name.clone())?;
        }
        self.room.persist(&self.path).with_context(|| format!("{name}: cannot be replaced, and is as it was"))?;
        Ok(())
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}
