//! Before the analyzer is relied on: whether it would see. Read-only calls only, each of those that the settings and the
//! fleet need, tried once, for each account and region; and what would make it blind, with its fix.
//!
//! One check that fails stops no other, and one account that is denied spoils no other.

mod baselines;
mod budget;
mod check;
mod groups;
mod lookups;
mod own;
mod place;
mod selectors;
mod trail;
mod trail_objects;
mod tried;

use std::time::Duration;

use exposure_core::ids::{AccountId, Region};
use exposure_core::time::Timestamp;
use futures::future::join_all;
use serde::Serialize;
use tokio::time::Instant;

use crate::clients::{Clients, Target};
use crate::run::StartError;
use crate::settings::Settings;
use crate::store::Location;

pub use check::{Check, Verdict};

use check::bounded;
use place::Place;
use tried::{Miss, who};

/// The schema of the report.
pub const SCHEMA: &str = "migration-exposure/preflight/1";

/// How long it may take to learn whose credentials these are: missing ones are looked for on the network.
const IDENTITY: Duration = Duration::from_secs(12);
/// How long everything may take where nothing answers.
const SILENT: Duration = Duration::from_secs(18);

/// What was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Which schema this is of.
    pub schema: &'static str,
    /// Each account and region; that of the analyzer itself is always among them.
    pub targets: Vec<TargetReport>,
    /// Whether nothing failed.
    pub ok: bool,
    /// Whether any call was answered at all. If not, nothing is known of the account.
    #[serde(skip)]
    pub answered: bool,
}

/// What was found of one account and region.
#[derive(Debug, Serialize)]
pub struct TargetReport {
    /// The account, where it is known.
    pub account: Option<AccountId>,
    /// The region.
    pub region: Region,
    /// The checks, in a fixed order.
    pub checks: Vec<Check>,
    #[serde(skip)]
    answered: bool,
}

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// A setting cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It is not known where to look.
    #[error("no region is configured; set AWS_REGION, or name regions in TARGETS")]
    NoRegion,
}

/// What all checks need.
struct Context<'a> {
    settings: &'a Settings,
    clients: &'a Clients,
    /// The state, if one could be read.
    state: Option<crate::state::State>,
    now: Timestamp,
    /// When to give up.
    end: Instant,
    /// Whose credentials the analyzer's own are.
    own: Result<crate::clients::Identity, Miss>,
}

impl Report {
    fn of(mut targets: Vec<TargetReport>) -> Self {
        targets.sort_by_key(|target| (target.account, target.region.clone()));
        let ok = targets.iter().flat_map(|target| &target.checks).all(|check| check.result != Verdict::Fail);
        let answered = targets.iter().any(|target| target.answered);
        Self { schema: SCHEMA, targets, ok, answered }
    }

    /// How many checks ended so.
    #[must_use]
    pub fn count(&self, result: Verdict) -> u64 {
        let checks = self.targets.iter().flat_map(|target| &target.checks);
        u64::try_from(checks.filter(|check| check.result == result).count()).unwrap_or(u64::MAX)
    }
}

/// Tries everything that the settings need, as of `now` and within `timeout`; where nothing answers, within 20 seconds.
///
/// # Errors
/// If a setting cannot be used, or no region is known.
pub async fn preflight(settings: &Settings, now: Timestamp, timeout: Duration) -> Result<Report, PreflightError> {
    let began = Instant::now();
    let clients = Clients::load().await;
    let location = Location::parse(&settings.state_url).map_err(StartError::from)?;
    own::check_urls(settings)?;
    let wanted = wanted(settings, &clients)?;
    let own = who(&clients.sts(), began + IDENTITY.min(timeout)).await;
    if let Err(miss) = &own
        && miss.is_without_credentials()
    {
        return Ok(without_credentials(wanted, miss));
    }
    let end = began + if own.is_ok() { timeout } else { SILENT.min(timeout) };
    let account = own.as_ref().ok().map(|identity| identity.account);
    let (state_check, state) = own::state(location.open(|| clients.s3(), account), end).await;
    let context = Context { settings, clients: &clients, state, now, end, own };
    let mut shared = vec![state_check];
    shared.extend(own::checks(&context).await);
    let mut places = Vec::new();
    for (target, region) in wanted {
        places.push(Place::of(target, region, &context).await);
    }
    let mut reports = join_all(places.iter().map(|place| place.check(&context))).await;
    file_shared(&mut reports, shared, account, &context);
    Ok(Report::of(reports))
}

/// Puts the checks of what the analyzer has only one of under its own account and region.
fn file_shared(reports: &mut Vec<TargetReport>, shared: Vec<Check>, account: Option<AccountId>, context: &Context<'_>) {
    let region = context.clients.region();
    let home = reports.iter_mut().find(|report| Some(&report.region) == region.as_ref() && report.account == account);
    match (home, region) {
        (Some(home), _) => home.checks.extend(shared),
        (None, Some(region)) => {
            let mut checks = vec![place::identity_check(&context.own, None)];
            checks.extend(shared);
            let answered = context.own.is_ok();
            reports.push(TargetReport { account, region, checks, answered });
        }
        (None, None) => {
            if let Some(first) = reports.first_mut() {
                first.checks.extend(shared);
            }
        }
    }
}

/// The accounts and regions to look at; by default the own ones.
fn wanted(settings: &Settings, clients: &Clients) -> Result<Vec<(Target, Region)>, PreflightError> {
    let own = Target::default();
    let targets = if settings.targets.is_empty() { std::slice::from_ref(&own) } else { &settings.targets };
    let mut wanted = Vec::new();
    for target in targets {
        if target.regions.is_empty() {
            wanted.push((target.clone(), clients.region().ok_or(PreflightError::NoRegion)?));
        }
        wanted.extend(target.regions.iter().map(|region| (target.clone(), region.clone())));
    }
    Ok(wanted)
}

/// The report of credentials that are missing: no call can be made with them.
fn without_credentials(wanted: Vec<(Target, Region)>, miss: &Miss) -> Report {
    let report = |(target, region): (Target, Region)| {
        let checks = vec![
            miss.check("identity"),
            Check::note("calls", "nothing else was tried: no call can be made without credentials"),
        ];
        TargetReport { account: target.account, region, checks, answered: false }
    };
    Report::of(wanted.into_iter().map(report).collect())
}

/// Names for the detail of a check, bounded in number and length.
fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const LISTED: usize = 8;
    const LENGTH: usize = 60;
    let names: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| bounded(name, LENGTH)).collect();
    match names.len().checked_sub(LISTED).filter(|more| *more > 0) {
        Some(more) => format!("{} and {more} more", shown.join(", ")),
        None => shown.join(", "),
    }
}

/// Events a day, from how many came in how many seconds.
fn a_day(events: usize, seconds: u64) -> u64 {
    u64::try_from(events).unwrap_or(u64::MAX).saturating_mul(86_400) / seconds.max(1)
}
