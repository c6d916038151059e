//! What a fleet asks of the Auto Scaling API, in calls per second, whose limits a whole account shares: the arithmetic
//! behind `lifecycle-check quota` and the table in the documents.

use std::fmt::Write as _;
use std::time::Duration;

use crate::limiter::Pace;

/// A fleet and how it asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fleet {
    /// Its instances.
    pub instances: f64,
    /// How often each polls.
    pub interval: Duration,
    /// The share of them that IMDS has nothing to say to, from 0 to 1.
    pub exposed: f64,
    /// How many times larger the fleet will be.
    pub growth: f64,
    /// The zones that it is spread over.
    pub zones: f64,
    /// The policy of each instance.
    pub pace: Pace,
}

/// Calls per second of the whole fleet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calls {
    /// Before anything is exposed: none. IMDS answers.
    pub before: f64,
    /// While the exposed share falls back, with nothing new.
    pub during: f64,
    /// In the first minute of an exposure of that share at once.
    pub onset: f64,
    /// In the first minute after every instance of a zone is exposed at once, beside the others.
    pub zone: f64,
    /// The same instances once their pauses have grown.
    pub zone_later: f64,
    /// Of a fleet whose every instance polls the API in place of IMDS.
    pub naive: f64,
}

impl Fleet {
    fn size(&self) -> f64 {
        self.instances * self.growth
    }

    fn in_a_zone(&self) -> f64 {
        let exposed_elsewhere = self.size() * self.exposed * (1.0 - 1.0 / self.zones);
        self.size() / self.zones + exposed_elsewhere
    }

    /// The published figures. Pauses are drawn out at random, so that these are upper bounds of the mean.
    #[must_use]
    pub fn calls(&self) -> Calls {
        let floor = self.pace.floor.as_secs_f64().max(1.0);
        let ceiling = self.pace.ceiling.max(self.pace.floor).as_secs_f64();
        let exposed = self.size() * self.exposed;
        Calls {
            before: 0.0,
            during: exposed / ceiling,
            onset: exposed / floor,
            zone: self.in_a_zone() / floor,
            zone_later: self.in_a_zone() / ceiling,
            naive: self.size() / self.interval.as_secs_f64().max(0.001),
        }
    }

    /// The shortest floor, in whole seconds, that keeps even the worst case under a limit.
    #[must_use]
    pub fn floor_under(&self, limit: f64) -> Option<Duration> {
        let needed = (self.in_a_zone() / limit).ceil().max(self.pace.floor.as_secs_f64());
        Duration::try_from_secs_f64(needed).ok()
    }

    /// The shortest polling interval, in whole seconds, at which the naive way would stay under a limit.
    #[must_use]
    pub fn naive_interval_under(&self, limit: f64) -> Option<Duration> {
        Duration::try_from_secs_f64((self.size() / limit).ceil()).ok()
    }
}

/// The table of the documents: fleets of three sizes, a tenth of them exposed, three zones, a poll every 2 s.
#[must_use]
pub fn table() -> String {
    let mut table = "| instances | before | 10 % exposed | in the first minute of it | a whole zone at once | the same later | every \
                     instance asks the API every 2 s |\n| --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (instances, name) in [(100.0, "100"), (1_000.0, "1,000"), (10_000.0, "10,000")] {
        let pace = Pace::default();
        let fleet = Fleet { instances, interval: Duration::from_secs(2), exposed: 0.1, growth: 1.0, zones: 3.0, pace };
        let Calls { before, during, onset, zone, zone_later, naive } = fleet.calls();
        let cells = [before, during, onset, zone, zone_later, naive].map(|value| format!("{value:.2} | ")).concat();
        let _ = writeln!(table, "| {name} | {}", cells.trim_end());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet() -> Fleet {
        let pace = Pace::default();
        Fleet { instances: 1_000.0, interval: Duration::from_secs(2), exposed: 0.1, growth: 1.0, zones: 2.0, pace }
    }

    #[test]
    fn calls_are_instances_by_pauses() {
        let calls = Fleet { growth: 3.0, ..fleet() }.calls();
        let expected = Calls { before: 0.0, during: 1.0, onset: 5.0, zone: 27.5, zone_later: 5.5, naive: 1_500.0 };
        assert_eq!(calls, expected);
    }

    #[test]
    fn a_limit_gives_the_interval_that_keeps_under_it() {
        let fleet = fleet();
        let floor = fleet.floor_under(5.0).expect("one");
        assert_eq!(floor, Duration::from_secs(110));
        let slower = Fleet { pace: Pace { floor, ..Pace::default() }, ..fleet };
        assert!(slower.calls().zone <= 5.0);
        assert_eq!(fleet.floor_under(1_000.0), Some(Duration::from_mins(1)), "never less than the floor");
        assert_eq!(fleet.naive_interval_under(5.0), Some(Duration::from_secs(200)));
        assert_eq!(fleet.floor_under(0.0), None);
    }

    #[test]
    fn the_documents_show_the_table() {
        let readme = include_str!("../README.md");
        assert!(table().lines().count() == 5 && readme.contains(&table()), "write this into the README:\n{}", table());
    }
}
