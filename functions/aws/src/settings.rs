//! The settings of a run, typed: from environment variables in the Lambda, from flags in the command line.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use exposure_core::assess::Settings as Rules;
use exposure_core::stacks::StackRules;
use jiff::SignedDuration;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::clients::Target;
use crate::sources::requests_per_run;

/// Where records come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// CloudTrail `LookupEvents`.
    Lookup,
    /// An SQS queue fed by EventBridge.
    Queue,
    /// The trail's objects in S3.
    Logs,
    /// A local folder of log files.
    Directory,
}

/// Whose time stamps fleet snapshots and refuses events from the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockKind {
    /// The system's.
    System,
    /// The event's scheduled time, for replays.
    Event,
}

/// A setting that cannot be used. It stops the start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}={value:?}: {allowed}")]
pub struct SettingError {
    /// Which setting.
    pub name: &'static str,
    /// Its value, cut to 100 characters.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

/// Every setting: its name, what it means, and its default. The reference in the documents is checked against it.
pub const REFERENCE: &[(&str, &str, &str)] = &[
    ("SOURCE", "where records come from: lookup, queue, logs or directory", "lookup"),
    ("STATE_URL", "where the state is kept: s3://bucket/key or file:///path", "(required)"),
    ("QUEUE_URL", "the SQS queue of SOURCE=queue", "(none)"),
    ("TRAIL_URL", "the log files of SOURCE=logs (s3://bucket/prefix) or directory (file:///path)", "(none)"),
    ("STACK_TAG", "the tag of a group that names its stack", "Stack"),
    ("STACK_RULES", "JSON object, name pattern to stack, for groups without the tag", "{}"),
    (
        "MITIGATED_TAG",
        "the tag of a group whose instances run the on-instance check: any value but false, no, 0 or nothing",
        "MigrationExposureMitigated",
    ),
    ("METRIC_NAMESPACE", "the CloudWatch namespace", "MigrationExposure"),
    ("PERIOD_SECONDS", "the schedule's interval; timestamps of metrics are floored to it", "300"),
    ("LOOKUP_REQUESTS_PER_SECOND", "how many of the 2 per second and account LookupEvents may take", "1"),
    ("LOOKUP_REQUESTS_PER_RUN", "how many in one run, for each account and region", "what fits the period"),
    ("CLOCK", "system, or event for replays", "system"),
    ("TARGETS", "JSON list of {account, regions, roleArn, externalId}", "this account and region"),
    ("COALESCE_SECONDS", "Decrypts of one volume closer together are one attachment", "600"),
    ("SETTLE_SECONDS", "how long a cause may arrive after its sighting", "900"),
    ("SILENCE_SECONDS", "how long no record at all may arrive before an account and region is called blind", "10800"),
    ("MAX_STACKS", "how many stacks are told apart in metrics; the rest is summed up as other", "50"),
    ("RETENTION_DAYS", "how long after its departure an instance is remembered", "45"),
];

/// The settings of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where records come from.
    pub source: SourceKind,
    /// Where the state is kept.
    pub state_url: String,
    /// The SQS queue.
    pub queue_url: Option<String>,
    /// The log files.
    pub trail_url: Option<String>,
    /// How stacks are told.
    pub stacks: StackRules,
    /// The tag that names a stack.
    pub stack_tag: String,
    /// The CloudWatch namespace.
    pub namespace: String,
    /// The schedule's interval.
    pub period: Duration,
    /// `LookupEvents` requests per second.
    pub requests_per_second: f64,
    /// `LookupEvents` requests per run, account and region.
    pub requests_per_run: u64,
    /// Whose time counts.
    pub clock: ClockKind,
    /// The accounts and regions; none means the own.
    pub targets: Vec<Target>,
    /// The numbers of the rules.
    pub rules: Rules,
    /// How long no record at all may arrive.
    pub silence: SignedDuration,
    /// How many stacks are told apart in metrics.
    pub max_stacks: usize,
    /// How long after its departure an instance is remembered.
    pub retention: SignedDuration,
}

/// Reads one variable after the other, by its name.
struct Reader<F>(F);

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn text(&self, name: &'static str) -> Option<String> {
        (self.0)(name).filter(|value| !value.trim().is_empty())
    }

    fn parsed<T>(
        &self,
        name: &'static str,
        default: T,
        allowed: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, SettingError> {
        match self.text(name) {
            None => Ok(default),
            Some(value) => parse(value.trim()).ok_or_else(|| error(name, &value, allowed)),
        }
    }

    fn seconds(&self, name: &'static str, default: i64, least: i64, most: i64) -> Result<i64, SettingError> {
        let allowed = format!("must be a whole number of seconds from {least} to {most}");
        self.parsed(name, default, &allowed, |value| {
            value.parse().ok().filter(|seconds| (least..=most).contains(seconds))
        })
    }
}

fn error(name: &'static str, value: &str, allowed: impl Into<String>) -> SettingError {
    SettingError { name, value: value.chars().take(100).collect(), allowed: allowed.into() }
}

impl Settings {
    /// Reads the settings from variables, by name.
    ///
    /// # Errors
    /// Names the first that cannot be used, its value, and what is allowed.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let reader = Reader(variable);
        let source =
            reader.parsed("SOURCE", SourceKind::Lookup, "must be lookup, queue, logs or directory", |v| match v {
                "lookup" => Some(SourceKind::Lookup),
                "queue" => Some(SourceKind::Queue),
                "logs" => Some(SourceKind::Logs),
                "directory" => Some(SourceKind::Directory),
                _ => None,
            })?;
        let period = reader.seconds("PERIOD_SECONDS", 300, 60, 3_600)?;
        let requests_per_second = reader.parsed(
            "LOOKUP_REQUESTS_PER_SECOND",
            1.0,
            "must be a number from 0.01 to 1000; AWS allows 2",
            |v| v.parse().ok().filter(|rate| (0.01..=1_000.0).contains(rate)),
        )?;
        let fits = requests_per_run(Duration::from_secs(period.unsigned_abs()), requests_per_second);
        let settings = Self {
            source,
            state_url: required(&reader, "STATE_URL", "must be s3://bucket/key or file:///path")?,
            queue_url: reader.text("QUEUE_URL"),
            trail_url: reader.text("TRAIL_URL"),
            stacks: stack_rules(&reader)?,
            stack_tag: reader.text("STACK_TAG").unwrap_or_else(|| StackRules::DEFAULT_TAG.to_owned()),
            namespace: namespace(&reader)?,
            period: Duration::from_secs(period.unsigned_abs()),
            requests_per_second,
            requests_per_run: reader.parsed(
                "LOOKUP_REQUESTS_PER_RUN",
                fits,
                "must be a whole number from 1 to 10000",
                |v| v.parse().ok().filter(|number| (1..=10_000).contains(number)),
            )?,
            clock: reader.parsed("CLOCK", ClockKind::System, "must be system or event", |v| match v {
                "system" => Some(ClockKind::System),
                "event" => Some(ClockKind::Event),
                _ => None,
            })?,
            targets: targets(&reader)?,
            rules: Rules {
                coalesce: SignedDuration::from_secs(reader.seconds("COALESCE_SECONDS", 600, 1, 86_400)?),
                settle: SignedDuration::from_secs(reader.seconds("SETTLE_SECONDS", 900, 0, 86_400)?),
            },
            silence: SignedDuration::from_secs(reader.seconds("SILENCE_SECONDS", 10_800, 900, 604_800)?),
            max_stacks: reader.parsed("MAX_STACKS", 50, "must be a whole number from 1 to 200", |v| {
                v.parse().ok().filter(|number| (1..=200).contains(number))
            })?,
            retention: SignedDuration::from_hours(24)
                * reader.parsed("RETENTION_DAYS", 45, "must be a whole number of days from 1 to 400", |v| {
                    v.parse().ok().filter(|days| (1..=400).contains(days))
                })?,
        };
        settings.fit_together()?;
        Ok(settings)
    }

    /// Refuses a source without what it needs.
    fn fit_together(&self) -> Result<(), SettingError> {
        let missing = |name, kind| Err(error(name, "", format!("must be set for SOURCE={kind}")));
        match self.source {
            SourceKind::Queue if self.queue_url.is_none() => missing("QUEUE_URL", "queue"),
            SourceKind::Logs if self.trail_url.is_none() => missing("TRAIL_URL", "logs"),
            SourceKind::Directory if self.trail_url.is_none() => missing("TRAIL_URL", "directory"),
            _ => Ok(()),
        }
    }

    /// The folder of `SOURCE=directory`.
    ///
    /// # Errors
    /// If `TRAIL_URL` is no `file:///path`.
    pub fn directory(&self) -> Result<PathBuf, SettingError> {
        let url = self.trail_url.as_deref().unwrap_or_default();
        let path = url.strip_prefix("file://").filter(|path| path.starts_with('/'));
        path.map(PathBuf::from).ok_or_else(|| error("TRAIL_URL", url, "must be file:///path for SOURCE=directory"))
    }
}

fn required(
    reader: &Reader<impl Fn(&str) -> Option<String>>,
    name: &'static str,
    allowed: &str,
) -> Result<String, SettingError> {
    let value = reader.text(name).unwrap_or_default();
    let known = value.starts_with("s3://") || value.starts_with("file:///");
    if known { Ok(value) } else { Err(error(name, &value, allowed)) }
}

fn namespace(reader: &Reader<impl Fn(&str) -> Option<String>>) -> Result<String, SettingError> {
    const ALLOWED: &str = "must have 1 to 255 of the characters A-Z a-z 0-9 . - _ / # :, and not begin with AWS/";
    reader.parsed("METRIC_NAMESPACE", "MigrationExposure".to_owned(), ALLOWED, |value| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_/#:".contains(&b);
        let fits = value.len() <= 255 && value.bytes().all(plain) && !value.starts_with("AWS/");
        fits.then(|| value.to_owned())
    })
}

fn stack_rules(reader: &Reader<impl Fn(&str) -> Option<String>>) -> Result<StackRules, SettingError> {
    const NAME: &str = "STACK_RULES";
    let tag = reader.text("STACK_TAG").unwrap_or_else(|| StackRules::DEFAULT_TAG.to_owned());
    let mitigated = reader.text("MITIGATED_TAG").unwrap_or_else(|| StackRules::MITIGATED_TAG.to_owned());
    let mut stacks = StackRules::new(&tag).mitigated_by(&mitigated);
    let Some(value) = reader.text(NAME) else { return Ok(stacks) };
    let InOrder(rules) = serde_json::from_str(&value).map_err(|reason| {
        error(NAME, &value, format!("must be a JSON object such as {{\"^night-\": \"Nighttime\"}} ({reason})"))
    })?;
    for (pattern, stack) in rules {
        stacks.add(&format!("{pattern}={stack}")).map_err(|reason| error(NAME, &value, reason.to_string()))?;
    }
    Ok(stacks)
}

/// The members of a JSON object in their order: the first rule that matches counts.
struct InOrder(Vec<(String, String)>);

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = InOrder;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(InOrder(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

fn targets(reader: &Reader<impl Fn(&str) -> Option<String>>) -> Result<Vec<Target>, SettingError> {
    const NAME: &str = "TARGETS";
    let Some(value) = reader.text(NAME) else { return Ok(Vec::new()) };
    Target::parse_list(&value).map_err(|reason| error(NAME, &value, reason.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingError> {
        Settings::from_variables(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_need_only_a_place_for_the_state() {
        let settings = read(&[("STATE_URL", "s3://bucket/state")]).expect("settings");
        assert_eq!(settings.source, SourceKind::Lookup);
        assert_eq!((settings.period.as_secs(), settings.requests_per_run), (300, 240));
        assert_eq!(settings.rules, Rules::default());
        assert_eq!(settings.retention, SignedDuration::from_hours(45 * 24));
    }

    #[test]
    fn a_wrong_setting_is_named_with_its_value_and_what_is_allowed() {
        let table = [
            (("STATE_URL", "bucket/state"), "s3://bucket/key"),
            (("SOURCE", "athena"), "lookup, queue, logs or directory"),
            (("SOURCE", "queue"), "must be set for SOURCE=queue"),
            (("SOURCE", "logs"), "must be set for SOURCE=logs"),
            (("PERIOD_SECONDS", "5"), "from 60 to 3600"),
            (("LOOKUP_REQUESTS_PER_SECOND", "0"), "AWS allows 2"),
            (("LOOKUP_REQUESTS_PER_RUN", "0"), "from 1 to 10000"),
            (("CLOCK", "wall"), "system or event"),
            (("TARGETS", "{}"), "JSON list"),
            (("STACK_RULES", "[]"), "JSON object"),
            (("STACK_RULES", "{\"(\": \"x\"}"), "regex"),
            (("METRIC_NAMESPACE", "AWS/EC2"), "not begin with AWS/"),
            (("COALESCE_SECONDS", "ten"), "from 1 to 86400"),
            (("MAX_STACKS", "1000"), "from 1 to 200"),
            (("RETENTION_DAYS", "0"), "from 1 to 400"),
        ];
        for ((name, value), allowed) in table {
            let variables = [(name, value), ("STATE_URL", "file:///tmp/state")];
            let said = read(&variables).expect_err(name).to_string();
            assert!(said.contains(allowed) || said.to_lowercase().contains(allowed), "{said}");
            assert!(said.contains(name) || allowed.contains("SOURCE="), "{said}");
        }
    }

    #[test]
    fn every_setting_stands_in_the_reference() {
        // What is read is asked for by name: a reader that knows no other name finds no difference.
        let asked = std::cell::RefCell::new(std::collections::BTreeSet::new());
        let read = Settings::from_variables(|name| {
            asked.borrow_mut().insert(name.to_owned());
            (name == "STATE_URL").then(|| "file:///tmp/state".to_owned())
        });
        assert!(read.is_ok());
        let known: std::collections::BTreeSet<String> = REFERENCE.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(*asked.borrow(), known);
    }
}
