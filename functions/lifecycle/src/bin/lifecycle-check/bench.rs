//! `bench`: how long both ways take on this machine.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use exposure_lifecycle::api::LazyApi;
use exposure_lifecycle::imds::{AskImds as _, ImdsClient};
use exposure_lifecycle::limiter::{AskApi as _, Pace};
use exposure_lifecycle::observation::{Api, Imds};
use serde_json::{Value, json};

use crate::args::{Bench, Format};

/// The pause between calls of the API.
const PAUSE: Duration = Duration::from_secs(1);

/// Latencies in order, and how many questions had no answer.
#[derive(Debug, Default)]
struct Way {
    latencies: Vec<Duration>,
    errors: u32,
}

impl Way {
    fn add(&mut self, took: Duration, is_answer: bool) {
        if is_answer {
            let at = self.latencies.partition_point(|other| *other <= took);
            self.latencies.insert(at, took);
        } else {
            self.errors += 1;
        }
    }

    /// The value that so many of a hundred are not above (nearest rank), in milliseconds.
    fn percentile(&self, percent: usize) -> Option<f64> {
        let rank = (self.latencies.len() * percent).div_ceil(100).max(1);
        self.latencies.get(rank - 1).map(|took| took.as_secs_f64() * 1_000.0)
    }

    fn json(&self) -> Value {
        let percentiles = [50, 90, 99, 100].map(|percent| self.percentile(percent));
        let [p50, p90, p99, max] = percentiles;
        json!({
            "answers": self.latencies.len(), "errors": self.errors,
            "p50_milliseconds": p50, "p90_milliseconds": p90, "p99_milliseconds": p99, "max_milliseconds": max,
        })
    }
}

pub(crate) async fn run(bench: &Bench) -> Result<ExitCode> {
    let mut imds = ImdsClient::new(bench.sources.imds())?;
    let (mut by_imds, mut by_api) = (Way::default(), Way::default());
    for _ in 0..bench.imds_requests {
        let began = Instant::now();
        let answer = imds.target().await;
        by_imds.add(began.elapsed(), matches!(answer, Imds::Known(_) | Imds::Absent));
    }
    let sources = &bench.sources;
    let mut api = LazyApi::new(imds, sources.given(), sources.api_endpoint.clone(), sources.api_timeout);
    for request in 0..bench.api_requests {
        if request > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let began = Instant::now();
        let answer = api.ask(Duration::ZERO).await;
        by_api.add(began.elapsed(), matches!(answer, Some(Api::Known(_) | Api::NotInGroup)));
    }
    let text = match bench.format {
        Format::Json => {
            let (imds, api) = (by_imds.json(), by_api.json());
            let delta = delta(&by_imds, &by_api);
            json!({"imds": imds, "api": api, "delta_p50_milliseconds": delta}).to_string() + "\n"
        }
        Format::Text => table(bench, &by_imds, &by_api),
    };
    // Whoever has closed the output has seen enough.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(if by_imds.latencies.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn delta(by_imds: &Way, by_api: &Way) -> Option<f64> {
    Some(by_api.percentile(50)? - by_imds.percentile(50)?)
}

fn table(bench: &Bench, by_imds: &Way, by_api: &Way) -> String {
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let row = |name: &str, way: &Way| {
        let [p50, p90, p99, max] = [50, 90, 99, 100].map(|percent| cell(way.percentile(percent)));
        format!("{name:<6} {:>7} {:>7} {p50:>9} {p90:>9} {p99:>9} {max:>9}\n", way.latencies.len(), way.errors)
    };
    let mut text = format!(
        "{:<6} {:>7} {:>7} {:>9} {:>9} {:>9} {:>9}\n",
        "way", "answers", "errors", "p50 ms", "p90 ms", "p99 ms", "max ms"
    );
    text.push_str(&row("IMDS", by_imds));
    text.push_str(&row("API", by_api));
    if let Some(delta) = delta(by_imds, by_api) {
        let _ = writeln!(text, "\nThe API takes {delta:.2} ms longer (p50).");
    }
    let interval = bench.interval.as_secs_f64();
    if let Some(slow) = by_imds.percentile(99) {
        let (mean, worst) = (interval / 2.0 + slow / 1_000.0, interval + slow / 1_000.0);
        let _ = writeln!(
            text,
            "Polling IMDS every {interval} s notices a transition after {mean:.2} s on average and {worst:.2} s at worst (p99)."
        );
    }
    if let Some(slow) = by_api.percentile(99) {
        let bound = Pace::default().longest_age().as_secs_f64() + slow / 1_000.0;
        let _ = writeln!(
            text,
            "Where IMDS has nothing to say, the API notices it after {bound:.0} s at worst, whatever the polling interval."
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "the values are exact")]
    fn percentiles_are_values_that_were_measured() {
        let mut way = Way::default();
        assert_eq!(way.percentile(50), None);
        for millisecond in (1..=100).rev() {
            way.add(Duration::from_millis(millisecond), true);
        }
        way.add(Duration::ZERO, false);
        let found = [1, 50, 99, 100].map(|percent| way.percentile(percent).expect("measured").round());
        assert_eq!(found, [1.0, 50.0, 99.0, 100.0]);
        assert_eq!((way.latencies.len(), way.errors), (100, 1));
    }
}
