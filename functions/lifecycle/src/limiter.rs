//! How often one instance asks the Auto Scaling API, so that a fleet of them can afford it. [`Schedule`] decides when, and is
//! a plain value; [`Limited`] puts it around a client.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use exposure_core::lifecycle::LifecycleState;

use crate::observation::Api;

#[cfg(test)]
mod tests;

/// The shortest pause between two questions of one instance that can be asked for.
pub const FLOOR: Duration = Duration::from_mins(1);

/// The policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The pause after an answer that is news; the first question comes at a random moment within it. Never less than
    /// [`FLOOR`].
    pub floor: Duration,
    /// The pause that answers without news grow to.
    pub ceiling: Duration,
    /// The pause that failures grow to.
    pub failing: Duration,
    /// The first pause after throttling, which doubles with each.
    pub broken: Duration,
    /// What that grows to.
    pub broken_longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            floor: FLOOR,
            ceiling: Duration::from_mins(5),
            failing: Duration::from_mins(10),
            broken: Duration::from_mins(5),
            broken_longest: Duration::from_mins(30),
        }
    }
}

impl Pace {
    /// The longest that an answer of the API may be old while it answers: the bound on how long a decision out of it may be
    /// wrong, plus the time that a question takes.
    #[must_use]
    pub fn longest_age(&self) -> Duration {
        spread(self.ceiling.max(self.floor()), 1.0)
    }

    fn floor(&self) -> Duration {
        self.floor.max(FLOOR)
    }
}

/// A pause, drawn out by up to a quarter, so that instances which fell into step fall out of it again.
fn spread(pause: Duration, random: f64) -> Duration {
    pause.saturating_add(pause.mul_f64(random.clamp(0.0, 1.0) / 4.0))
}

/// A number from 0 to 1, random enough for a pause: the standard library seeds its hash maps with it.
#[must_use]
pub fn random() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or(0);
    f64::from(bits) / f64::from(u32::MAX)
}

/// When one instance may ask next.
#[derive(Debug, Clone)]
pub struct Schedule {
    pace: Pace,
    due: Option<Duration>,
    asked: Option<Duration>,
    pause: Duration,
    failures: u32,
    throttles: u32,
    last: Option<Answer>,
}

/// What an answer is compared by.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    State(LifecycleState),
    NotInGroup,
}

impl Schedule {
    /// A schedule that nothing is due of yet.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self { pace, due: None, asked: None, pause: pace.floor(), failures: 0, throttles: 0, last: None }
    }

    /// A schedule whose first question is due at once: for a command that asks once and ends.
    #[must_use]
    pub fn at_once(pace: Pace) -> Self {
        Self { due: Some(Duration::ZERO), ..Self::new(pace) }
    }

    /// When the next question is due. The first call after a rest draws the phase: `random` is from 0 to 1.
    pub fn due(&mut self, now: Duration, random: f64) -> Duration {
        let (pace, asked) = (self.pace, self.asked);
        *self.due.get_or_insert_with(|| {
            let phase = now.saturating_add(pace.floor().mul_f64(random.clamp(0.0, 1.0)));
            asked.map_or(phase, |asked| phase.max(asked.saturating_add(pace.floor())))
        })
    }

    /// The API is left alone until the next call of [`Schedule::due`], which draws a new phase. Failures and throttling are
    /// remembered: their pauses outlast a rest.
    pub fn rest(&mut self) {
        if self.failures == 0 && self.throttles == 0 {
            self.due = None;
        }
        (self.pause, self.last) = (self.pace.floor(), None);
    }

    /// Takes in what became of a question asked at `asked` and answered at `now`.
    pub fn answered(&mut self, asked: Duration, now: Duration, outcome: &Api, random: f64) {
        self.asked = Some(asked.max(now));
        let answer = match outcome {
            Api::Known(state) => Some(Answer::State(state.clone())),
            Api::NotInGroup => Some(Answer::NotInGroup),
            Api::Failed | Api::Throttled => None,
        };
        let pace = self.pace;
        let doubled = |pause: Duration, times: u32| pause.saturating_mul(2_u32.saturating_pow(times));
        let pause = if answer.is_some() {
            // After a breaker or an outage the whole fleet comes back: slowly.
            let was_failing = self.failures > 0 || self.throttles > 0;
            (self.failures, self.throttles) = (0, 0);
            self.pause = if answer != self.last && !was_failing { pace.floor() } else { doubled(self.pause, 1) };
            self.pause = self.pause.min(pace.ceiling).max(pace.floor());
            self.last = answer;
            self.pause
        } else if *outcome == Api::Throttled {
            let pause = doubled(pace.broken, self.throttles).min(pace.broken_longest);
            self.throttles = self.throttles.saturating_add(1);
            // A breaker opens for once to twice its pause: those who tripped it together must not try again together.
            pause.saturating_add(pause.mul_f64(random.clamp(0.0, 1.0)))
        } else {
            let pause = doubled(pace.floor(), self.failures).min(pace.failing);
            self.failures = self.failures.saturating_add(1);
            pause
        };
        self.due = Some(now.max(asked).saturating_add(spread(pause.max(pace.floor()), random)));
    }

    /// Whether throttling keeps the instance from asking.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.throttles > 0
    }
}

/// Somebody who can be asked for the current state of this instance.
pub trait AskApi {
    /// Asks at `now`, a monotonic time. Nothing, if it is not the time to ask.
    fn ask(&mut self, now: Duration) -> impl Future<Output = Option<Api>> + Send;

    /// The API is not needed any more.
    fn rest(&mut self) {}
}

/// A client that asks only when its schedule allows it. The answers between two questions are up to whoever remembers the
/// last one.
#[derive(Debug)]
pub struct Limited<A, R> {
    client: A,
    schedule: Schedule,
    random: R,
}

impl<A: AskApi, R: FnMut() -> f64> Limited<A, R> {
    /// A limiter around a client; `random` gives numbers from 0 to 1.
    pub fn new(client: A, schedule: Schedule, random: R) -> Self {
        Self { client, schedule, random }
    }

    /// The schedule.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The client within.
    pub fn client(&self) -> &A {
        &self.client
    }
}

impl<A: AskApi + Send, R: FnMut() -> f64 + Send> AskApi for Limited<A, R> {
    async fn ask(&mut self, now: Duration) -> Option<Api> {
        if now < self.schedule.due(now, (self.random)()) {
            return None;
        }
        let outcome = self.client.ask(now).await?;
        self.schedule.answered(now, now, &outcome, (self.random)());
        Some(outcome)
    }

    fn rest(&mut self) {
        self.schedule.rest();
        self.client.rest();
    }
}
