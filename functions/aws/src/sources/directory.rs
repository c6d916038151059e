//! Log files in a local folder, for replays and for `exposure run` without an account.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use exposure_core::ids::Source;
use exposure_core::observation::{Kind, Observation};
use exposure_core::time::Timestamp;
use tokio::time::Instant;

use super::covered::shifted;
use super::logs::take;
use super::memory::PlaceMemory;
use super::seen::{Progress, SeenFiles, hash};
use super::unpacked::{self, day, delivered};
use super::{Ask, Batch, DELIVERY_SECONDS, RecordSource, intake};
use crate::failure::{Class, Failure};

const OPERATION: &str = "read the trail's folder";

/// The source that reads a folder. One folder serves all accounts and regions.
#[derive(Debug)]
pub struct DirectorySource {
    root: PathBuf,
}

/// What a run asks of the folder, without borrowing: reading it blocks.
struct Order {
    root: PathBuf,
    now: Timestamp,
    deadline: Instant,
    places: Vec<Source>,
    memories: Vec<SeenFiles>,
}

/// A file that was found.
struct Found {
    path: PathBuf,
    /// Its path below the root.
    name: String,
    day: String,
    hash: u64,
}

/// What became of the folder.
struct Outcome {
    all: Batch,
    memories: Vec<SeenFiles>,
    /// Whether every file was read.
    whole: bool,
}

impl DirectorySource {
    /// A source that reads all log files below `root`.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    async fn visit(&self, asks: &[Ask<'_>]) -> Result<Vec<Batch>, Failure> {
        let (Some(now), Some(deadline)) =
            (asks.iter().map(|ask| ask.now).min(), asks.iter().map(|ask| ask.deadline).min())
        else {
            return Ok(Vec::new());
        };
        let order = Order {
            root: self.root.clone(),
            now,
            deadline,
            places: asks.iter().map(|ask| ask.place.clone()).collect(),
            memories: asks.iter().map(|ask| ask.memory.files.clone()).collect(),
        };
        let places = order.places.clone();
        let read = tokio::task::spawn_blocking(move || order.run()).await;
        let outcome = read.map_err(|error| Failure::new(OPERATION, Class::Unavailable, &error.to_string()))??;
        Ok(split(outcome, asks, &places, now))
    }
}

impl Order {
    fn run(mut self) -> Result<Outcome, Failure> {
        let mut all = Batch::default();
        let found = self.find(&mut all)?;
        let mut whole = true;
        for file in &found {
            let progress = self.progress(file);
            if progress == Progress::Whole || delivered(&file.name).is_some_and(|at| at > self.now) {
                continue;
            }
            all.work.planned += 1;
            if Instant::now() >= self.deadline {
                whole = false;
                continue;
            }
            let content = unpacked::read(|| File::open(&file.path), progress, self.now);
            let through = take(&mut all, &file.name, content);
            all.work.done += 1;
            for memory in &mut self.memories {
                memory.note(&file.day, file.hash, through);
            }
        }
        let held: BTreeSet<u64> = found.iter().map(|file| file.hash).collect();
        for memory in &mut self.memories {
            memory.days.values_mut().for_each(|files| files.retain(|hash, _| held.contains(hash)));
            memory.days.retain(|_, files| !files.is_empty());
        }
        Ok(Outcome { all, memories: self.memories, whole })
    }

    /// How far a file was read for all accounts and regions.
    fn progress(&self, file: &Found) -> Progress {
        let each = self.memories.iter().map(|memory| memory.progress(&file.day, file.hash));
        each.reduce(|one, other| match (one, other) {
            (Progress::Unread, _) | (_, Progress::Unread) => Progress::Unread,
            (Progress::Through(one), Progress::Through(other)) => Progress::Through(one.min(other)),
            (Progress::Through(through), Progress::Whole) | (Progress::Whole, Progress::Through(through)) => {
                Progress::Through(through)
            }
            (Progress::Whole, Progress::Whole) => Progress::Whole,
        })
        .unwrap_or(Progress::Unread)
    }

    /// All files below the root, by path. A folder that cannot be read spoils no other, unless it is the root.
    fn find(&self, all: &mut Batch) -> Result<Vec<Found>, Failure> {
        let mut folders = vec![self.root.clone()];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if folder == self.root => {
                    let text = format!("{}: {error}", folder.display());
                    return Err(Failure::new(OPERATION, Class::Invalid, &text));
                }
                Err(error) => {
                    all.accounting.unreadable_files += 1;
                    intake::problem(all, format!("unreadable: {}: {error}", folder.display()));
                    continue;
                }
            };
            for entry in entries.flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    _ => found.extend(self.file(entry.path())),
                }
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn file(&self, path: PathBuf) -> Option<Found> {
        let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let name = path.strip_prefix(&self.root).unwrap_or_else(|_| Path::new("")).to_string_lossy().into_owned();
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = modified.map(|time| time.as_nanos()).unwrap_or_default();
        let hash = hash(&[name.as_bytes(), &metadata.len().to_le_bytes(), &modified.to_le_bytes()]);
        let day = delivered(&name).map(day).unwrap_or_default();
        Some(Found { path, name, day, hash })
    }
}

/// Gives each account and region what is its own. Counts of files and records are shown with the first; observations
/// of no account and region that is asked for are irrelevant.
fn split(outcome: Outcome, asks: &[Ask<'_>], places: &[Source], now: Timestamp) -> Vec<Batch> {
    let Outcome { mut all, memories, whole } = outcome;
    let mut own: BTreeMap<&Source, Vec<Observation>> = places.iter().map(|place| (place, Vec::new())).collect();
    for observation in std::mem::take(&mut all.observations) {
        match own.get_mut(&observation.source) {
            Some(observations) => observations.push(observation),
            // That there was a launch is counted as malformed already.
            None => all.accounting.irrelevant += u64::from(observation.kind != Kind::UnnamedLaunch),
        }
    }
    let complete_through = whole.then(|| shifted(now, -DELIVERY_SECONDS));
    let mut spans = std::mem::take(&mut all.spans);
    let batches = asks.iter().zip(memories).enumerate().map(|(at, (ask, files))| {
        let mut batch = if at == 0 { std::mem::take(&mut all) } else { Batch::default() };
        batch.observations = own.remove(ask.place).unwrap_or_default();
        batch.spans.extend(spans.remove_entry(ask.place));
        batch.complete_through = complete_through;
        batch.memory = PlaceMemory { files, ..ask.memory.clone() };
        batch
    });
    batches.collect()
}

impl RecordSource for DirectorySource {
    async fn read<'a>(&'a self, asks: &'a [Ask<'a>]) -> Vec<Result<Batch, Failure>> {
        match self.visit(asks).await {
            Ok(batches) => batches.into_iter().map(Ok).collect(),
            Err(failure) => asks.iter().map(|_| Err(failure.clone())).collect(),
        }
    }

    async fn confirm(&self, _receipts: &[String]) -> Result<(), Failure> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
