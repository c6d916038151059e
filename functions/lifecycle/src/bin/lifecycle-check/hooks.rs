//! Commands: which transition there is, whether one runs for it, and what becomes of it.
//!
//! A transition is a change of what a source says; an assumed state is none. Each has its command run once, which the marker
//! remembers through restarts. A command that was cut off with this program, by a crash or a stop, did not run to its end,
//! and is run again.

mod job;

use std::io;

use exposure_lifecycle::machine::{Decision, Source};
use exposure_lifecycle::platform;
use exposure_lifecycle::state::State;
use serde_json::json;

use crate::args::{Commands, Vector};
use crate::complete::{Companion, Progress};
use crate::marker::{Handled, Marker, Phase};
use crate::out::{Out, complain};
use job::{End, Job};

/// A transition, as it is told to its command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transition {
    /// What makes it another: both ends of an instance are one.
    key: &'static str,
    state: String,
    source: &'static str,
    reason: String,
    previous: String,
}

const TERMINATING: &str = "Terminated";

fn key(state: &State) -> Option<&'static str> {
    match state {
        State::Unknown => None,
        state if state.is_end() => Some(TERMINATING),
        State::NotInGroup => Some("NotInGroup"),
        State::Known(target) => Some(target.as_str()),
    }
}

/// The commands and what they have done.
pub(crate) struct Hooks {
    commands: Commands,
    marker: Marker,
    owner: Option<String>,
    /// The last transition that was handled, is being handled, or waits.
    seen: Option<&'static str>,
    handled: Option<Handled>,
    job: Option<(Job, Transition)>,
    waiting: Option<Transition>,
    companion: Option<Companion>,
    out: Out,
}

impl Hooks {
    /// The commands, if there are any.
    ///
    /// # Errors
    /// If others than administrators can write one of them or the marker, or the marker cannot be kept.
    pub(crate) fn new(commands: &Commands, companion: Option<Companion>, out: Out) -> anyhow::Result<Option<Self>> {
        let all = [&commands.on_terminating, &commands.on_standby, &commands.on_in_service];
        let mut any = false;
        for command in all.into_iter().flatten() {
            any = true;
            platform::trusted(&command.program).map_err(|why| anyhow::anyhow!("the command is refused: {why}"))?;
        }
        if !any {
            return Ok(None);
        }
        let folder = commands.state_dir.clone().unwrap_or_else(platform::state_folder);
        let marker = Marker::open(&folder)
            .map_err(|error| anyhow::anyhow!("{}: {error}; name a folder with --state-dir", folder.display()))?;
        let commands = commands.clone();
        let (owner, seen, handled, job, waiting) = (None, None, None, None, None);
        Ok(Some(Self { commands, marker, owner, seen, handled, job, waiting, companion, out }))
    }

    /// Whether a command is under way, so that it must be looked after often.
    pub(crate) fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    /// Takes in a decision. `owner` is whose the marker is.
    pub(crate) fn observe(&mut self, decision: &Decision, owner: &str) {
        if decision.source == Source::Assumed {
            return;
        }
        let Some(key) = key(&decision.state) else { return };
        if self.owner.is_none() {
            self.remember(owner);
        }
        if self.seen == Some(key) {
            return;
        }
        let previous = self.seen.unwrap_or_default().to_owned();
        self.seen = Some(key);
        let (state, source) = (decision.state.to_string(), decision.source.as_str());
        let transition = Transition { key, state, source, reason: decision.reason.to_string(), previous };
        match &mut self.job {
            // A drain waits for no other command.
            Some((job, under_way)) if key == TERMINATING && under_way.key != TERMINATING => {
                job.end_for("a termination comes first");
                self.waiting = Some(transition);
            }
            Some(_) => self.waiting = Some(transition),
            None => self.start(transition),
        }
    }

    fn remember(&mut self, owner: &str) {
        self.owner = Some(owner.to_owned());
        self.handled = self.marker.read(owner);
        let Some(handled) = &self.handled else { return };
        if handled.phase == Phase::Started {
            return;
        }
        let keys = [TERMINATING, "InService", "Standby", "Detached", "NotInGroup"];
        let warm = ["Warmed", "Warmed:Hibernated", "Warmed:Running", "Warmed:Stopped"];
        self.seen = keys.into_iter().chain(warm).find(|key| *key == handled.state);
        let is_left = handled.state == TERMINATING && handled.phase == Phase::Done;
        if is_left && let Some(companion) = &mut self.companion {
            companion.start(Progress::Succeeded);
        }
    }

    fn start(&mut self, transition: Transition) {
        let command = match transition.key {
            TERMINATING => &self.commands.on_terminating,
            "Standby" => &self.commands.on_standby,
            "InService" => &self.commands.on_in_service,
            _ => &None,
        };
        let Some(command) = command.clone() else {
            self.mark(transition.key, Phase::Done, 1);
            return;
        };
        let cut_off =
            self.handled.as_ref().filter(|handled| handled.phase == Phase::Started && handled.state == transition.key);
        let attempt = cut_off.map_or(1, |handled| handled.attempt.saturating_add(1));
        self.mark(transition.key, Phase::Started, attempt);
        match self.launch(&command, &transition, attempt) {
            Ok(job) => {
                self.tell(
                    &transition,
                    "started",
                    json!({"attempt": attempt, "program": command.program.display().to_string()}),
                );
                if transition.key == TERMINATING
                    && let Some(companion) = &mut self.companion
                {
                    companion.start(Progress::UnderWay);
                }
                self.job = Some((job, transition));
            }
            Err(why) => {
                self.mark(transition.key, Phase::Failed, attempt);
                self.tell(&transition, "failed", json!({"reason": why}));
            }
        }
    }

    fn launch(&self, command: &Vector, transition: &Transition, attempt: u64) -> Result<Job, String> {
        // Looked at again: it may have been changed since the start.
        let program = platform::trusted(&command.program)?;
        let attempt = attempt.to_string();
        let variables = [
            ("LIFECYCLE_STATE", transition.state.as_str()),
            ("LIFECYCLE_PREVIOUS_STATE", &transition.previous),
            ("LIFECYCLE_SOURCE", transition.source),
            ("LIFECYCLE_REASON", &transition.reason),
            ("LIFECYCLE_INSTANCE_ID", self.owner.as_deref().unwrap_or_default()),
            ("LIFECYCLE_ATTEMPT", &attempt),
        ];
        Job::start(&program, &command.arguments, &variables, self.commands.command_timeout)
            .map_err(|error: io::Error| format!("{}: {error}", program.display()))
    }

    /// Looks after the command under way.
    pub(crate) fn tend(&mut self) {
        if self.companion.as_mut().is_some_and(Companion::is_completed) {
            let attempt = self.handled.as_ref().map_or(1, |handled| handled.attempt);
            self.mark(TERMINATING, Phase::Completed, attempt);
        }
        let Some((job, _)) = &mut self.job else { return };
        let Some(end) = job.tend() else { return };
        let Some((job, transition)) = self.job.take() else { return };
        let attempt = self.handled.as_ref().map_or(1, |handled| handled.attempt);
        let is_well = matches!(end, End::Exited(Some(0)));
        let phase = if is_well { Phase::Done } else { Phase::Failed };
        // Whoever is told that it is over may kill this program: the marker comes first.
        self.mark(transition.key, phase, attempt);
        let seconds = job.age().as_secs_f64();
        let (what, more) = match &end {
            End::Exited(Some(0)) => ("succeeded", json!({})),
            End::Exited(code) => ("failed", json!({"exit_code": code})),
            End::Ended(why) => ("ended", json!({"reason": why})),
        };
        self.tell(&transition, what, merged(more, json!({"seconds": (seconds * 1_000.0).round() / 1_000.0})));
        if transition.key == TERMINATING
            && let Some(companion) = &mut self.companion
        {
            companion.tell(if is_well { Progress::Succeeded } else { Progress::Failed });
        }
        if let Some(next) = self.waiting.take().filter(|next| next.key != transition.key) {
            self.start(next);
        }
    }

    /// Stops: a command under way has its grace, and is ended then. The marker goes on saying that it was started, so that the
    /// next start of this program runs it again.
    pub(crate) async fn stop(&mut self) {
        let deadline = tokio::time::Instant::now() + self.commands.grace;
        self.waiting = None;
        while self.is_busy() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(job::TEND).await;
            self.tend();
        }
        if let Some((mut job, transition)) = self.job.take() {
            job.stop().await;
            self.tell(&transition, "cut_off", json!({"reason": "this program was told to stop"}));
        }
        if let Some(companion) = &mut self.companion {
            companion.finish().await;
        }
        self.tend();
    }

    fn mark(&mut self, key: &str, phase: Phase, attempt: u64) {
        let owner = self.owner.clone().unwrap_or_default();
        let handled = Handled { owner, state: key.to_owned(), phase, attempt };
        // A command that runs twice is better than one that does not run.
        if let Err(error) = self.marker.write(&handled) {
            complain(&format!("the marker of transitions cannot be written: {error}"));
        }
        self.handled = Some(handled);
    }

    fn tell(&self, transition: &Transition, what: &str, more: serde_json::Value) {
        let line = json!({"event": "command", "what": what, "state": transition.state});
        self.out.line(merged(line, more));
    }
}

fn merged(mut line: serde_json::Value, more: serde_json::Value) -> serde_json::Value {
    if let (Some(members), serde_json::Value::Object(more)) = (line.as_object_mut(), more) {
        members.extend(more);
    }
    line
}
