//! `exposure report`: the evidence on one page, or as JSON.

pub(crate) mod arguments;
mod chart;
mod command;
mod document;
mod few;
mod number;
mod page;
mod sections;
mod words;

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use exposure_core::analysis::{Accounting, Analysis, InService, Question, Window};
use exposure_core::evidence::exact::Level;
use exposure_core::evidence::findings::findings;
use exposure_core::evidence::observed::{self, Observations, Verification, verify};
use exposure_core::time::TimeSpan;

use crate::End;
use crate::analyze::end;
use crate::inputs::{Usage, gather, question, recall};
use crate::replace::{Readers, Replacement};
use crate::state::State;

use arguments::{Format, Report};
use document::Document;

pub(crate) fn run(arguments: &Report) -> Result<End> {
    match &arguments.out {
        // Tried and let go: what it leaves in a folder of log files would be read as one.
        Some(path) => drop(replacement(path)?),
        None if arguments.format == Format::Html && io::stdout().is_terminal() => {
            bail!(Usage("a page is not for the terminal: name its file with --out FILE.html".to_owned()))
        }
        None => {}
    }
    let (found, state) = answered(arguments)?;
    let ended = end(&found.analysis, &arguments.fail_on);
    let document = found.document(arguments);
    let text = match arguments.format {
        Format::Html => page::render(&document, &arguments.time_zone).into_bytes(),
        Format::Json => {
            let mut text = serde_json::to_vec_pretty(&document)?;
            text.push(b'\n');
            text
        }
    };
    // What was read is worth keeping, whatever was asked.
    if let Some((state, ledger)) = state {
        state.save(&ledger)?;
    }
    if let Some(path) = &arguments.out {
        replacement(path)?.with(&text)?;
    } else {
        let mut out = io::stdout().lock();
        out.write_all(&text).and_then(|()| out.flush()).context("cannot write to standard output")?;
    }
    Ok(ended)
}

fn replacement(path: &Path) -> Result<Replacement> {
    Replacement::of("--out", path, Readers::Usual)
}

/// What was found, before it is put into words.
struct Found {
    analysis: Analysis,
    /// The records of this run; nothing where it read none.
    accounting: Option<Accounting>,
    fleet_known: bool,
    window: TimeSpan,
    in_service: InService,
    verification: Option<Verification>,
}

impl Found {
    fn of(
        question: &Question<'_>,
        observed: Window,
        accounting: Option<Accounting>,
        told: Option<&Observations>,
        arguments: &Report,
    ) -> Result<Self> {
        let window = window(observed, arguments)?;
        let shown = Window { from: Some(window.from), to: Some(window.to) };
        let analysis = question.answer(shown, accounting.unwrap_or_default());
        let settings = observed::Settings::default();
        Ok(Self {
            verification: told.map(|told| verify(question, &analysis, told, &settings)),
            analysis,
            accounting,
            fleet_known: question.fleet.is_some(),
            window,
            in_service: question.in_service(window),
        })
    }

    fn document(self, arguments: &Report) -> Document {
        let coverage = Some(&self.analysis.coverage);
        let findings = findings(&self.in_service, self.window, &arguments.time_zone, Level::USUAL, coverage);
        Document::new(self.analysis, self.accounting, self.fleet_known, findings, self.verification)
    }
}

type Kept = Option<(State, exposure_core::ledger::Ledger)>;

/// Reads what there is and asks it.
fn answered(arguments: &Report) -> Result<(Found, Kept)> {
    let paths = Some(&arguments.observations).filter(|paths| !paths.is_empty());
    let told = paths.map(|paths| crate::verify::observations(paths, arguments.inputs.verbose)).transpose()?;
    let told = told.as_ref();
    #[cfg(feature = "aws")]
    if let Some(url) = &arguments.state_url {
        let remembered = crate::live::remember(url, crate::inputs::rules(&arguments.inputs)?)?;
        let found = Found::of(&remembered.question(false), remembered.window(), None, told, arguments)?;
        return Ok((found, None));
    }
    let inputs = &arguments.inputs;
    let alone = inputs.state.as_ref().filter(|_| inputs.trail.is_empty());
    if alone.is_none() && inputs.trail.is_empty() {
        bail!(Usage("a report needs log files (--trail PATH) or a state (--state FILE, --state-url URL)".to_owned()));
    }
    let gathered = alone.map_or_else(|| gather(inputs), |state| recall(inputs, state))?;
    let accounting = alone.is_none().then_some(gathered.read.accounting);
    let fleet = gathered.fleet.as_ref();
    let question = question(&gathered.ledger, fleet, &gathered.stacks, &gathered.settings, false);
    let found = Found::of(&question, gathered.read.window, accounting, told, arguments)?;
    Ok((found, gathered.state.map(|state| (state, gathered.ledger))))
}

/// The time that the report is about: that of the records, or what was asked for of it.
fn window(observed: Window, arguments: &Report) -> Result<TimeSpan> {
    let asked = &arguments.inputs;
    let nothing = if asked.from.or(asked.to).is_some() {
        "no record lies within --from and --to, so there is nothing to report on; ask for another time"
    } else {
        "no record has a time, so there is nothing to report on; name other log files or another state"
    };
    let (Some(from), Some(to)) = (observed.from, observed.to) else { bail!(nothing) };
    let (from, to) = (asked.from.map_or(from, |asked| asked.max(from)), asked.to.map_or(to, |asked| asked.min(to)));
    if from > to {
        bail!(nothing);
    }
    Ok(TimeSpan { from, to })
}
