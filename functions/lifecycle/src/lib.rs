//! The on-instance check: what an Auto Scaling instance is meant to be, through the 404 that a live migration leaves.
//!
//! IMDS names the target of the last lifecycle transition. After a live migration the item is gone until the next one, and
//! software that takes that for "nothing to do" is blind. This check asks IMDS first, and the Auto Scaling API where IMDS
//! has settled on having nothing to say, at a rate that a fleet can afford.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub mod readme {}

pub mod api;
pub mod check;
mod https;
pub mod identity;
pub mod imds;
pub mod limiter;
pub mod machine;
pub mod observation;
pub mod platform;
pub mod quota;
pub mod state;
pub mod telemetry;
