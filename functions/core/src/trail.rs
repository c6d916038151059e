//! Reading CloudTrail log files: what a file is, its records, and what each means.
//!
//! A file is told by its content, never by its name. Its records are delimited in one forward pass that knows depth
//! and string state from the beginning; the few that can mean something are told by their `eventName`; only those are
//! parsed. The others are delimited, counted and timed, and not validated.

mod documents;
mod filter;
mod structure;
mod unpack;

use std::collections::BTreeMap;
use std::io::Read;

use crate::analysis::Accounting;
use crate::decode::Decoded;
use crate::ids::Source;
use crate::observation::Observation;
use crate::time::{TimeSpan, Timestamp};

pub use structure::{InstructionSet, Object, Stopped};
pub(crate) use unpack::Members;

use documents::Scanner;
use unpack::Unpacker;

/// Bounds on what a file may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How large a gzip file may be unpacked, in bytes. CloudTrail delivers at most 50 MB compressed
    /// (CloudTrail User Guide, "CloudTrail log file examples"); twenty times that is common.
    pub unpacked: u64,
    /// How large one record may be, in bytes. CloudTrail's are below 1 MB.
    pub record: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked: 4 << 30, record: 16 << 20 }
    }
}

/// What a file turned out to be.
#[derive(Debug)]
pub enum LogFile {
    /// A log file, read to its end.
    Read(FileReading),
    /// A digest or an Insight file, which is no log file.
    Skipped(&'static str),
    /// Nothing that can be read, or not to its end: none of its records count.
    Unreadable(String),
}

/// What a log file holds.
#[derive(Debug, Default)]
pub struct FileReading {
    /// What its records mean, as far as they mean something.
    pub observations: Vec<Observation>,
    /// How many records.
    pub records: u64,
    /// How many of them concern nothing here; transitions are not among them.
    pub irrelevant: u64,
    /// How many are malformed, and why, by reason.
    pub malformed: Vec<(&'static str, u64)>,
    /// How many of the irrelevant are failed infrastructure Decrypts.
    pub failed_decrypts: u64,
    /// From its earliest record to its latest.
    pub span: Option<TimeSpan>,
    /// The same for the records of each account and region.
    pub spans: BTreeMap<Source, TimeSpan>,
}

impl FileReading {
    /// Adds its counts, but for those that depend on what is known already: sightings, causes and duplicates.
    pub fn count(&self, accounting: &mut Accounting) {
        accounting.files += 1;
        accounting.records += self.records;
        accounting.irrelevant += self.irrelevant;
        accounting.malformed += self.malformed.iter().map(|(_, count)| count).sum::<u64>();
        accounting.failed_decrypts += self.failed_decrypts;
    }

    fn take(&mut self, decoded: Decoded) {
        match decoded {
            Decoded::Observed(observation) => self.observations.push(observation),
            Decoded::Irrelevant { failed_decrypt } => {
                self.irrelevant += 1;
                self.failed_decrypts += u64::from(failed_decrypt);
            }
            Decoded::Malformed { reason, observation } => {
                match self.malformed.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, count)) => *count += 1,
                    None => self.malformed.push((reason, 1)),
                }
                self.observations.extend(observation.map(|boxed| *boxed));
            }
        }
    }
}

/// Which records of a file count: those whose `eventTime` lies in here, both ends included.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub to: Option<Timestamp>,
}

impl Asked {
    /// Whether anything was asked at all.
    #[must_use]
    pub fn everything(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    fn holds(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time <= to)
    }
}

/// Reads log files, one after the other, with buffers that are kept. One for each thread.
pub struct LogReader {
    limits: Limits,
    asked: Asked,
    unpacker: Unpacker,
    filter: filter::Filter,
    set: InstructionSet,
}

impl LogReader {
    /// A reader within `limits` for the records that are asked for.
    #[must_use]
    pub fn new(limits: Limits, asked: Asked) -> Self {
        Self {
            limits,
            asked,
            unpacker: Unpacker::default(),
            filter: filter::Filter::new(),
            set: InstructionSet::detect(),
        }
    }

    /// Reads one file to its end.
    pub fn read(&mut self, file: impl Read) -> LogFile {
        let mut scanner = Scanner::new(&self.filter, self.set, self.asked, self.limits.record);
        if let Err(reason) = self.unpacker.unpack(file, self.limits, &mut scanner) {
            return LogFile::Unreadable(reason);
        }
        scanner.finish()
    }
}

#[cfg(test)]
mod tests;
