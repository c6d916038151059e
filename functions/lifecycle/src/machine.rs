//! The state machine: one pure function of what is remembered, what was observed and when.
//!
//! Times are durations since any fixed moment, of a clock that is never set (a wall clock may be).

use std::fmt;
use std::time::Duration;

use crate::observation::{Api, Imds, ImdsOutcome, Observation, Trouble};
use crate::state::{State, Target};

#[cfg(test)]
mod tests;

/// How many answers of 404 in a row are needed before the API is asked: one may be a blip at boot.
pub const SETTLED: u8 = 2;

/// How long what was learnt is held while no source answers, before the state is assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// What IMDS said: long enough for the API's first turn to come (its random phase) once IMDS has nothing to say.
    pub hold_imds: Duration,
    /// What the API said: longer than the longest pause between two questions to it.
    pub hold_api: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self { hold_imds: Duration::from_mins(2), hold_api: Duration::from_mins(15) }
    }
}

/// Where a decision comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// IMDS said so.
    Imds,
    /// The Auto Scaling API said so.
    Api,
    /// Nobody said so: fail open.
    Assumed,
}

impl Source {
    /// Its name in outputs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Imds => "imds",
            Self::Api => "api",
            Self::Assumed => "assumed",
        }
    }
}

/// What is remembered between observations. It begins empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    began: Option<Duration>,
    imds: Option<Imds>,
    absences: u8,
    /// The API's last answer since IMDS last named a target.
    api: Option<Api>,
    learnt: Option<Learnt>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Learnt {
    state: State,
    source: Source,
    /// When a source last said this very state.
    said: Duration,
    /// When a source last answered, be it with something that left the state as it was.
    heard: Duration,
}

impl Memory {
    /// Whether the 404 is settled, so that the API may be asked.
    #[must_use]
    pub fn is_settled_absent(&self) -> bool {
        self.absences >= SETTLED && self.imds == Some(Imds::Absent)
    }
}

/// What to take the instance for, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The state.
    pub state: State,
    /// Where it comes from.
    pub source: Source,
    /// How old it is: the time since its source last said it; where it is assumed, since anything was known.
    pub age: Duration,
    /// What became of the last question to IMDS.
    pub imds: ImdsOutcome,
    /// Why.
    pub reason: Reason,
}

/// Why a decision is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    imds: Option<Imds>,
    api: Option<Api>,
    basis: Basis,
}

/// The rule behind a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// A source says so, now or at its last turn.
    Said,
    /// What was learnt is held while no source answers.
    Held,
    /// A source answers with an unknown state, which changes nothing.
    UnknownState,
    /// What was learnt is not taken back: the end of the instance, or that it has no group.
    NotTakenBack,
    /// No source ever answered.
    NothingKnown,
    /// What was learnt is too old to be held.
    TooOld,
}

impl Reason {
    /// The rule behind the decision.
    #[must_use]
    pub fn basis(&self) -> Basis {
        self.basis
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.imds {
            Some(imds) => imds.fmt(f)?,
            None => f.write_str("IMDS was not asked yet")?,
        }
        if let Some(api) = &self.api {
            write!(f, "; {api}")?;
        }
        f.write_str(match self.basis {
            Basis::Said => "",
            Basis::Held => "; what was learnt before is held",
            Basis::UnknownState => "; an unknown state changes nothing",
            Basis::NotTakenBack => "; what was learnt before is not taken back",
            Basis::NothingKnown => "; nothing is known, so it is taken to be in service",
            Basis::TooOld => "; what was learnt before is too old, so it is taken to be in service",
        })
    }
}

/// Takes in one observation and decides.
#[must_use]
pub fn step(memory: &Memory, observation: &Observation, now: Duration, rules: &Rules) -> (Memory, Decision) {
    let mut memory = memory.clone();
    memory.began.get_or_insert(now);
    match observation {
        Observation::Imds(imds) => memory.hear_imds(imds, now),
        // An answer that comes when IMDS speaks again is of no account.
        Observation::Api(api) if memory.is_settled_absent() => memory.hear_api(api, now),
        Observation::Api(_) => {}
    }
    let decision = decide(&memory, now, rules);
    (memory, decision)
}

impl Memory {
    /// Whether the last answer was a 404 that is not settled yet.
    #[must_use]
    pub fn is_settling(&self) -> bool {
        self.absences < SETTLED && self.imds == Some(Imds::Absent)
    }

    fn hear_imds(&mut self, imds: &Imds, now: Duration) {
        match imds {
            Imds::Known(target) => {
                self.api = None;
                self.absences = 0;
                self.learn(State::Known(*target), Source::Imds, now);
            }
            Imds::Absent => self.absences = self.absences.saturating_add(1).min(SETTLED),
            Imds::Refused(_) => self.absences = 0,
            Imds::Unreachable(Trouble::UnknownState(_)) => {
                self.absences = 0;
                self.hear_unknown(Source::Imds, now);
            }
            // No answer breaks no row of answers.
            Imds::Unreachable(_) => {}
        }
        self.imds = Some(imds.clone());
    }

    fn hear_api(&mut self, api: &Api, now: Duration) {
        match api {
            Api::Known(current) => match Target::of_current(current) {
                Some(target) => self.learn_from_api(State::Known(target), now),
                None => self.hear_unknown(Source::Api, now),
            },
            Api::NotInGroup => self.learn_from_api(State::NotInGroup, now),
            Api::Failed | Api::Throttled => {}
        }
        self.api = Some(api.clone());
    }

    /// No instance comes back from its end, and the API is behind IMDS: what it says to the contrary is stale. That the
    /// group no longer knows an instance is the end itself.
    fn learn_from_api(&mut self, state: State, now: Duration) {
        match &mut self.learnt {
            Some(learnt) if learnt.state.is_end() && !state.is_end() => learnt.heard = now,
            _ => self.learn(state, Source::Api, now),
        }
    }

    fn learn(&mut self, state: State, source: Source, now: Duration) {
        self.learnt = Some(Learnt { state, source, said: now, heard: now });
    }

    fn hear_unknown(&mut self, source: Source, now: Duration) {
        match &mut self.learnt {
            Some(learnt) if learnt.state != State::Unknown => learnt.heard = now,
            _ => self.learn(State::Unknown, source, now),
        }
    }

    /// Whether the last answer of the source whose turn it is was an unknown state.
    fn last_is_unknown(&self) -> bool {
        match (&self.imds, &self.api) {
            (Some(Imds::Unreachable(Trouble::UnknownState(_))), _) => true,
            (Some(Imds::Absent), Some(Api::Known(current))) => Target::of_current(current).is_none(),
            _ => false,
        }
    }

    fn is_said(&self, learnt: &Learnt) -> bool {
        match (&self.imds, &self.api) {
            (Some(Imds::Known(_)), _) => true,
            (Some(Imds::Absent), Some(Api::Known(_) | Api::NotInGroup)) => {
                learnt.source == Source::Api && learnt.said == learnt.heard
            }
            _ => false,
        }
    }
}

fn decide(memory: &Memory, now: Duration, rules: &Rules) -> Decision {
    let imds = memory.imds.as_ref().map_or(ImdsOutcome::Unreachable, Imds::outcome);
    let decided = |state, source, since, basis| Decision {
        state,
        source,
        age: now.saturating_sub(since),
        imds,
        reason: Reason { imds: memory.imds.clone(), api: memory.api.clone(), basis },
    };
    let Some(learnt) = &memory.learnt else {
        return decided(State::OPEN, Source::Assumed, memory.began.unwrap_or(now), Basis::NothingKnown);
    };
    let hold = if learnt.source == Source::Api { rules.hold_api } else { rules.hold_imds };
    let basis = if memory.is_said(learnt) {
        Basis::Said
    } else if memory.last_is_unknown() {
        Basis::UnknownState
    } else if learnt.state.outlives_doubt() {
        Basis::NotTakenBack
    } else {
        Basis::Held
    };
    let is_held = now.saturating_sub(learnt.heard) <= hold;
    if is_held || learnt.state.outlives_doubt() {
        decided(learnt.state.clone(), learnt.source, learnt.said, basis)
    } else {
        decided(State::OPEN, Source::Assumed, learnt.said, Basis::TooOld)
    }
}
