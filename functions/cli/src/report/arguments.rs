//! The flags of `exposure report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;

use crate::args::{FailOn, Inputs};

/// What a report is made of, and where it goes.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The analyzer's state to report from, instead of log files: `s3://bucket/key` or `file:///path`
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "URL", conflicts_with_all = ["trail", "fleet", "state"])]
    pub(crate) state_url: Option<String>,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
    /// What `lifecycle-check` told on instances, as JSON lines or an export of its log events, to hold migrations against
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) observations: Vec<PathBuf>,
    /// Whose clocks tell the hours of the day, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = parse_zone)]
    pub(crate) time_zone: TimeZone,
    /// What to make
    #[arg(long, value_enum, default_value_t = Format::Html)]
    pub(crate) format: Format,
    /// The file to write, whole or not at all [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Exit with 3 when a member is exposed, or a source is blind
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub(crate) fail_on: Vec<FailOn>,
}

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One page that needs nothing but a browser
    Html,
    /// Schema migration-exposure/report/1: every number
    Json,
}

fn parse_zone(name: &str) -> Result<TimeZone, String> {
    let unknown = |_| "no time zone of this name is known; write it like Europe/Berlin or UTC".to_owned();
    TimeZone::get(name).map_err(unknown)
}
