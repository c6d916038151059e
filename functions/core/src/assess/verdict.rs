//! The verdict of a member of the fleet (rule 8).

use std::fmt;

use serde::Serialize;

use crate::assess::timeline::{Confidence, Loss, Timeline};
use crate::ledger::InstanceHistory;
use crate::lifecycle::LifecycleState;
use crate::observation::Transition;
use crate::time::Timestamp;

/// What is said of a current member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Migrated, and no lifecycle transition since: IMDS answers 404.
    Exposed,
    /// The IMDS item may be lost, and no transition has repaired it.
    Undetermined,
    /// Migrated, and a transition since.
    Recovered,
    /// Sighted, and none of the above.
    Clean,
    /// Never sighted: nothing can be said.
    Unseen,
}

impl Verdict {
    /// Its name in the report.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exposed => "exposed",
            Self::Undetermined => "undetermined",
            Self::Recovered => "recovered",
            Self::Clean => "clean",
            Self::Unseen => "unseen",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A verdict, why, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What is said.
    pub verdict: Verdict,
    /// Why, in words.
    pub reason: String,
    /// Since when it is exposed.
    pub since: Option<Timestamp>,
}

/// Whether a lifecycle transition came after a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repair {
    By { transition: &'static str, at: Option<Timestamp> },
    Perhaps,
    None,
}

/// Judges a member in `state`.
pub(crate) fn judge(timeline: &Timeline, history: Option<&InstanceHistory>, state: &LifecycleState) -> Judgement {
    let open: Vec<(&Loss, Repair)> = timeline
        .losses
        .iter()
        .map(|loss| (loss, repair(history, state, loss.at)))
        .filter(|(_, repair)| !matches!(repair, Repair::By { .. }))
        .collect();
    let exposing = |(loss, repair): &&(&Loss, Repair)| {
        loss.cause.is_none()
            && loss.confidence.counts()
            && !loss.pending
            && *repair == Repair::None
            && state.is_steady()
    };
    if let Some((first, _)) = open.iter().find(exposing) {
        let reason = format!("no cause on record; {state} since, no transition");
        let since = Some(first.at);
        return Judgement { verdict: Verdict::Exposed, reason, since };
    }
    if let Some((loss, repair)) = open.last() {
        return Judgement { verdict: Verdict::Undetermined, reason: possible(loss, *repair, state), since: None };
    }
    let (verdict, reason) = match timeline.migrations.last() {
        Some(migration) => (Verdict::Recovered, recovered(history, state, migration.at)),
        None if timeline.sighted => (Verdict::Clean, "sighted, and every later Decrypt is explained".to_owned()),
        None => {
            (Verdict::Unseen, "no Decrypt of its volumes on record: unencrypted, or older than the trail".to_owned())
        }
    };
    Judgement { verdict, reason, since: None }
}

fn possible(loss: &Loss, repair: Repair, state: &LifecycleState) -> String {
    let at = loss.at;
    match (loss.cause, loss.confidence) {
        (Some(cause), _) => {
            format!("an explained host move ({cause}) at {at}: whether the IMDS item survived it is open")
        }
        (None, Confidence::Partial) => {
            format!("a partial migration at {at}: some volumes came again and others did not")
        }
        (None, Confidence::Undetermined) => {
            format!(
                "an unexplained Decrypt at {at} that cannot be placed: no baseline, and no evidence of earlier running"
            )
        }
        (None, confidence) if loss.pending => {
            format!("a {confidence} migration at {at} is pending: a record that explains it may still arrive")
        }
        (None, confidence) if repair == Repair::Perhaps => {
            format!("a {confidence} migration at {at}, between two fleet snapshots with a transition between them")
        }
        (None, confidence) => format!("a {confidence} migration at {at} of a member in {state}, which is not steady"),
    }
}

fn recovered(history: Option<&InstanceHistory>, state: &LifecycleState, at: Timestamp) -> String {
    match repair(history, state, at) {
        Repair::By { transition, at: Some(when) } => format!("migration at {at}; {transition} at {when}"),
        Repair::By { transition, at: None } => format!("migration at {at}; {transition} since"),
        Repair::Perhaps | Repair::None => format!("migration at {at}"),
    }
}

/// Whether a transition followed `loss`: on record, between fleet snapshots, or under way now.
fn repair(history: Option<&InstanceHistory>, state: &LifecycleState, loss: Timestamp) -> Repair {
    if state.is_leaving() {
        return Repair::By { transition: "leaving its group", at: None };
    }
    let Some(history) = history else { return Repair::None };
    let recorded = history.transitions.iter().map(|((transition, _), span)| (*transition, span.to));
    // A start or a stop by Auto Scaling moves the instance out of a warm pool or into it.
    let by_warm_pool =
        history.causes.iter().filter(|(_, caused)| caused.by_auto_scaling).filter_map(|((cause, ..), caused)| {
            let transition = match cause {
                crate::observation::Cause::Start => Transition::WarmPoolStart,
                crate::observation::Cause::Stop => Transition::WarmPoolStop,
                _ => return None,
            };
            Some((transition, caused.time))
        });
    let first = recorded.chain(by_warm_pool).filter(|(_, at)| *at > loss).min_by_key(|(_, at)| *at);
    if let Some((transition, at)) = first {
        return Repair::By { transition: transition.as_str(), at: Some(at) };
    }
    between_snapshots(history, state, loss)
}

/// Whether the state changed after `loss` from one fleet snapshot to the next. The state of now comes last; where it
/// has no time it tells of a change only if it differs from a snapshot taken afterwards (rule 11).
fn between_snapshots(history: &InstanceHistory, now: &LifecycleState, loss: Timestamp) -> Repair {
    let shown = history.states.iter().map(|(taken, state)| (Some(*taken), state));
    let mut before: Option<(Option<Timestamp>, &LifecycleState)> = None;
    let mut repair = Repair::None;
    for (taken, state) in shown.chain([(None, now)]) {
        let changed = before.replace((taken, state)).filter(|(_, earlier)| *earlier != state);
        let Some((Some(earlier), _)) = changed else { continue };
        if earlier >= loss {
            return Repair::By { transition: "another state in a later fleet snapshot", at: None };
        }
        // The change may lie on either side of it.
        if taken.is_some_and(|taken| taken > loss) {
            repair = Repair::Perhaps;
        }
    }
    repair
}
