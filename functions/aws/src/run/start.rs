//! From settings to a runner: clients, source and store, made once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use exposure_core::ids::Source;

use super::Runner;
use crate::clients::Clients;
use crate::settings::{SettingError, Settings, SourceKind};
use crate::sources::AnySource;
use crate::sources::directory::DirectorySource;
use crate::sources::logs::{LogsSource, SdkObjects};
use crate::sources::lookup::client::SdkLookup;
use crate::sources::lookup::{LookupSettings, LookupSource};
use crate::sources::queue::{QueueSource, SdkQueue};
use crate::store::{Location, LocationError};

/// The `CloudTrail` clients of the accounts and regions that runs have come to.
pub(crate) type Trails = Arc<Mutex<BTreeMap<Source, aws_sdk_cloudtrail::Client>>>;

/// Settings that do not make a runner.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A URL cannot be used.
    #[error("STATE_URL: {0}")]
    State(#[from] LocationError),
    /// The trail's URL cannot be used.
    #[error("TRAIL_URL={0:?}: must be s3://bucket/prefix for SOURCE=logs")]
    Trail(String),
}

impl Runner {
    /// Makes a runner with clients as the environment configures them. An S3 bucket of the state must belong to this
    /// account, where STS tells which that is.
    ///
    /// # Errors
    /// If a setting cannot be used.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let clients = Clients::load().await;
        let location = Location::parse(&settings.state_url)?;
        let owner = match location {
            Location::S3 { .. } => clients.identity().await.ok().map(|identity| identity.account),
            Location::File(_) => None,
        };
        let store = location.open(|| clients.s3(), owner);
        let trails = Trails::default();
        let source = source(&settings, &clients, &trails)?;
        Ok(Self::new(settings, clients, source, store, trails))
    }
}

fn source(settings: &Settings, clients: &Clients, trails: &Trails) -> Result<AnySource, StartError> {
    let url = |url: &Option<String>| url.clone().unwrap_or_default();
    Ok(match settings.source {
        SourceKind::Lookup => {
            let trails = Arc::clone(trails);
            let client_of = move |place: &Source| {
                trails.lock().unwrap_or_else(PoisonError::into_inner).get(place).cloned().map(SdkLookup)
            };
            let limits = LookupSettings {
                requests_per_second: settings.requests_per_second,
                requests_per_run: settings.requests_per_run,
            };
            AnySource::Lookup(LookupSource::new(client_of, limits))
        }
        SourceKind::Queue => {
            AnySource::Queue(QueueSource::new(SdkQueue { client: clients.sqs(), url: url(&settings.queue_url) }))
        }
        SourceKind::Logs if url(&settings.trail_url).starts_with("file://") => {
            AnySource::Directory(DirectorySource::new(settings.directory()?))
        }
        SourceKind::Logs => {
            let trail = url(&settings.trail_url);
            let place = trail.strip_prefix("s3://").filter(|place| !place.is_empty() && !place.starts_with('/'));
            let place = place.ok_or_else(|| StartError::Trail(trail.chars().take(200).collect()))?;
            let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
            AnySource::Logs(LogsSource::new(SdkObjects { client: clients.s3(), bucket: bucket.to_owned() }, prefix))
        }
        SourceKind::Directory => AnySource::Directory(DirectorySource::new(settings.directory()?)),
    })
}
