//! The window, its nights, and the hours at which the schedules scale, in local time.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::config::Checked;
use crate::dice::Dice;

/// Seconds of a minute.
pub(crate) const MINUTE: i64 = 60;
/// Seconds of an hour.
pub(crate) const HOUR: i64 = 60 * MINUTE;

/// Nothing that is judged happens closer than this to either end of the window, so that a truth never hangs on an edge.
pub(crate) const MARGIN: i64 = HOUR;

/// Local hour at which Daytime scales out and Nighttime in.
const MORNING: i8 = 7;
/// Local hour at which Nighttime scales out and Daytime in.
const EVENING: i8 = 20;
/// Local hours of the off-peak maintenance.
const OFF_PEAK: (i8, i8) = (1, 5);

/// When things may happen. Times are seconds of the Unix epoch.
#[derive(Debug)]
pub(crate) struct Calendar {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Off-peak hours within the margins.
    nights: Vec<(i64, i64)>,
    /// Scale-outs of Daytime within the margins.
    pub(crate) mornings: Vec<i64>,
    /// Scale-outs of Nighttime within the margins.
    pub(crate) evenings: Vec<i64>,
}

impl Calendar {
    pub(crate) fn new(checked: &Checked) -> Self {
        let Checked { zone, start, end } = checked;
        let mut calendar =
            Self { start: *start, end: *end, nights: Vec::new(), mornings: Vec::new(), evenings: Vec::new() };
        let (first, last) = (start + MARGIN, end - MARGIN);
        let within = |at: &i64| (first..=last).contains(at);
        for day in days(zone, *start, *end) {
            if let (Some(from), Some(to)) = (local(zone, day, OFF_PEAK.0), local(zone, day, OFF_PEAK.1)) {
                let night = (from.max(first), to.min(last));
                if night.0 < night.1 {
                    calendar.nights.push(night);
                }
            }
            calendar.mornings.extend(local(zone, day, MORNING).filter(within));
            calendar.evenings.extend(local(zone, day, EVENING).filter(within));
        }
        calendar
    }

    /// The first time at which something judged may happen.
    pub(crate) fn first(&self) -> i64 {
        self.start + MARGIN
    }

    /// The last such time.
    pub(crate) fn last(&self) -> i64 {
        self.end - MARGIN
    }

    /// The end of the last off-peak hours.
    pub(crate) fn last_night(&self) -> Option<i64> {
        self.nights.last().map(|night| night.1)
    }

    /// A time in the off-peak hours between two times; by day only where no such hours are left.
    pub(crate) fn off_peak(&self, after: i64, before: i64, dice: &mut Dice) -> i64 {
        let open = |&(from, to): &(i64, i64)| (from.max(after), to.min(before));
        let nights: Vec<_> = self.nights.iter().map(open).filter(|(from, to)| from < to).collect();
        let mut left = dice.between(0, nights.iter().map(|(from, to)| to - from).sum::<i64>() - 1);
        for (from, to) in nights {
            if left < to - from {
                return from + left;
            }
            left -= to - from;
        }
        dice.between(after, before.max(after))
    }
}

/// The local dates that touch the window.
fn days(zone: &TimeZone, start: i64, end: i64) -> impl Iterator<Item = Date> {
    let date = |second| Timestamp::from_second(second).map(|at| zone.to_datetime(at).date());
    let last = date(end).unwrap_or(Date::ZERO);
    let first = date(start).ok();
    std::iter::successors(first, |day| day.checked_add(1.day()).ok()).take_while(move |day| *day <= last)
}

/// The instant of a local hour. Where clocks change, jiff's compatible reading.
fn local(zone: &TimeZone, day: Date, hour: i8) -> Option<i64> {
    Some(zone.to_timestamp(day.at(hour, 0, 0, 0)).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn calendar(config: &Config) -> Calendar {
        Calendar::new(&config.check().expect("is good"))
    }

    fn text(second: i64) -> String {
        Timestamp::from_second(second).expect("is a time").to_string()
    }

    #[test]
    fn hours_are_local() {
        let calendar = calendar(&Config::default());
        let nights: Vec<_> = calendar.nights.iter().map(|(a, b)| [text(*a), text(*b)]).collect();
        assert_eq!(
            nights,
            [["2026-05-11T23:00:00Z", "2026-05-12T03:00:00Z"], ["2026-05-12T23:00:00Z", "2026-05-13T03:00:00Z"]]
        );
        assert_eq!(
            calendar.mornings.iter().map(|a| text(*a)).collect::<Vec<_>>(),
            ["2026-05-12T05:00:00Z", "2026-05-13T05:00:00Z"]
        );
        assert_eq!(calendar.evenings.len(), 2);
    }

    #[test]
    fn a_night_is_an_hour_shorter_when_clocks_go_forward() {
        let start = "2026-03-28T11:00:00Z".parse().expect("is a time");
        let calendar = calendar(&Config { start, days: 1.0, ..Config::default() });
        assert_eq!(calendar.nights.iter().map(|(a, b)| b - a).collect::<Vec<_>>(), [3 * HOUR]);
    }

    #[test]
    fn maintenance_is_at_night_if_there_is_one() {
        let calendar = calendar(&Config::default());
        let mut dice = Dice::new(1, 1);
        for _ in 0..500 {
            let at = calendar.off_peak(calendar.first(), calendar.last(), &mut dice);
            assert!(calendar.nights.iter().any(|(from, to)| (*from..*to).contains(&at)));
        }
        let morning = calendar.last() - 2 * HOUR;
        assert!((morning..=calendar.last()).contains(&calendar.off_peak(morning, calendar.last(), &mut dice)));
    }
}
