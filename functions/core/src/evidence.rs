//! The evidence: whether a stack's instances are moved more often, or are only more exposed.

mod binomial;
pub mod exact;
