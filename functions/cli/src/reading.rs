//! Reading many log files at a time into one ledger.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow};
use crossbeam_channel::{Sender, bounded};
use exposure_core::analysis::{Accounting, Window};
use exposure_core::ids::Source;
use exposure_core::ledger::{Absorbed, Ledger};
use exposure_core::observation::Observation;
use exposure_core::time::{TimeSpan, join_span};
use exposure_core::trail::{Asked, Limits, LogFile, LogReader};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::Inputs;
use crate::text::{counted, shown};
use crate::walk::{self, Found};

/// How many observations make a batch, and how many batches may wait.
const BATCH: usize = 256;
const QUEUE: usize = 16;
/// How many unreadable files are named unless all are asked for.
const NAMED: usize = 20;

/// What a run read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) accounting: Accounting,
    pub(crate) window: Window,
    span: Option<TimeSpan>,
    sources: BTreeMap<Source, TimeSpan>,
    unreadable: BTreeMap<PathBuf, String>,
    malformed: BTreeMap<&'static str, u64>,
    skipped: u64,
    too_old: u64,
}

/// Reads the trail into `ledger`.
pub(crate) fn read(inputs: &Inputs, ledger: &mut Ledger) -> Result<Read> {
    let roots = walk::roots("--trail", &inputs.trail)?;
    let asked = Asked { from: inputs.from, to: inputs.to };
    let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = inputs.threads.map_or_else(cores, NonZeroUsize::get);
    let files: Mutex<Box<dyn Iterator<Item = Found> + Send>> =
        Mutex::new(Box::new(roots.into_iter().flat_map(|root| walk::files(&root))));
    let (to_take, batches) = bounded::<Vec<Observation>>(QUEUE);
    let progress = progress();
    let mut read = Read::default();
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let (files, results, progress) = (&files, to_take.clone(), &progress);
                scope.spawn(move || work(files, &results, asked, progress))
            })
            .collect();
        drop(to_take);
        for batch in batches {
            for observation in &batch {
                let absorbed = ledger.absorb(observation);
                read.accounting.count(&observation.kind, absorbed);
                read.too_old += u64::from(absorbed == Absorbed::TooOld);
            }
        }
        for worker in workers {
            read.join(worker.join().map_err(|_| anyhow!("a reader stopped; nothing was written"))?);
        }
        Ok(())
    })?;
    progress.finish_and_clear();
    for (source, span) in &read.sources {
        ledger.observed(source, *span);
    }
    let window = Window::from(read.span);
    read.window = Window { from: inputs.from.or(window.from), to: inputs.to.or(window.to) };
    read.accounting.unreadable_files = u64::try_from(read.unreadable.len())?;
    read.report(inputs.verbose).context("cannot write to standard error")?;
    let others = read.accounting.unreadable_files + read.skipped;
    walk::demand_logs(&inputs.trail, read.accounting.files, others, inputs.state.is_some())?;
    Ok(read)
}

/// Reads file after file; what they hold goes to the ledger in batches, all else is kept to the end.
fn work(
    files: &Mutex<Box<dyn Iterator<Item = Found> + Send>>,
    results: &Sender<Vec<Observation>>,
    asked: Asked,
    progress: &ProgressBar,
) -> Read {
    let mut reader = LogReader::new(Limits::default(), asked);
    let mut read = Read::default();
    let mut batch = Vec::new();
    // The walk goes on wherever a reader needs a file, so no thread waits for another to find one.
    let next = || files.lock().unwrap_or_else(PoisonError::into_inner).next();
    while let Some(found) = next() {
        match found {
            Found::File(path) => match File::open(&path) {
                Ok(file) => read.take(path, reader.read(file), &mut batch),
                Err(error) => read.take(path, LogFile::Unreadable(error.to_string()), &mut batch),
            },
            Found::Failed(path, reason) => read.take(path, LogFile::Unreadable(reason), &mut batch),
        }
        if batch.len() >= BATCH && results.send(std::mem::take(&mut batch)).is_err() {
            break;
        }
        progress.inc(1);
    }
    // Nobody takes it only where the whole run has failed.
    let _ = results.send(batch);
    read
}

fn progress() -> ProgressBar {
    // Drawn on standard error, and only if that is a terminal.
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} files read, {per_sec}, {elapsed}") {
        bar.set_style(style);
    }
    bar
}

impl Read {
    fn take(&mut self, path: PathBuf, file: LogFile, batch: &mut Vec<Observation>) {
        match file {
            LogFile::Skipped(_) => self.skipped += 1,
            LogFile::Unreadable(reason) => {
                self.unreadable.insert(path, reason);
            }
            LogFile::Read(reading) => {
                reading.count(&mut self.accounting);
                for (reason, count) in &reading.malformed {
                    *self.malformed.entry(reason).or_default() += count;
                }
                if let Some(span) = reading.span {
                    join_span(&mut self.span, span);
                }
                for (source, span) in reading.spans {
                    self.sources.entry(source).and_modify(|old| *old = old.join(span)).or_insert(span);
                }
                batch.extend(reading.observations);
            }
        }
    }

    /// Adds what another reader has read.
    fn join(&mut self, other: Self) {
        self.accounting += other.accounting;
        self.skipped += other.skipped;
        self.unreadable.extend(other.unreadable);
        for (reason, count) in other.malformed {
            *self.malformed.entry(reason).or_default() += count;
        }
        for (source, span) in other.sources {
            self.sources.entry(source).and_modify(|old| *old = old.join(span)).or_insert(span);
        }
        if let Some(span) = other.span {
            join_span(&mut self.span, span);
        }
    }

    /// Names what went wrong on standard error.
    fn report(&self, verbose: bool) -> io::Result<()> {
        let mut err = io::stderr().lock();
        let named = if verbose { usize::MAX } else { NAMED };
        for (path, reason) in self.unreadable.iter().take(named) {
            writeln!(err, "exposure: {}: {}", shown(&path.display().to_string()), shown(reason))?;
        }
        if let Some(more) = self.unreadable.len().checked_sub(named).filter(|more| *more > 0) {
            writeln!(err, "exposure: and {more} more files that cannot be read; --verbose names them all")?;
        }
        for (reason, count) in &self.malformed {
            writeln!(err, "exposure: {}: {reason}", counted(*count, "malformed record", "malformed records"))?;
        }
        if self.too_old > 0 {
            let records = counted(self.too_old, "record is", "records are");
            writeln!(err, "exposure: {records} older than what the state file has forgotten, and not counted")?;
        }
        Ok(())
    }
}
