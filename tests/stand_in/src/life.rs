//! The life of an instance in its group: which lifecycle state from when on.

use serde_json::{Map, Value};

use crate::fleet::Activity;

/// An instance of a group.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) instance: String,
    /// As it is described, with the state of the end.
    pub(crate) row: Map<String, Value>,
    /// Its place among those that are there at the end.
    pub(crate) rank: usize,
    /// By time; no state is no member.
    pub(crate) stages: Vec<(i64, Option<String>)>,
}

impl Life {
    /// The state at a time, if it is a member then.
    pub(crate) fn state(&self, at: i64) -> Option<&str> {
        let past = self.stages.iter().take_while(|(from, _)| *from <= at);
        past.last().and_then(|(_, state)| state.as_deref())
    }

    /// When it ceased to be a member, if it did.
    pub(crate) fn end(&self) -> Option<i64> {
        self.stages.last().filter(|(_, state)| state.is_none()).map(|(at, _)| *at)
    }
}

/// What an activity does with its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Launch,
    IntoWarmPool,
    FromWarmPool,
    ToWarmPool,
    EnterStandby,
    ExitStandby,
    Detach,
    Terminate,
}

/// An activity of one instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move {
    pub(crate) step: Step,
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
}

impl Move {
    /// The instance of an activity and what becomes of it; both are in the description only.
    pub(crate) fn read(activity: &Activity) -> Option<(String, Self)> {
        let description = activity.row.get("Description").and_then(Value::as_str)?;
        let (what, instance) = description.rsplit_once(": ")?;
        let step = match what {
            "Launching a new EC2 instance" => Step::Launch,
            "Launching a new EC2 instance into warm pool" => Step::IntoWarmPool,
            "Launching a new EC2 instance from warm pool" => Step::FromWarmPool,
            "Returning EC2 instance to warm pool" => Step::ToWarmPool,
            "Moving EC2 instance to Standby" => Step::EnterStandby,
            "Moving EC2 instance out of Standby" => Step::ExitStandby,
            "Detaching EC2 instance" => Step::Detach,
            "Terminating EC2 instance" => Step::Terminate,
            _ => return None,
        };
        Some((instance.to_owned(), Self { step, start: activity.start, end: activity.end }))
    }
}

impl Step {
    /// The state while it goes on and the one that it ends in.
    fn states(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Launch | Self::ExitStandby | Self::FromWarmPool => ("Pending", Some("InService")),
            // The pool stops it later.
            Self::IntoWarmPool => ("Warmed:Pending", Some("Warmed:Pending")),
            Self::ToWarmPool => ("Warmed:Pending", Some("Warmed:Stopped")),
            Self::EnterStandby => ("EnteringStandby", Some("Standby")),
            Self::Detach => ("Detaching", None),
            Self::Terminate => ("Terminating", None),
        }
    }

    /// The state before it, of an instance that was there already.
    fn before(self) -> &'static str {
        match self {
            Self::ExitStandby => "Standby",
            Self::FromWarmPool => "Warmed:Stopped",
            _ => "InService",
        }
    }

    fn is_launch(self) -> bool {
        matches!(self, Self::Launch | Self::IntoWarmPool)
    }
}

/// The states of a life, from its launch if that is on record, else from the beginning; to the state at the end.
pub(crate) fn settle(
    launched: Option<i64>,
    moves: &[Move],
    pool_stops: &[i64],
    last: Option<&str>,
) -> Vec<(i64, Option<String>)> {
    let mut stages: Vec<(i64, Option<String>)> = Vec::new();
    let mut put = |at: i64, state: Option<&str>| stages.push((at, state.map(str::to_owned)));
    match (launched, moves.first()) {
        (Some(at), None) => put(at, last.or(Some("InService"))),
        (None, None) => put(i64::MIN, last),
        (_, Some(first)) if !first.step.is_launch() => {
            put(launched.unwrap_or(i64::MIN), Some(first.step.before()));
        }
        _ => {}
    }
    for Move { step, start, end } in moves {
        let (during, after) = step.states();
        // The activity begins a moment before the instance exists.
        let start = if step.is_launch() { launched.map_or(*start, |at| at.max(*start)) } else { *start };
        put(start, Some(during));
        if let Some(end) = end {
            put(start.max(*end), after);
        }
        if *step == Step::IntoWarmPool
            && let Some(stop) = pool_stops.iter().filter(|stop| **stop >= start).min()
        {
            put(*stop, Some("Warmed:Stopped"));
        }
    }
    stages.sort_by_key(|(at, _)| *at);
    if let (Some(last), Some((_, state))) = (last, stages.last_mut()) {
        *state = Some(last.to_owned());
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(stages: &[(i64, Option<String>)]) -> Vec<(i64, Option<&str>)> {
        stages.iter().map(|(at, state)| (*at, state.as_deref())).collect()
    }

    #[test]
    fn a_life_goes_through_its_states() {
        let moves = [
            Move { step: Step::Launch, start: 98, end: Some(150) },
            Move { step: Step::EnterStandby, start: 300, end: Some(320) },
            Move { step: Step::ExitStandby, start: 400, end: Some(440) },
            Move { step: Step::Terminate, start: 900, end: Some(970) },
        ];
        assert_eq!(
            states(&settle(Some(100), &moves, &[], None)),
            [
                (100, Some("Pending")),
                (150, Some("InService")),
                (300, Some("EnteringStandby")),
                (320, Some("Standby")),
                (400, Some("Pending")),
                (440, Some("InService")),
                (900, Some("Terminating")),
                (970, None),
            ]
        );
    }

    #[test]
    fn what_was_there_before_was_always_there() {
        let moves = [Move { step: Step::Terminate, start: 900, end: None }];
        assert_eq!(
            states(&settle(None, &moves, &[], Some("Terminating:Wait"))),
            [(i64::MIN, Some("InService")), (900, Some("Terminating:Wait"))]
        );
        assert_eq!(states(&settle(None, &[], &[], Some("InService"))), [(i64::MIN, Some("InService"))]);
    }

    #[test]
    fn a_warm_pool_stops_what_it_launches() {
        let moves = [
            Move { step: Step::IntoWarmPool, start: 98, end: Some(150) },
            Move { step: Step::FromWarmPool, start: 5000, end: Some(5130) },
        ];
        assert_eq!(
            states(&settle(Some(100), &moves, &[1600], None)),
            [
                (100, Some("Warmed:Pending")),
                (150, Some("Warmed:Pending")),
                (1600, Some("Warmed:Stopped")),
                (5000, Some("Pending")),
                (5130, Some("InService")),
            ]
        );
    }
}
