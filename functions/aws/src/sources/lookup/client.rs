//! One page of `LookupEvents`, and the pace that pages keep.

use aws_sdk_cloudtrail::config::retry::RetryConfig;
use aws_sdk_cloudtrail::operation::lookup_events::LookupEventsOutput;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use exposure_core::time::{TimeSpan, Timestamp};
use tokio::time::Instant;

use super::super::error::failure;
use super::super::pace::Pace;
use super::stream::{Attribute, Stream};
use crate::failure::{Class, Failure};

/// The operation's name in failures.
pub const OPERATION: &str = "cloudtrail:LookupEvents";

/// How many events a page may hold (CloudTrail API, `LookupEvents`: `MaxResults`).
pub const PAGE: u64 = 50;

/// A question for one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Of which stream.
    pub stream: Stream,
    /// From when to when, both included. A token holds only for the same window.
    pub window: TimeSpan,
    /// Where the page before ended.
    pub token: Option<String>,
}

/// One event as it is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// When it happened.
    pub time: Option<Timestamp>,
    /// Its `eventID`.
    pub id: Option<String>,
    /// The record, as JSON.
    pub record: Option<String>,
}

/// One page, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Its events.
    pub entries: Vec<Entry>,
    /// What to ask the next page with.
    pub next: Option<String>,
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupError {
    /// The token is not valid, or no more: go on from a time.
    Token,
    /// There is no time left; no request was made.
    OutOfTime,
    /// The call failed.
    Failed(Failure),
}

/// What answers pages. The SDK's client, a decorator of one, or a made-up account.
pub trait LookupClient: Sync {
    /// Asks for one page, once: who asks counts requests and retries.
    fn page(&self, query: &Query) -> impl Future<Output = Result<Page, LookupError>> + Send;
}

/// The SDK's client, without retries of its own.
#[derive(Debug, Clone)]
pub struct SdkLookup(pub aws_sdk_cloudtrail::Client);

impl LookupClient for SdkLookup {
    async fn page(&self, query: &Query) -> Result<Page, LookupError> {
        let key = match query.stream.attribute {
            Attribute::EventName => LookupAttributeKey::EventName,
            Attribute::ResourceName => LookupAttributeKey::ResourceName,
            Attribute::Username => LookupAttributeKey::Username,
        };
        let attribute = LookupAttribute::builder().attribute_key(key).attribute_value(&*query.stream.value).build();
        let attribute = attribute
            .map_err(|error| LookupError::Failed(Failure::new(OPERATION, Class::Invalid, &error.to_string())))?;
        let config = aws_sdk_cloudtrail::config::Builder::new().retry_config(RetryConfig::disabled());
        let answer = self
            .0
            .lookup_events()
            .lookup_attributes(attribute)
            .start_time(DateTime::from_secs(query.window.from.as_second()))
            .end_time(DateTime::from_secs(query.window.to.as_second()))
            .max_results(50)
            .set_next_token(query.token.clone())
            .customize()
            .config_override(config)
            .send()
            .await;
        match answer {
            Ok(output) => Ok(page_of(output)),
            Err(error) if is_token(error.code()) => Err(LookupError::Token),
            Err(error) => Err(LookupError::Failed(failure(OPERATION, &error))),
        }
    }
}

fn is_token(code: Option<&str>) -> bool {
    code.is_some_and(|code| code.contains("InvalidNextToken") || code.contains("ExpiredNextToken"))
}

fn page_of(output: LookupEventsOutput) -> Page {
    let entries = output.events.unwrap_or_default().into_iter().map(|event| Entry {
        time: event.event_time.map(|time| Timestamp::from_second(time.secs())),
        id: event.event_id,
        record: event.cloud_trail_event,
    });
    Page { entries: entries.collect(), next: output.next_token.filter(|token| !token.is_empty()) }
}

/// A client that keeps a pace and stops at a deadline.
#[derive(Debug)]
pub struct Paced<'a, C> {
    /// Whose pages.
    pub client: &'a C,
    /// The pace of the account and region: the quota is shared by all queries of it.
    pub pace: &'a Pace,
    /// When a page is of no use any more.
    pub deadline: Instant,
}

impl<C: LookupClient> LookupClient for Paced<'_, C> {
    async fn page(&self, query: &Query) -> Result<Page, LookupError> {
        if !self.pace.turn(self.deadline).await {
            return Err(LookupError::OutOfTime);
        }
        match tokio::time::timeout_at(self.deadline, self.client.page(query)).await {
            Ok(answer) => answer,
            Err(_) => Err(LookupError::Failed(Failure::new(OPERATION, Class::TimedOut, "the run's deadline came"))),
        }
    }
}
