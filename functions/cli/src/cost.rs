//! `exposure cost`: what a month of the analyzer costs, and of what.

use std::io::Write;

use anyhow::Result;
use exposure_aws::cost::{Item, Usage, monthly};

use crate::End;
use crate::args::Cost;
use crate::text::{left, right};

pub(crate) fn run(arguments: &Cost) -> Result<End> {
    let usage = Usage {
        instances: arguments.instances,
        stacks: arguments.stacks,
        alarms: !arguments.no_alarms,
        source: arguments.source.into(),
        period_seconds: arguments.period_seconds,
        launches_per_day: arguments.launches_per_day,
        memory_mb: arguments.memory,
        run_seconds: arguments.run_seconds,
        trail_objects_per_day: arguments.trail_objects_per_day,
    };
    let items = monthly(&usage);
    let total: f64 = items.iter().map(|item| item.dollars).sum();
    let mut out = anstream::stdout().lock();
    if arguments.json {
        let answer = serde_json::json!({"schema": "migration-exposure/cost/1", "items": items, "dollars": total});
        writeln!(out, "{answer:#}")?;
        return Ok(End::Done);
    }
    writeln!(out, "{}{}{}", left("IN A MONTH OF 30 DAYS", 30), right("QUANTITY", 14), right("DOLLARS", 12))?;
    for Item { what, quantity, dollars } in &items {
        writeln!(
            out,
            "{}{}{}",
            left(what, 30),
            right(&format!("{quantity:.1}"), 14),
            right(&format!("{dollars:.2}"), 12)
        )?;
    }
    writeln!(out, "{}{}{}", left("all", 30), right("", 14), right(&format!("{total:.2}"), 12))?;
    writeln!(out)?;
    writeln!(out, "List prices of us-east-1, without free tiers; LookupEvents costs nothing.")?;
    Ok(End::Done)
}
