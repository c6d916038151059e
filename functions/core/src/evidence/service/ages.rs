//! Age and the hour of the day together.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::{AGES, CELL, HourOfDay, Moved, Served, Stay, local_hour};
use crate::time::Timestamp;

/// Time in service and migrations by class of age, and in each by hour of the local day.
pub type AgeAndHour = [[HourOfDay; 24]; AGES.len()];

/// Each stack's time in service and migrations by age and by hour of the local day, of instances whose launch is on
/// record. One class of one stack is on the grid at a time.
#[must_use]
pub fn by_age_and_hour(stays: &[Stay], moves: &[Moved], zone: &TimeZone) -> BTreeMap<String, AgeAndHour> {
    let mut found: BTreeMap<String, AgeAndHour> = BTreeMap::new();
    let mut by_stack: BTreeMap<&str, Vec<(i64, &Stay)>> = BTreeMap::new();
    for stay in stays.iter().filter(|stay| stay.from < stay.to) {
        if let Some(launched) = stay.launched {
            by_stack.entry(&stay.stack).or_default().push((launched.as_second(), stay));
        }
    }
    for (stack, stays) in by_stack {
        let classes = found.entry(stack.to_owned()).or_default();
        for (class, hours) in classes.iter_mut().enumerate() {
            let (mut served, mut changes) = (Served::default(), BTreeMap::new());
            for (launched, stay) in &stays {
                let (from, to) = (stay.from.as_second(), stay.to.as_second());
                if let Some((young, old)) = pieces(*launched, from, to).nth(class).filter(|(young, old)| young < old) {
                    served.time(young, old, &mut changes);
                }
            }
            *hours = served.summed(&changes).by_hour(zone);
        }
    }
    for moved in moves {
        let Some(launched) = moved.launched else { continue };
        let classes = found.entry(moved.stack.clone()).or_default();
        let hours = classes.get_mut(class(launched, moved.at));
        let hour = local_hour(moved.at.as_second().div_euclid(CELL), zone);
        if let Some(cell) = hours.zip(hour).and_then(|(hours, hour)| hours.get_mut(hour)) {
            cell.moves += 1;
        }
    }
    found
}

/// From when to when a stay belongs to each class of age; empty where the end is not after the beginning.
pub(super) fn pieces(launched: i64, from: i64, to: i64) -> impl Iterator<Item = (i64, i64)> {
    let mut begin = 0;
    AGES.into_iter().map(move |(_, end)| {
        let piece = (launched.saturating_add(begin).max(from), launched.saturating_add(end).min(to));
        begin = end;
        piece
    })
}

/// The place of an age in [`AGES`].
pub(super) fn class(launched: Timestamp, at: Timestamp) -> usize {
    let age = launched.until(at).as_secs();
    AGES.iter().position(|(_, end)| age < *end).unwrap_or(AGES.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::service::served;

    #[test]
    fn ages_and_hours_add_up_to_either() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let begin = 1_774_600_000;
        let stays: Vec<Stay> = (0..200)
            .map(|number| {
                let from = Timestamp::from_second(begin + number * 4_321);
                let to = Timestamp::from_second(begin + number * 9_876 + 1);
                let launched = (number % 7 > 0).then(|| Timestamp::from_second(from.as_second() - number * 1_000));
                let stack = if number % 3 == 0 { "A" } else { "B" }.to_owned();
                Stay { stack, from, to, launched, assumed_until: None, assumed_from: None }
            })
            .collect();
        let end_of = |stay: &Stay| Moved { stack: stay.stack.clone(), at: stay.to, launched: stay.launched };
        let moves: Vec<Moved> = stays.iter().map(end_of).collect();
        let (found, all) = (by_age_and_hour(&stays, &moves, &zone), served(&stays, &moves));
        assert_eq!(found.len(), 2);
        for (stack, classes) in found {
            for (hours, expected) in classes.iter().zip(all[&stack].by_age()) {
                let sum: f64 = hours.iter().map(|hour| hour.hours).sum();
                assert!((sum - expected.hours).abs() < 1e-6, "{sum} {expected:?}");
                assert_eq!(hours.iter().map(|hour| hour.moves).sum::<u64>(), expected.moves);
            }
            let known: Vec<Stay> = stays.iter().filter(|stay| stay.launched.is_some()).cloned().collect();
            let by_hour = served(&known, &[])[&stack].by_hour(&zone);
            for (hour, expected) in by_hour.iter().enumerate() {
                let sum: f64 = classes.iter().map(|hours| hours[hour].hours).sum();
                assert!((sum - expected.hours).abs() < 1e-6, "{sum} {expected:?}");
            }
        }
    }
}
