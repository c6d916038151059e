//! The record of a run: the answer of the function, schema `migration-exposure/run/1`.

use std::collections::BTreeMap;

use exposure_core::analysis::{Accounting, Coverage, StackRow, Window};
use exposure_core::assess::Confidence;
use exposure_core::ids::{AccountId, EventId, InstanceId, Region, VolumeId};
use exposure_core::time::Timestamp;
use serde::Serialize;

/// The schema of [`RunRecord`].
pub(super) const SCHEMA: &str = "migration-exposure/run/1";

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything that was planned was done, for every account and region.
    Complete,
    /// Something was left for the next run, or failed; what is known is published.
    Partial,
    /// Nothing was saved.
    Failed,
}

/// The record of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// `migration-exposure/run/1`.
    pub schema: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was meant to be.
    pub scheduled_time: Timestamp,
    /// Whether nothing was saved or published on purpose.
    pub dry_run: bool,
    /// From the earliest record of the run to the latest.
    pub window: Window,
    /// One row for each stack.
    pub stacks: Vec<StackRow>,
    /// How much could be seen.
    pub coverage: Coverage,
    /// What became of each record of the run.
    pub accounting: Accounting,
    /// The migrations that were counted in this run.
    pub new_migrations: Vec<NewMigration>,
    /// Requests for records and the fleet.
    pub requests: RequestCounts,
    /// The accounts and regions.
    pub targets: Vec<TargetRecord>,
    /// What went wrong, one line for each class, with a count.
    pub problems: BTreeMap<String, u64>,
}

/// Requests of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RequestCounts {
    /// How many were made.
    pub made: u64,
    /// How many of them were throttled.
    pub throttled: u64,
    /// How many records could be asked for.
    pub budget: u64,
}

/// One account and region in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetRecord {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// Whether its verdicts are those of before.
    pub stale: bool,
    /// Whether a zero of it means nothing.
    pub blind: bool,
    /// Up to which time its records are complete.
    pub complete_through: Option<Timestamp>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// A migration that was counted in this run, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewMigration {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The instance.
    pub instance_id: InstanceId,
    /// The stack that it counts under.
    pub stack: Option<String>,
    /// Its first sighting.
    pub at: Timestamp,
    /// How sure.
    pub confidence: Confidence,
    /// The volumes that came again.
    pub volumes: Vec<VolumeId>,
    /// Its sightings' events.
    pub event_ids: Vec<EventId>,
}
