//! `exposure analyze`.

use std::collections::BTreeSet;
use std::io::{BufWriter, Write};

use anyhow::{Context, Result};
use exposure_core::analysis::Analysis;

use crate::args::{Analyze, FailOn, Format};
use crate::inputs::{Gathered, gather, question};
use crate::{End, csv_report, table};

pub(crate) fn run(arguments: &Analyze) -> Result<End> {
    let Gathered { mut ledger, fleet, stacks, settings, read, state } = gather(&arguments.inputs)?;
    if state.is_some() {
        let mut departed = ledger.forgettable(arguments.retention);
        // Whoever the fleet file holds is there, though the file may not tell when.
        let members: BTreeSet<_> = fleet.iter().flat_map(|fleet| &fleet.members).map(|m| m.instance).collect();
        departed.retain(|departed| !members.contains(&departed.key.instance));
        question(&ledger, fleet.as_ref(), &stacks, &settings, false).tally(&mut departed);
        ledger.forget(departed);
    }
    let analysis =
        question(&ledger, fleet.as_ref(), &stacks, &settings, arguments.all).answer(read.window, read.accounting);
    debug_assert!(analysis.accounting.balances(), "{:?}", analysis.accounting);
    // Saved before it is shown: who has seen a result can build on it.
    if let Some(state) = state {
        state.save(&ledger)?;
    }
    print(&analysis, arguments, fleet.is_some()).context("cannot write to standard output")?;
    Ok(end(&analysis, &arguments.fail_on))
}

/// What a command on this analysis ends with.
pub(crate) fn end(analysis: &Analysis, fail_on: &[FailOn]) -> End {
    let exposed = analysis.stacks.iter().any(|stack| stack.exposed > 0)
        || analysis.instances.iter().any(|instance| instance.exposed_since.is_some());
    let alarm = fail_on.iter().any(|what| match what {
        FailOn::Exposed => exposed,
        FailOn::Blind => analysis.coverage.blind,
    });
    if alarm { End::Alarm } else { End::Done }
}

fn print(analysis: &Analysis, arguments: &Analyze, with_fleet: bool) -> Result<()> {
    // Standard output alone writes line by line.
    let mut out = BufWriter::new(anstream::stdout().lock());
    match arguments.format {
        Format::Table => out.write_all(table::render(analysis, with_fleet, arguments.all).as_bytes())?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, analysis)?;
            out.write_all(b"\n")?;
        }
        Format::Csv => csv_report::write(analysis, &mut out)?,
    }
    out.flush()?;
    Ok(())
}
