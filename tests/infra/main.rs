//! What lies in `infra/`, held against the code, the documents and what the function really sends.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a helper of tests fails the test")]

mod dashboard;
