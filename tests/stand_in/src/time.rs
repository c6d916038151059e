//! Times as seconds of the Unix epoch, and their texts.

const DAY: i64 = 86_400;

/// Reads an ISO 8601 time: `2026-05-11T10:00:00`, with or without a fraction, in UTC or with an offset.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let local = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    let rest = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    if rest.is_empty() || rest == "Z" {
        return Some(local);
    }
    let (sign, offset) = match rest.split_at_checked(1)? {
        ("+", offset) => (1, offset),
        ("-", offset) => (-1, offset),
        _ => return None,
    };
    let (hours, minutes) = offset.split_once(':')?;
    Some(local - sign * (hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60))
}

/// Reads the minute in the name of a log file: `…_20260511T1000Z_…`, also with seconds.
pub(crate) fn of_file_name(name: &str) -> Option<i64> {
    name.split('_').find_map(|part| {
        let part = part.split('.').next()?.strip_suffix('Z')?;
        let (date, clock) = part.split_once('T')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if date.len() != 8 || !digits(date) || clock.len() < 4 || !digits(clock) {
            return None;
        }
        let number = |text: &str, from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
        let day = days(number(date, 0, 4)?, number(date, 4, 6)?, number(date, 6, 8)?);
        let seconds = number(clock, 4, 6).unwrap_or(0);
        Some(day * DAY + number(clock, 0, 2)? * 3600 + number(clock, 2, 4)? * 60 + seconds)
    })
}

/// The ISO 8601 text in UTC.
pub(crate) fn iso(at: i64) -> String {
    let (year, month, day) = date(at.div_euclid(DAY));
    let (hour, minute, second) = clock(at);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The parts of a log file's name and folder: `2026/05/11` and `20260511T1000Z`.
pub(crate) fn file_parts(at: i64) -> (String, String) {
    let (year, month, day) = date(at.div_euclid(DAY));
    let (hour, minute, _) = clock(at);
    (format!("{year:04}/{month:02}/{day:02}"), format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}Z"))
}

/// The text of the HTTP header `Date`.
pub(crate) fn http_date(at: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let whole_days = at.div_euclid(DAY);
    let (year, month, day) = date(whole_days);
    let (hour, minute, second) = clock(at);
    let pick = |names: &[&'static str], index: i64| {
        usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or("Jan")
    };
    let weekday = pick(&DAYS, whole_days.rem_euclid(7));
    let month = pick(&MONTHS, month - 1);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Milliseconds of the system's clock.
pub(crate) fn system_millis() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn clock(at: i64) -> (i64, i64, i64) {
    let second = at.rem_euclid(DAY);
    (second / 3600, second / 60 % 60, second % 60)
}

/// Days since 1970-01-01 of a civil date. Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days`].
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_seconds_agree() {
        assert_eq!(parse("2026-05-11T10:00:00Z"), Some(1_778_493_600));
        assert_eq!(parse("2026-05-11T12:00:00.342000+02:00"), Some(1_778_493_600));
        assert_eq!(parse("2026-05-11T10:00:00"), Some(1_778_493_600));
        assert_eq!(parse("yesterday"), None);
        assert_eq!(iso(1_778_493_600), "2026-05-11T10:00:00Z");
        assert_eq!(http_date(1_778_493_600), "Mon, 11 May 2026 10:00:00 GMT");
        for day in -1000..40_000 {
            let (year, month, day_of_month) = date(day);
            assert_eq!(days(year, month, day_of_month), day);
        }
    }

    #[test]
    fn file_names_carry_their_minute() {
        let name = "111122223333_CloudTrail_eu-central-1_20260511T1000Z_IOcR84LaET42dSu6.json.gz";
        assert_eq!(of_file_name(name), Some(1_778_493_600));
        let digest = "111122223333_CloudTrail-Digest_eu-central-1_main_eu-central-1_20260511T100001Z.json.gz";
        assert_eq!(of_file_name(digest), Some(1_778_493_601));
        assert_eq!(of_file_name("notes.txt"), None);
    }
}
