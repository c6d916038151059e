//! What the analyzer has only one of: its state, its queue or folder, its metrics.

use std::path::Path;

use aws_sdk_sqs::types::QueueAttributeName;
use tokio::time::{Instant, timeout_at};

use super::Context;
use super::check::{Check, counted};
use super::tried::{Miss, tried};
use crate::failure::{Class, Failure};
use crate::run::{STATE_LIMIT, StartError};
use crate::settings::{Settings, SourceKind};
use crate::state::{State, StateError};
use crate::store::{Store, StoreError};

const STATE: &str = "state";
const QUEUE: &str = "sqs:GetQueueAttributes";

/// Refuses URLs that no run would start with.
pub(super) fn check_urls(settings: &Settings) -> Result<(), StartError> {
    let url = settings.trail_url.as_deref().unwrap_or_default();
    match settings.source {
        SourceKind::Directory => settings.directory().map(drop).map_err(StartError::from),
        SourceKind::Logs if url.starts_with("file://") => settings.directory().map(drop).map_err(StartError::from),
        SourceKind::Logs
            if !url.strip_prefix("s3://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) =>
        {
            Err(StartError::Trail(url.chars().take(200).collect()))
        }
        _ => Ok(()),
    }
}

/// Reads the state; there need not be any yet.
pub(super) async fn state(store: Store, deadline: Instant) -> (Check, Option<State>) {
    let name = store.name();
    let Ok(loaded) = timeout_at(deadline, store.load(STATE_LIMIT)).await else {
        let miss = Miss::of(Failure::new("s3:GetObject", Class::TimedOut, "the time for it was up"));
        return (miss.check(STATE), None);
    };
    match loaded {
        Ok(loaded) => match loaded.text.as_deref().map(State::from_json) {
            None => (absent(&store, &name), None),
            Some(Ok(state)) => {
                let detail = format!("{name} can be read; {} remembered", counted(state.ledger.len(), "instance"));
                (Check::ok(STATE, &detail), Some(state))
            }
            Some(Err(error @ StateError::NotAState(_))) => (aside(&name, &error.to_string()), None),
            Some(Err(error)) => (
                Check::fail(STATE, &format!("{name}: {error}"), "use the version that wrote it, or another STATE_URL"),
                None,
            ),
        },
        Err(StoreError::Corrupt { reason, .. }) => (aside(&name, &reason), None),
        Err(StoreError::Failed { failure, .. }) => (Miss::of(failure).check(STATE), None),
        Err(error) => (Check::fail(STATE, &error.to_string(), "check STATE_URL and who may read it"), None),
    }
}

fn absent(store: &Store, name: &str) -> Check {
    let folder = match store {
        Store::File(path) => path.parent(),
        Store::S3 { .. } => None,
    };
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let detail = format!("{} is not a folder", folder.display());
        return Check::fail(STATE, &detail, "make the folder, or choose another STATE_URL");
    }
    Check::ok(STATE, &format!("{name} is not there yet; the first run begins it"))
}

fn aside(name: &str, reason: &str) -> Check {
    let detail =
        format!("{name} cannot be used ({reason}): the next run sets it aside and rebuilds it from the source");
    Check::warn(STATE, &detail, "check that STATE_URL is the analyzer's alone")
}

/// The checks of the rest.
pub(super) async fn checks(context: &Context<'_>) -> Vec<Check> {
    let settings = context.settings;
    let mut checks = Vec::new();
    if settings.state_url.starts_with("s3://") {
        checks.push(Check::note("s3:PutObject", "writing the state was not tried: this command only reads"));
    }
    let folder = settings.directory().ok().filter(|_| settings.source != SourceKind::Lookup);
    match (settings.source, folder) {
        (SourceKind::Queue, _) => checks.extend(queue(context).await),
        (_, Some(folder)) => checks.push(directory(&folder)),
        _ => {}
    }
    let detail = format!("publishing to {} was not tried: there is no call that only reads", settings.namespace);
    checks.push(Check::note("cloudwatch:PutMetricData", &detail));
    checks
}

fn directory(folder: &Path) -> Check {
    const NAME: &str = "folder";
    match std::fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Check::ok(NAME, &format!("{} can be read", folder.display())),
        Ok(false) => Check::warn(NAME, &format!("{} is empty", folder.display()), "check TRAIL_URL"),
        Err(error) => Check::fail(NAME, &format!("{}: {error}", folder.display()), "check TRAIL_URL"),
    }
}

async fn queue(context: &Context<'_>) -> Vec<Check> {
    let client = context.clients.sqs();
    let url = context.settings.queue_url.as_deref().unwrap_or_default();
    let request = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
    let asked = match tried(QUEUE, context.end, 1, || request.clone().send()).await {
        Ok(answer) => {
            let waiting = answer.attributes.unwrap_or_default();
            let waiting = waiting.get(&QueueAttributeName::ApproximateNumberOfMessages).cloned().unwrap_or_default();
            match waiting.parse::<u64>() {
                Ok(count) => Check::ok(QUEUE, &format!("the queue is there; messages that wait: about {count}")),
                Err(_) => Check::ok(QUEUE, "the queue is there"),
            }
        }
        Err(miss) if miss.answered && miss.failure.class == Class::Denied => {
            miss.doubt(QUEUE, "whether the queue is there cannot be told")
        }
        Err(miss) => miss.check(QUEUE),
    };
    let rest = "sqs:ReceiveMessage and sqs:DeleteMessage were not tried, as they change the queue, nor was the rule that \
                feeds it";
    let fix = "the rule must be in state ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS, or Decrypts may not come";
    vec![asked, Check::advice("sqs:ReceiveMessage", rest, fix)]
}
