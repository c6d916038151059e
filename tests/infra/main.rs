//! The templates below `infra/`, held against the code that they deploy.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a helper of tests fails the test")]

#[path = "../live/account.rs"]
#[expect(dead_code, reason = "the live tests need more of it")]
mod account;
mod calls;
mod deployment;
mod policies;
mod records;
#[path = "../live/runtime.rs"]
mod runtime;
mod template;
