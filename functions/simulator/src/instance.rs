//! An instance of the made-up fleet and what was made to happen to it.

use crate::account::{At, GroupIndex};
use crate::ids::{InstanceId, Uuid, VolumeId};
use crate::kind::Kind;

/// The answer for a member of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Exposed,
    Recovered,
    Clean,
    Unseen,
    Undetermined,
}

impl Verdict {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Exposed => "exposed",
            Self::Recovered => "recovered",
            Self::Clean => "clean",
            Self::Unseen => "unseen",
            Self::Undetermined => "undetermined",
        }
    }
}

/// How sure a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confidence {
    Confirmed,
    Partial,
    Presumed,
    Undetermined,
}

impl Confidence {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Partial => "partial",
            Self::Presumed => "presumed",
            Self::Undetermined => "undetermined",
        }
    }
}

/// What explains a reattachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Launch,
    Start,
    Attach,
    RootVolumeReplacement,
    Reboot,
    Grant,
    Stop,
    Detach,
}

impl Cause {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::Start => "start",
            Self::Attach => "attach",
            Self::RootVolumeReplacement => "root volume replacement",
            Self::Reboot => "reboot",
            Self::Grant => "grant",
            Self::Stop => "stop",
            Self::Detach => "detach",
        }
    }
}

/// A host move that nothing on record explains.
#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) at: i64,
    pub(crate) volumes: Vec<VolumeId>,
    pub(crate) confidence: Confidence,
    pub(crate) events: Vec<Uuid>,
}

/// Volumes attached again for a reason.
#[derive(Debug)]
pub(crate) struct Reattachment {
    pub(crate) at: i64,
    pub(crate) volumes: Vec<VolumeId>,
    pub(crate) cause: Cause,
}

/// An instance, from its plan to its truth.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) kind: Kind,
    pub(crate) at: At,
    pub(crate) group: Option<GroupIndex>,
    /// Its encrypted volumes, attached at launch or later.
    pub(crate) volumes: Vec<VolumeId>,
    /// The letter of its Availability Zone.
    pub(crate) zone: char,
    pub(crate) machine: &'static str,
    /// Its volumes are encrypted with the key of the other account.
    pub(crate) shared_key: bool,
    /// Its lifecycle state at the end; absent where it is no member then.
    pub(crate) state: Option<&'static str>,
    /// The time of its launch, if that is on record.
    pub(crate) launched: Option<i64>,
    /// Whether the Decrypt of its launch is on record.
    pub(crate) baseline_seen: bool,
    /// Whether any sighting is on record.
    pub(crate) sighted: bool,
    pub(crate) verdict: Verdict,
    pub(crate) reason: &'static str,
    pub(crate) migrations: Vec<Migration>,
    pub(crate) reattachments: Vec<Reattachment>,
}

impl Instance {
    /// Whether it is a member at the end, in a group or in its warm pool.
    pub(crate) fn is_member(&self) -> bool {
        self.group.is_some() && self.state.is_some()
    }

    /// Whether it waits in the warm pool.
    pub(crate) fn is_in_warm_pool(&self) -> bool {
        self.state.is_some_and(|state| state.starts_with("Warmed:"))
    }

    /// Whether the truth lists it: members, and what was sighted or launched.
    pub(crate) fn is_listed(&self) -> bool {
        self.is_member() || self.sighted || self.launched.is_some()
    }

    /// The volume of this index; the first where there is none such.
    pub(crate) fn volume(&self, index: u8) -> Option<VolumeId> {
        self.volumes.get(usize::from(index)).or_else(|| self.volumes.first()).copied()
    }
}
