//! Where records come from. Each source reads what it has not read yet for each account and region, decodes it, and
//! accounts for every record; what it found is absorbed by the ledger, which makes overlaps and repeats harmless.

use std::collections::BTreeMap;

use exposure_core::analysis::Accounting;
use exposure_core::fleet::Fleet;
use exposure_core::ids::Source;
use exposure_core::ledger::Ledger;
use exposure_core::observation::Observation;
use exposure_core::time::{TimeSpan, Timestamp};

use crate::failure::Failure;

mod any;
pub mod covered;
pub mod directory;
mod error;
mod intake;
pub mod logs;
pub mod lookup;
pub mod memory;
pub mod pace;
pub mod queue;
mod seen;
mod unpacked;

#[cfg(test)]
mod testing;

pub use any::{AnySource, requests_per_run};
pub use memory::PlaceMemory;

/// How long after its `eventTime` a record is taken to have been delivered to a queue or a bucket, in seconds.
///
/// CloudTrail delivers about five minutes after the call on average and guarantees nothing (CloudTrail User Guide,
/// "How CloudTrail works"); three times that is allowed for here. What comes later is absorbed all the same, and a
/// verdict that it overturns is taken back openly.
pub const DELIVERY_SECONDS: i64 = 15 * 60;

/// What one account and region is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The account and region.
    pub place: &'a Source,
    /// The run's scheduled time: records after it are left for the next run.
    pub now: Timestamp,
    /// When to stop and leave the rest for the next run.
    pub deadline: tokio::time::Instant,
    /// What is known so far: instances, their launches and volumes.
    pub ledger: &'a Ledger,
    /// The fleet of the account and region, as this run found it.
    pub fleet: &'a Fleet,
    /// What the source remembers of the account and region.
    pub memory: &'a PlaceMemory,
}

/// What a source found for one account and region.
#[derive(Debug, Default)]
pub struct Batch {
    /// Everything that means something, in no order.
    pub observations: Vec<Observation>,
    /// Files, records, irrelevant, malformed and failed Decrypts; sightings, causes and duplicates are for the ledger to
    /// tell. Transitions are among the observations, and not among the irrelevant.
    pub accounting: Accounting,
    /// From the first record to the last, for each account and region that any was of.
    pub spans: BTreeMap<Source, TimeSpan>,
    /// Up to which event time every stream that could carry a sighting or a cause has been read. Nothing where that
    /// cannot be said.
    pub complete_through: Option<Timestamp>,
    /// What to remember, once the ledger that took this in is saved.
    pub memory: PlaceMemory,
    /// What was asked of AWS for it.
    pub requests: Requests,
    /// How much of what was planned was done.
    pub work: Work,
    /// What went wrong without spoiling the rest, by text, with a count.
    pub problems: BTreeMap<String, u64>,
    /// What to confirm once the ledger is saved (a queue's receipts).
    pub receipts: Vec<String>,
}

/// Requests of a run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Requests {
    /// How many were made.
    pub made: u64,
    /// How many of them were throttled.
    pub throttled: u64,
    /// How many may be made; 0 where there is no bound.
    pub budget: u64,
}

/// Planned work and what became of it, in requests or files.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// What it would take to be complete.
    pub planned: u64,
    /// What was done.
    pub done: u64,
}

/// A source of records.
///
/// The answers are in the order of the questions; one that failed spoils no other.
pub trait RecordSource {
    /// Reads what is new.
    fn read<'a>(&'a self, asks: &'a [Ask<'a>]) -> impl Future<Output = Vec<Result<Batch, Failure>>> + Send + 'a;

    /// Confirms what was read, once it is saved.
    fn confirm(&self, receipts: &[String]) -> impl Future<Output = Result<(), Failure>> + Send;
}
