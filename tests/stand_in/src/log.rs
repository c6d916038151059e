//! The log of requests.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request that came in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestLine {
    /// The stand-in's clock, in seconds of the Unix epoch.
    pub clock: i64,
    /// The system's clock, in milliseconds of the Unix epoch.
    pub system_millis: i64,
    /// `cloudtrail`, `autoscaling`, `cloudwatch`, `s3`, `sqs` or `sts`.
    pub service: String,
    /// The operation, such as `LookupEvents`.
    pub operation: String,
    /// The account that it concerns.
    pub account: String,
    /// The region that it concerns.
    pub region: String,
    /// The status of the answer; 0 for none.
    pub status: u16,
    /// The code of the error, if it is one.
    pub error: String,
    /// Bytes of the body that came.
    pub sent_bytes: usize,
    /// Bytes of the body that went.
    pub answer_bytes: usize,
    /// What was asked, where it is short.
    pub details: Value,
}
