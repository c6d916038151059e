//! `once`: ask, print, exit.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use exposure_lifecycle::api::LazyApi;
use exposure_lifecycle::check::{Checker, Monotonic};
use exposure_lifecycle::imds::ImdsClient;
use exposure_lifecycle::limiter::{Limited, Pace, Schedule};
use exposure_lifecycle::machine::{Decision, Rules, Source};
use serde::Serialize;

use crate::args::{Format, Once};
use crate::out::complain;

pub(crate) async fn run(once: &Once) -> Result<ExitCode> {
    let imds = ImdsClient::new(once.sources.imds())?;
    let sources = &once.sources;
    let api = LazyApi::new(imds.clone(), sources.given(), sources.api_endpoint.clone(), sources.api_timeout);
    let limited = Limited::new(api, Schedule::at_once(Pace::default()), || 0.0);
    let mut checker = Checker::new(imds, limited, Monotonic::default(), Rules::default());
    let mut round = checker.check().await;
    if checker.is_settling() {
        tokio::time::sleep(once.settle).await;
        round = checker.check().await;
    }
    let decision = round.decision;
    if let Some(error) = checker.api().client().error() {
        complain(&format!("the Auto Scaling API failed: {error}"));
    }
    if decision.source == Source::Assumed && once.format == Format::Text {
        complain(&decision.reason.to_string());
    }
    let line = match once.format {
        Format::Text => decision.state.to_string(),
        Format::Json => serde_json::to_string(&Answer::of(&decision))?,
    };
    // The exit code says it too, to whoever has closed the output.
    let _ = writeln!(io::stdout(), "{line}");
    Ok(ExitCode::from(decision.state.exit_code()))
}

/// A decision as it is printed, its members in this order.
#[derive(Debug, Serialize)]
pub(crate) struct Answer<'a> {
    state: &'a str,
    source: &'a str,
    reason: String,
    imds: &'a str,
    age_seconds: u64,
}

impl<'a> Answer<'a> {
    pub(crate) fn of(decision: &'a Decision) -> Self {
        Self {
            state: decision.state.as_str(),
            source: decision.source.as_str(),
            reason: decision.reason.to_string(),
            imds: decision.imds.as_str(),
            age_seconds: decision.age.as_secs(),
        }
    }
}
