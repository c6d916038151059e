//! Whether the trail's objects of an account and region can be listed and read, and whether any come.

use exposure_core::ids::Source;
use exposure_core::time::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::Context;
use super::check::{Check, counted};
use super::tried::{Miss, tried};
use crate::failure::{Class, Failure};
use crate::sources::covered::shifted;
use crate::sources::logs::{Object, ObjectClient, SdkObjects};

const LIST: &str = "s3:ListObjectsV2";
const GET: &str = "s3:GetObject";
const HOUR: i64 = 3_600;

/// Where objects lie, and which came.
struct Found {
    recent: usize,
    any: Option<Object>,
}

/// Lists the objects of the last hour, and reads the first byte of one.
pub(super) async fn checks(source: &Source, context: &Context<'_>, deadline: Instant) -> Vec<Check> {
    let url = context.settings.trail_url.as_deref().unwrap_or_default();
    let place = url.strip_prefix("s3://").unwrap_or_default();
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let objects = SdkObjects { client: context.clients.s3(), bucket: bucket.to_owned() };
    let found = timeout_at(deadline, find(&objects, prefix, source, context.now)).await;
    let late = || Failure::new(LIST, Class::TimedOut, "the time for it was up");
    let found = match found.unwrap_or_else(|_| Err(late())) {
        Ok(found) => found,
        Err(failure) => return vec![Miss::of(failure).check(LIST)],
    };
    let Some(object) = found.any else {
        let detail = format!("allowed, but there is no object of {source} below {url}");
        let fix = "check that TRAIL_URL is the trail's bucket and prefix, and that the trail covers this region";
        return vec![Check::fail(LIST, &detail, fix)];
    };
    let listed = if found.recent == 0 {
        let fix = "check that the trail is logging; an account in use writes something every hour";
        Check::warn(LIST, "allowed, but nothing was delivered in the last hour", fix)
    } else {
        let period = i64::try_from(context.settings.period.as_secs()).unwrap_or(HOUR).clamp(1, HOUR);
        let a_run = i64::try_from(found.recent).unwrap_or(i64::MAX).saturating_mul(period) / HOUR + 1;
        Check::ok(
            LIST,
            &format!("{} in the last hour, about {a_run} to read in a run", counted(found.recent, "object")),
        )
    };
    let request = objects.client.get_object().bucket(bucket).key(&object.key).range("bytes=0-0");
    let read = match tried(GET, deadline, 1, || request.clone().send()).await {
        Ok(_) => Check::ok(GET, "allowed, for an object of the trail"),
        Err(miss) => miss.check(GET),
    };
    vec![listed, read]
}

async fn find(objects: &SdkObjects, prefix: &str, source: &Source, now: Timestamp) -> Result<Found, Failure> {
    let Source { account, region } = source;
    let since = shifted(now, -HOUR);
    let mut found = Found { recent: 0, any: None };
    let roots = roots(objects, prefix).await?;
    for root in &roots {
        let mut days = vec![day(since), day(now)];
        days.dedup();
        for day in days {
            let folder = format!("{root}{account}/CloudTrail/{region}/{day}/");
            let after = format!("{folder}{account}_CloudTrail_{region}_{}", stamp(since));
            let listing = objects.list(&folder, Some(&after), None).await?;
            found.recent += listing.objects.len();
            found.any = found.any.or(listing.objects.into_iter().next());
        }
    }
    for root in &roots {
        if found.any.is_some() {
            break;
        }
        let listing = objects.list(&format!("{root}{account}/CloudTrail/{region}/"), None, None).await?;
        found.any = listing.objects.into_iter().next();
    }
    Ok(found)
}

/// Where accounts' folders lie: below `AWSLogs/`, and below that of each organisation in it.
async fn roots(objects: &SdkObjects, prefix: &str) -> Result<Vec<String>, Failure> {
    let prefix = prefix.trim_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    if prefix.split('/').any(|part| part == "AWSLogs") {
        return Ok(vec![prefix]);
    }
    let root = format!("{prefix}AWSLogs/");
    let folders = objects.folders(&root).await?;
    let is_organisation = |folder: &String| folder.strip_prefix(&root).is_some_and(|rest| rest.starts_with("o-"));
    let organisations: Vec<String> = folders.into_iter().filter(is_organisation).collect();
    Ok([vec![root], organisations].concat())
}

/// A day as it is written in a key: `2026/05/11`.
fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).map(|c| if c == '-' { '/' } else { c }).collect()
}

/// A time as it is written in the name of an object: `20260511T2304`.
fn stamp(time: Timestamp) -> String {
    time.to_string().chars().take(16).filter(|c| !matches!(c, '-' | ':')).collect()
}
