//! `lifecycle-check`, the real binary and its library, against a scripted IMDS and an Auto Scaling endpoint on loopback.
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a helper of tests fails the test")]

mod aws;
mod bad_days;
mod client;
mod figures;
mod fleet;
mod imds;
mod library;
mod once;
mod policy;
mod program;
mod scenarios;
mod serve;
mod server;
mod telemetry;
