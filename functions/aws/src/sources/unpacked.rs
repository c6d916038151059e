//! Reading one log file up to a time, and again from there.

use std::io::Read;

use exposure_core::time::Timestamp;
use exposure_core::trail::{Asked, FileReading, Limits, LogFile, LogReader};

use super::covered::shifted;
use super::seen::Progress;

/// What came of a log file.
#[derive(Debug)]
pub(crate) enum Content {
    /// Its records up to the time asked for, and up to when it was read if it holds later ones.
    Taken(FileReading, Option<Timestamp>),
    /// A digest or an Insight file.
    Skipped,
    /// Nothing that can be read.
    Unreadable(String),
}

/// Reads the records of a file up to `now` that were not read before. A file that holds later ones, as replays have
/// them, is read twice: once to find that out, and once up to `now`; the next time from there.
pub(crate) fn read<R: Read>(open: impl Fn() -> std::io::Result<R>, progress: Progress, now: Timestamp) -> Content {
    let from = match progress {
        Progress::Through(through) => Some(shifted(through, 1)),
        Progress::Unread | Progress::Whole => None,
    };
    let whole = match pass(&open, Asked { from, to: None }) {
        Content::Taken(reading, _) => reading,
        other => return other,
    };
    if whole.span.is_none_or(|span| span.to <= now) {
        return Content::Taken(whole, None);
    }
    match pass(&open, Asked { from, to: Some(now) }) {
        Content::Taken(reading, _) => Content::Taken(reading, Some(now)),
        other => other,
    }
}

fn pass<R: Read>(open: &impl Fn() -> std::io::Result<R>, asked: Asked) -> Content {
    let file = match open() {
        Ok(file) => file,
        Err(error) => return Content::Unreadable(error.to_string()),
    };
    match LogReader::new(Limits::default(), asked).read(file) {
        LogFile::Read(reading) => Content::Taken(reading, None),
        LogFile::Skipped(_) => Content::Skipped,
        LogFile::Unreadable(reason) => Content::Unreadable(reason),
    }
}

/// When a log file was delivered, by its name: `<account>_CloudTrail_<region>_YYYYMMDDTHHmmZ_<16 characters>.json.gz`
/// (CloudTrail User Guide, "CloudTrail log file name format").
pub(crate) fn delivered(name: &str) -> Option<Timestamp> {
    let mut parts = name.rsplit('/').next()?.split('_').skip(1);
    if parts.next()? != "CloudTrail" {
        return None;
    }
    let written = parts.nth(1)?;
    let (day, time) = written.strip_suffix('Z')?.split_once('T')?;
    let (year, month, date) = (day.get(..4)?, day.get(4..6)?, day.get(6..)?);
    Timestamp::parse(&format!("{year}-{month}-{date}T{}:{}:00Z", time.get(..2)?, time.get(2..)?))
}

/// The folder of a day of delivery: `YYYY/MM/DD`.
pub(crate) fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).map(|c| if c == '-' { '/' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::{instance, launch, time};

    #[test]
    fn names_tell_when_they_were_delivered() {
        let name = "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/05/11/\
                    111122223333_CloudTrail_eu-central-1_20260511T2305Z_Ab3dEfGhIjKlMnOp.json.gz";
        assert_eq!(delivered(name), Some(time("2026-05-11T23:05:00Z")));
        for other in ["trail.json", "a_CloudTrail_b", "a_CloudTrail_b_20261311T2305Z_x", "a_Config_b_20260511T2305Z_x"]
        {
            assert_eq!(delivered(other), None, "{other}");
        }
        assert_eq!(day(time("2026-05-11T23:05:00Z")), "2026/05/11");
    }

    #[test]
    fn each_record_is_taken_once_however_often_it_is_read() {
        let at = time("2026-05-11T23:00:00Z");
        let records: Vec<String> = (0_u8..10)
            .map(|n| launch(shifted(at, i64::from(n) * 60), &format!("e-{n}"), &instance(n.into())))
            .collect();
        let text = format!("{{\"Records\":[{}]}}", records.join(","));
        let (mut progress, mut taken) = (Progress::Unread, 0);
        for minute in [-5, 2, 2, 7, 30] {
            let content = read(|| Ok(text.as_bytes()), progress, shifted(at, minute * 60));
            let Content::Taken(reading, through) = content else { panic!("{content:?}") };
            taken += reading.records;
            progress = through.map_or(Progress::Whole, Progress::Through);
        }
        assert_eq!((taken, progress), (10, Progress::Whole));
    }
}
