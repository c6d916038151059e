//! The hybrid check: IMDS first; the API where IMDS has settled on having nothing to say, and it is time to ask.

use std::time::{Duration, Instant};

use crate::imds::AskImds;
use crate::limiter::AskApi;
use crate::machine::{Decision, Memory, Rules, step};
use crate::observation::{Api, Imds, Observation};

/// A clock that is never set.
pub trait Clock {
    /// The time since any fixed moment.
    fn now(&self) -> Duration;
}

/// The system's monotonic clock, optionally sped up.
#[derive(Debug, Clone, Copy)]
pub struct Monotonic {
    origin: Instant,
    scale: f64,
}

impl Default for Monotonic {
    fn default() -> Self {
        Self::scaled(1.0)
    }
}

impl Monotonic {
    /// A clock on which `scale` seconds pass in each real one: to play a day in tests.
    #[must_use]
    pub fn scaled(scale: f64) -> Self {
        Self { origin: Instant::now(), scale: if scale.is_finite() && scale > 0.0 { scale } else { 1.0 } }
    }

    /// What a time on this clock takes in reality.
    #[must_use]
    pub fn real(&self, time: Duration) -> Duration {
        Duration::try_from_secs_f64(time.as_secs_f64() / self.scale).unwrap_or(Duration::MAX)
    }
}

impl Clock for Monotonic {
    fn now(&self) -> Duration {
        Duration::try_from_secs_f64(self.origin.elapsed().as_secs_f64() * self.scale).unwrap_or(Duration::MAX)
    }
}

/// A check and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// What to take the instance for.
    pub decision: Decision,
    /// What became of the question to IMDS, and how long it took.
    pub imds: (Imds, Duration),
    /// What became of the question to the API, if it was asked, and how long it took.
    pub api: Option<(Api, Duration)>,
}

/// The check. It remembers from one round to the next.
#[derive(Debug)]
pub struct Checker<I, A, C> {
    imds: I,
    api: A,
    clock: C,
    rules: Rules,
    memory: Memory,
}

impl<I: AskImds, A: AskApi, C: Clock> Checker<I, A, C> {
    /// A check that knows nothing yet.
    pub fn new(imds: I, api: A, clock: C, rules: Rules) -> Self {
        Self { imds, api, clock, rules, memory: Memory::default() }
    }

    /// Asks, and decides.
    pub async fn check(&mut self) -> Round {
        let began = self.clock.now();
        let answer = self.imds.target().await;
        let heard = self.clock.now();
        let imds = (answer.clone(), heard.saturating_sub(began));
        let decision = self.step(&Observation::Imds(answer.clone()), heard);
        if !self.memory.is_settled_absent() {
            if matches!(answer, Imds::Known(_)) {
                self.api.rest();
            }
            return Round { decision, imds, api: None };
        }
        let Some(outcome) = self.api.ask(heard).await else { return Round { decision, imds, api: None } };
        let answered = self.clock.now();
        let decision = self.step(&Observation::Api(outcome.clone()), answered);
        Round { decision, imds, api: Some((outcome, answered.saturating_sub(heard))) }
    }

    /// Whether the next answer of 404 would have the API asked, so that a command that asks once should ask once more.
    #[must_use]
    pub fn is_settling(&self) -> bool {
        self.memory.is_settling()
    }

    /// Whom it asks in place of IMDS.
    pub fn api(&mut self) -> &mut A {
        &mut self.api
    }

    /// IMDS.
    pub fn imds(&mut self) -> &mut I {
        &mut self.imds
    }

    fn step(&mut self, observation: &Observation, now: Duration) -> Decision {
        let (memory, decision) = step(&self.memory, observation, now, &self.rules);
        self.memory = memory;
        decision
    }
}
