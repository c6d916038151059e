//! The alarms: the template and the runbook say what the catalogue says, the metrics are those that the function sends,
//! and histories of metrics lead to the states and notifications that they should.

mod drift;
mod engine;
mod histories;
mod logic;
mod math;
mod runbook;
mod template;
