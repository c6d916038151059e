//! All checks of one account and region.

use std::collections::BTreeSet;
use std::time::Duration;

use exposure_core::ids::{AccountId, Region, Source};
use futures::future::{join, join3};
use tokio::time::Instant;

use super::check::Check;
use super::groups::{self, Groups};
use super::lookups::Lookups;
use super::tried::{Miss, who};
use super::{Context, IDENTITY, TargetReport, Verdict, baselines, budget, trail, trail_objects};
use crate::clients::{Identity, PlaceClients, Target};
use crate::failure::Class;
use crate::settings::SourceKind;
use crate::sources::lookup::client::OPERATION as LOOKUP;

/// How long calls are tried in a place where STS did not answer.
const UNANSWERED: Duration = Duration::from_secs(8);

/// One account and region.
pub(super) struct Place {
    target: Target,
    region: Region,
    clients: PlaceClients,
}

impl Place {
    pub(super) async fn of(target: Target, region: Region, context: &Context<'_>) -> Self {
        let clients = context.clients.at(&target, &region).await;
        Self { target, region, clients }
    }

    pub(super) async fn check(&self, context: &Context<'_>) -> TargetReport {
        let began = Instant::now();
        let identity = who(&self.clients.sts, context.end.min(began + IDENTITY)).await;
        let account = self.target.account.or(identity.as_ref().ok().map(|identity| identity.account));
        let mut checks = vec![identity_check(&identity, self.target.account)];
        let region_check = region_check(&identity, context);
        let is_off = region_check.as_ref().is_some_and(|check| check.fix.is_some());
        checks.extend(region_check);
        if identity.as_ref().is_err_and(Miss::is_without_credentials) || is_off {
            checks.push(Check::note("calls", "nothing else was tried here: no call can succeed without that"));
        } else {
            let deadline = match &identity {
                Err(miss) if !miss.answered => context.end.min(Instant::now() + UNANSWERED),
                _ => context.end,
            };
            let source = account.map(|account| Source { account, region: self.region.clone() });
            checks.extend(Box::pin(self.calls(source.as_ref(), context, deadline)).await);
        }
        let answered = checks.iter().any(|check| check.answered || check.result == Verdict::Ok);
        TargetReport { account, region: self.region.clone(), checks, answered }
    }

    async fn calls(&self, source: Option<&Source>, context: &Context<'_>, deadline: Instant) -> Vec<Check> {
        let settings = context.settings;
        let kind = settings.source;
        let from_files = settings.trail_url.as_deref().is_some_and(|url| url.starts_with("file://"));
        let with_trail = kind == SourceKind::Queue || (kind == SourceKind::Logs && !from_files);
        let trail = async {
            if !with_trail {
                return Vec::new();
            }
            let trail = trail::check(&self.target, &self.region, &self.clients, context, deadline);
            let objects = async {
                match source.filter(|_| kind == SourceKind::Logs) {
                    Some(source) => trail_objects::checks(source, context, deadline).await,
                    None => Vec::new(),
                }
            };
            let (trail, objects) = join(trail, objects).await;
            [vec![trail], objects].concat()
        };
        let lookups = Lookups::new(&self.clients.cloudtrail, settings.requests_per_second, context.now, deadline);
        let probe = async {
            match kind {
                SourceKind::Lookup => Some(lookups.probe().await),
                _ => None,
            }
        };
        let fleet = groups::look(&self.clients.autoscaling, settings, deadline);
        let ((groups, fleet), trail, probe) = Box::pin(join3(fleet, trail, probe)).await;
        let works = matches!(probe, Some(Ok(_)));
        let mut checks: Vec<Check> =
            probe.map(|probe| probe.unwrap_or_else(|miss| miss.check(LOOKUP))).into_iter().collect();
        checks.extend(trail);
        checks.extend(fleet);
        checks.extend(self.sight(source, groups.as_ref(), context, works.then_some(&lookups)).await);
        checks
    }

    /// Whether launches show their Decrypts, and whether lookups of the fleet fit.
    async fn sight(
        &self,
        source: Option<&Source>,
        groups: Option<&Groups>,
        context: &Context<'_>,
        lookups: Option<&Lookups<'_>>,
    ) -> Vec<Check> {
        let by_state = source.and_then(|source| baselines::by_state(source, context));
        let memory = source.and_then(|source| context.state.as_ref()?.places.get(source)).map(|place| &place.lookup);
        let memory = memory.filter(|memory| !memory.is_empty());
        let none = BTreeSet::new();
        let members = groups.map(|groups| &groups.members);
        let learnt = match (lookups, &by_state, memory) {
            (Some(lookups), None, _) | (Some(lookups), _, None) => Some(lookups.learn(members.unwrap_or(&none)).await),
            _ => None,
        };
        let baseline = by_state.or_else(|| learnt.as_ref().map(baselines::by_lookups));
        let mut checks = vec![baseline.unwrap_or_else(|| baselines::unknown(context.settings.source))];
        if let (SourceKind::Lookup, Some(members)) = (context.settings.source, members) {
            let memory = memory.or(learnt.as_ref().map(|learnt| &learnt.memory));
            checks.extend(memory.map(|memory| budget::check(memory, members, context.settings)));
        }
        checks
    }
}

/// Who the calls are made as, and whether that is the account that is meant.
pub(super) fn identity_check(identity: &Result<Identity, Miss>, meant: Option<AccountId>) -> Check {
    const NAME: &str = "identity";
    match identity {
        Ok(identity) => match meant.filter(|meant| *meant != identity.account) {
            Some(meant) => {
                let detail = format!(
                    "the credentials are of account {}, and {meant} is meant: {}",
                    identity.account, identity.arn
                );
                Check::fail(NAME, &detail, "name the roleArn of a role in that account in TARGETS")
            }
            None => Check::ok(NAME, &identity.arn),
        },
        Err(miss) => miss.check(NAME),
    }
}

/// Whether the region is enabled: its own STS endpoint answers only then.
fn region_check(identity: &Result<Identity, Miss>, context: &Context<'_>) -> Option<Check> {
    const NAME: &str = "region";
    let Err(miss) = identity else { return Some(Check::ok(NAME, "enabled: its STS endpoint answers")) };
    // Credentials that are good at home and unknown here.
    let is_unknown = ["InvalidClientTokenId", "UnrecognizedClient"].iter().any(|c| miss.failure.message.contains(c));
    let is_off = miss.failure.class == Class::Disabled || (is_unknown && context.own.is_ok());
    let fix = "enable it for the account, or take it out of TARGETS";
    is_off.then(|| Check::fail(NAME, &format!("not enabled, it seems: {}", miss.said()), fix))
}
