//! A file that is replaced in one step or not at all.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;

use crate::interrupt;

/// A file to come, in the folder of the one that it replaces.
pub(crate) struct Replacement {
    /// The flag and the path, for errors.
    name: String,
    path: PathBuf,
    /// Made at the beginning, so that a folder that cannot be written to is known before hours of work.
    room: NamedTempFile,
}

/// Who may read a file that did not exist before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Its owner alone.
    Owner,
    /// Whoever new files are for.
    Usual,
}

impl Replacement {
    /// Makes room for a file that `flag` names.
    pub(crate) fn of(flag: &str, path: &Path, readers: Readers) -> Result<Self> {
        let name = format!("{flag} {}", path.display());
        // What a link points to is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        if path.exists() && !path.is_file() {
            bail!("{name}: this is no file that could be replaced; name a file");
        }
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut room = tempfile::Builder::new();
        room.prefix(".exposure-");
        #[cfg(unix)]
        if readers == Readers::Usual {
            use std::os::unix::fs::PermissionsExt;
            // The umask takes away what new files are not to have.
            room.permissions(fs::Permissions::from_mode(0o666));
        }
        #[cfg(not(unix))]
        let _ = readers;
        let made = room.tempfile_in(folder);
        let room = made.with_context(|| format!("{name}: cannot write to the folder {}", folder.display()))?;
        interrupt::takes_away(room.path());
        Ok(Self { name, path, room })
    }

    /// The file that is replaced, links followed.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the file by one that holds `text`.
    pub(crate) fn with(mut self, text: &[u8]) -> Result<()> {
        let name = self.name;
        let written = self.room.write_all(text).and_then(|()| self.room.as_file().sync_all());
        written.with_context(|| format!("{name}: cannot be written, and is as it was"))?;
        if let Ok(old) = fs::metadata(&self.path) {
            fs::set_permissions(self.room.path(), old.permissions()).with_context(|| name.clone())?;
        }
        self.room.persist(&self.path).with_context(|| format!("{name}: cannot be replaced, and is as it was"))?;
        Ok(())
    }
}
