//! The report as JSON, schema `migration-exposure/report/1`. The page shows nothing that is not in it.

use std::cmp::Reverse;

use exposure_core::analysis::{Accounting, Analysis, Coverage, InstanceRow, StackRow, Window};
use exposure_core::assess::Verdict;
use exposure_core::evidence::findings::Findings;
use exposure_core::evidence::observed::Verification;
use serde::Serialize;

use super::command;
use crate::table::last_counted;

/// The schema of [`Document`].
const SCHEMA: &str = "migration-exposure/report/1";

/// The whole report.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    schema: &'static str,
    pub(super) made_by: MadeBy,
    /// The time that it is about.
    pub(super) window: Window,
    /// What became of each file and record; nothing where the report was made from a state alone.
    pub(super) accounting: Option<Accounting>,
    pub(super) coverage: Coverage,
    /// Whether it is known who is in the fleet now: without that there are no verdicts.
    pub(super) fleet_known: bool,
    /// Verdicts by stack.
    pub(super) stacks: Vec<StackRow>,
    pub(super) findings: Findings,
    /// The members that are exposed now, newest first.
    pub(super) exposed: Vec<InstanceRow>,
    /// Whether a second Decrypt means a 404; nothing where no observations were given.
    pub(super) verification: Option<Verification>,
}

/// What made it.
#[derive(Debug, Serialize)]
pub(super) struct MadeBy {
    pub(super) version: &'static str,
    pub(super) command: String,
}

impl Document {
    pub(super) fn new(
        analysis: Analysis,
        accounting: Option<Accounting>,
        fleet_known: bool,
        findings: Findings,
        verification: Option<Verification>,
    ) -> Self {
        let Analysis { window, coverage, stacks, mut instances, .. } = analysis;
        instances.retain(|instance| instance.verdict == Some(Verdict::Exposed));
        instances.sort_by_key(|instance| Reverse(instance.exposed_since.or_else(|| last_counted(instance))));
        Self {
            schema: SCHEMA,
            made_by: MadeBy { version: env!("CARGO_PKG_VERSION"), command: command::line() },
            window,
            accounting,
            coverage,
            fleet_known,
            stacks,
            findings,
            exposed: instances,
            verification,
        }
    }

    pub(super) fn schema(&self) -> &'static str {
        self.schema
    }
}
