//! The trails of an account and region, for the sources that need one: what a trail leaves out, the analyzer never sees.

use aws_sdk_cloudtrail::types::Trail;
use exposure_core::ids::Region;
use futures::future::join_all;
use tokio::time::Instant;

use super::Context;
use super::check::{Check, bounded};
use super::selectors::{Selected, judge};
use super::tried::{Miss, TRIES, tried};
use crate::clients::{PlaceClients, Target};
use crate::settings::SourceKind;

const NAME: &str = "trail";
/// How many trails are looked at.
const MOST: usize = 10;

/// What is wrong with one trail.
struct Judged {
    name: String,
    /// Each with its fix.
    wrong: Vec<(String, &'static str)>,
    /// What could not be told.
    unknown: Vec<String>,
}

/// Whether any trail shows what the analysis needs.
pub(super) async fn check(
    target: &Target,
    region: &Region,
    clients: &PlaceClients,
    context: &Context<'_>,
    deadline: Instant,
) -> Check {
    let describe = || clients.cloudtrail.describe_trails().include_shadow_trails(true).send();
    let trails = match tried("cloudtrail:DescribeTrails", deadline, TRIES, describe).await {
        Ok(answer) => answer.trail_list.unwrap_or_default(),
        Err(miss) => return miss.doubt(NAME, "whether a trail hides what is needed cannot be told"),
    };
    if trails.is_empty() {
        let detail = "there is no trail here: neither log files nor events on EventBridge come into being";
        return Check::fail(NAME, detail, "create a multi-region trail of management events, or use SOURCE=lookup");
    }
    let bucket = context.settings.trail_url.as_deref().filter(|_| context.settings.source == SourceKind::Logs);
    let bucket = bucket.and_then(|url| url.strip_prefix("s3://")).map(|url| url.split('/').next().unwrap_or(url));
    let ours = |trail: &&Trail| bucket.is_none_or(|bucket| trail.s3_bucket_name() == Some(bucket));
    let candidates: Vec<&Trail> = trails.iter().filter(ours).take(MOST).collect();
    if candidates.is_empty() {
        let names = super::listed(trails.iter().filter_map(Trail::name));
        let bucket = bucket.unwrap_or_default();
        let detail = format!("no trail here writes to {bucket}, so what it holds cannot be judged; there are: {names}");
        return Check::warn(NAME, &detail, "check that TRAIL_URL names the trail's bucket and prefix");
    }
    let judged = candidates.into_iter().map(|trail| look(trail, target, region, context, deadline));
    summary(&join_all(judged).await)
}

/// One trail: where it records, whether it does, and what it lets through. Asked for where it is at home, since a copy in
/// another region knows no selectors.
async fn look(trail: &Trail, target: &Target, region: &Region, context: &Context<'_>, deadline: Instant) -> Judged {
    let mut judged =
        Judged { name: bounded(trail.name().unwrap_or("(no name)"), 60), wrong: Vec::new(), unknown: Vec::new() };
    let home = trail.home_region().unwrap_or(region.as_str());
    if home != region.as_str() && trail.is_multi_region_trail() != Some(true) {
        let home = bounded(home, 40);
        judged.wrong.push((format!("it records {home} only, not this region"), "make it a multi-region trail"));
    }
    let home = Region::new(home).unwrap_or_else(|_| region.clone());
    let client = context.clients.at(target, &home).await.cloudtrail;
    let arn = trail.trail_arn().or(trail.name()).unwrap_or_default();
    let status = || client.get_trail_status().name(arn).send();
    let selectors = || client.get_event_selectors().trail_name(arn).send();
    let (status, selectors) = futures::future::join(
        tried("cloudtrail:GetTrailStatus", deadline, TRIES, status),
        tried("cloudtrail:GetEventSelectors", deadline, TRIES, selectors),
    )
    .await;
    match status {
        Ok(status) => {
            if status.is_logging() == Some(false) {
                judged.wrong.push(("logging is off".to_owned(), "start-logging of the trail"));
            }
            if let Some(error) = status.latest_delivery_error().filter(|error| !error.is_empty()) {
                let what = format!("its last delivery failed ({})", bounded(error, 60));
                judged.wrong.push((what, "let CloudTrail write to the trail's bucket"));
            }
        }
        Err(miss) => judged.doubt(&miss),
    }
    match selectors {
        Ok(answer) => judged.selected(&judge(answer.event_selectors(), answer.advanced_event_selectors())),
        Err(miss) => judged.doubt(&miss),
    }
    judged
}

impl Judged {
    fn doubt(&mut self, miss: &Miss) {
        self.unknown.push(format!("{} {}", miss.failure.operation, miss.said()));
    }

    fn selected(&mut self, selected: &Selected) {
        if !selected.hidden.is_empty() {
            let what = format!("it hides {} ({})", selected.hidden.join(", "), selected.why.join("; "));
            self.wrong.push((what, "select all management events, read and write, those of KMS included"));
        }
        if selected.doubtful {
            self.unknown.push("its advanced selectors have conditions that cannot be judged here".to_owned());
        }
    }
}

/// One trail that shows everything is enough.
fn summary(trails: &[Judged]) -> Check {
    if let Some(good) = trails.iter().find(|trail| trail.wrong.is_empty() && trail.unknown.is_empty()) {
        return Check::ok(NAME, &format!("{} logs here and shows KMS and management events", good.name));
    }
    if let Some(open) = trails.iter().find(|trail| trail.wrong.is_empty()) {
        let detail = format!("{}: {}", open.name, open.unknown.join("; "));
        return Check::warn(NAME, &detail, "allow cloudtrail:GetTrailStatus and GetEventSelectors, or look yourself");
    }
    let said = |trail: &Judged| {
        let wrong: Vec<&str> = trail.wrong.iter().map(|(what, _)| what.as_str()).collect();
        format!("{}: {}", trail.name, wrong.join("; "))
    };
    let mut fixes: Vec<&str> = trails.iter().flat_map(|trail| &trail.wrong).map(|(_, fix)| *fix).collect();
    fixes.sort_unstable();
    fixes.dedup();
    let all: Vec<String> = trails.iter().map(said).collect();
    let detail = format!("blind, though all would look quiet. {}", all.join(". "));
    Check::fail(NAME, &detail, &format!("{}; or use SOURCE=lookup, which needs no trail", fixes.join("; ")))
}
