//! `exposure verify`: whether a 404 begins with a second Decrypt.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use exposure_core::evidence::observed::{Observations, Settings, Verification, verify};
use exposure_core::trail::Limits;

use crate::args::{Verify, VerifyFormat};
use crate::inputs::{Gathered, gather, question};
use crate::text::{counted, shown};
use crate::walk::{self, Found};
use crate::{End, verify_table};

/// How many unreadable files are named unless all are asked for.
const NAMED: usize = 20;

pub(crate) fn run(arguments: &Verify) -> Result<End> {
    // The smaller input first: what is wrong with it is found at once.
    let observations = observations(&arguments.observations, arguments.inputs.verbose)?;
    let Gathered { ledger, fleet, stacks, settings, read, state } = gather(&arguments.inputs)?;
    let question = question(&ledger, fleet.as_ref(), &stacks, &settings, false);
    let analysis = question.answer(read.window, read.accounting);
    let settings = Settings { within: arguments.within, tolerance: arguments.clock_tolerance, ..Settings::default() };
    let verification = verify(&question, &analysis, &observations, &settings);
    // What was read is worth keeping, whatever was asked.
    if let Some(state) = state {
        state.save(&ledger)?;
    }
    print(&verification, arguments.format).context("cannot write to standard output")?;
    Ok(End::Done)
}

/// Reads all files of observations.
pub(crate) fn observations(paths: &[PathBuf], verbose: bool) -> Result<Observations> {
    let mut observations = Observations::new();
    let mut unreadable: BTreeMap<PathBuf, String> = BTreeMap::new();
    for root in walk::roots("--observations", paths)? {
        for found in walk::files(&root) {
            let (path, read) = match found {
                Found::File(path) => {
                    let read = match File::open(&path) {
                        Ok(file) => observations.read(file, &path.to_string_lossy(), Limits::default()),
                        Err(error) => Err(error.to_string()).inspect_err(|_| observations.unreadable()),
                    };
                    (path, read)
                }
                Found::Failed(path, reason) => (path, Err(reason).inspect_err(|_| observations.unreadable())),
            };
            if let Err(reason) = read {
                unreadable.insert(path, reason);
            }
        }
    }
    report(&observations, &unreadable, verbose).context("cannot write to standard error")?;
    demand(paths, &observations)?;
    Ok(observations)
}

/// Names what went wrong on standard error.
fn report(observations: &Observations, unreadable: &BTreeMap<PathBuf, String>, verbose: bool) -> io::Result<()> {
    let mut err = io::stderr().lock();
    let named = if verbose { usize::MAX } else { NAMED };
    for (path, reason) in unreadable.iter().take(named) {
        writeln!(err, "exposure: {}: {}", shown(&path.display().to_string()), shown(reason))?;
    }
    if let Some(more) = unreadable.len().checked_sub(named).filter(|more| *more > 0) {
        writeln!(err, "exposure: and {more} more files that cannot be read; --verbose names them all")?;
    }
    for (reason, count) in observations.malformed() {
        let lines = counted(count, "malformed line of lifecycle-check", "malformed lines of lifecycle-check");
        writeln!(err, "exposure: {lines}: {reason}")?;
    }
    Ok(())
}

/// Refuses files in which nobody observed anything.
fn demand(paths: &[PathBuf], observations: &Observations) -> Result<()> {
    let accounting = observations.accounting();
    debug_assert!(accounting.balances(), "{accounting:?}");
    if accounting.told > 0 {
        return Ok(());
    }
    let places: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let (files, lines) = (counted(accounting.files, "file", "files"), counted(accounting.lines, "line", "lines"));
    bail!(
        "no line of lifecycle-check in {}: {files} read, {lines}; name what `lifecycle-check watch` printed, or what \
         `aws logs filter-log-events` or an export to S3 gives of it",
        places.join(", ")
    );
}

fn print(verification: &Verification, format: VerifyFormat) -> Result<()> {
    // Standard output alone writes line by line.
    let mut out = BufWriter::new(anstream::stdout().lock());
    match format {
        VerifyFormat::Table => out.write_all(verify_table::render(verification).as_bytes())?,
        VerifyFormat::Json => {
            serde_json::to_writer_pretty(&mut out, verification)?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(())
}
