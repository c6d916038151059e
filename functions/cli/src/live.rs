//! The live account: `exposure run`, `exposure list`, and the state that both speak of.

use std::io::{BufWriter, Write};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use exposure_aws::clients::Clients;
use exposure_aws::run::{Event, Outcome, Runner, STATE_LIMIT};
use exposure_aws::settings::Settings;
use exposure_aws::state::State;
use exposure_aws::store::Location;
use exposure_core::analysis::{Accounting, Question, Window};
use exposure_core::assess::Settings as Rules;
use exposure_core::fleet::Fleet;
use exposure_core::stacks::StackRules;
use exposure_core::time::{Timestamp, join_span};
use tokio::runtime::Builder;
use tokio::time::Instant;

use crate::args::{Format, List, Run};
use crate::inputs::Usage;
use crate::{End, csv_report, table};

/// What the analyzer remembers, ready to be asked.
pub(crate) struct Remembered {
    state: State,
    fleet: Fleet,
    stacks: StackRules,
    rules: Rules,
}

impl Remembered {
    /// The question of what is so now.
    pub(crate) fn question(&self, all: bool) -> Question<'_> {
        Question {
            ledger: &self.state.ledger,
            fleet: Some(&self.fleet),
            stacks: &self.stacks,
            settings: &self.rules,
            complete: Some(&self.state.complete),
            all,
        }
    }

    /// The time that the records are of.
    pub(crate) fn window(&self) -> Window {
        let mut span = None;
        for source in self.state.complete.keys().chain(self.state.places.keys()) {
            if let Some(observed) = self.state.ledger.observed_span(source) {
                join_span(&mut span, observed);
            }
        }
        Window::from(span)
    }
}

/// One run. The record goes to standard output, problems to standard error.
pub(crate) fn run(arguments: &Run) -> Result<End> {
    let settings =
        Settings::from_variables(|name| arguments.settings.variable(name)).map_err(|error| Usage(error.to_string()))?;
    let timeout = Duration::try_from(arguments.timeout).unwrap_or(Duration::from_mins(10));
    let event =
        Event { scheduled: arguments.scheduled_time, from: arguments.from, to: arguments.to, dry_run: arguments.dry };
    let report = runtime()?.block_on(async {
        let runner = Runner::start(settings).await?;
        Ok::<_, anyhow::Error>(runner.run(&event, now(), Instant::now() + timeout).await?)
    })?;
    for (problem, count) in &report.record.problems {
        writeln!(anstream::stderr(), "exposure: {}{}", crate::text::shown(problem), times(*count))?;
    }
    let mut out = BufWriter::new(anstream::stdout().lock());
    serde_json::to_writer_pretty(&mut out, &report.record)?;
    out.write_all(b"\n")?;
    out.flush()?;
    match report.record.outcome {
        Outcome::Failed => bail!("the run failed: nothing was saved"),
        Outcome::Complete | Outcome::Partial => Ok(End::Done),
    }
}

fn times(count: u64) -> String {
    if count == 1 { String::new() } else { format!(" ({count} times)") }
}

/// What is exposed now, straight from the state.
pub(crate) fn list(arguments: &List) -> Result<End> {
    let remembered = remember(&arguments.state_url, StackRules::new(&arguments.stack_tag))?;
    let analysis = remembered.question(arguments.all).answer(remembered.window(), Accounting::default());
    let mut out = BufWriter::new(anstream::stdout().lock());
    match arguments.format {
        Format::Table => out.write_all(table::render_remembered(&analysis, arguments.all).as_bytes())?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &analysis)?;
            out.write_all(b"\n")?;
        }
        Format::Csv => csv_report::write(&analysis, &mut out)?,
    }
    out.flush()?;
    Ok(End::Done)
}

/// Reads the analyzer's state, and changes nothing of it.
pub(crate) fn remember(url: &str, stacks: StackRules) -> Result<Remembered> {
    let location = Location::parse(url).map_err(|error| Usage(format!("--state-url {error}")))?;
    let text = runtime()?.block_on(async {
        let clients = Clients::load().await;
        location.open(|| clients.s3(), None).load(STATE_LIMIT).await
    })?;
    let text = text
        .text
        .with_context(|| format!("{url}: there is no state; has the analyzer run yet, and is this its STATE_URL?"))?;
    let state = State::from_json(&text).with_context(|| url.to_owned())?;
    let mut fleet = Fleet::default();
    for source in state.ledger.sources() {
        if let Some(last) = state.ledger.last_fleet(source, &stacks) {
            fleet.extend(last);
        }
    }
    Ok(Remembered { state, fleet, stacks, rules: Rules::default() })
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_second(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
