//! Whichever source the settings choose.

use std::time::Duration;

use super::directory::DirectorySource;
use super::logs::{LogsSource, SdkObjects};
use super::lookup::LookupSource;
use super::lookup::client::SdkLookup;
use super::queue::{QueueSource, SdkQueue};
use super::{Ask, Batch, RecordSource};
use crate::failure::Failure;

/// One of the sources, as `SOURCE` names them.
#[derive(Debug)]
pub enum AnySource {
    /// `lookup`: CloudTrail's `LookupEvents`.
    Lookup(LookupSource<SdkLookup>),
    /// `queue`: an SQS queue that EventBridge feeds.
    Queue(QueueSource<SdkQueue>),
    /// `logs`: a trail's objects in S3.
    Logs(LogsSource<SdkObjects>),
    /// `directory`: log files in a local folder.
    Directory(DirectorySource),
}

impl RecordSource for AnySource {
    async fn read<'a>(&'a self, asks: &'a [Ask<'a>]) -> Vec<Result<Batch, Failure>> {
        match self {
            Self::Lookup(source) => source.read(asks).await,
            Self::Queue(source) => source.read(asks).await,
            Self::Logs(source) => source.read(asks).await,
            Self::Directory(source) => source.read(asks).await,
        }
    }

    async fn confirm(&self, receipts: &[String]) -> Result<(), Failure> {
        match self {
            Self::Lookup(source) => source.confirm(receipts).await,
            Self::Queue(source) => source.confirm(receipts).await,
            Self::Logs(source) => source.confirm(receipts).await,
            Self::Directory(source) => source.confirm(receipts).await,
        }
    }
}

/// How many requests of a pace fit four fifths of a period, and at least one: the rest is for saving and publishing.
#[must_use]
pub fn requests_per_run(period: Duration, requests_per_second: f64) -> u64 {
    let pace = if requests_per_second.is_finite() { requests_per_second.clamp(0.0, 1_000.0) } else { 0.0 };
    let period = period.min(Duration::from_hours(24));
    period.mul_f64(pace * 0.8).as_secs().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_fits_its_period() {
        assert_eq!(requests_per_run(Duration::from_mins(5), 1.0), 240);
        assert_eq!(requests_per_run(Duration::from_mins(5), f64::NAN), 1);
        assert_eq!(requests_per_run(Duration::ZERO, 2.0), 1);
    }
}
