//! A pace that requests keep, for quotas that others share.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

/// The slowest and the quickest pace, in requests per second. `LookupEvents` allows 2 for each account and region
/// (CloudTrail User Guide, "Quotas"), not adjustable; the quickest pace is for other services.
const BOUNDS: (f64, f64) = (0.01, 1_000.0);

/// A token bucket of one token: turns lie at least an interval apart, and up to a tenth of it more by chance, so that
/// several who began together drift apart.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next: Option<Instant>,
    chance: SmallRng,
}

impl Pace {
    /// A pace in requests per second, held within 0.01 and 1000; `seed` decides the jitter.
    #[must_use]
    pub fn new(requests_per_second: f64, seed: u64) -> Self {
        let bounded = if requests_per_second.is_finite() { requests_per_second.clamp(BOUNDS.0, BOUNDS.1) } else { 1.0 };
        let state = State { next: None, chance: SmallRng::seed_from_u64(seed) };
        Self { interval: Duration::from_secs_f64(1.0 / bounded), state: Mutex::new(state) }
    }

    /// Waits for a turn. False, at once and without taking the turn, if it would come after `deadline`.
    pub async fn turn(&self, deadline: Instant) -> bool {
        let Some(at) = self.take(deadline) else { return false };
        tokio::time::sleep_until(at).await;
        true
    }

    fn take(&self, deadline: Instant) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = state.next.map_or(now, |next| next.max(now));
        if at >= deadline {
            return None;
        }
        let jitter: f64 = state.chance.random();
        state.next = Some(at + self.interval.mul_f64(1.0 + jitter / 10.0));
        Some(at)
    }
}

/// A seed that differs from process to process.
#[must_use]
pub fn seed() -> u64 {
    use std::hash::BuildHasher;
    std::collections::hash_map::RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_holds_more_turns_than_allowed() {
        let pace = Pace::new(2.0, 5);
        let (began, mut turns) = (Instant::now(), Vec::new());
        let deadline = began + Duration::from_mins(1);
        while pace.turn(deadline).await {
            turns.push(began.elapsed());
        }
        assert!((108..=120).contains(&turns.len()), "{}", turns.len());
        for (at, turn) in turns.iter().enumerate() {
            let within = turns.iter().skip(at).take_while(|other| **other < *turn + Duration::from_secs(1)).count();
            assert!(within <= 2, "{within} turns in the second after {turn:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_after_the_deadline_is_not_waited_for() {
        let pace = Pace::new(0.1, 1);
        let deadline = Instant::now() + Duration::from_secs(5);
        assert!(pace.turn(deadline).await);
        let before = Instant::now();
        assert!(!pace.turn(deadline).await);
        assert_eq!(before, Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn nonsense_is_a_slow_pace() {
        for nonsense in [f64::NAN, f64::INFINITY, 0.0, -3.0] {
            let pace = Pace::new(nonsense, 1);
            assert!(pace.interval >= Duration::from_secs(1), "{nonsense}");
        }
    }
}
