//! The instances as comma-separated values, safe to open in a spreadsheet.

use std::io::Write;

use anyhow::Result;
use exposure_core::analysis::{Analysis, InstanceRow};
use exposure_core::assess::Confidence;

const COLUMNS: [&str; 16] = [
    "account",
    "region",
    "instance_id",
    "auto_scaling_group",
    "stack",
    "lifecycle_state",
    "verdict",
    "exposed_since",
    "migrations",
    "last_migration",
    "last_confidence",
    "partial_reattachments",
    "reattachments",
    "last_reattachment",
    "last_cause",
    "reason",
];

/// Writes one row for each instance of the analysis.
pub(crate) fn write(analysis: &Analysis, out: impl Write) -> Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(COLUMNS)?;
    for instance in &analysis.instances {
        csv.write_record(row(instance).map(|cell| harmless(&cell)))?;
    }
    csv.flush()?;
    Ok(())
}

fn row(instance: &InstanceRow) -> [String; COLUMNS.len()] {
    fn text<T: ToString>(value: Option<T>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }
    let counted = instance.migrations.iter().filter(|m| m.confidence.counts()).count();
    let partial = instance.migrations.iter().filter(|m| m.confidence == Confidence::Partial).count();
    let (migration, reattachment) = (instance.migrations.last(), instance.reattachments.last());
    [
        text(instance.account),
        text(instance.region.as_ref()),
        instance.instance_id.to_string(),
        text(instance.auto_scaling_group.as_ref()),
        text(instance.stack.as_ref()),
        text(instance.lifecycle_state.as_ref()),
        text(instance.verdict),
        text(instance.exposed_since),
        counted.to_string(),
        text(migration.map(|m| m.at)),
        text(migration.map(|m| m.confidence)),
        partial.to_string(),
        instance.reattachments.len().to_string(),
        text(reattachment.map(|r| r.at)),
        text(reattachment.map(|r| r.cause)),
        text(instance.reason.as_ref()),
    ]
}

/// A cell that a spreadsheet would take for a formula gets an apostrophe before it
/// (OWASP, "CSV Injection").
fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn formulas_are_defused() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(harmless(formula), format!("'{formula}"));
        }
        assert_eq!(harmless("Nighttime"), "Nighttime");
    }
}
