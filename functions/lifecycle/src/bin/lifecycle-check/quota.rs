//! `quota`: what a fleet asks of the Auto Scaling API.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use exposure_lifecycle::limiter::Pace;
use exposure_lifecycle::quota::Fleet;
use serde_json::json;

use crate::args::{Format, Quota};

pub(crate) fn run(quota: &Quota) -> ExitCode {
    let ceiling = quota.api_ceiling.max(quota.api_floor);
    let fleet = Fleet {
        instances: quota.instances.into(),
        interval: quota.interval,
        exposed: quota.exposed_percent / 100.0,
        growth: quota.growth,
        zones: quota.zones.into(),
        pace: Pace { floor: quota.api_floor, ceiling, ..Pace::default() },
    };
    let text = match quota.format {
        Format::Text => text(quota, &fleet),
        Format::Json => json(quota, &fleet),
    };
    // Whoever has closed the output has seen enough.
    let _ = io::stdout().write_all(text.as_bytes());
    let is_over = quota.limit.is_some_and(|limit| fleet.calls().zone > limit);
    if is_over { ExitCode::from(3) } else { ExitCode::SUCCESS }
}

fn text(quota: &Quota, fleet: &Fleet) -> String {
    let calls = fleet.calls();
    let rows = [
        ("before: IMDS answers", calls.before),
        ("during: the exposed share falls back, nothing new", calls.during),
        ("the first minute, if it all becomes exposed at once", calls.onset),
        ("worst: a whole zone at once, its first minute", calls.zone),
        ("the same, once pauses have grown", calls.zone_later),
        ("the naive way: every instance polls the API", calls.naive),
    ];
    let mut text = "calls per second of the whole fleet\n".to_owned();
    for (name, value) in rows {
        let _ = writeln!(text, "  {name:<52} {value:>10.2}");
    }
    let bound = fleet.pace.longest_age().as_secs();
    let _ = writeln!(text, "A state out of the API is at most {bound} s old while the API answers.");
    let Some(limit) = quota.limit else {
        text.push_str("Name your account's limit with --limit: AWS does not publish it.\n");
        return text;
    };
    let floor = fleet.floor_under(limit).unwrap_or(Duration::MAX).as_secs();
    let naive = fleet.naive_interval_under(limit).unwrap_or(Duration::MAX).as_secs();
    let verdict = if calls.zone <= limit {
        format!("All of it is under {limit} calls per second. The naive way is from an interval of {naive} s on.")
    } else {
        format!(
            "The worst case is over {limit} calls per second. --api-floor {floor}s keeps under it; the naive way needs an \
             interval of {naive} s."
        )
    };
    let _ = writeln!(text, "{verdict}");
    text
}

fn json(quota: &Quota, fleet: &Fleet) -> String {
    let calls = fleet.calls();
    let seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs());
    let limit = quota.limit.map(|limit| {
        json!({
            "calls_per_second": limit,
            "is_kept": calls.zone <= limit,
            "api_floor_seconds": seconds(fleet.floor_under(limit)),
            "naive_interval_seconds": seconds(fleet.naive_interval_under(limit)),
        })
    });
    let answer = json!({
        "before": calls.before, "during": calls.during, "onset": calls.onset, "zone": calls.zone,
        "zone_later": calls.zone_later, "naive": calls.naive,
        "longest_age_seconds": fleet.pace.longest_age().as_secs(), "limit": limit,
    });
    answer.to_string() + "\n"
}
