//! Looking: the fleets and the new records of all accounts and regions.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use exposure_core::analysis::Accounting;
use exposure_core::fleet::{Activity, Fleet};
use exposure_core::ids::{AccountId, Source};
use exposure_core::ledger::Absorbed;
use exposure_core::time::{TimeSpan, Timestamp, join_span};
use jiff::SignedDuration;
use tokio::time::Instant;

use super::{Event, Runner};
use crate::clients::{PlaceClients, Target};
use crate::failure::{Class, Failure};
use crate::fleet::describe;
use crate::sources::{Ask, Batch, PlaceMemory, RecordSource, Requests, Work};
use crate::state::State;

/// How far back scaling activities are asked for before the last snapshot: they show when they have begun, and are
/// written to the end.
const ACTIVITIES_BEFORE: SignedDuration = SignedDuration::from_hours(2);
/// And how far back the first time.
const ACTIVITIES_FIRST: SignedDuration = SignedDuration::from_hours(24);
/// A record that comes so much later than what was read before is late.
const LATE: SignedDuration = SignedDuration::from_mins(30);

/// One account and region, with its clients.
pub(crate) struct Place {
    pub(crate) source: Source,
    clients: PlaceClients,
    /// Why it cannot be looked at at all.
    refused: Option<Failure>,
}

/// What was found of the fleet of one account and region.
pub(crate) struct Looked {
    source: Source,
    refused: bool,
    fleet: Fleet,
    activities: Vec<Activity>,
    activities_failure: Option<Failure>,
    failure: Option<Failure>,
    requests: Requests,
    problems: BTreeMap<String, u64>,
}

/// What was found of one account and region.
#[derive(Debug, Default)]
pub(crate) struct PlaceFound {
    /// Whether the fleet is that of before.
    pub(crate) stale: bool,
    pub(crate) failure: Option<String>,
}

/// What a run has found.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) fleet: Fleet,
    pub(crate) places: BTreeMap<Source, PlaceFound>,
    pub(crate) accounting: Accounting,
    pub(crate) span: Option<TimeSpan>,
    pub(crate) requests: Requests,
    /// How many of the requests were made of a budget; those for the fleet are not.
    pub(crate) budgeted: u64,
    pub(crate) work: Work,
    pub(crate) late: u64,
    pub(crate) problems: BTreeMap<String, u64>,
    pub(crate) receipts: Vec<String>,
}

impl Runner {
    /// The accounts and regions of the targets; by default the own ones. One that these credentials cannot look at is
    /// among them, with the reason.
    pub(crate) async fn places(&self) -> Result<Vec<Place>, String> {
        let own = [Target::default()];
        let targets = if self.settings.targets.is_empty() { own.as_slice() } else { &self.settings.targets };
        let mut places = Vec::new();
        for target in targets {
            let here = || self.clients.region().map(|region| vec![region]);
            let regions = if target.regions.is_empty() { here() } else { Some(target.regions.clone()) };
            for region in regions.ok_or("no region is configured; set AWS_REGION, or name regions in TARGETS")? {
                let clients = self.clients.at(target, &region).await;
                let (account, refused) = match self.account(target).await {
                    Ok(account) => (account, None),
                    Err(failure) => (target.account.ok_or_else(|| failure.to_string())?, Some(failure)),
                };
                places.push(Place { source: Source { account, region }, clients, refused });
            }
        }
        let mut trails = self.trails.lock().unwrap_or_else(PoisonError::into_inner);
        trails.extend(places.iter().map(|place| (place.source.clone(), place.clients.cloudtrail.clone())));
        drop(trails);
        Ok(places)
    }

    /// The account of a target: its role's, or the own one, which STS tells once.
    async fn account(&self, target: &Target) -> Result<AccountId, Failure> {
        if let (Some(account), Some(_)) = (target.account, &target.role_arn) {
            return Ok(account);
        }
        let own = if let Some(own) = self.own.get() {
            *own
        } else {
            let own = self.clients.identity().await?.account;
            *self.own.get_or_init(|| own)
        };
        target.account(own).map_err(|error| Failure::new("sts:GetCallerIdentity", Class::Denied, &error.to_string()))
    }

    /// Takes the fleet snapshot of one account and region; where that fails, that of before stands in for it.
    pub(crate) async fn look(&self, place: &Place, state: &State, now: Timestamp, deadline: Instant) -> Looked {
        let source = place.source.clone();
        let described = if let Some(failure) = &place.refused {
            Err(failure.clone())
        } else {
            let through = state.activities.get(&source).copied();
            let since = through.map_or(now - ACTIVITIES_FIRST, |through| through - ACTIVITIES_BEFORE);
            describe(&place.clients.autoscaling, &source, Some(since), deadline).await
        };
        let refused = place.refused.is_some();
        match described {
            Ok(described) => Looked {
                source,
                refused,
                fleet: described.fleet,
                activities: described.activities,
                activities_failure: described.activities_failure,
                failure: None,
                requests: Requests { made: described.requests, throttled: described.throttled, budget: 0 },
                problems: described.problems,
            },
            Err(failure) => Looked {
                fleet: state.ledger.last_fleet(&source, &self.settings.stacks).unwrap_or_default(),
                source,
                refused,
                activities: Vec::new(),
                activities_failure: None,
                failure: Some(failure),
                requests: Requests::default(),
                problems: BTreeMap::new(),
            },
        }
    }

    /// Reads the new records of all, and absorbs everything.
    pub(crate) async fn read(
        &self,
        state: &mut State,
        looked: Vec<Looked>,
        event: &Event,
        now: Timestamp,
        clock: Timestamp,
        deadline: Instant,
    ) -> Gathered {
        if let Some(from) = event.from {
            // Of a place that fails, too: then the next run reads them again.
            let places = looked.iter().filter(|looked| !looked.refused).map(|looked| &looked.source);
            for place in places {
                if let Some(memory) = state.places.get_mut(place) {
                    memory.forget_from(from);
                }
            }
        }
        let until = event.to.map_or(now, |to| to.min(now));
        let (ledger, nothing) = (&state.ledger, PlaceMemory::default());
        let asks: Vec<Ask<'_>> = looked
            .iter()
            .filter(|looked| !looked.refused)
            .map(|looked| Ask {
                place: &looked.source,
                now: until,
                deadline,
                ledger,
                fleet: &looked.fleet,
                memory: state.places.get(&looked.source).unwrap_or(&nothing),
            })
            .collect();
        let mut batches = self.source.read(&asks).await.into_iter();
        drop(asks);
        let mut gathered = Gathered::default();
        for looked in looked {
            let batch = if looked.refused { None } else { batches.next() };
            gathered.take(self, state, looked, batch, now, clock);
        }
        gathered
    }
}

impl Gathered {
    /// Absorbs what was found of one account and region.
    fn take(
        &mut self,
        runner: &Runner,
        state: &mut State,
        looked: Looked,
        batch: Option<Result<Batch, Failure>>,
        now: Timestamp,
        clock: Timestamp,
    ) {
        let Looked { source, mut fleet, activities, activities_failure, failure, requests, problems, .. } = looked;
        let mut found = PlaceFound { stale: failure.is_some(), failure: failure.map(|failure| failure.to_string()) };
        self.ask(requests);
        self.note(&source, problems);
        match batch {
            Some(Ok(batch)) => self.absorb(state, &source, batch),
            Some(Err(failure)) => {
                found.failure.get_or_insert(failure.to_string());
            }
            None => {}
        }
        // Activities that could not be read are asked for again from the same time.
        match activities_failure {
            Some(failure) => {
                self.work.planned += 1;
                *self.problems.entry(format!("{source}: {failure}")).or_default() += 1;
            }
            None if !found.stale => {
                state.activities.entry(source.clone()).and_modify(|old| *old = now.max(*old)).or_insert(now);
            }
            None => {}
        }
        if !found.stale {
            fleet.taken = Some(clock);
            state.ledger.absorb_activities(&activities, Some(&fleet));
            state.ledger.absorb_fleet(&fleet, |group| runner.settings.stacks.of_group(group));
            state.ledger.note_mitigated(&fleet, |group| runner.settings.stacks.is_mitigated(group));
            let mut in_service: BTreeMap<String, u64> = BTreeMap::new();
            for member in fleet.members.iter().filter(|member| member.state.is_in_service()) {
                if let Some(group) = fleet.group_of(member) {
                    *in_service.entry(runner.settings.stacks.of_group(group)).or_default() += 1;
                }
            }
            state.ledger.note_service(&source, clock, &in_service);
        }
        if let Some(reason) = &found.failure {
            *self.problems.entry(format!("{source}: {reason}")).or_default() += 1;
        }
        self.fleet.extend(fleet);
        self.places.insert(source, found);
    }

    fn absorb(&mut self, state: &mut State, source: &Source, batch: Batch) {
        let before = state.ledger.observed_span(source).map(|span| span.to - LATE);
        let mut accounting = batch.accounting;
        for observation in &batch.observations {
            let absorbed = state.ledger.absorb(observation);
            accounting.count(&observation.kind, absorbed);
            self.late += u64::from(absorbed == Absorbed::New && before.is_some_and(|before| observation.time < before));
        }
        for (source, span) in batch.spans {
            state.ledger.observed(&source, span);
            join_span(&mut self.span, span);
        }
        if let Some(through) = batch.complete_through {
            state.complete.entry(source.clone()).and_modify(|old| *old = through.max(*old)).or_insert(through);
        }
        state.places.insert(source.clone(), batch.memory);
        self.accounting += accounting;
        self.ask(batch.requests);
        self.work.planned += batch.work.planned;
        self.work.done += batch.work.done;
        self.note(source, batch.problems);
        self.receipts.extend(batch.receipts);
    }

    fn ask(&mut self, requests: Requests) {
        self.requests.made += requests.made;
        self.requests.throttled += requests.throttled;
        self.requests.budget += requests.budget;
        if requests.budget > 0 {
            self.budgeted += requests.made;
        }
    }

    fn note(&mut self, source: &Source, problems: BTreeMap<String, u64>) {
        for (problem, count) in problems {
            *self.problems.entry(format!("{source}: {problem}")).or_default() += count;
        }
    }
}
