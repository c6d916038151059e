//! What the on-instance check told, read for the report.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use exposure_core::evidence::observed::Observations;
use exposure_core::trail::Limits;

use crate::text::{counted, shown};
use crate::walk::{self, Found};

/// Reads files, and all files in folders. One that cannot be read is named on standard error, and spoils nothing else.
pub(super) fn read(paths: &[PathBuf]) -> Result<Observations> {
    let mut observations = Observations::new();
    let mut err = io::stderr().lock();
    for root in paths {
        root.metadata().with_context(|| format!("--observations {}", root.display()))?;
        for found in walk::files(root) {
            let (path, read) = match found {
                Found::File(path) => {
                    let read = one(&mut observations, &path);
                    (path, read)
                }
                Found::Failed(path, reason) => {
                    observations.unreadable();
                    (path, Err(reason))
                }
            };
            if let Err(reason) = read {
                writeln!(err, "exposure: {}: {}", shown(&path.display().to_string()), shown(&reason))?;
            }
        }
    }
    for (reason, count) in observations.malformed() {
        writeln!(err, "exposure: {}: {reason}", counted(count, "malformed line", "malformed lines"))?;
    }
    if observations.accounting().told == 0 {
        bail!(
            "--observations: no line of lifecycle-check in what was given; name its standard output or its log events"
        );
    }
    Ok(observations)
}

fn one(observations: &mut Observations, path: &Path) -> Result<(), String> {
    match File::open(path) {
        Ok(file) => observations.read(file, &path.to_string_lossy(), Limits::default()),
        Err(error) => {
            observations.unreadable();
            Err(error.to_string())
        }
    }
}
