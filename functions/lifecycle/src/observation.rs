//! What the two sources may answer, in outcomes that are never merged.

use std::fmt;

use exposure_core::lifecycle::LifecycleState;

use crate::state::Target;

/// What became of a question to IMDS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Imds {
    /// It names the target.
    Known(Target),
    /// The item is not there (404): no group, no transition yet, or a live migration since the last one.
    Absent,
    /// It will not answer.
    Refused(Refusal),
    /// It did not answer, or not with a state.
    Unreachable(Trouble),
}

/// Why IMDS will not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// 401, with a fresh token too.
    Unauthorized,
    /// 403: it is switched off, or closed to this process.
    Forbidden,
}

/// Why IMDS is as good as not there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// No answer in time. Packets over IMDS' limit are dropped, not answered.
    TimedOut,
    /// The connection failed or broke.
    NoConnection,
    /// A status that no other outcome stands for.
    Status(u16),
    /// An answer whose body is no state: empty, a page, too long.
    NoState,
    /// A body that reads like a state, but is none of the known ones.
    UnknownState(LifecycleState),
}

/// The outcome of a question to IMDS, without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImdsOutcome {
    /// See [`Imds::Known`].
    Known,
    /// See [`Imds::Absent`].
    Absent,
    /// See [`Imds::Refused`].
    Refused,
    /// See [`Imds::Unreachable`].
    Unreachable,
}

impl ImdsOutcome {
    /// Its name in outputs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Absent => "absent",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
        }
    }
}

impl Imds {
    /// The outcome without its details.
    #[must_use]
    pub fn outcome(&self) -> ImdsOutcome {
        match self {
            Self::Known(_) => ImdsOutcome::Known,
            Self::Absent => ImdsOutcome::Absent,
            Self::Refused(_) => ImdsOutcome::Refused,
            Self::Unreachable(_) => ImdsOutcome::Unreachable,
        }
    }
}

impl fmt::Display for Imds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(target) => write!(f, "IMDS says {target}"),
            Self::Absent => f.write_str("IMDS has no such item (404)"),
            Self::Refused(Refusal::Unauthorized) => f.write_str("IMDS refuses a fresh token (401)"),
            Self::Refused(Refusal::Forbidden) => f.write_str("IMDS is off or closed to this process (403)"),
            Self::Unreachable(Trouble::TimedOut) => f.write_str("IMDS did not answer in time"),
            Self::Unreachable(Trouble::NoConnection) => f.write_str("IMDS cannot be reached"),
            Self::Unreachable(Trouble::Status(status)) => write!(f, "IMDS answers with status {status}"),
            Self::Unreachable(Trouble::NoState) => f.write_str("IMDS answers with something that is no state"),
            Self::Unreachable(Trouble::UnknownState(state)) => write!(f, "IMDS says {state}, which is no known state"),
        }
    }
}

/// What became of a question to the Auto Scaling API.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Api {
    /// It names the current state.
    Known(LifecycleState),
    /// It answered, and does not know the instance.
    NotInGroup,
    /// It did not answer.
    Failed,
    /// It asks for fewer questions.
    Throttled,
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(state) => write!(f, "the API says {state}"),
            Self::NotInGroup => f.write_str("the API knows the instance in no group"),
            Self::Failed => f.write_str("the API did not answer"),
            Self::Throttled => f.write_str("the API is throttled"),
        }
    }
}

/// An answer of either source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Observation {
    /// Of IMDS.
    Imds(Imds),
    /// Of the Auto Scaling API.
    Api(Api),
}
