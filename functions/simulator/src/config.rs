//! What to simulate, and whether that makes sense.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

/// What to simulate. The same configuration gives the same bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where all chance comes from.
    pub seed: u64,
    /// How many instances live in the account at some time of the window: members at its end and those gone by then.
    /// From [`crate::Kind::ASSURED`] on, each of those kinds is among them.
    pub instances: usize,
    /// How many of a hundred instances beyond the assured kinds live for one shift of their group's schedule only. At 0
    /// it is as the weights of the kinds have it: few.
    pub scheduled: u8,
    /// About how many records to write in all. Without it, as much noise as makes a small fleet pleasant to look at;
    /// never fewer than the fleet itself causes.
    pub records: Option<u64>,
    /// The beginning of the simulated window.
    pub start: Timestamp,
    /// The length of the window in days of 24 hours, whole or broken: 1 to 366.
    pub days: f64,
    /// The IANA time zone of the schedules and of the off-peak maintenance, for example `Europe/Berlin`.
    pub time_zone: String,
    /// The account, 12 digits.
    pub account: String,
    /// The region of the fleet. A neighbouring region holds a few instances more.
    pub region: String,
    /// How hard to compress log files: 1 (fast) to 12.
    pub gzip_level: u8,
    /// Whether IMDS items go at times of their own, and never for a host move. The trail is the same.
    pub unrelated_absences: bool,
}

impl Default for Config {
    /// A small fleet from noon to noon, so that two whole nights lie between.
    fn default() -> Self {
        Self {
            seed: 1,
            instances: 48,
            scheduled: 0,
            records: None,
            start: Timestamp::constant(1_778_493_600, 0),
            days: 2.0,
            time_zone: "Europe/Berlin".to_owned(),
            account: "111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
            gzip_level: 1,
            unrelated_absences: false,
        }
    }
}

/// Why a configuration cannot be simulated.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A fleet of none.
    #[error("there must be at least 1 instance to simulate")]
    NoInstances,
    /// More than memory is meant for.
    #[error("{0} instances are too many: at most 1000000 can be simulated")]
    TooManyInstances(usize),
    /// A window outside of what schedules need.
    #[error("a window of {0} days cannot be simulated: give 1 to 366")]
    Days(f64),
    /// A start that leaves no room for the window.
    #[error("the start {0} is out of range: give a time between 1970 and 2999")]
    Start(Timestamp),
    /// A name that is not in the time zone database.
    #[error("the time zone {0:?} is unknown: give an IANA name such as Europe/Berlin")]
    TimeZone(String),
    /// Not an account ID.
    #[error("{0:?} is not an AWS account: give 12 digits")]
    Account(String),
    /// Not a region name.
    #[error("{0:?} is not an AWS region: give a name such as eu-central-1")]
    Region(String),
    /// More than all of them.
    #[error("{0} of a hundred instances cannot be scheduled: give 0 to 100")]
    Scheduled(u8),
    /// A level that gzip does not have.
    #[error("there is no gzip level {0}: give 1 to 12")]
    GzipLevel(u8),
}

/// A configuration that was found good, with what follows from it.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) zone: TimeZone,
    /// The beginning of the window, in seconds of the Unix epoch.
    pub(crate) start: i64,
    /// Its end, exclusive.
    pub(crate) end: i64,
}

impl Config {
    pub(crate) fn check(&self) -> Result<Checked, ConfigError> {
        if self.instances == 0 {
            return Err(ConfigError::NoInstances);
        }
        if self.instances > 1_000_000 {
            return Err(ConfigError::TooManyInstances(self.instances));
        }
        if !(1.0..=366.0).contains(&self.days) {
            return Err(ConfigError::Days(self.days));
        }
        let start = self.start.as_second();
        if !(0..32_472_144_000).contains(&start) {
            return Err(ConfigError::Start(self.start));
        }
        if self.account.len() != 12 || !self.account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ConfigError::Account(self.account.clone()));
        }
        let region_letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(4..=32).contains(&self.region.len()) || !self.region.bytes().all(region_letters) {
            return Err(ConfigError::Region(self.region.clone()));
        }
        if self.scheduled > 100 {
            return Err(ConfigError::Scheduled(self.scheduled));
        }
        if !(1..=12).contains(&self.gzip_level) {
            return Err(ConfigError::GzipLevel(self.gzip_level));
        }
        let zone = TimeZone::get(&self.time_zone).map_err(|_| ConfigError::TimeZone(self.time_zone.clone()))?;
        let length = SignedDuration::from_secs_f64(self.days * 86_400.0).as_secs();
        Ok(Checked { zone, start, end: start + length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(change: fn(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        config.check().expect_err("is refused").to_string()
    }

    #[test]
    fn the_default_is_two_days_from_noon() {
        let config = Config::default();
        assert_eq!(config.start.to_string(), "2026-05-11T10:00:00Z");
        let checked = config.check().expect("is good");
        assert_eq!(checked.end - checked.start, 2 * 86_400);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        assert!(error(|c| c.instances = 0).contains("at least 1 instance"));
        assert!(error(|c| c.instances = 2_000_000).contains("too many"));
        assert!(error(|c| c.days = 0.5).contains("0.5 days"));
        assert!(error(|c| c.days = f64::NAN).contains("NaN"));
        assert!(error(|c| c.time_zone = "Europe/Atlantis".into()).contains("Europe/Atlantis"));
        assert!(error(|c| c.account = "12345".into()).contains("12 digits"));
        assert!(error(|c| c.region = "../etc".into()).contains("../etc"));
        assert!(error(|c| c.scheduled = 101).contains("0 to 100"));
        assert!(error(|c| c.gzip_level = 13).contains("gzip level 13"));
        assert!(error(|c| c.start = Timestamp::MIN).contains("out of range"));
    }
}
