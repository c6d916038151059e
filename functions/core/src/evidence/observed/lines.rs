//! One line of what `lifecycle-check watch` and `serve` print (functions/lifecycle/README.md, "watch"), checked.

use serde_json::{Map, Value};

use crate::ids::InstanceId;
use crate::time::Timestamp;

/// By how much the times of one line may contradict each other before it is refused, in seconds: the wall clock may be
/// set between two looks at it.
const SLACK: i64 = 60;
/// The longest name of a boot that is kept.
const BOOT_ID: usize = 128;

/// What IMDS said of `target-lifecycle-state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    /// It is there.
    Known,
    /// 404.
    Absent,
    /// IMDS refused, or did not answer.
    Silent,
}

impl Item {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "known" => Some(Self::Known),
            "absent" => Some(Self::Absent),
            "refused" | "unreachable" => Some(Self::Silent),
            _ => None,
        }
    }
}

/// What a line tells of the guest's start.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Boot {
    /// The name of the boot.
    pub(super) id: Option<String>,
    /// When it was.
    pub(super) at: Option<Timestamp>,
}

/// What a line tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    /// IMDS was asked all through this time.
    Watched {
        /// From when.
        since: Timestamp,
        /// The longest time without an answer in it, in seconds.
        silence: i64,
        /// What the last answer was.
        item: Option<Item>,
    },
    /// The state, and what IMDS said.
    Look(Item),
    /// A 404 is settled.
    Begins {
        /// When it was first seen.
        onset: Timestamp,
        /// Whether the item was seen before it.
        seen_before: bool,
        /// The guest's start.
        boot: Boot,
    },
    /// The item is back.
    Ends {
        /// When the 404 was first seen.
        onset: Timestamp,
        /// How long it lasted, in seconds.
        lasted: i64,
        /// Whether the item was seen before it; earlier versions of the check do not say it here.
        seen_before: Option<bool>,
        /// The guest's start.
        boot: Boot,
    },
}

/// A line, with the time at which it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) at: Timestamp,
    pub(super) told: Told,
}

/// What a JSON object is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A line that says something of an instance's item.
    Told(InstanceId, Line),
    /// Something else: other events, metrics, other programs.
    Other,
    /// One of ours that cannot be right, and why.
    Malformed(&'static str),
}

/// What an object means. `place` names the instance where the line itself does not: the log stream, or the file.
pub(super) fn meaning(line: &Map<String, Value>, place: Option<InstanceId>) -> Meaning {
    let Some(event) = line.get("event").and_then(Value::as_str) else { return Meaning::Other };
    let told = match event {
        "state" => look(line),
        "watched" => watched(line),
        "imds_absent_begins" => begins(line),
        "imds_absent_ends" => ends(line),
        _ => return Meaning::Other,
    };
    let checked = told.and_then(|told| {
        let at = time(line, "time").ok_or("a line without the time at which it was written")?;
        consistent(at, &told)?;
        let instance = match line.get("instance_id") {
            Some(Value::String(text)) => Some(InstanceId::new(text).map_err(|_| "no instance ID where one must be")?),
            Some(Value::Null) | None => place,
            Some(_) => return Err("no instance ID where one must be"),
        };
        let instance = instance.ok_or("a line that names no instance, in a stream or file that names none either")?;
        Ok((instance, Line { at, told }))
    });
    match checked {
        Ok((instance, line)) => Meaning::Told(instance, line),
        Err(NOT_OURS) => Meaning::Other,
        Err(why) => Meaning::Malformed(why),
    }
}

/// Many programs print an event called `state`; only one has `imds` in it.
const NOT_OURS: &str = "";

type Checked<T> = Result<T, &'static str>;

fn look(line: &Map<String, Value>) -> Checked<Told> {
    let imds = line.get("imds").ok_or(NOT_OURS)?;
    imds.as_str().and_then(Item::parse).map(Told::Look).ok_or("an outcome of IMDS that is none")
}

fn watched(line: &Map<String, Value>) -> Checked<Told> {
    let silence = line.get("longest_silence_seconds").ok_or(NOT_OURS)?;
    let silence = silence.as_u64().and_then(|seconds| i64::try_from(seconds).ok());
    let item = match line.get("imds") {
        Some(Value::String(text)) => Some(Item::parse(text).ok_or("an outcome of IMDS that is none")?),
        Some(Value::Null) | None => None,
        Some(_) => return Err("an outcome of IMDS that is none"),
    };
    Ok(Told::Watched {
        since: time(line, "since").ok_or("watched since no time")?,
        silence: silence.ok_or("a silence that is no number of seconds")?,
        item,
    })
}

fn begins(line: &Map<String, Value>) -> Checked<Told> {
    let seen_before = line.get("seen_before").and_then(Value::as_bool);
    Ok(Told::Begins {
        onset: time(line, "onset").ok_or("a 404 without its onset")?,
        seen_before: seen_before.ok_or("a 404 that does not say whether the item was seen before")?,
        boot: boot(line)?,
    })
}

fn ends(line: &Map<String, Value>) -> Checked<Told> {
    let lasted = line.get("lasted_seconds").and_then(Value::as_u64).and_then(|seconds| i64::try_from(seconds).ok());
    let seen_before = match line.get("seen_before") {
        Some(Value::Bool(seen)) => Some(*seen),
        Some(Value::Null) | None => None,
        Some(_) => return Err("a 404 that does not say whether the item was seen before"),
    };
    Ok(Told::Ends {
        onset: time(line, "onset").ok_or("a 404 without its onset")?,
        lasted: lasted.ok_or("a 404 that lasted no number of seconds")?,
        seen_before,
        boot: boot(line)?,
    })
}

fn boot(line: &Map<String, Value>) -> Checked<Boot> {
    let id = line.get("boot_id").and_then(Value::as_str);
    if id.is_some_and(|id| id.len() > BOOT_ID || id.chars().any(char::is_control)) {
        return Err("a boot ID that is none");
    }
    Ok(Boot { id: id.map(str::to_owned), at: time(line, "boot_time") })
}

fn time(line: &Map<String, Value>, member: &str) -> Option<Timestamp> {
    line.get(member).and_then(Value::as_str).and_then(Timestamp::parse)
}

/// Refuses what cannot have happened: it would place onsets and watched time anywhere.
fn consistent(at: Timestamp, told: &Told) -> Checked<()> {
    let latest = match told {
        Told::Watched { since, .. } => *since,
        Told::Look(_) => at,
        Told::Begins { onset, .. } => *onset,
        Told::Ends { onset, lasted, .. } => *onset + jiff::SignedDuration::from_secs(*lasted),
    };
    if at.until(latest).as_secs() > SLACK { Err("a line written before what it tells") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const INSTANCE: &str = "i-0123456789abcdef0";

    fn read(line: &Value) -> Meaning {
        meaning(line.as_object().unwrap(), None)
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn lines_of_the_check_are_understood() {
        let begins = json!({
            "boot_id": "3b1c", "boot_time": "2026-05-11T08:00:01Z", "event": "imds_absent_begins",
            "instance_id": INSTANCE, "onset": "2026-05-11T23:04:12Z", "region": "eu-central-1", "seen_before": true,
            "time": "2026-05-11T23:04:14.001002003Z", "uptime_seconds": 54_251
        });
        let boot = Boot { id: Some("3b1c".to_owned()), at: Some(at("2026-05-11T08:00:01Z")) };
        let told = Told::Begins { onset: at("2026-05-11T23:04:12Z"), seen_before: true, boot };
        let line = Line { at: at("2026-05-11T23:04:14Z"), told };
        assert_eq!(read(&begins), Meaning::Told(InstanceId::new(INSTANCE).unwrap(), line));
        let watched = json!({
            "event": "watched", "since": "2026-05-11T22:00:00Z", "time": "2026-05-11T23:00:00Z", "imds": "known",
            "instance_id": INSTANCE, "answered": 1_800, "longest_silence_seconds": 2
        });
        let told = Told::Watched { since: at("2026-05-11T22:00:00Z"), silence: 2, item: Some(Item::Known) };
        let line = Line { at: at("2026-05-11T23:00:00Z"), told };
        assert_eq!(read(&watched), Meaning::Told(InstanceId::new(INSTANCE).unwrap(), line));
    }

    #[test]
    fn the_stream_names_the_instance_where_the_line_does_not() {
        let line = json!({"event": "state", "imds": "absent", "time": "2026-05-11T23:00:00Z", "instance_id": null});
        let object = line.as_object().unwrap();
        let stream = InstanceId::new("i-81e2f56c").unwrap();
        assert!(matches!(meaning(object, Some(stream)), Meaning::Told(instance, _) if instance == stream));
        assert!(matches!(meaning(object, None), Meaning::Malformed(_)));
    }

    #[test]
    fn what_others_print_is_nothing_to_us() {
        for line in [
            json!({"event": "command", "what": "started"}),
            json!({"event": {"name": "state"}}),
            json!({"event": "state", "state": "open"}),
            json!({"event": "watched", "video": 7}),
            json!({"_aws": {"Timestamp": 1}, "ImdsAbsent": 4}),
            json!({}),
        ] {
            assert_eq!(read(&line), Meaning::Other, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_right_is_refused_with_its_reason() {
        let good = json!({
            "event": "imds_absent_ends", "instance_id": INSTANCE, "onset": "2026-05-11T23:04:12Z",
            "lasted_seconds": 60, "time": "2026-05-11T23:05:12Z"
        });
        assert!(matches!(read(&good), Meaning::Told(..)));
        for (member, value, said) in [
            ("instance_id", json!("i-bobby'; DROP TABLE"), "instance ID"),
            ("instance_id", json!(7), "instance ID"),
            ("onset", json!("yesterday"), "onset"),
            ("onset", json!(null), "onset"),
            ("onset", json!("2027-05-11T23:04:12Z"), "before what it tells"),
            ("lasted_seconds", json!(-1), "number of seconds"),
            ("lasted_seconds", json!(1e300), "number of seconds"),
            ("lasted_seconds", json!(u64::MAX), "number of seconds"),
            ("lasted_seconds", json!(86_400), "before what it tells"),
            ("seen_before", json!("yes"), "seen before"),
            ("time", json!("now"), "time at which"),
            ("boot_id", json!("x".repeat(129)), "boot ID"),
            ("boot_id", json!("a\u{1b}[2J"), "boot ID"),
        ] {
            let mut bad = good.clone();
            bad[member] = value;
            let Meaning::Malformed(why) = read(&bad) else { panic!("{bad}") };
            assert!(why.contains(said), "{bad}: {why}");
        }
    }
}
