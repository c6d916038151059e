//! Judging: what the state and the fleet say together, in rows, data points and the run's record.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use exposure_core::analysis::{Analysis, Question, Sight, Window};
use exposure_core::figures::{Health, figures};
use exposure_core::ids::Source;
use exposure_core::ledger::{Standing, Totals};
use exposure_core::metrics::Datum;
use exposure_core::time::{TimeSpan, Timestamp};
use jiff::SignedDuration;

use super::gather::Gathered;
use super::record::{NewMigration, Outcome, RequestCounts, RunRecord, SCHEMA, TargetRecord};
use super::{OPEN, Runner};
use crate::settings::SourceKind;
use crate::state::State;

/// How long after an instance first showed in the fleet its launch must be on record.
const DELIVERED: SignedDuration = SignedDuration::from_mins(30);
/// And how long its absence counts.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// How many newcomers without any record make a source blind.
const ENOUGH: u64 = 3;

/// What a run judges.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) analysis: Analysis,
    pub(crate) totals: BTreeMap<String, Totals>,
    pub(crate) new: Vec<Standing>,
    pub(crate) blind: BTreeSet<Source>,
    pub(crate) lag: Option<f64>,
    /// The stacks that have a place of their own in the metrics.
    pub(crate) placed: BTreeSet<String>,
}

impl Runner {
    /// Counts what has settled, forgets what may be forgotten, and judges.
    pub(crate) fn judge(&self, state: &mut State, gathered: &Gathered, now: Timestamp) -> Judged {
        let settings = &self.settings;
        let ask = |state: &State, what: &mut dyn FnMut(&Question<'_>)| {
            what(&Question {
                ledger: &state.ledger,
                fleet: Some(&gathered.fleet),
                stacks: &settings.stacks,
                settings: &settings.rules,
                complete: Some(&state.complete),
                all: false,
            });
        };
        let mut standing = Vec::new();
        ask(state, &mut |question| standing = question.standing());
        let new = state.ledger.count(standing, now);
        state.ledger.thin(now - OPEN);
        state.forget(now - settings.retention, &settings.stacks, &settings.rules);
        let window = Window::from(gathered.span);
        let mut analysis = None;
        ask(state, &mut |question| analysis = Some(question.answer(window, gathered.accounting)));
        let mut analysis = analysis.unwrap_or_else(|| Analysis {
            schema: exposure_core::analysis::SCHEMA,
            window,
            accounting: gathered.accounting,
            coverage: exposure_core::analysis::Coverage::default(),
            stacks: Vec::new(),
            instances: Vec::new(),
        });
        let blind = self.blind(state, gathered, &analysis, now);
        analysis.coverage.blind |= !blind.is_empty();
        let behind = |source| state.ledger.observed_span(source).map(|span| span.to.until(now).as_secs_f64().max(0.0));
        let lag = gathered.places.keys().filter_map(behind).reduce(f64::max);
        let stacks: Vec<&str> = analysis.stacks.iter().map(|row| row.stack.as_str()).collect();
        let placed = state.place(stacks, now, settings.max_stacks);
        Judged { totals: state.ledger.totals(), analysis, new, blind, lag, placed }
    }

    /// The accounts and regions whose zero means nothing: launches without their Decrypts (rule 9), instances that came
    /// without any record, or silence where every call is on record.
    fn blind(&self, state: &State, gathered: &Gathered, analysis: &Analysis, now: Timestamp) -> BTreeSet<Source> {
        let judged = analysis.coverage.sources.iter().filter(|source| source.sight == Sight::Blind);
        let mut blind: BTreeSet<Source> =
            judged.map(|source| Source { account: source.account, region: source.region.clone() }).collect();
        for source in gathered.places.keys() {
            let shown = TimeSpan { from: now - RECENT, to: now - DELIVERED };
            let (newcomers, told) = state.ledger.newcomers(source, shown);
            let unannounced = newcomers >= ENOUGH && told == 0;
            let every_call = matches!(self.settings.source, SourceKind::Logs | SourceKind::Directory);
            let observed = state.ledger.observed_span(source).map(|span| span.to);
            let silent = every_call && observed.is_some_and(|last| last + self.settings.silence < now);
            if unannounced || silent {
                blind.insert(source.clone());
            }
        }
        blind
    }

    /// How the run went.
    pub(crate) fn health(
        &self,
        gathered: &Gathered,
        judged: &Judged,
        saved: bool,
        state_bytes: u64,
        took: Duration,
    ) -> Health {
        let failed = gathered.places.values().filter(|place| place.failure.is_some()).count();
        let work = gathered.work;
        let targets = gathered.places.len();
        // Targets and planned requests count alike.
        let (planned, done) = (work.planned + count(targets), work.done + count(targets - failed));
        Health {
            complete: saved && failed == 0 && work.done >= work.planned,
            work_completed: share(done.min(planned), planned),
            targets_failed: count(failed),
            blind: count(judged.blind.len()),
            event_lag: judged.lag,
            late_events: gathered.late,
            requests: gathered.requests.made,
            throttled: gathered.requests.throttled,
            budget_used: if gathered.requests.budget == 0 {
                0.0
            } else {
                share(gathered.budgeted.min(gathered.requests.budget), gathered.requests.budget)
            },
            malformed: gathered.accounting.malformed,
            rejected: self.rejected.load(std::sync::atomic::Ordering::Relaxed),
            duration: took.as_secs_f64() * 1_000.0,
            state_bytes,
        }
    }

    /// The data points of the run. What was not saved is not published as a total: it could go back.
    pub(crate) fn data(&self, judged: &Judged, health: &Health, saved: bool, now: Timestamp) -> Vec<Datum> {
        let period = i64::try_from(self.settings.period.as_secs()).unwrap_or(300).max(1);
        let at = Timestamp::from_second(now.as_second().div_euclid(period) * period);
        let mut data = figures(&judged.analysis, &judged.totals, &judged.placed, health, now, at);
        if !saved {
            data.retain(|datum| datum.metric.kind == exposure_core::metrics::Kind::Gauge);
        }
        data
    }
}

/// The run's record.
#[expect(clippy::too_many_arguments, reason = "the record is all that a run has found")]
pub(crate) fn record(
    state: &State,
    gathered: &Gathered,
    judged: Judged,
    health: &Health,
    saved: bool,
    dry_run: bool,
    now: Timestamp,
    problems: BTreeMap<String, u64>,
) -> RunRecord {
    let outcome = match (saved, health.complete) {
        (false, _) => Outcome::Failed,
        (true, true) => Outcome::Complete,
        (true, false) => Outcome::Partial,
    };
    let targets = gathered.places.iter().map(|(source, found)| TargetRecord {
        account: source.account,
        region: source.region.clone(),
        stale: found.stale,
        blind: judged.blind.contains(source),
        complete_through: state.complete.get(source).copied(),
        failure: found.failure.clone(),
    });
    RunRecord {
        schema: SCHEMA,
        outcome,
        scheduled_time: now,
        dry_run,
        window: judged.analysis.window,
        new_migrations: new_migrations(&judged),
        stacks: judged.analysis.stacks,
        coverage: judged.analysis.coverage,
        accounting: gathered.accounting,
        requests: RequestCounts {
            made: gathered.requests.made,
            throttled: gathered.requests.throttled,
            budget: gathered.requests.budget,
        },
        targets: targets.collect(),
        problems,
    }
}

fn new_migrations(judged: &Judged) -> Vec<NewMigration> {
    let rows = &judged.analysis.instances;
    let of = |standing: &Standing| {
        let source = &standing.key.source;
        let row = rows.iter().find(|row| {
            row.instance_id == standing.key.instance
                && row.account == Some(source.account)
                && row.region.as_ref() == Some(&source.region)
        })?;
        let migration = row.migrations.iter().find(|migration| migration.at == standing.at)?;
        Some(NewMigration {
            account: source.account,
            region: source.region.clone(),
            instance_id: standing.key.instance,
            stack: standing.stack.clone(),
            at: standing.at,
            confidence: migration.confidence,
            volumes: migration.volumes.clone(),
            event_ids: migration.event_ids.clone(),
        })
    };
    judged.new.iter().filter_map(of).collect()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "no run plans 2^52 requests")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}
