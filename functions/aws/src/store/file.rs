//! The state as a file, replaced in one step.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use tempfile::NamedTempFile;

use super::{Nameless, Stamp, Version, too_large};

/// How much larger than its text a compressed file may be.
const SLACK: u64 = 64 * 1024;

/// The file and its version, if there is one.
pub(super) fn read(path: &Path, limit: usize) -> Result<Option<(Vec<u8>, Version)>, Nameless> {
    let cannot = |error| Nameless::Io("read", error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot(error)),
    };
    let metadata = file.metadata().map_err(cannot)?;
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(SLACK);
    if metadata.len() > most {
        return Err(too_large(metadata.len(), limit));
    }
    let mut text = Vec::new();
    file.take(most).read_to_end(&mut text).map_err(cannot)?;
    Ok(Some((text, Version(stamp(&metadata)))))
}

/// Replaces the file if what is there is what was expected.
///
/// Whoever replaces holds a lock on the file that is to be replaced, so that of two at once the second sees that it has
/// gone. Where the file system knows no locks, only its look before it replaces is left.
pub(super) fn replace(path: &Path, packed: &[u8], expected: &Stamp) -> Result<Version, Nameless> {
    let cannot = |error| Nameless::Io("written", error);
    // What a link points to is replaced, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let room = filled(folder, packed).map_err(cannot)?;
    let old = match File::open(&path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(cannot(error)),
    };
    if let Some(old) = &old
        && let Err(error) = old.lock()
        && error.kind() != ErrorKind::Unsupported
    {
        return Err(cannot(error));
    }
    if now(&path).map_err(cannot)? != *expected {
        return Err(Nameless::Conflict);
    }
    if let Some(old) = &old {
        let permissions = old.metadata().map_err(cannot)?.permissions();
        fs::set_permissions(room.path(), permissions).map_err(cannot)?;
    }
    let written = match expected {
        // Somebody may have made one since that look.
        Stamp::Absent => room.persist_noclobber(&path),
        _ => room.persist(&path),
    };
    let written = written.map_err(|error| match error.error.kind() {
        ErrorKind::AlreadyExists => Nameless::Conflict,
        _ => cannot(error.error),
    })?;
    let version = Version(stamp(&written.metadata().map_err(cannot)?));
    // The new name lasts only once its folder is written too.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(cannot)?;
    Ok(version)
}

/// A new file in the folder with that content, on the disk.
fn filled(folder: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let mut room = tempfile::Builder::new().prefix(".exposure-state-").tempfile_in(folder)?;
    room.write_all(content)?;
    room.as_file().sync_all()?;
    Ok(room)
}

/// Copies the file to one whose name has that ending.
pub(super) fn copy(path: &Path, ending: &str) -> Result<(), Nameless> {
    let mut to = path.as_os_str().to_owned();
    to.push(ending);
    fs::copy(path, PathBuf::from(to)).map(drop).map_err(|error| Nameless::Io("copied", error))
}

/// What is there now.
fn now(path: &Path) -> io::Result<Stamp> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(stamp(&metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Stamp::Absent),
        Err(error) => Err(error),
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Stamp::File { len: metadata.len(), changed: changed.map_or(0, |time| time.as_nanos()), inode: inode(metadata) }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

/// Elsewhere length and time have to do.
#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}
