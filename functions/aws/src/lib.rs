//! The adapters between the domain and AWS: where records come from, the fleet, the state, the metrics, and the run
//! that puts them together. The Lambda and the command line are shells around [`run`].

pub mod clients;
pub mod cost;
pub mod failure;
pub mod fleet;
pub mod preflight;
pub mod publish;
pub mod run;
pub mod settings;
pub mod sources;
pub mod state;
pub mod store;
