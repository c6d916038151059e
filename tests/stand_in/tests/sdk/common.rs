//! An account, made once, and clients for it.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_sts::error::ProvideErrorMetadata;
use exposure_simulator::{Config, simulate};
use exposure_stand_in::{Account, Delivery, Options, Quota, StandIn};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-central-1";

static FOLDER: OnceLock<TempDir> = OnceLock::new();

/// The folder of the account.
pub(crate) fn folder() -> &'static Path {
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("is made");
        let config = Config { seed: 11, instances: 80, ..Config::default() };
        simulate(&config, folder.path(), &mut |_| {}).expect("is simulated");
        folder
    });
    folder.path()
}

/// The account, delivered as it was filed.
pub(crate) fn account() -> Arc<Account> {
    static ACCOUNT: OnceLock<Arc<Account>> = OnceLock::new();
    Arc::clone(ACCOUNT.get_or_init(|| Arc::new(load(&Delivery::AsFiled))))
}

pub(crate) fn load(delivery: &Delivery) -> Account {
    Account::load(folder(), delivery).expect("is what the simulator writes")
}

/// A file of the account.
pub(crate) fn file(name: &str) -> Value {
    let text = std::fs::read(folder().join(name)).expect("is there");
    serde_json::from_slice(&text).expect("is JSON")
}

/// A stand-in at the end of the window, without a limit of lookups.
pub(crate) fn stand_in() -> StandIn {
    start(Options { lookup_quota: Quota::none(), ..Options::default() })
}

pub(crate) fn start(options: Options) -> StandIn {
    StandIn::start(account(), options).expect("starts")
}

/// Settings for a region, without retries.
pub(crate) fn config_for(stand_in: &StandIn, account: &str, region: &'static str) -> SdkConfig {
    let credentials = Credentials::new(account, "made-up", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(stand_in.url())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .build()
}

pub(crate) fn config(stand_in: &StandIn) -> SdkConfig {
    config_for(stand_in, ACCOUNT, REGION)
}

/// The code of an error.
pub(crate) fn code<T: std::fmt::Debug, E: ProvideErrorMetadata>(result: Result<T, E>) -> String {
    result.expect_err("fails").code().unwrap_or_default().to_owned()
}
