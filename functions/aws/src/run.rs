//! One run: load the state, look at every account and region, absorb, judge, save, publish.
//!
//! Accounts and regions run side by side and spoil nothing of each other. The state is saved before anything is
//! published, so that a total never goes back; where another run has saved meanwhile, the two are joined.

mod event;
mod gather;
mod judge;
mod record;
mod start;

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use exposure_core::ids::AccountId;
use exposure_core::time::Timestamp;
use futures::future::join_all;
use jiff::SignedDuration;
use tokio::time::Instant;

use crate::clients::Clients;
use crate::publish::{emf, publish};
use crate::settings::{ClockKind, Settings};
use crate::sources::{AnySource, RecordSource};
use crate::state::State;
use crate::store::{Store, StoreError, Version};

pub use event::{Event, EventError};
pub use record::{NewMigration, Outcome, RequestCounts, RunRecord, TargetRecord};
pub use start::StartError;

use gather::Gathered;
use judge::{Judged, record as record_of};

/// How large the state may be, decompressed: about a million remembered instances.
pub const STATE_LIMIT: usize = 1 << 30;
/// How often a state that another run has changed meanwhile is joined and saved again.
const JOINS: u32 = 8;
/// Snapshots older than this can be thinned: no run is still under way that took one before (Lambda: 15 minutes).
const OPEN: SignedDuration = SignedDuration::from_mins(30);

/// Everything that a run needs, made once.
#[derive(Debug)]
pub struct Runner {
    settings: Settings,
    clients: Clients,
    source: AnySource,
    store: Store,
    trails: start::Trails,
    /// The own account, once it is known.
    own: OnceLock<AccountId>,
    /// Data points that `CloudWatch` refused in the run before.
    rejected: AtomicU64,
}

/// A run that could not even begin, or not save.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The event cannot be meant.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The state cannot be read, or is of a later version.
    #[error("the state: {0}")]
    State(String),
    /// No account or region is known.
    #[error("no target: {0}")]
    Target(String),
}

/// What a run leaves: its record, and the lines for the log.
#[derive(Debug)]
pub struct Report {
    /// The answer of the function.
    pub record: RunRecord,
    /// Lines of JSON for the log: the record with its metrics, new migrations, problems.
    pub lines: Vec<String>,
}

impl Runner {
    /// A runner of these parts.
    #[must_use]
    pub(crate) fn new(
        settings: Settings,
        clients: Clients,
        source: AnySource,
        store: Store,
        trails: start::Trails,
    ) -> Self {
        Self { settings, clients, source, store, trails, own: OnceLock::new(), rejected: AtomicU64::new(0) }
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Makes one run that ends before `deadline`; `clock` is the system's time.
    ///
    /// # Errors
    /// If the event is refused, or the state cannot be read.
    pub async fn run(&self, event: &Event, clock: Timestamp, deadline: Instant) -> Result<Report, RunError> {
        let began = Instant::now();
        let clock = match (self.settings.clock, event.scheduled) {
            (ClockKind::Event, Some(scheduled)) => scheduled,
            _ => clock,
        };
        let now = event.at(clock)?;
        let mut problems = BTreeMap::new();
        let (mut state, mut version) = self.load(now, &mut problems).await?;
        let places = self.places().await.map_err(RunError::Target)?;
        let reading = reading_until(deadline);
        let looked = join_all(places.iter().map(|place| self.look(place, &state, now, reading))).await;
        let gathered = self.read(&mut state, looked, event, now, clock, reading).await;
        let mut judged = self.judge(&mut state, &gathered, now);
        let saved =
            if event.dry_run { Ok(0) } else { self.save(&mut state, &mut version, &gathered, &mut judged, now).await };
        let (state_bytes, saved) = match saved {
            Ok(bytes) => (bytes, true),
            Err(reason) => {
                *problems.entry(format!("the state could not be saved: {reason}")).or_default() += 1;
                (0, false)
            }
        };
        problems.extend(gathered.problems.clone());
        if saved
            && !event.dry_run
            && !gathered.receipts.is_empty()
            && let Err(failure) = self.source.confirm(&gathered.receipts).await
        {
            *problems.entry(failure.to_string()).or_default() += 1;
        }
        let health = self.health(&gathered, &judged, saved, state_bytes, began.elapsed());
        let data = self.data(&judged, &health, saved, now);
        if !event.dry_run {
            let published = publish(&self.clients.cloudwatch(), &self.settings.namespace, &data, deadline).await;
            self.rejected.store(published.rejected_count, Ordering::Relaxed);
            for rejected in &published.rejected {
                *problems.entry(format!("CloudWatch refused a data point: {rejected}")).or_default() += 1;
            }
            if let Some(failure) = published.failed {
                *problems.entry(failure.to_string()).or_default() += 1;
            }
        }
        let record = record_of(&state, &gathered, judged, &health, saved, event.dry_run, now, problems);
        let lines = self.lines(&record, &data, event.dry_run);
        Ok(Report { record, lines })
    }

    /// Loads the state. One that cannot be unpacked or read is set aside, named loudly, and begun anew; one of a later
    /// version is left alone.
    async fn load(&self, now: Timestamp, problems: &mut BTreeMap<String, u64>) -> Result<(State, Version), RunError> {
        let (reason, version) = match self.store.load(STATE_LIMIT).await {
            Ok(loaded) => match loaded.text.as_deref().map(State::from_json) {
                None => return Ok((State::default(), loaded.version)),
                Some(Ok(state)) => return Ok((state, loaded.version)),
                Some(Err(crate::state::StateError::NotAState(reason))) => (reason, loaded.version),
                Some(Err(error)) => return Err(RunError::State(error.to_string())),
            },
            Err(StoreError::Corrupt { reason, version, .. }) => (reason, version),
            Err(error) => return Err(RunError::State(error.to_string())),
        };
        let aside = self.store.set_aside(now).await.map_err(|error| RunError::State(error.to_string()))?;
        let said = format!("the state could not be read ({reason}); it was set aside as {aside}, and is rebuilt");
        *problems.entry(said).or_default() += 1;
        Ok((State::default(), version))
    }

    /// Saves the state, joined with what another run has saved meanwhile: its size, compressed.
    async fn save(
        &self,
        state: &mut State,
        version: &mut Version,
        gathered: &Gathered,
        judged: &mut Judged,
        now: Timestamp,
    ) -> Result<u64, String> {
        for _ in 0..JOINS {
            let text = state.to_json().map_err(|error| error.to_string())?;
            match self.store.save(text, version).await {
                Ok(saved) => return Ok(saved.bytes),
                Err(StoreError::Conflict { .. }) => {
                    let loaded = self.store.load(STATE_LIMIT).await.map_err(|error| error.to_string())?;
                    if let Some(text) = loaded.text {
                        let theirs = State::from_json(&text).map_err(|error| error.to_string())?;
                        state.merge(theirs, &self.settings.stacks, &self.settings.rules);
                    }
                    *version = loaded.version;
                    let again = self.judge(state, gathered, now);
                    let before = std::mem::replace(judged, again);
                    judged.new.extend(before.new);
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(format!("others have changed it {JOINS} times meanwhile"))
    }

    /// The lines for the log.
    fn lines(&self, record: &RunRecord, data: &[exposure_core::metrics::Datum], dry_run: bool) -> Vec<String> {
        let mut lines = Vec::new();
        let members = match serde_json::to_value(record) {
            Ok(serde_json::Value::Object(members)) => members,
            _ => serde_json::Map::new(),
        };
        if dry_run {
            lines.push(serde_json::Value::Object(members).to_string());
        } else {
            lines.extend(emf(&self.settings.namespace, data, members));
        }
        for migration in &record.new_migrations {
            let line = serde_json::json!({"level": "INFO", "event": "migration", "migration": migration});
            lines.push(line.to_string());
        }
        for (problem, count) in &record.problems {
            lines.push(
                serde_json::json!({"level": "WARN", "event": "problem", "problem": problem, "count": count})
                    .to_string(),
            );
        }
        lines
    }
}

/// When to stop reading: a quarter of the time, 30 seconds at most, is left to save and to publish.
fn reading_until(deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    let reserve = (left / 4).min(Duration::from_secs(30));
    deadline.checked_sub(reserve).unwrap_or(deadline)
}
