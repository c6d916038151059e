//! `watch` and `serve`: poll, tell, run commands, until told to stop.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use exposure_lifecycle::api::LazyApi;
use exposure_lifecycle::check::{Checker, Clock as _, Monotonic, Round};
use exposure_lifecycle::identity::{Given, Identity};
use exposure_lifecycle::imds::ImdsClient;
use exposure_lifecycle::limiter::{Limited, Schedule, random};
use exposure_lifecycle::machine::Source;
use exposure_lifecycle::observation::{Imds, ImdsOutcome};
use exposure_lifecycle::platform;
use exposure_lifecycle::state::State;
use exposure_lifecycle::telemetry::onset::{self, Onset};
use exposure_lifecycle::telemetry::watched::Watched;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch::Receiver;

use crate::args::Watch;
use crate::complete::Companion;
use crate::hooks::Hooks;
use crate::metrics::Metrics;
use crate::out::{Out, complain};
use crate::serve::{self, Shared};
use crate::stack::{self, Stack};
use crate::{once, stop};

type Check = Checker<ImdsClient, Limited<LazyApi, fn() -> f64>, Monotonic>;

/// Runs until it is told to stop.
pub(crate) async fn run(watch: &Watch, stop: Receiver<bool>) -> Result<ExitCode> {
    let mut watcher = Watcher::new(watch)?;
    if let Some(address) = watch.listen {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let address = listener.local_addr().unwrap_or(address);
        watcher.out.line(json!({"event": "listening", "address": address.to_string()}));
        tokio::spawn(serve::serve(listener, watcher.shared.clone()));
    }
    watcher.run(stop).await;
    Ok(ExitCode::SUCCESS)
}

/// What was last told of the state.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    state: State,
    source: Source,
    imds: ImdsOutcome,
}

struct Watcher {
    interval: Duration,
    clock: Monotonic,
    checker: Check,
    given: Given,
    identity: Option<Identity>,
    told: Option<Told>,
    onset: onset::Watch,
    watched: Watched,
    watched_interval: Duration,
    hooks: Option<Hooks>,
    metrics: Metrics,
    stack: Stack,
    shared: Shared,
    api_error: Option<String>,
    out: Out,
}

impl Watcher {
    fn new(watch: &Watch) -> Result<Self> {
        let clock = Monotonic::scaled(watch.time_scale);
        let sources = &watch.sources;
        let imds = ImdsClient::new(sources.imds())?;
        let api = || LazyApi::new(imds.clone(), sources.given(), sources.api_endpoint.clone(), sources.api_timeout);
        let pace = watch.limits.pace();
        let limited = Limited::new(api(), Schedule::new(pace), random as fn() -> f64);
        let out = Out::start().context("cannot write")?;
        let heartbeat = watch.commands.heartbeat;
        let action = watch.commands.complete_lifecycle_action.clone();
        let companion = action.map(|hook| Companion::new(api(), hook, heartbeat, clock, out.clone()));
        let hooks = Hooks::new(&watch.commands, companion, out.clone())?;
        let flags = &watch.telemetry;
        Ok(Self {
            interval: watch.interval,
            clock,
            checker: Checker::new(imds.clone(), limited, clock, watch.limits.rules()),
            given: sources.given(),
            identity: None,
            told: None,
            onset: onset::Watch::default(),
            watched: Watched::default(),
            watched_interval: flags.watched_interval,
            hooks,
            metrics: Metrics::new(flags, imds.clone(), sources.api_timeout, out.clone()),
            stack: Stack::new(flags.stack.clone(), flags.stack_tag.clone(), api(), Schedule::new(pace)),
            shared: Shared::new(clock.real(watch.interval) + sources.imds_timeout * 2 + sources.api_timeout * 2),
            api_error: None,
            out,
        })
    }

    async fn run(&mut self, mut stop: Receiver<bool>) {
        let mut next = self.clock.now();
        loop {
            tokio::select! {
                biased;
                () = stop::told(&mut stop) => break,
                () = self.round() => {}
            }
            // Polls keep their rhythm; those that were missed, as in a suspended machine, are not made up for.
            next = next.saturating_add(self.interval).max(self.clock.now());
            if self.rest_until(next, &mut stop).await {
                break;
            }
        }
        if let Some(hooks) = &mut self.hooks {
            hooks.stop().await;
        }
        self.tell_watched();
        self.tell_metrics(true).await;
        self.out.flush();
    }

    /// Waits, with an eye on the command under way. Whether it was told to stop.
    async fn rest_until(&mut self, next: Duration, stop: &mut Receiver<bool>) -> bool {
        loop {
            let is_busy = self.hooks.as_mut().is_some_and(|hooks| {
                hooks.tend();
                hooks.is_busy()
            });
            let now = self.clock.now();
            if now >= next {
                return *stop.borrow();
            }
            let rest = self.clock.real(next.saturating_sub(now));
            let rest = if is_busy { rest.min(Duration::from_millis(50)) } else { rest };
            tokio::select! {
                biased;
                () = stop::told(stop) => return true,
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    async fn round(&mut self) {
        let round = self.checker.check().await;
        let (imds, _) = &round.imds;
        let answers = matches!(imds, Imds::Known(_) | Imds::Absent);
        if self.identity.is_none() && answers {
            self.identity = self.given.complete(self.checker.imds()).await;
        }
        self.tell(&round);
        if let Some(hooks) = &mut self.hooks {
            let owner = self.identity.as_ref().map(|identity| identity.instance.to_string());
            hooks.observe(
                &round.decision,
                &owner.or_else(|| platform::boot().id).unwrap_or_else(|| "unknown".to_owned()),
            );
        }
        self.metrics.tally().add(&round);
        let wants_stack = self.metrics.is_wanted() || self.shared.is_served();
        self.shared.update(&round, self.stack.name());
        if wants_stack && answers {
            let now = self.clock.now();
            self.stack.look(self.checker.imds(), now).await;
        }
        self.tell_metrics(false).await;
    }

    async fn tell_metrics(&mut self, last: bool) {
        let now = self.clock.now();
        let unfound = (now >= stack::PATIENCE || last).then_some(exposure_core::stacks::UNASSIGNED);
        let stack = self.stack.name().or(unfound);
        self.metrics.tell(now, stack, self.identity.as_ref(), last).await;
    }

    /// Lines for what has changed.
    fn tell(&mut self, round: &Round) {
        let decision = &round.decision;
        let told = Told { state: decision.state.clone(), source: decision.source, imds: decision.imds };
        if self.told.as_ref() != Some(&told) {
            let mut line = json!(once::Answer::of(decision));
            self.identify(&mut line, "state");
            self.out.line(line);
            self.told = Some(told);
        }
        let wall = jiff::Timestamp::now().as_second();
        if let Some(onset) = self.onset.observe(&round.imds.0, wall, self.clock.now()) {
            let mut line = describe(onset);
            let event = if matches!(onset, Onset::Begins { .. }) { "imds_absent_begins" } else { "imds_absent_ends" };
            self.identify(&mut line, event);
            self.out.line(line);
        }
        self.watched.observe(&round.imds.0, wall, self.clock.now());
        if self.watched.is_due(self.watched_interval, self.clock.now()) {
            self.tell_watched();
        }
        if round.api.is_some() {
            let error = self.checker.api().client().error().map(str::to_owned);
            if let Some(error) = error.as_ref().filter(|_| self.api_error.is_none()) {
                complain(&format!("the Auto Scaling API failed: {error}"));
            }
            self.api_error = error;
        }
    }

    /// A line for the time under watch that lies behind.
    fn tell_watched(&mut self) {
        let wall = jiff::Timestamp::now().as_second();
        let Some(stretch) = self.watched.end(wall, self.clock.now()) else { return };
        let mut line = json!({
            "since": time(stretch.since),
            "answered": stretch.answered,
            // A second that has begun is one: what is shorter than it is told must not seem so.
            "longest_silence_seconds": stretch.longest_silence.as_millis().div_ceil(1_000),
            "imds": stretch.last.as_str(),
        });
        add_boot(&mut line);
        self.identify(&mut line, "watched");
        self.out.line(line);
    }

    fn identify(&self, line: &mut Value, event: &str) {
        if let Some(members) = line.as_object_mut() {
            let identity = self.identity.as_ref();
            members.insert("event".to_owned(), event.into());
            members.insert("instance_id".to_owned(), json!(identity.map(|identity| identity.instance.to_string())));
            members.insert("region".to_owned(), json!(identity.map(|identity| identity.region.to_string())));
        }
    }
}

/// What the analyzer's second Decrypt can be held against.
fn describe(onset: Onset) -> Value {
    let mut line = match onset {
        Onset::Begins { onset, seen_before } => json!({"onset": time(onset), "seen_before": seen_before}),
        Onset::Ends { onset, lasted, seen_before } => {
            json!({"onset": time(onset), "lasted_seconds": lasted.as_secs(), "seen_before": seen_before})
        }
    };
    add_boot(&mut line);
    line
}

/// A live migration changes neither the boot's ID nor its time.
fn add_boot(line: &mut Value) {
    let boot = platform::boot();
    if let Some(members) = line.as_object_mut() {
        members.insert("boot_id".to_owned(), json!(boot.id));
        members.insert("boot_time".to_owned(), json!(boot.at.and_then(time)));
        members.insert("uptime_seconds".to_owned(), json!(boot.uptime.map(|uptime| uptime.as_secs())));
    }
}

fn time(seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(seconds).map(|time| time.to_string()).ok()
}
