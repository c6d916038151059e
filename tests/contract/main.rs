//! The contract of the command line, on the built binary.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail the test")]

mod analysis;
mod bad_days;
mod documents;
mod explain;
mod output;
mod report;
mod simulate;
mod state;
mod verify;
mod verify_shapes;
