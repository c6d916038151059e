//! The Auto Scaling API, for this one instance.

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use exposure_core::ids::InstanceId;
use exposure_core::lifecycle::LifecycleState;

use crate::identity::{Given, Identity};
use crate::imds::ImdsClient;
use crate::limiter::AskApi;
use crate::observation::Api;

/// More pages than this are no answer about one instance.
const PAGES: usize = 10;

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct ApiError {
    operation: &'static str,
    message: String,
    /// Whether it was throttled.
    pub is_throttled: bool,
}

/// What the API says of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its group's name.
    pub group: String,
    /// Its current state.
    pub state: LifecycleState,
}

/// The configuration of clients: no retries of their own (whoever asks decides when to ask again), and an end to every call.
pub async fn configuration(identity: &Identity, imds: &ImdsClient, timeout: Duration) -> SdkConfig {
    let region = aws_config::Region::new(identity.region.as_str().to_owned());
    let http = crate::https::client();
    let places = ProviderConfig::default().with_region(Some(region.clone())).with_http_client(http.clone());
    let credentials =
        DefaultCredentialsChain::builder().configure(places).imds_client(imds.sdk().clone()).build().await;
    let timeouts = TimeoutConfig::builder().connect_timeout(timeout).operation_timeout(timeout).build();
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .region(region)
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .load()
        .await
}

/// The calls that this program makes of Auto Scaling, and no others: the policy for the instance profile lists them.
#[derive(Debug, Clone)]
pub struct AutoScaling {
    client: Client,
    instance: InstanceId,
}

impl AutoScaling {
    /// A client for one instance. `endpoint` replaces the region's.
    #[must_use]
    pub fn new(config: &SdkConfig, instance: InstanceId, endpoint: Option<&str>) -> Self {
        let builder = aws_sdk_autoscaling::config::Builder::from(config);
        let builder = match endpoint {
            Some(url) => builder.endpoint_url(url),
            None => builder,
        };
        Self { client: Client::from_conf(builder.build()), instance }
    }

    /// What the API says of the instance; nothing, if it is in no group.
    ///
    /// # Errors
    /// If it does not answer, or not to the end.
    pub async fn describe(&self) -> Result<Option<Member>, ApiError> {
        const OPERATION: &str = "DescribeAutoScalingInstances";
        let mut token: Option<String> = None;
        // Short pages are allowed: only the last one has no token.
        for _ in 0..PAGES {
            let request = self.client.describe_auto_scaling_instances().instance_ids(self.instance.as_str());
            let page =
                request.set_next_token(token.clone()).send().await.map_err(|error| failure(OPERATION, &error))?;
            let mine = page.auto_scaling_instances().iter();
            if let Some(found) = mine.into_iter().find(|row| row.instance_id() == Some(self.instance.as_str())) {
                let state = LifecycleState::new(found.lifecycle_state().unwrap_or_default());
                return Ok(Some(Member {
                    group: found.auto_scaling_group_name().unwrap_or_default().to_owned(),
                    state,
                }));
            }
            let next = page.next_token().filter(|next| !next.is_empty()).map(str::to_owned);
            match next {
                None => return Ok(None),
                Some(_) if next == token => break,
                Some(_) => token = next,
            }
        }
        Err(ApiError { operation: OPERATION, message: "its pages do not end".to_owned(), is_throttled: false })
    }

    /// The value of a tag of the group, if it has one.
    ///
    /// # Errors
    /// If the API does not answer.
    pub async fn group_tag(&self, group: &str, key: &str) -> Result<Option<String>, ApiError> {
        const OPERATION: &str = "DescribeTags";
        let filter =
            |name: &str, value: &str| aws_sdk_autoscaling::types::Filter::builder().name(name).values(value).build();
        let request = self.client.describe_tags();
        let request = request.filters(filter("auto-scaling-group", group)).filters(filter("key", key));
        let page = request.send().await.map_err(|error| failure(OPERATION, &error))?;
        let mine = page.tags().iter().find(|tag| tag.resource_id() == Some(group) && tag.key() == Some(key));
        Ok(mine.and_then(|tag| tag.value()).filter(|value| !value.is_empty()).map(str::to_owned))
    }

    /// Says that the lifecycle action is done.
    ///
    /// # Errors
    /// If the API does not take it.
    pub async fn complete(&self, group: &str, hook: &str) -> Result<(), ApiError> {
        let request = self.client.complete_lifecycle_action().auto_scaling_group_name(group);
        let request = request.lifecycle_hook_name(hook).instance_id(self.instance.as_str());
        let sent = request.lifecycle_action_result("CONTINUE").send().await;
        sent.map(|_| ()).map_err(|error| failure("CompleteLifecycleAction", &error))
    }

    /// Says that the lifecycle action is still under way.
    ///
    /// # Errors
    /// If the API does not take it.
    pub async fn heartbeat(&self, group: &str, hook: &str) -> Result<(), ApiError> {
        let request = self.client.record_lifecycle_action_heartbeat().auto_scaling_group_name(group);
        let request = request.lifecycle_hook_name(hook).instance_id(self.instance.as_str());
        request.send().await.map(|_| ()).map_err(|error| failure("RecordLifecycleActionHeartbeat", &error))
    }
}

/// A failed call, with its code and the first line of what was said. Later lines are left out: those of a rejected
/// signature repeat the signed request.
pub(crate) fn failure<E>(operation: &'static str, error: &SdkError<E>) -> ApiError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    const THROTTLING: [&str; 6] = [
        "Throttl",
        "TooManyRequests",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "BandwidthLimitExceeded",
    ];
    let status = error.raw_response().map(|response| response.status().as_u16());
    let is_throttled =
        status == Some(429) || error.code().is_some_and(|code| THROTTLING.iter().any(|known| code.starts_with(known)));
    let said = error.message().unwrap_or_default().trim_start().lines().next().unwrap_or_default();
    let message = if let Some(code) = error.code() {
        format!("{code}: {said}")
    } else {
        let causes = std::iter::successors(Some(error as &dyn std::error::Error), |&error| error.source());
        let texts: Vec<String> = causes.take(8).map(ToString::to_string).collect();
        texts.join(": ")
    };
    let message = message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    ApiError { operation, message, is_throttled }
}

/// The API as it is first needed: credentials and clients cost memory, and most instances never need them.
#[derive(Debug)]
pub struct LazyApi {
    imds: ImdsClient,
    given: Given,
    endpoint: Option<String>,
    timeout: Duration,
    client: Option<AutoScaling>,
    member: Option<Member>,
    error: Option<String>,
}

impl LazyApi {
    /// An API that is asked nothing yet.
    #[must_use]
    pub fn new(imds: ImdsClient, given: Given, endpoint: Option<String>, timeout: Duration) -> Self {
        Self { imds, given, endpoint, timeout, client: None, member: None, error: None }
    }

    /// The client, made if need be; nothing while IMDS does not say who this is.
    pub async fn client(&mut self) -> Option<&AutoScaling> {
        if self.client.is_none() {
            let identity = self.given.complete(&mut self.imds).await?;
            let config = configuration(&identity, &self.imds, self.timeout).await;
            self.client = Some(AutoScaling::new(&config, identity.instance, self.endpoint.as_deref()));
        }
        self.client.as_ref()
    }

    /// What the API last said of the instance.
    #[must_use]
    pub fn member(&self) -> Option<&Member> {
        self.member.as_ref()
    }

    /// Why the last question failed, if it did.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    async fn describe(&mut self) -> Result<Option<Member>, ApiError> {
        match self.client().await {
            Some(client) => client.describe().await,
            None => Err(ApiError {
                operation: "DescribeAutoScalingInstances",
                message: "IMDS does not say which instance this is".to_owned(),
                is_throttled: false,
            }),
        }
    }
}

impl AskApi for LazyApi {
    async fn ask(&mut self, _: Duration) -> Option<Api> {
        // The SDK's timeouts end with the answer's head; this one is for the whole, pages and credentials included.
        let whole = self.timeout.saturating_mul(2);
        let told = tokio::time::timeout(whole, self.describe()).await.unwrap_or_else(|_| {
            let message = "no answer in time".to_owned();
            Err(ApiError { operation: "DescribeAutoScalingInstances", message, is_throttled: false })
        });
        self.error = told.as_ref().err().map(ToString::to_string);
        Some(match told {
            Ok(member) => {
                self.member = member;
                self.member.as_ref().map_or(Api::NotInGroup, |member| Api::Known(member.state.clone()))
            }
            Err(error) if error.is_throttled => Api::Throttled,
            Err(_) => Api::Failed,
        })
    }
}
