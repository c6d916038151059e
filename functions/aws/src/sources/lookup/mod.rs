//! CloudTrail's `LookupEvents`: needs no trail, but answers two requests a second for each account and region, 50
//! events each, by one attribute, over 90 days (CloudTrail User Guide, "Quotas"; API, `LookupEvents`).
//!
//! The few calls that are causes are read by `EventName`. Sightings are read by the cheapest complete [`planner`] plan.
//! What the budget of a run does not reach is left for the next, and shows in how far the source is complete.

pub mod client;
pub mod memory;
mod past;
pub mod planner;
mod present;
pub(crate) mod reader;
mod round;
mod spare;
pub mod stream;
mod visit;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use exposure_core::ids::Source;
use futures::future::join_all;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::pace::{Pace, seed};
use super::{Ask, Batch, RecordSource};
use crate::failure::{Class, Failure};
use client::{LookupClient, OPERATION, Paced};
use visit::Visit;

/// How much a run may ask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LookupSettings {
    /// The pace in each account and region. The quota is 2, shared with everybody else in the account.
    pub requests_per_second: f64,
    /// How many requests a run may make in each account and region; see [`requests_per_run`](super::requests_per_run).
    pub requests_per_run: u64,
}

/// The client of an account and region, if there is one.
type ClientOf<C> = Box<dyn Fn(&Source) -> Option<C> + Send + Sync>;

/// The source that asks `LookupEvents`.
pub struct LookupSource<C> {
    client_of: ClientOf<C>,
    settings: LookupSettings,
    paces: Mutex<BTreeMap<Source, Arc<Pace>>>,
    seed: u64,
}

impl<C> std::fmt::Debug for LookupSource<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LookupSource").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl<C: LookupClient + Send + Sync> LookupSource<C> {
    /// A source whose client of each account and region `client_of` gives; of a place without one reading fails.
    /// Pages keep a pace from run to run, as long as the source is kept.
    pub fn new(client_of: impl Fn(&Source) -> Option<C> + Send + Sync + 'static, settings: LookupSettings) -> Self {
        Self { client_of: Box::new(client_of), settings, paces: Mutex::default(), seed: seed() }
    }

    /// The same with chance that repeats itself.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    fn pace_of(&self, place: &Source) -> Arc<Pace> {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Pace::new(self.settings.requests_per_second, self.seed));
        Arc::clone(paces.entry(place.clone()).or_insert_with(fresh))
    }

    async fn visit(&self, ask: &Ask<'_>) -> Result<Batch, Failure> {
        let Some(client) = (self.client_of)(ask.place) else {
            let text = format!("there is no client for {}", ask.place);
            return Err(Failure::new(OPERATION, Class::Invalid, &text));
        };
        let pace = self.pace_of(ask.place);
        let paced = Paced { client: &client, pace: &pace, deadline: ask.deadline };
        let chance = SmallRng::seed_from_u64(self.seed);
        round::run(Visit::new(ask, &paced, self.settings.requests_per_run.max(1), chance)).await
    }
}

impl<C: LookupClient + Send + Sync> RecordSource for LookupSource<C> {
    async fn read<'a>(&'a self, asks: &'a [Ask<'a>]) -> Vec<Result<Batch, Failure>> {
        join_all(asks.iter().map(|ask| self.visit(ask))).await
    }

    async fn confirm(&self, _receipts: &[String]) -> Result<(), Failure> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
