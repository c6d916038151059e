//! Calls that are counted, retried and bounded by a deadline.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use tokio::time::{Instant, sleep, timeout_at};

use super::classify;
use crate::failure::{Class, Failure};

/// How often a call is made at most, unless its caller says otherwise: what the SDK's standard mode does, and two more,
/// since other users of the account throttle too.
pub const ATTEMPTS: u32 = 5;

/// The first pause before a call is made again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Requests that were made.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// How many, repetitions among them.
    pub made: u64,
    /// How many of them were throttled.
    pub throttled: u64,
}

/// How patient a call is.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// When to give up, whatever happens.
    pub deadline: Instant,
    /// How often to make the call at most.
    pub attempts: u32,
}

impl Patience {
    /// The usual number of attempts until the deadline.
    #[must_use]
    pub fn until(deadline: Instant) -> Self {
        Self { deadline, attempts: ATTEMPTS }
    }
}

/// Makes a call until it succeeds, fails for good, or patience ends. What is throttled, unavailable or timed out is made
/// again, after a pause that grows and has a random part; so is, once, a call that a wrong clock may have spoiled, as the
/// SDK corrects its clock by the answer. `send` must make one request, by a client without retries of its own.
///
/// # Errors
/// The last failure, or that the time ran out.
pub async fn call<T, E, F, R>(
    operation: &'static str,
    patience: Patience,
    calls: &mut Calls,
    send: F,
) -> Result<T, Failure>
where
    E: ProvideErrorMetadata + Error + 'static,
    F: Fn() -> R,
    R: Future<Output = Result<T, SdkError<E>>>,
{
    let late = || Failure::new(operation, Class::TimedOut, "the time for it was up");
    let mut attempt = 0;
    loop {
        if Instant::now() >= patience.deadline {
            return Err(late());
        }
        attempt += 1;
        calls.made += 1;
        let error = match timeout_at(patience.deadline, send()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            Err(_) => return Err(late()),
        };
        let failure = classify(operation, &error);
        calls.throttled += u64::from(failure.class == Class::Throttled);
        let again = matches!(failure.class, Class::Throttled | Class::Unavailable | Class::TimedOut)
            || (attempt == 1 && is_of_the_clock(error.code()));
        let pause = pause_after(attempt, random());
        if !again || attempt >= patience.attempts || Instant::now() + pause >= patience.deadline {
            return Err(failure);
        }
        sleep(pause).await;
    }
}

/// Whether a rejected signature may be the clock's fault.
fn is_of_the_clock(code: Option<&str>) -> bool {
    const CODES: [&str; 5] =
        ["InvalidSignature", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch", "AuthFailure"];
    code.is_some_and(|code| CODES.iter().any(|known| code.starts_with(known)))
}

/// The pause after the given attempt, the first being 1: between half and all of the whole pause.
fn pause_after(attempt: u32, random: u16) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))).min(LONGEST_PAUSE);
    whole / 2 + whole / 2 * u32::from(random) / u32::from(u16::MAX)
}

/// Random enough for a pause: the standard library seeds its hash maps with it.
fn random() -> u16 {
    let [first, second, ..] = RandomState::new().hash_one(0_u8).to_le_bytes();
    u16::from_le_bytes([first, second])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_differ() {
        let table = [(1, 100, 200), (2, 200, 400), (3, 400, 800), (6, 2_500, 5_000), (40, 2_500, 5_000)];
        assert!(!table.is_empty());
        for (attempt, least, most) in table {
            assert_eq!(pause_after(attempt, 0), Duration::from_millis(least), "{attempt}");
            assert_eq!(pause_after(attempt, u16::MAX), Duration::from_millis(most), "{attempt}");
        }
        assert!((0..100).map(|_| random()).any(|other| other != random()));
    }
}
