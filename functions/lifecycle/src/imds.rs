//! The instance metadata service, version 2, through the SDK's client.

use std::error::Error;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::imds::Client;
use aws_config::imds::client::EndpointMode;
use aws_config::imds::client::error::{ImdsError, TokenError};
use aws_config::provider_config::ProviderConfig;
use aws_sdk_autoscaling::error::SdkError;
use exposure_core::lifecycle::LifecycleState;

use crate::observation::{Imds, Refusal, Trouble};
use crate::state::Target;

/// The item that names the target of the last lifecycle transition.
pub const TARGET_PATH: &str = "/latest/meta-data/autoscaling/target-lifecycle-state";

/// How to reach IMDS.
#[derive(Debug, Clone)]
pub struct ImdsSettings {
    /// Its address. Without it the SDK's rules hold: `AWS_EC2_METADATA_SERVICE_ENDPOINT` and its kin, then 169.254.169.254.
    pub endpoint: Option<String>,
    /// Its address over IPv6, where no other is given.
    pub ipv6: bool,
    /// How long one question may take, its token included.
    pub timeout: Duration,
}

impl Default for ImdsSettings {
    fn default() -> Self {
        Self { endpoint: None, ipv6: false, timeout: Duration::from_secs(1) }
    }
}

/// An address that IMDS cannot have.
#[derive(Debug, thiserror::Error)]
#[error("IMDS endpoint {0:?}: write it like http://169.254.169.254")]
pub struct BadEndpoint(String);

/// A question to IMDS that had no answer to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// 404.
    Absent,
    /// 401 with a fresh token, or 403.
    Refused(Refusal),
    /// Everything else.
    Unreachable(Trouble),
}

impl From<NoAnswer> for Imds {
    fn from(answer: NoAnswer) -> Self {
        match answer {
            NoAnswer::Absent => Self::Absent,
            NoAnswer::Refused(refusal) => Self::Refused(refusal),
            NoAnswer::Unreachable(trouble) => Self::Unreachable(trouble),
        }
    }
}

/// Somebody who can be asked for the target state.
pub trait AskImds {
    /// Asks once.
    fn target(&mut self) -> impl Future<Output = Imds> + Send;
}

/// IMDS.
#[derive(Debug, Clone)]
pub struct ImdsClient {
    settings: ImdsSettings,
    config: ProviderConfig,
    client: Client,
}

impl ImdsClient {
    /// A client. It asks nothing yet.
    ///
    /// # Errors
    /// If the address is none.
    pub fn new(settings: ImdsSettings) -> Result<Self, BadEndpoint> {
        // Without TLS and proxies, neither of which IMDS knows: what is idle need not hold a trust store.
        let http = aws_smithy_http_client::Builder::new().build_http();
        let config = ProviderConfig::default()
            .with_behavior_version(Some(BehaviorVersion::v2026_01_12()))
            .with_http_client(http);
        let client = build(&settings, &config)?;
        Ok(Self { settings, config, client })
    }

    /// The SDK's client, for the credentials of the instance.
    #[must_use]
    pub fn sdk(&self) -> &Client {
        &self.client
    }

    /// The text of an item.
    ///
    /// # Errors
    /// If there is none, in outcomes that are told apart.
    pub async fn get(&mut self, path: &str) -> Result<String, NoAnswer> {
        let first = self.ask(path).await;
        if first != Err(NoAnswer::Refused(Refusal::Unauthorized)) {
            return first;
        }
        // The SDK's client keeps a token until the clock says that it is over, and takes it to IMDS again after a 401.
        // Only another client asks for another.
        match build(&self.settings, &self.config) {
            Ok(client) => self.client = client,
            Err(_) => return first,
        }
        self.ask(path).await
    }

    async fn ask(&self, path: &str) -> Result<String, NoAnswer> {
        // The SDK's own bounds are per attempt and connection; this one is for the whole.
        match tokio::time::timeout(self.settings.timeout, self.client.get(path)).await {
            Ok(Ok(text)) => Ok(text.into()),
            Ok(Err(error)) => Err(classify(&error)),
            Err(_) => Err(NoAnswer::Unreachable(Trouble::TimedOut)),
        }
    }
}

impl AskImds for ImdsClient {
    async fn target(&mut self) -> Imds {
        match self.get(TARGET_PATH).await {
            Ok(body) => read(&body),
            Err(answer) => answer.into(),
        }
    }
}

fn build(settings: &ImdsSettings, config: &ProviderConfig) -> Result<Client, BadEndpoint> {
    let mut builder = Client::builder()
        .configure(config)
        // A poll that failed is made again by the next poll.
        .max_attempts(1)
        .connect_timeout(settings.timeout)
        .read_timeout(settings.timeout)
        .operation_attempt_timeout(settings.timeout)
        .operation_timeout(settings.timeout);
    if let Some(endpoint) = &settings.endpoint {
        if !endpoint.starts_with("http://") {
            return Err(BadEndpoint(endpoint.clone()));
        }
        builder = builder.endpoint(endpoint).map_err(|_| BadEndpoint(endpoint.clone()))?;
    } else if settings.ipv6 {
        builder = builder.endpoint_mode(EndpointMode::IpV6);
    }
    Ok(builder.build())
}

/// What the body of a 200 says. Never taken for a state without a look at the known ones.
fn read(body: &str) -> Imds {
    let text = body.trim_ascii();
    match Target::named(text) {
        Some(target) => Imds::Known(target),
        None if reads_like_a_state(text) => Imds::Unreachable(Trouble::UnknownState(LifecycleState::new(text))),
        None => Imds::Unreachable(Trouble::NoState),
    }
}

/// Whether a text has the form of the known states: words in capitals, joined by colons.
fn reads_like_a_state(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_uppercase()) && word.bytes().all(|b| b.is_ascii_alphabetic())
    };
    text.len() <= 64 && text.split(':').all(is_word)
}

fn classify(error: &ImdsError) -> NoAnswer {
    match error {
        ImdsError::ErrorResponse(response) => of_status(response.response().status().as_u16()),
        ImdsError::FailedToLoadToken(_) => match token_status(error) {
            // The item was never asked for: a 404 of the token says nothing of it.
            Some(404) => NoAnswer::Unreachable(Trouble::Status(404)),
            Some(status) if status >= 300 => of_status(status),
            Some(_) => NoAnswer::Unreachable(Trouble::NoState),
            None => of_connection(error),
        },
        _ => of_connection(error),
    }
}

fn of_status(status: u16) -> NoAnswer {
    match status {
        404 => NoAnswer::Absent,
        401 => NoAnswer::Refused(Refusal::Unauthorized),
        403 => NoAnswer::Refused(Refusal::Forbidden),
        status => NoAnswer::Unreachable(Trouble::Status(status)),
    }
}

fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source()).take(16)
}

/// The status with which IMDS answered the question for a token.
fn token_status(error: &ImdsError) -> Option<u16> {
    let token = sources(error).find_map(|source| source.downcast_ref::<SdkError<TokenError>>())?;
    token.raw_response().map(|response| response.status().as_u16())
}

/// The SDK gives its timeouts no type that can be asked for: their texts must do. It only sets the details.
fn of_connection(error: &ImdsError) -> NoAnswer {
    let says = |what: &str| sources(error).any(|source| source.to_string().contains(what));
    NoAnswer::Unreachable(if says("timeout") || says("timed out") {
        Trouble::TimedOut
    } else if says("UTF-8") {
        Trouble::NoState
    } else {
        Trouble::NoConnection
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_states_or_read_like_one_or_are_none() {
        let unknown = |text: &str| Imds::Unreachable(Trouble::UnknownState(LifecycleState::new(text)));
        let none = Imds::Unreachable(Trouble::NoState);
        let table = [
            ("InService", Imds::Known(Target::InService)),
            ("Warmed:Stopped\n", Imds::Known(Target::WarmedStopped)),
            ("Terminating:Wait", unknown("Terminating:Wait")),
            ("Resting", unknown("Resting")),
            ("", none.clone()),
            ("Warmed:", none.clone()),
            ("ok", none.clone()),
            ("In Service", none.clone()),
            ("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>", none.clone()),
        ];
        assert!(!table.is_empty());
        for (body, expected) in table {
            assert_eq!(read(body), expected, "{body:?}");
        }
        assert_eq!(read(&"A".repeat(65)), none);
    }

    #[test]
    fn an_address_must_be_one() {
        for endpoint in ["169.254.169.254", "https://169.254.169.254", "http://", "http://[::1"] {
            let settings = ImdsSettings { endpoint: Some(endpoint.to_owned()), ..ImdsSettings::default() };
            assert!(ImdsClient::new(settings).is_err(), "{endpoint}");
        }
        let settings = ImdsSettings { endpoint: Some("http://127.0.0.1:1".to_owned()), ..ImdsSettings::default() };
        assert!(ImdsClient::new(settings).is_ok());
    }
}
