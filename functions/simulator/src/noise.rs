//! When and where what has nothing to do with the fleet happens.

use crate::account::At;
use crate::config::Config;
use crate::dice::Dice;
use crate::instance::Instance;

/// Noise records for each instance and day where no number is asked for.
const PER_INSTANCE_AND_DAY: f64 = 20.0;
/// At least this many, so that every look-alike and every service is there.
const LEAST: u64 = 800;

/// How many noise records to write beside what the fleet causes.
pub(crate) fn how_many(config: &Config, planned: u64) -> u64 {
    if let Some(records) = config.records {
        return records.saturating_sub(planned);
    }
    let instances = u32::try_from(config.instances).unwrap_or(u32::MAX);
    let seconds = jiff::SignedDuration::from_secs_f64(f64::from(instances) * config.days * PER_INSTANCE_AND_DAY);
    u64::try_from(seconds.as_secs()).unwrap_or(0).max(LEAST)
}

/// The noise of a window, spread evenly, in the order of time.
pub(crate) struct Noise {
    places: Vec<At>,
    /// The instances that are busy just now, by index: callers call more than once.
    busy: [usize; 6],
    count: i64,
    start: i64,
    end: i64,
    dice: Dice,
    next: i64,
    /// The time of the next, once it is drawn.
    at: Option<i64>,
    /// Records still to come that open and close the window in every place.
    openings: Vec<At>,
    closings: Vec<At>,
}

impl Noise {
    /// This many records, over these places, of which the first has nearly all.
    pub(crate) fn new(places: Vec<At>, count: u64, (start, end): (i64, i64), dice: Dice) -> Self {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let (openings, closings) = (places.clone(), places.clone());
        Self { places, busy: [0; 6], count, start, end, dice, next: 0, at: None, openings, closings }
    }

    /// The next of those that come before this time: when, where, and near which instance.
    ///
    /// Every place has a record in the first and in the last second of the window, so that each stream of records is
    /// complete over all of it.
    pub(crate) fn before<'a>(&mut self, time: i64, instances: &'a [Instance]) -> Option<(i64, At, &'a Instance)> {
        let (at, place) = self.draw(time)?;
        let slot = self.dice.index(self.busy.len());
        let fresh = self.dice.chance(150).then(|| self.dice.index(instances.len()));
        let busy = self.busy.get_mut(slot)?;
        *busy = fresh.unwrap_or(*busy);
        Some((at, place, instances.get(*busy)?))
    }

    fn draw(&mut self, time: i64) -> Option<(i64, At)> {
        if let Some(place) = self.openings.pop() {
            return Some((self.start, place));
        }
        if self.next < self.count {
            let at = match self.at {
                Some(at) => at,
                None => self.time_of(self.next),
            };
            self.at = Some(at);
            if at >= time {
                return None;
            }
            self.at = None;
            self.next += 1;
            let elsewhere = self.places.len() > 1 && self.dice.chance(50);
            let place = if elsewhere { self.dice.pick(self.places.get(1..)?) } else { self.places.first() };
            return place.map(|place| (at, *place));
        }
        if time < self.end {
            return None;
        }
        self.closings.pop().map(|place| (self.end - 1, place))
    }

    /// A time in the slice of the window that belongs to this record.
    fn time_of(&mut self, number: i64) -> i64 {
        let span = i128::from(self.end - self.start);
        let edge = |number: i64| i64::try_from(span * i128::from(number) / i128::from(self.count)).unwrap_or(0);
        let (low, high) = (edge(number), edge(number + 1) - 1);
        self.start + self.dice.between(low, high.max(low))
    }
}
