//! When a record can be seen.

use serde::Deserialize;

use crate::digest::{draw_between, draw_share};

/// When sources begin to show a record.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Delivery {
    /// At the minute in the name of the log file that holds it.
    #[default]
    AsFiled,
    /// After a delay that follows from a seed and the event's ID.
    Drawn(Draws),
}

/// How delays are drawn.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Draws {
    /// Another seed gives other delays.
    pub seed: u64,
    /// The shortest delay in seconds.
    pub min_delay: i64,
    /// The longest delay of what is not late, in seconds.
    pub max_delay: i64,
    /// The share of records, and of log files, that are late.
    pub late_share: f64,
    /// The share of records other than Decrypts that are late, where it is another: what explains a Decrypt then comes
    /// after it.
    pub late_causes: Option<f64>,
    /// The longest delay of what is late, in seconds.
    pub late_max: i64,
    /// The share of records, and of log files, that are delivered twice.
    pub duplicate_share: f64,
}

impl Default for Draws {
    fn default() -> Self {
        Self {
            seed: 1,
            min_delay: 60,
            max_delay: 300,
            late_share: 0.0,
            late_causes: None,
            late_max: 6 * 3600,
            duplicate_share: 0.0,
        }
    }
}

impl Draws {
    /// The share of the events of this name that are late.
    pub(crate) fn late_share_of(&self, event_name: &str) -> f64 {
        self.late_causes.filter(|_| event_name != "Decrypt").unwrap_or(self.late_share)
    }

    /// The delay of what has this ID, one of those of which such a share is late.
    pub(crate) fn delay(&self, id: &str, late_share: f64) -> i64 {
        if draw_share(self.seed, &format!("{id} late")) < late_share {
            draw_between(self.seed, id, self.max_delay.min(self.late_max), self.late_max)
        } else {
            draw_between(self.seed, id, self.min_delay.min(self.max_delay), self.max_delay)
        }
    }

    /// The delay of its second delivery, if there is one.
    pub(crate) fn second_delay(&self, id: &str, late_share: f64) -> Option<i64> {
        let twice = draw_share(self.seed, &format!("{id} twice")) < self.duplicate_share;
        let between = || draw_between(self.seed, &format!("{id} second"), 1, self.late_max.max(1));
        twice.then(|| self.delay(id, late_share) + between())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_keep_their_limits() {
        let draws = Draws { late_share: 0.1, duplicate_share: 0.05, ..Draws::default() };
        let late = |draws: &Draws, name: &str| {
            let share = draws.late_share_of(name);
            let delays: Vec<i64> = (0..2000).map(|n| draws.delay(&n.to_string(), share)).collect();
            assert!(delays.iter().all(|delay| (60..=6 * 3600).contains(delay)));
            delays.iter().filter(|delay| **delay > 300).count()
        };
        assert!((120..280).contains(&late(&draws, "Decrypt")), "{}", late(&draws, "Decrypt"));
        assert_eq!(late(&draws, "Decrypt"), late(&draws, "CreateGrant"));
        let twice = (0..2000).filter(|n| draws.second_delay(&n.to_string(), 0.1).is_some()).count();
        assert!((50..150).contains(&twice), "{twice}");
        let causes = Draws { late_causes: Some(0.7), ..draws.clone() };
        assert_eq!(late(&causes, "Decrypt"), late(&draws, "Decrypt"));
        assert!((1250..1450).contains(&late(&causes, "CreateGrant")), "{}", late(&causes, "CreateGrant"));
    }
}
