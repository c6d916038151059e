//! When each instance was in service, as far as the ledger and the fleet tell, and what had to be assumed of it.

use std::collections::BTreeMap;

use crate::evidence::service::{Moved, Stay};
use crate::fleet::Member;
use crate::ledger::InstanceHistory;
use crate::observation::Transition;
use crate::time::{TimeSpan, Timestamp};

use super::Question;
use super::subjects::{Groups, Subject, subjects};

/// Times in service and migrations, the ground of every rate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InService {
    /// Times in service.
    pub stays: Vec<Stay>,
    /// Migrations that count.
    pub moves: Vec<Moved>,
    /// How many instances begin at the beginning of the window because their launch is not in view.
    pub launches_unseen: u64,
    /// How many departed instances end with their last trace because their departure is not in view.
    pub departures_unseen: u64,
}

impl Question<'_> {
    /// The times in service of all instances of a known stack within a window, and their migrations.
    ///
    /// An instance is in service from its launch, or else from the beginning of the window; up to its departure, or else
    /// to the end of the window if it is a member, to its last trace if it is none, and to the end of the window as an
    /// assumption where no fleet tells. Standby and the warm pool do not count.
    #[must_use]
    pub fn in_service(&self, window: TimeSpan) -> InService {
        let groups = Groups::new(self);
        let members: BTreeMap<_, &Member> =
            self.fleet.into_iter().flat_map(|fleet| &fleet.members).map(|member| (member.instance, member)).collect();
        let mut found = InService::default();
        for subject in subjects(self, &groups, None) {
            let history = subject.key().and_then(|key| self.ledger.instances.get(&key));
            for (migration, stack) in subject.timeline.migrations.iter().zip(&subject.counted_under) {
                let counts = migration.confidence.counts() && !migration.pending && window.holds(migration.at);
                if let Some(stack) = stack.as_ref().filter(|_| counts) {
                    let (stack, at, launched) = (stack.clone(), migration.at, subject.launched);
                    found.moves.push(Moved { stack, at, launched });
                }
            }
            if subject.stack.is_some() {
                let member = members.get(&subject.instance).copied();
                found.add(&subject, history, member, self.fleet.is_some(), window);
            }
        }
        found
    }
}

/// What an instance's traces tell of its service, in the order of time: whether it is in service from then on, if they
/// tell that at all.
fn traces(history: &InstanceHistory) -> Vec<(Timestamp, Option<bool>)> {
    let mut traces: Vec<(Timestamp, Option<bool>)> = Vec::new();
    traces.extend(history.sightings.values().map(|seen| (seen.time, None)));
    traces.extend(history.states.iter().map(|(taken, state)| (*taken, Some(state.is_in_service()))));
    traces.extend(history.transitions.iter().map(|((transition, _), span)| match transition {
        Transition::ExitStandby | Transition::AttachInstances | Transition::WarmPoolStart => (span.to, Some(true)),
        Transition::EnterStandby | Transition::DetachInstances | Transition::Terminate | Transition::WarmPoolStop => {
            (span.from, Some(false))
        }
        Transition::CompleteLifecycleAction | Transition::ScalingActivity => (span.to, None),
    }));
    traces.sort_by_key(|(at, _)| *at);
    traces
}

/// The story of one instance's service, told in the order of time.
struct Story<'w> {
    stack: &'w str,
    launched: Option<Timestamp>,
    window: TimeSpan,
    /// Since when it is in service, and up to when that had to be assumed.
    since: Option<(Timestamp, Option<Timestamp>)>,
    stays: Vec<Stay>,
}

impl Story<'_> {
    /// It is in service from now on.
    fn enters(&mut self, at: Timestamp) {
        self.since.get_or_insert((at, None));
    }

    /// It is no longer in service, or not known to be.
    fn leaves(&mut self, at: Timestamp, assumed_from: Option<Timestamp>) {
        let Some((from, assumed_until)) = self.since.take() else { return };
        let (from, to) = (from.max(self.window.from), at.min(self.window.to));
        if from < to {
            let (stack, launched) = (self.stack.to_owned(), self.launched);
            self.stays.push(Stay { stack, from, to, launched, assumed_until, assumed_from });
        }
    }
}

impl InService {
    fn add(
        &mut self,
        subject: &Subject,
        history: Option<&InstanceHistory>,
        member: Option<&Member>,
        fleet_known: bool,
        window: TimeSpan,
    ) {
        let Some(stack) = &subject.stack else { return };
        let traces = history.map(traces).unwrap_or_default();
        let launched = subject.launched;
        let mut story = Story { stack, launched, window, since: None, stays: Vec::new() };
        if let Some(launched) = launched {
            story.enters(launched);
        } else if !history.is_some_and(|history| enters_on_record(history, &traces)) {
            self.launches_unseen += 1;
            story.since = Some((window.from, Some(traces.first().map_or(window.to, |(at, _)| *at))));
        }
        for (at, in_service) in &traces {
            match in_service {
                Some(true) => story.enters(*at),
                Some(false) => story.leaves(*at, None),
                None => {}
            }
        }
        let last = traces.last().map(|(at, _)| *at).or(launched);
        if story.since.is_some() {
            match (member, last) {
                (Some(member), _) if member.state.is_in_service() => story.leaves(window.to, None),
                (None, _) if !fleet_known => story.leaves(window.to, Some(last.unwrap_or(window.from))),
                // It is gone, or came to where it stands now off the record.
                (_, last) => {
                    self.departures_unseen += 1;
                    story.leaves(last.unwrap_or(window.from), None);
                }
            }
        }
        self.stays.append(&mut story.stays);
    }
}

/// Whether the first that is told of an instance is a call that put it into service: before, it was not.
fn enters_on_record(history: &InstanceHistory, traces: &[(Timestamp, Option<bool>)]) -> bool {
    let first = traces.iter().find_map(|(at, in_service)| in_service.map(|in_service| (*at, in_service)));
    first.is_some_and(|(at, in_service)| in_service && !history.states.contains_key(&at))
}
