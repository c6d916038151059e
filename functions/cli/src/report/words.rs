//! Times and counts in sentences.

use exposure_core::time::Timestamp;
use jiff::tz::TimeZone;

pub(super) use crate::text::counted;

/// A time as the clocks of a zone show it, with how far they are from UTC.
pub(super) fn clock_text(at: Timestamp, zone: &TimeZone) -> String {
    local(at, zone, "%Y-%m-%d %H:%M %:z")
}

/// A day as the calendar of a zone shows it.
pub(super) fn day_text(at: Timestamp, zone: &TimeZone) -> String {
    local(at, zone, "%Y-%m-%d")
}

fn local(at: Timestamp, zone: &TimeZone, form: &str) -> String {
    match jiff::Timestamp::from_second(at.as_second()) {
        Ok(time) => time.to_zoned_datetime(zone.clone()).strftime(form).to_string(),
        Err(_) => at.to_string(),
    }
}

/// A time that has gone by.
pub(super) fn duration(from: Timestamp, to: Timestamp) -> String {
    let seconds = from.until(to).as_secs().max(0);
    match seconds {
        0..60 => "under a minute".to_owned(),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
