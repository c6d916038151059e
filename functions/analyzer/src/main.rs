//! The scheduled Lambda: settings, clients, one runner, run.

mod allocator;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use exposure_aws::run::{Event, Runner};
use exposure_aws::settings::Settings;
use exposure_core::time::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use tokio::time::Instant;

/// How long a run may take where nobody says: some local runtimes send a deadline that is long past.
const UNTOLD: Duration = Duration::from_mins(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    allocator::return_large_pieces();
    let settings = match Settings::from_variables(|name| std::env::var(name).ok()) {
        Ok(settings) => settings,
        Err(error) => return fails(&error.to_string()),
    };
    let runner = match Runner::start(settings).await {
        Ok(runner) => Arc::new(runner),
        Err(error) => return fails(&error.to_string()),
    };
    let handler = service_fn(move |event| handle(Arc::clone(&runner), event));
    match Box::pin(lambda_runtime::run(handler)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fails(&error.to_string()),
    }
}

async fn handle(runner: Arc<Runner>, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or(UNTOLD);
    let event = Event::read(&event.payload)?;
    let clock = Timestamp::from_second(jiff::Timestamp::now().as_second());
    let report = runner.run(&event, clock, Instant::now() + left).await?;
    for line in &report.lines {
        say(line);
    }
    Ok(serde_json::to_value(&report.record)?)
}

/// One line to the log. Where that is closed, nobody is left to tell.
fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

fn fails(reason: &str) -> ExitCode {
    say(&json!({"level": "ERROR", "event": "cannot start", "reason": reason}).to_string());
    ExitCode::FAILURE
}
