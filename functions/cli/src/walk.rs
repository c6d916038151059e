//! The files of a trail.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

/// A file to read, or why one cannot be found.
pub(crate) enum Found {
    File(PathBuf),
    Failed(PathBuf, String),
}

/// Checks that every path of a flag is there, and leaves out those that lie within another, so that no file is read twice.
pub(crate) fn roots(flag: &str, paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut canonical: BTreeSet<PathBuf> = BTreeSet::new();
    let mut roots = Vec::new();
    for path in paths {
        path.metadata().with_context(|| format!("{flag} {}", path.display()))?;
        // A pipe such as /dev/stdin has no place in the file system.
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        if canonical.insert(real.clone()) {
            roots.push((path.clone(), real));
        }
    }
    let within = |real: &Path| real.ancestors().skip(1).any(|above| canonical.contains(above));
    Ok(roots.iter().filter(|(_, real)| !within(real)).map(|(path, _)| path.clone()).collect())
}

/// Every regular file under `root`, links followed; `root` itself may also be a pipe.
pub(crate) fn files(root: &Path) -> impl Iterator<Item = Found> + Send + use<> {
    let given = root.to_path_buf();
    WalkDir::new(root).follow_links(true).into_iter().filter_map(move |entry| match entry {
        Ok(entry) if entry.file_type().is_dir() => None,
        Ok(entry) if entry.file_type().is_file() || entry.path() == given => Some(Found::File(entry.into_path())),
        Ok(entry) => Some(Found::Failed(entry.into_path(), "neither a file nor a folder".to_owned())),
        Err(error) => {
            let path = error.path().map_or_else(|| given.clone(), Path::to_path_buf);
            let reason = match (error.io_error(), error.loop_ancestor()) {
                (_, Some(ancestor)) => format!("a link back to {}", ancestor.display()),
                (Some(io), None) => io.to_string(),
                (None, None) => "cannot be walked".to_owned(),
            };
            Some(Found::Failed(path, reason))
        }
    })
}

/// Refuses a trail in which there is nothing to analyse. Where there is a state to answer from (`remembered`), a trail
/// of nothing but digests or unreadable files is no reason to refuse: it is a piece of a larger one.
pub(crate) fn demand_logs(paths: &[PathBuf], read: u64, others: u64, remembered: bool) -> Result<()> {
    if read > 0 {
        return Ok(());
    }
    let places: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let places = places.join(", ");
    if others == 0 {
        bail!("no files in {places}; name a folder of CloudTrail log files, such as a copy of AWSLogs/");
    }
    let others = crate::text::counted(others, "file", "files");
    if remembered {
        writeln!(
            io::stderr(),
            "exposure: no CloudTrail log file in {places}: {others} of another kind or unreadable; \
             this answer is that of the state file alone"
        )?;
        return Ok(());
    }
    bail!(
        "no CloudTrail log file in {places}: {others} of another kind or unreadable; \
         name a folder of log files, such as a copy of AWSLogs/"
    );
}
