//! Decompression alone: the limit that no analysis of compressed logs can pass. Unpacks every file under a folder with
//! libdeflate, on as many threads as asked for, and prints how many bytes came out.
//!
//! `cargo run --release -p exposure-core --example decompress -- FOLDER [THREADS]`

#![expect(clippy::disallowed_methods, reason = "the domain opens no files; this program stands beside it")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use libdeflater::Decompressor;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("give a folder of .gz files")?);
    let threads = arguments.next().map_or(Ok(1), |n| n.to_string_lossy().parse::<usize>())?.max(1);

    let mut paths = Vec::new();
    files_under(&folder, &mut paths)?;
    let files = Mutex::new(paths.into_iter());
    let total = thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(|| unpack_all(&files))).collect();
        let mut total = unpack_all(&files)?;
        for worker in workers {
            total += worker.join().map_err(|_| io::Error::other("a thread stopped"))??;
        }
        Ok::<_, io::Error>(total)
    })?;
    writeln!(io::stdout(), "{total}")?;
    Ok(())
}

fn files_under(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files_under(&entry.path(), paths)?;
        } else {
            paths.push(entry.path());
        }
    }
    Ok(())
}

/// Unpacks file after file into one buffer, which keeps its size, and adds up how much came out.
fn unpack_all(files: &Mutex<impl Iterator<Item = PathBuf>>) -> io::Result<usize> {
    let (mut inflate, mut packed, mut text) = (Decompressor::new(), Vec::new(), Vec::new());
    let mut total = 0;
    let next = || files.lock().unwrap_or_else(PoisonError::into_inner).next();
    while let Some(path) = next() {
        packed.clear();
        File::open(&path)?.read_to_end(&mut packed)?;
        total += unpack(&mut inflate, &packed, &mut text)
            .map_err(|reason| io::Error::other(format!("{}: {reason}", path.display())))?;
    }
    Ok(total)
}

/// Unpacks one gzip member. Its last four bytes say how long its text is (RFC 1952, section 2.3.1); several members in
/// one file, which CloudTrail does not write, make that number wrong, and are refused.
fn unpack(inflate: &mut Decompressor, packed: &[u8], text: &mut Vec<u8>) -> Result<usize, Box<dyn Error>> {
    let size = usize::try_from(u32::from_le_bytes(*packed.last_chunk().ok_or("too short for gzip")?))?;
    if text.len() < size {
        text.resize(size, 0);
    }
    let unpacked = inflate.gzip_decompress(packed, text.get_mut(..size).unwrap_or_default())?;
    if unpacked == size { Ok(size) } else { Err("not one gzip member".into()) }
}
