//! The domain of migration exposure, pure: what CloudTrail records mean, what is remembered of them, and what
//! that says of each Auto Scaling instance and of each stack.
//!
//! No AWS crate, no async runtime, no clock, no environment, no network: time and input are arguments.

pub mod alarms;
pub mod analysis;
pub mod assess;
pub mod dashboard;
pub mod decode;
pub mod dimension;
pub mod evidence;
pub mod figures;
pub mod fleet;
pub mod ids;
pub mod ledger;
pub mod lifecycle;
pub mod metrics;
pub mod observation;
pub mod stacks;
pub mod time;
pub mod trail;
