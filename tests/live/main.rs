//! The scheduled function, as Lambda would run it: the real `bootstrap` under a runtime API, against a stand-in of AWS
//! on loopback, on simulated accounts whose truth is known.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a helper of tests fails the test")]

mod account;
mod busy;
mod chaos;
mod killed;
mod open_facts;
mod oracle;
mod preflight;
mod replay;
mod requests;
mod runtime;
mod state;
