//! What happens to an instance, and what its record is to an analysis.

use crate::ids::Uuid;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    AutoScaling,
    /// EC2 Fleet on behalf of Auto Scaling.
    Fleet,
    Customer,
    /// A principal within AWS.
    Internal,
}

/// What became of an infrastructure Decrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Denied,
    InvalidState,
    DryRun,
    /// Done, with request parameters that are null.
    Null,
    /// Done, with request parameters that were too large to log.
    Omitted,
}

/// The index of a volume among those of its instance.
pub(crate) type VolumeIndex = u8;

/// What happens. Each is one record, two where the key belongs to another account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Run(By),
    CreateFleet,
    VolumeKey(VolumeIndex),
    ServiceDecrypt(VolumeIndex),
    Grant(By, VolumeIndex),
    Decrypt(VolumeIndex, Answer),
    Start(By),
    StartOfRunning,
    Stop(By),
    Reboot,
    RebootDenied,
    Attach(VolumeIndex),
    AttachFailed(VolumeIndex),
    Detach(VolumeIndex),
    ReplaceRoot,
    EnterStandby,
    ExitStandby,
    Terminate,
    CompleteLifecycle,
}

/// What a record is to an analysis. Every record is exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Sighting,
    Cause,
    Irrelevant,
    /// Irrelevant, and counted on its own besides.
    FailedDecrypt,
    Malformed,
}

/// An action at a time. Small: a fleet of twenty thousand plans half a million of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// Seconds of the Unix epoch.
    pub(crate) at: i64,
    /// Which instance.
    pub(crate) instance: u32,
    /// The order among the events of one instance.
    pub(crate) order: u32,
    pub(crate) action: Action,
    pub(crate) id: Uuid,
    pub(crate) request: Uuid,
}

impl Action {
    /// What the record is meant to be.
    ///
    /// A start that names a stopped instance beside the running one is a cause, of the other instance. Calls that failed,
    /// transitions and grants by principals within AWS are irrelevant.
    pub(crate) fn class(self) -> Class {
        match self {
            Self::Decrypt(_, Answer::Done) => Class::Sighting,
            Self::Decrypt(_, Answer::Denied | Answer::InvalidState) => Class::FailedDecrypt,
            Self::Decrypt(_, Answer::Null | Answer::Omitted) => Class::Malformed,
            Self::Run(_)
            | Self::CreateFleet
            | Self::Grant(By::AutoScaling | By::Fleet | By::Customer, _)
            | Self::Start(_)
            | Self::StartOfRunning
            | Self::Stop(_)
            | Self::Reboot
            | Self::Attach(_)
            | Self::Detach(_)
            | Self::ReplaceRoot => Class::Cause,
            Self::Decrypt(_, Answer::DryRun)
            | Self::Grant(By::Internal, _)
            | Self::VolumeKey(_)
            | Self::ServiceDecrypt(_)
            | Self::RebootDenied
            | Self::AttachFailed(_)
            | Self::EnterStandby
            | Self::ExitStandby
            | Self::Terminate
            | Self::CompleteLifecycle => Class::Irrelevant,
        }
    }

    /// The volume that it is about.
    pub(crate) fn volume(self) -> Option<VolumeIndex> {
        match self {
            Self::VolumeKey(volume)
            | Self::ServiceDecrypt(volume)
            | Self::Grant(_, volume)
            | Self::Decrypt(volume, _)
            | Self::Attach(volume)
            | Self::AttachFailed(volume)
            | Self::Detach(volume) => Some(volume),
            _ => None,
        }
    }

    /// Whether it is a call to KMS, which the account of the key logs as well.
    pub(crate) fn is_of_kms(self) -> bool {
        matches!(self, Self::VolumeKey(_) | Self::ServiceDecrypt(_) | Self::Grant(..) | Self::Decrypt(..))
    }
}
