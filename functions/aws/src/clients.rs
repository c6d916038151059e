//! The clients of AWS: one configuration, one set of clients for each account and region, made once and kept.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use exposure_core::ids::{AccountId, Region};

use crate::failure::{Class, Failure};

pub mod calls;
mod classify;
mod https;
#[cfg(test)]
pub(crate) mod loopback;
mod target;
#[cfg(test)]
mod tests;

pub use classify::classify;
pub use target::{Target, TargetError};

/// The session name of roles that are taken on: what their account's CloudTrail shows.
pub const SESSION_NAME: &str = "migration-exposure";

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long one attempt may take, so that an address that does not answer fails rather than hangs.
const ATTEMPT: Duration = Duration::from_secs(10);

/// All clients. Endpoints, proxies, region and credentials come from the environment, as the SDK reads them
/// (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3`, `AWS_REGION`, …).
#[derive(Debug)]
pub struct Clients {
    config: SdkConfig,
    roles: Mutex<BTreeMap<Role, SharedCredentialsProvider>>,
    places: Mutex<BTreeMap<(Option<Role>, Region), PlaceClients>>,
}

/// A role and the external ID that it asks for.
type Role = (String, Option<String>);

/// The clients of one account and region.
///
/// Those of CloudTrail and Auto Scaling make every request once: their callers count requests, and retry themselves
/// ([`calls::call`]).
#[derive(Debug, Clone)]
pub struct PlaceClients {
    /// CloudTrail, without retries of its own.
    pub cloudtrail: aws_sdk_cloudtrail::Client,
    /// Auto Scaling, without retries of its own.
    pub autoscaling: aws_sdk_autoscaling::Client,
    /// CloudWatch, to read there; without retries of its own.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// STS, to ask who one is there.
    pub sts: aws_sdk_sts::Client,
}

/// Who the credentials are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: AccountId,
    /// The ARN of the user or of the role's session.
    pub arn: String,
}

impl Clients {
    /// Reads the configuration from the environment. Nothing is asked of AWS yet.
    pub async fn load() -> Self {
        Self::from_loader(aws_config::defaults(BehaviorVersion::v2026_01_12())).await
    }

    /// Reads what the loader leaves open from the environment, and sets this project's time limits and standard retries.
    pub async fn from_loader(loader: ConfigLoader) -> Self {
        let limits = TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build();
        let loader = loader.timeout_config(limits).retry_config(RetryConfig::standard());
        let config = loader.http_client(https::client()).load().await;
        Self { config, roles: Mutex::default(), places: Mutex::default() }
    }

    /// The region that this runs in, if one is configured.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        self.config.region().and_then(|region| Region::new(region.as_ref()).ok())
    }

    /// The clients of a target in a region, made at the first question. A role is taken on once for all its regions,
    /// when it is first needed.
    pub async fn at(&self, target: &Target, region: &Region) -> PlaceClients {
        let role = target.role_arn.clone().map(|arn| (arn, target.external_id.clone()));
        let key = (role, region.clone());
        let known = self.places.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return known;
        }
        let mut config = self.config.to_builder().region(aws_config::Region::new(region.as_str().to_owned()));
        if let Some(role) = &key.0 {
            config = config.credentials_provider(self.role(role).await);
        }
        let config = config.build();
        let once = without_retries(&config);
        let made = PlaceClients {
            cloudtrail: aws_sdk_cloudtrail::Client::new(&once),
            autoscaling: aws_sdk_autoscaling::Client::new(&once),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&once),
            sts: aws_sdk_sts::Client::new(&config),
        };
        self.places.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(made).clone()
    }

    /// The credentials of a role.
    async fn role(&self, role: &Role) -> SharedCredentialsProvider {
        let known = self.roles.lock().unwrap_or_else(PoisonError::into_inner).get(role).cloned();
        if let Some(known) = known {
            return known;
        }
        let (arn, external_id) = role.clone();
        let mut provider = AssumeRoleProvider::builder(arn).session_name(SESSION_NAME).configure(&self.config);
        if let Some(id) = external_id {
            provider = provider.external_id(id);
        }
        let made = SharedCredentialsProvider::new(provider.build().await);
        self.roles.lock().unwrap_or_else(PoisonError::into_inner).entry(role.clone()).or_insert(made).clone()
    }

    /// Who this is: account and ARN.
    ///
    /// # Errors
    /// If STS cannot be asked.
    pub async fn identity(&self) -> Result<Identity, Failure> {
        identity(&self.sts()).await
    }

    /// CloudWatch of the own account and region, without retries of its own: see [`crate::publish::publish`].
    #[must_use]
    pub fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        aws_sdk_cloudwatch::Client::new(&without_retries(&self.config))
    }

    /// S3 of the own account and region. Where an endpoint is configured, buckets are named in the path, since few
    /// stand-ins and no address can be asked by the bucket's host name.
    #[must_use]
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let redirected = self.config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        let config = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(redirected).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// SQS of the own account and region.
    #[must_use]
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    /// STS of the own account and region.
    #[must_use]
    pub fn sts(&self) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config)
    }
}

/// Asks STS whose credentials a client has; works with any, whatever they may do (STS API, `GetCallerIdentity`).
///
/// # Errors
/// If STS cannot be asked, or names no account.
pub async fn identity(sts: &aws_sdk_sts::Client) -> Result<Identity, Failure> {
    const OPERATION: &str = "sts:GetCallerIdentity";
    let answer = sts.get_caller_identity().send().await.map_err(|error| classify(OPERATION, &error))?;
    let account = AccountId::new(answer.account().unwrap_or_default())
        .map_err(|error| Failure::new(OPERATION, Class::Invalid, &error.to_string()))?;
    Ok(Identity { account, arn: answer.arn().unwrap_or_default().chars().take(2_048).collect() })
}

/// The same configuration for callers that retry themselves.
fn without_retries(config: &SdkConfig) -> SdkConfig {
    config.to_builder().retry_config(RetryConfig::disabled()).build()
}
