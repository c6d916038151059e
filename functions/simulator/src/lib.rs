//! A made-up AWS account, with its fleet, its schedules, its host moves, the CloudTrail log files of all that, and the
//! truth about it.
//!
//! Two stacks scale against each other by schedule, in a time zone: Daytime is large by day, Nighttime by night, when
//! off-peak maintenance moves hosts. Customers stop, start, reboot, attach and detach; records come late, twice or not at
//! all; much looks like what it is not. [`Kind`] lists what is made to happen, and `truth.json` says what an analysis of
//! the files has to find. `observations.jsonl` is what `lifecycle-check` printed on the instances meanwhile.
//!
//! The truth follows from what was made to happen and shares no code with the analysis that it judges.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use exposure_simulator::{Config, simulate};
//!
//! let config = Config { seed: 7, instances: 200, ..Config::default() };
//! let summary = simulate(&config, Path::new("account"), &mut |_| {})?;
//! println!("{} records in {} files", summary.records, summary.files);
//! # Ok::<(), exposure_simulator::SimulateError>(())
//! ```

mod account;
mod activity;
mod calendar;
mod config;
mod dice;
mod error;
mod event;
mod fleet;
mod ids;
mod instance;
mod kind;
mod noise;
mod observe;
mod population;
mod scene;
mod scribe;
mod script;
mod simulate;
mod template;
mod trail;
mod truth;

pub use config::{Config, ConfigError};
pub use error::SimulateError;
pub use kind::Kind;
pub use simulate::{Progress, Summary, simulate};

#[cfg(test)]
mod tests;
