//! Compresses and writes files beside the making of them. Which thread writes a file makes no difference to any file.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use libdeflater::{CompressionLvl, Compressor};

use crate::error::SimulateError;

/// Threads that compress. One keeps up with the making of records; two have air.
const THREADS: usize = 2;
/// Files that may wait for a thread.
const WAITING: usize = 4;

/// A file to be compressed and written.
pub(crate) struct Job {
    pub(crate) path: PathBuf,
    pub(crate) text: Vec<u8>,
}

/// The way to the threads.
pub(crate) struct Press {
    jobs: SyncSender<Job>,
    folders: BTreeSet<PathBuf>,
}

impl Press {
    /// Hands a file over; waits while too many are waiting.
    pub(crate) fn send(&mut self, job: Job) -> Result<(), SimulateError> {
        if let Some(folder) = job.path.parent()
            && !self.folders.contains(folder)
        {
            fs::create_dir_all(folder).map_err(SimulateError::write(folder))?;
            self.folders.insert(folder.to_owned());
        }
        // Threads stop listening only after a failure, which `pressing` reports in place of this one.
        self.jobs.send(job).map_err(|unsent| SimulateError::Write {
            path: unsent.0.path,
            source: io::Error::from(io::ErrorKind::BrokenPipe),
        })
    }
}

/// What the threads share.
#[derive(Default)]
struct Floor {
    bytes: AtomicU64,
    failure: Mutex<Option<SimulateError>>,
}

/// Lets `make` send files while threads compress and write them. Returns what it made and the compressed bytes.
pub(crate) fn pressing<T>(
    level: u8,
    make: impl FnOnce(Press) -> Result<T, SimulateError>,
) -> Result<(T, u64), SimulateError> {
    let (jobs, queue) = sync_channel(WAITING);
    let queue = Mutex::new(Some(queue));
    let floor = Floor::default();
    let result = thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| work(level, &queue, &floor));
        }
        make(Press { jobs, folders: BTreeSet::new() })
    });
    if let Some(failure) = floor.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(failure);
    }
    Ok((result?, floor.bytes.into_inner()))
}

fn work(level: u8, queue: &Mutex<Option<Receiver<Job>>>, floor: &Floor) {
    let level = CompressionLvl::new(i32::from(level)).unwrap_or_default();
    let mut compressor = Compressor::new(level);
    let mut pressed = Vec::new();
    loop {
        let job = {
            let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.as_ref().and_then(|queue| queue.recv().ok())
        };
        let Some(job) = job else { return };
        match write(&mut compressor, &job, &mut pressed) {
            Ok(bytes) => {
                floor.bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            Err(failure) => {
                floor.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
                // Nobody listens any more: the sender learns of it at once.
                queue.lock().unwrap_or_else(PoisonError::into_inner).take();
                return;
            }
        }
    }
}

fn write(compressor: &mut Compressor, job: &Job, pressed: &mut Vec<u8>) -> Result<u64, SimulateError> {
    let bytes = gzip(compressor, &job.text, pressed).map_err(SimulateError::write(&job.path))?;
    fs::write(&job.path, bytes).map_err(SimulateError::write(&job.path))?;
    Ok(u64::try_from(bytes.len()).unwrap_or(0))
}

fn gzip<'a>(compressor: &mut Compressor, text: &[u8], pressed: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
    pressed.resize(compressor.gzip_compress_bound(text.len()), 0);
    let length = compressor.gzip_compress(text, pressed).map_err(io::Error::other)?;
    pressed.get(..length).ok_or_else(|| io::Error::other("gzip wrote more than it may"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().expect("is there");
        let path = folder.path().join("taken");
        fs::create_dir(&path).expect("is made");
        let result = pressing(1, |mut press| {
            for _ in 0..50 {
                press.send(Job { path: path.clone(), text: b"{}".to_vec() })?;
            }
            Ok(())
        });
        let message = result.expect_err("fails").to_string();
        assert!(message.contains("taken") && message.contains("no truth.json"), "{message}");
    }

    #[test]
    fn all_files_are_written_before_it_returns() {
        let folder = tempfile::tempdir().expect("is there");
        let name = |n: u32| folder.path().join(format!("a/{n}.gz"));
        let ((), bytes) = pressing(1, |mut press| {
            (0..30).try_for_each(|n| press.send(Job { path: name(n), text: vec![b'x'; 1000] }))
        })
        .expect("works");
        let sizes: u64 = (0..30).map(|n| fs::metadata(name(n)).expect("is there").len()).sum();
        assert_eq!(sizes, bytes);
    }
}
