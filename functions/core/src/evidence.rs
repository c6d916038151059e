//! The evidence: whether a stack's instances are moved more often, or are only more exposed.
//!
#![doc = include_str!("evidence/METHOD.md")]

mod binomial;
pub mod compare;
pub mod exact;
pub mod findings;
pub mod observed;
pub mod service;
#[cfg(test)]
mod simulated;
