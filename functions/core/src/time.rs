//! Points in time, in whole seconds: CloudTrail's `eventTime` has no finer grain.

use std::fmt;
use std::ops::{Add, Sub};

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time, in whole seconds of UTC. Shown and serialised as RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn from_second(second: i64) -> Self {
        Self(second)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_second(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 time with any offset; a fraction of a second is cut off.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let time: jiff::Timestamp = text.parse().ok()?;
        Some(Self(time.as_duration().as_secs() - i64::from(time.subsec_nanosecond() < 0)))
    }

    /// The time from this one to `later`, negative if it lies before.
    #[must_use]
    pub fn until(self, later: Self) -> SignedDuration {
        SignedDuration::from_secs(later.0.saturating_sub(self.0))
    }
}

impl Add<SignedDuration> for Timestamp {
    type Output = Self;

    fn add(self, duration: SignedDuration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }
}

impl Sub<SignedDuration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: SignedDuration) -> Self {
        Self(self.0.saturating_sub(duration.as_secs()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(time) => f.pad(&time.to_string()),
            Err(_) => write!(f, "{}s", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format!("not a time: {text:?}")))
    }
}

/// The earliest and the latest of some points in time, both included. Joining is a union.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeSpan {
    /// The earliest.
    pub from: Timestamp,
    /// The latest.
    pub to: Timestamp,
}

impl TimeSpan {
    /// The span of one point.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self { from: time, to: time }
    }

    /// The smallest span that holds both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), to: self.to.max(other.to) }
    }

    /// Whether `time` lies in it.
    #[must_use]
    pub fn holds(self, time: Timestamp) -> bool {
        self.from <= time && time <= self.to
    }
}

/// Joins `span` into what may be no span yet.
pub fn join_span(into: &mut Option<TimeSpan>, span: TimeSpan) {
    *into = Some(into.map_or(span, |old| old.join(span)));
}

/// Reads many times of one day, each written like `2026-05-18T06:16:59Z`, at the cost of its time of day.
#[derive(Debug, Clone)]
pub struct DayClock {
    /// The day as it is written, as numbers.
    day: (u64, u16),
    midnight: i64,
}

impl Default for DayClock {
    /// One that knows a day already, so that no text is taken for the day that it has not seen.
    fn default() -> Self {
        let day = (u64::from_le_bytes(*b"1970-01-"), u16::from_le_bytes(*b"01"));
        Self { day, midnight: 0 }
    }
}

impl DayClock {
    /// The time that `text` names, if it names one.
    #[inline]
    pub fn read(&mut self, text: &[u8]) -> Option<Timestamp> {
        match of_a_day(text) {
            Some((day, second)) if day == self.day => Some(Timestamp(self.midnight + second)),
            _ => self.other_than_usual(text),
        }
    }

    #[cold]
    fn other_than_usual(&mut self, text: &[u8]) -> Option<Timestamp> {
        let time = Timestamp::parse(std::str::from_utf8(text).ok()?)?;
        if let Some((day, second)) = of_a_day(text) {
            (self.day, self.midnight) = (day, time.0 - second);
        }
        Some(time)
    }
}

/// The day as it is written, as numbers, which are compared faster than ten bytes; and the second of it. Nothing where
/// it is not written as usual; whether there is such a day is not looked at.
#[inline]
fn of_a_day(text: &[u8]) -> Option<((u64, u16), i64)> {
    let &[d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, b'T', ref clock @ .., b'Z'] = text.as_array::<20>()? else {
        return None;
    };
    let day = (u64::from_le_bytes([d0, d1, d2, d3, d4, d5, d6, d7]), u16::from_le_bytes([d8, d9]));
    Some((day, second_of_day(*clock)?))
}

/// The second that a time of day like `06:16:59` names, read all at once.
#[inline]
fn second_of_day(clock: [u8; 8]) -> Option<i64> {
    const ZERO: u64 = u64::from_le_bytes(*b"00:00:00");
    const HIGHEST: u64 = 0x8080_8080_8080_8080;
    /// What a digit and a colon may differ by from those, taken from what has not the highest bit yet.
    const ROOM: u64 = !HIGHEST - u64::from_le_bytes([9, 9, 0, 9, 9, 0, 9, 9]);
    let digits = u64::from_le_bytes(clock) ^ ZERO;
    if (digits | ((digits & !HIGHEST) + ROOM)) & HIGHEST != 0 {
        return None;
    }
    let [hour, _, _, minute, _, _, second, _] = (digits * 10 + (digits >> 8)).to_le_bytes();
    let valid = hour < 24 && minute < 60 && second < 60;
    valid.then(|| i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_way_agrees_with_the_library() {
        let table = [
            ("2026-05-18T06:16:59Z", true),
            ("2026-05-18T23:59:59Z", true),
            ("1970-01-01T00:00:00Z", true),
            ("1969-12-31T23:59:59Z", true),
            ("2024-02-29T12:00:00Z", true),
            ("2026-05-18T06:16:59.999Z", true),
            ("2026-05-18T06:16:59+02:00", true),
            ("2026-02-29T12:00:00Z", false),
            ("2026-13-01T00:00:00Z", false),
            ("2026-05-18T24:00:00Z", false),
            ("2026-05-18T06:60:00Z", false),
            ("2026-05-18x06:16:59Z", false),
            ("2026-05-18T06:16:5:Z", false),
            ("2026-05-18T06:16:/9Z", false),
            ("2026-05-18T06:1\u{b0}:5Z", false),
            ("2026-05-18T06016:59Z", false),
            ("2026-05-18T0616:590Z", false),
            ("2026-05-18T06:16:59z", true),
            ("2026-05-18T06:16:60Z", true),
            ("2026-05-18 06:16:59Z", true),
            ("0000-00-00T00:00:00Z", false),
            ("2026-05-18", false),
            ("", false),
        ];
        assert!(table.len() > 10);
        let mut clock = DayClock::default();
        for (text, valid) in table {
            let library = text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
            assert_eq!(library.is_some(), valid, "{text}");
            assert_eq!(Timestamp::parse(text).map(Timestamp::as_second), library, "{text}");
            assert_eq!(clock.read(text.as_bytes()), Timestamp::parse(text), "{text}");
        }
    }

    #[test]
    fn every_second_of_a_day_is_read() {
        let mut clock = DayClock::default();
        let midnight = Timestamp::parse("2026-05-18T00:00:00Z").expect("a time");
        for second in 0..86_400 {
            let text = (midnight + SignedDuration::from_secs(second)).to_string();
            assert_eq!(clock.read(text.as_bytes()), Some(Timestamp(midnight.0 + second)), "{text}");
        }
    }

    #[test]
    fn a_new_clock_reads_as_the_library_reads() {
        for day in ["1970-01-01", "1970-01-02", "\0\0\0\0\0\0\0\0\0\0", "\u{7ff}\u{7ff}\u{7ff}\u{7ff}\u{7ff}"] {
            let text = format!("{day}T06:16:59Z");
            assert_eq!(text.len(), 20);
            assert_eq!(DayClock::default().read(text.as_bytes()), Timestamp::parse(&text), "{}", text.escape_debug());
        }
    }

    #[test]
    fn a_time_with_any_one_byte_in_it_is_read_as_the_library_reads_it() {
        let mut clock = DayClock::default();
        for usual in [*b"2026-05-18T16:16:59Z", *b"2026-05-18T01:02:03Z"] {
            for place in 0..usual.len() {
                for byte in 0..=u8::MAX {
                    let mut text = usual;
                    text[place] = byte;
                    let library = std::str::from_utf8(&text).ok().and_then(Timestamp::parse);
                    assert_eq!(clock.read(&text), library, "{}", text.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn it_is_shown_as_it_is_written() {
        let text = "2026-05-18T06:16:59Z";
        assert_eq!(Timestamp::parse(text).expect("a time").to_string(), text);
    }
}
