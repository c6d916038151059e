//! How a stand-in is set up.

use serde::{Deserialize, Serialize};

/// How a stand-in is set up.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The port on loopback; 0 is any free one.
    pub port: u16,
    /// What time it is.
    pub clock: Clock,
    /// The limit of `LookupEvents` for an account and region.
    pub lookup_quota: Quota,
    /// The bucket that has the log files.
    pub trail_bucket: String,
    /// The queue that gets the records.
    pub queue: String,
    /// How long a received message stays hidden, in seconds, where a call does not say.
    pub visibility_timeout: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            clock: Clock::AtEnd,
            lookup_quota: Quota::default(),
            trail_bucket: "trail".into(),
            queue: "events".into(),
            visibility_timeout: 30,
        }
    }
}

/// What time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// The system's.
    System,
    /// This second of the Unix epoch, until it is set to another.
    Driven(i64),
    /// An hour after the last record, until it is set to another.
    #[default]
    AtEnd,
}

/// A token bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    /// Requests that come back in a second. AWS: 2.
    pub per_second: f64,
    /// Requests that can be saved up.
    pub burst: f64,
    /// Whose seconds.
    pub pace: Pace,
}

impl Default for Quota {
    fn default() -> Self {
        Self { per_second: 2.0, burst: 2.0, pace: Pace::System }
    }
}

impl Quota {
    /// No limit at all.
    #[must_use]
    pub fn none() -> Self {
        Self { pace: Pace::Off, ..Self::default() }
    }

    /// AWS's limit in seconds of the stand-in's clock.
    ///
    /// Where that clock jumps from run to run, what it jumps over comes back, up to `burst`.
    #[must_use]
    pub fn by_clock(burst: f64) -> Self {
        Self { pace: Pace::Clock, burst, ..Self::default() }
    }
}

/// Whose seconds a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// The system's.
    #[default]
    System,
    /// The stand-in's.
    Clock,
    /// There is no limit.
    Off,
}
