//! The lifecycle action: heartbeats while the command for termination runs, and the word that it is done. Neither before the
//! API shows that the group waits for it: IMDS names the target earlier than that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use exposure_lifecycle::api::LazyApi;
use exposure_lifecycle::check::Monotonic;
use exposure_lifecycle::limiter::{AskApi as _, random};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::out::Out;

/// How often the API is asked whether the group waits, and how often it is told again what it did not take.
const PAUSE: Duration = Duration::from_secs(15);
/// How long after the command's end the group may begin to wait, in such pauses: an hour.
const PATIENCE: u32 = 240;
/// How often it is told that the action is done, where it does not take it.
const ATTEMPTS: u32 = 10;

/// What became of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    UnderWay,
    Succeeded,
    Failed,
}

/// Who speaks to the group beside the command.
pub(crate) struct Companion {
    api: Option<LazyApi>,
    hook: String,
    heartbeat: Duration,
    clock: Monotonic,
    out: Out,
    progress: watch::Sender<Progress>,
    completed: Arc<AtomicBool>,
    task: Option<JoinHandle<()>>,
}

impl Companion {
    pub(crate) fn new(api: LazyApi, hook: String, heartbeat: Duration, clock: Monotonic, out: Out) -> Self {
        let (progress, completed) = (watch::channel(Progress::UnderWay).0, Arc::new(AtomicBool::new(false)));
        Self { api: Some(api), hook, heartbeat, clock, out, progress, completed, task: None }
    }

    /// Begins, once.
    pub(crate) fn start(&mut self, progress: Progress) {
        self.tell(progress);
        let Some(api) = self.api.take() else { return };
        let action = Action {
            api,
            hook: self.hook.clone(),
            heartbeat: self.clock.real(self.heartbeat),
            pause: self.clock.real(PAUSE),
            out: self.out.clone(),
            progress: self.progress.subscribe(),
        };
        let completed = Arc::clone(&self.completed);
        self.task = Some(tokio::spawn(async move { completed.store(action.run().await, Ordering::SeqCst) }));
    }

    /// Says what became of the command.
    pub(crate) fn tell(&mut self, progress: Progress) {
        self.progress.send_replace(progress);
    }

    /// Whether the action was completed since this was last asked.
    pub(crate) fn is_completed(&mut self) -> bool {
        self.completed.swap(false, Ordering::SeqCst)
    }

    /// Has a last moment for what is under way.
    pub(crate) async fn finish(&mut self) {
        let Some(mut task) = self.task.take() else { return };
        if *self.progress.borrow() != Progress::Succeeded || timeout(Duration::from_secs(3), &mut task).await.is_err() {
            task.abort();
        }
    }
}

struct Action {
    api: LazyApi,
    hook: String,
    heartbeat: Duration,
    pause: Duration,
    out: Out,
    progress: watch::Receiver<Progress>,
}

impl Action {
    /// Whether the action was completed.
    async fn run(mut self) -> bool {
        let Some(group) = self.group_that_waits().await else { return false };
        if !self.beats_until_success(&group).await {
            return false;
        }
        for attempt in 1..=ATTEMPTS {
            let Some(client) = self.api.client().await else { break };
            match client.complete(&group, &self.hook).await {
                Ok(()) => {
                    self.tell("completed", "the command succeeded");
                    return true;
                }
                Err(error) if attempt == ATTEMPTS => self.tell("not completed", &error.to_string()),
                Err(_) => sleep(self.pause).await,
            }
        }
        false
    }

    /// The group, once the API shows that it waits for this instance.
    async fn group_that_waits(&mut self) -> Option<String> {
        let mut patience = PATIENCE;
        while patience > 0 {
            self.api.ask(Duration::ZERO).await;
            if let (None, Some(member)) = (self.api.error(), self.api.member()) {
                let state = member.state.as_str();
                if state.ends_with("Terminating:Wait") {
                    return Some(member.group.clone());
                }
                if state.ends_with("Terminating:Proceed") || state.ends_with("Terminated") {
                    self.tell("not completed", &format!("the group does not wait: {state}"));
                    return None;
                }
            }
            match *self.progress.borrow() {
                Progress::UnderWay => {}
                Progress::Failed => return self.left_to_its_timeout(),
                Progress::Succeeded => patience = patience.saturating_sub(1),
            }
            let drawn_out = self.pause.mul_f64(1.0 + random() / 2.0);
            // A change of the command's progress ends the pause, but the API is not asked more often for it.
            sleep(drawn_out).await;
        }
        self.tell("not completed", "the API never showed that the group waits");
        None
    }

    async fn beats_until_success(&mut self, group: &str) -> bool {
        loop {
            let progress = *self.progress.borrow_and_update();
            match progress {
                Progress::Succeeded => return true,
                Progress::Failed => return self.left_to_its_timeout().is_some(),
                Progress::UnderWay => {}
            }
            let changed = timeout(self.heartbeat, self.progress.changed()).await;
            if changed.is_ok_and(|changed| changed.is_err()) {
                return false;
            }
            if *self.progress.borrow() == Progress::UnderWay
                && let Some(client) = self.api.client().await
                && let Err(error) = client.heartbeat(group, &self.hook).await
            {
                self.tell("heartbeat failed", &error.to_string());
            }
        }
    }

    fn left_to_its_timeout(&self) -> Option<String> {
        self.tell("not completed", "the command failed; the hook's own timeout and default result decide");
        None
    }

    fn tell(&self, what: &str, reason: &str) {
        self.out.line(json!({"event": "lifecycle_action", "what": what, "hook": self.hook, "reason": reason}));
    }
}
