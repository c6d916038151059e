//! The limits and the faults of the stand-in, through the clients of the real SDKs.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests, outside of test functions")]

mod autoscaling;
mod cloudtrail;
mod cloudwatch;
mod common;
mod control;
mod derived;
mod faults;
mod s3;
mod sqs;
mod sts;
mod switches;
