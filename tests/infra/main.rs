//! What lies in `infra/`, held against the code, the documents and what the function really sends.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a helper of tests fails the test")]

#[path = "../live/account.rs"]
#[expect(dead_code, reason = "the live tests need more of it")]
mod account;
mod alarms;
#[path = "../live/busy.rs"]
mod busy;
mod calls;
mod dashboard;
mod deployment;
mod policies;
mod records;
#[path = "../live/runtime.rs"]
mod runtime;
mod template;
