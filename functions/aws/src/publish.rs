//! Publishing: data points to CloudWatch, so that one bad one spoils no other.

use std::sync::atomic::{AtomicU16, Ordering};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::SdkError;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use aws_smithy_types::DateTime;
use exposure_core::metrics::Datum;
use tokio::time::Instant;

use crate::clients::calls::{Calls, Patience, call};
use crate::failure::{Class, Failure};

mod emf;
#[cfg(test)]
mod tests;

pub use emf::emf;
pub use exposure_core::dimension::{STACK, dimension_value, stack_of};

/// The most data of one request (CloudWatch API, `PutMetricData`). With names and values as long as they may be that is
/// still within its 1 MB, since no datum of ours takes 1,000 bytes on average: see [`WEIGHT`].
const DATA: usize = 1_000;
/// The most bytes of one request, well under the 1 MB that are allowed before compression.
const WEIGHT: usize = 500_000;
/// How often a call is made while CloudWatch throttles or fails; the deadline ends it sooner.
const ATTEMPTS: u32 = 10;
/// How many requests may be rejected before it is taken for a fault of all data.
const REJECTIONS: u32 = 200;
/// How many names of rejected data are kept.
const NAMES: usize = 20;
const OPERATION: &str = "cloudwatch:PutMetricData";

/// What became of the data: `data = sent + rejected + unsent`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// How many CloudWatch took.
    pub sent: u64,
    /// Which it rejected, or would have: metric and stack, the first 20.
    pub rejected: Vec<String>,
    /// How many those are.
    pub rejected_count: u64,
    /// How many were not sent, for the failure.
    pub unsent: u64,
    /// Why not all were sent.
    pub failed: Option<Failure>,
    /// How many requests it took.
    pub calls: Calls,
}

/// Publishes data points: at most 1000 and well under 1 MB a request, compressed by the SDK.
///
/// A request that is rejected is halved until the bad datum is alone, and the rest gets through. What is throttled or
/// unavailable is sent again until the deadline: the same point again is the same number for `Maximum`, by which every
/// metric here is read. That the times lie within CloudWatch's two weeks back and two hours ahead is for the caller to
/// see to. `client` must have no retries of its own.
pub async fn publish(client: &Client, namespace: &str, data: &[Datum], deadline: Instant) -> Published {
    let mut published = Published::default();
    let mut sound = Vec::with_capacity(data.len());
    for datum in data {
        if is_sound(datum) {
            sound.push(datum);
        } else {
            published.reject(datum);
        }
    }
    if !is_namespace(namespace) {
        let message = "not a namespace (1 to 255 letters, digits and .-_/#:, not beginning with AWS/)";
        return published.failed_with(Failure::new(OPERATION, Class::Invalid, message), sound.len());
    }
    // What is left to send, the next last.
    let mut parts: Vec<Vec<&Datum>> = parts(sound);
    parts.reverse();
    let patience = Patience { deadline, attempts: ATTEMPTS };
    let mut rejections = 0;
    while let Some(part) = parts.pop() {
        match send(client, namespace, &part, patience, &mut published.calls).await {
            Ok(()) => published.sent += count(part.len()),
            Err(Unsent { rejected: true, .. }) if rejections < REJECTIONS => {
                rejections += 1;
                match part.as_slice() {
                    [datum] => published.reject(datum),
                    several => {
                        let (first, second) = several.split_at(several.len() / 2);
                        parts.extend([second.to_vec(), first.to_vec()]);
                    }
                }
            }
            Err(Unsent { failure, .. }) => {
                let unsent = parts.iter().map(Vec::len).sum::<usize>() + part.len();
                return published.failed_with(failure, unsent);
            }
        }
    }
    published
}

/// A request that did not get through.
struct Unsent {
    failure: Failure,
    /// Whether CloudWatch found fault with the data, or with how many they are.
    rejected: bool,
}

async fn send(
    client: &Client,
    namespace: &str,
    part: &[&Datum],
    patience: Patience,
    calls: &mut Calls,
) -> Result<(), Unsent> {
    let data: Vec<MetricDatum> = part.iter().map(|datum| written(datum)).collect();
    let request = client.put_metric_data().namespace(namespace).set_metric_data(Some(data));
    let status = AtomicU16::new(0);
    let send = || async {
        let answer = request.clone().send().await;
        let answered = answer.as_ref().err().and_then(SdkError::raw_response).map_or(0, |r| r.status().as_u16());
        status.store(answered, Ordering::Relaxed);
        answer
    };
    let done = call(OPERATION, patience, calls, send).await;
    done.map(drop).map_err(|failure| {
        let rejected = failure.class == Class::Invalid && matches!(status.load(Ordering::Relaxed), 400 | 413);
        Unsent { failure, rejected }
    })
}

/// A datum as CloudWatch takes it.
fn written(datum: &Datum) -> MetricDatum {
    let stack =
        datum.stack.as_deref().map(|stack| Dimension::builder().name(STACK).value(dimension_value(stack)).build());
    MetricDatum::builder()
        .metric_name(datum.metric.name)
        .set_dimensions(stack.map(|stack| vec![stack]))
        .timestamp(DateTime::from_secs(datum.at.as_second()))
        .value(datum.value)
        .unit(StandardUnit::from(datum.metric.unit.as_str()))
        .build()
}

/// Cuts data into requests.
fn parts(data: Vec<&Datum>) -> Vec<Vec<&Datum>> {
    let (mut parts, mut part, mut weight) = (Vec::new(), Vec::new(), 0);
    for datum in data {
        let more = weight_of(datum);
        if part.len() == DATA || weight + more > WEIGHT {
            parts.push(std::mem::take(&mut part));
            weight = 0;
        }
        weight += more;
        part.push(datum);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// How many bytes a datum takes at most: its texts, and about 100 for the names of its fields.
fn weight_of(datum: &Datum) -> usize {
    150 + datum.metric.name.len() + datum.stack.as_deref().map_or(0, |stack| dimension_value(stack).len())
}

/// Whether CloudWatch would take a datum (CloudWatch API, `MetricDatum`): a finite value of at most 2^360 and a name of
/// 1 to 255 ASCII characters. The stack's value is fit in any case.
fn is_sound(datum: &Datum) -> bool {
    let name = datum.metric.name;
    let named = (1..=255).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic()) && !name.starts_with(':');
    named && datum.value.is_finite() && datum.value.abs() <= 2_f64.powi(360)
}

/// CloudWatch API, `PutMetricData`, `Namespace`. Those of AWS's own services are refused.
fn is_namespace(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_/#: ".contains(&b))
        && !text.starts_with([':', ' '])
        && !text.starts_with("AWS/")
}

impl Published {
    fn reject(&mut self, datum: &Datum) {
        self.rejected_count += 1;
        if self.rejected.len() < NAMES {
            let stack = datum.stack.as_deref().map(|stack| format!(" of {:?}", cut(stack, 80))).unwrap_or_default();
            self.rejected.push(format!("{}{stack}", cut(datum.metric.name, 80)));
        }
    }

    fn failed_with(mut self, failure: Failure, unsent: usize) -> Self {
        self.unsent += count(unsent);
        self.failed = Some(failure);
        self
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
