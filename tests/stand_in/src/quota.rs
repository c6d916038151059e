//! The limit of `LookupEvents`.

use std::collections::HashMap;

use crate::options::{Pace, Quota};

/// A token bucket for each account and region.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    quota: Quota,
    /// Tokens left, and the second at which they were counted.
    buckets: HashMap<(String, String), (f64, f64)>,
}

impl Buckets {
    pub(crate) fn new(quota: Quota) -> Self {
        Self { quota, buckets: HashMap::new() }
    }

    /// Takes a token if there is one. Times are in milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "times of this age fit into 53 bits")]
    pub(crate) fn take(&mut self, account: &str, region: &str, clock: i64, system: i64) -> bool {
        let now = match self.quota.pace {
            Pace::Off => return true,
            Pace::Clock => clock,
            Pace::System => system,
        };
        let now = now as f64 / 1000.0;
        let full = (self.quota.burst, now);
        let (tokens, since) = self.buckets.entry((account.to_owned(), region.to_owned())).or_insert(full);
        *tokens = (*tokens + (now - *since).max(0.0) * self.quota.per_second).min(self.quota.burst);
        *since = now;
        // Forgives the rounding of the sum.
        if *tokens < 1.0 - 1e-6 {
            return false;
        }
        *tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_requests_come_back_in_a_second() {
        let mut buckets = Buckets::new(Quota::by_clock(2.0));
        let mut take = |millis| buckets.take("1", "r", millis, 0);
        assert_eq!([take(0), take(0), take(0)], [true, true, false]);
        assert_eq!([take(499), take(500), take(500)], [false, true, false]);
        assert_eq!([take(60_000), take(60_000), take(60_000)], [true, true, false]);
    }

    #[test]
    fn regions_have_limits_of_their_own() {
        let mut buckets = Buckets::new(Quota::by_clock(1.0));
        assert!(buckets.take("1", "a", 0, 0) && buckets.take("1", "b", 0, 0) && buckets.take("2", "a", 0, 0));
        assert!(!buckets.take("1", "a", 0, 0));
    }
}
