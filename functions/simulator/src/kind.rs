//! What is made to happen to an instance.

/// What is made to happen to an instance. `kind` in `truth.json` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// Launched, sighted, in service.
    Clean,
    /// Moved once at night: exposed.
    LiveMigrated,
    /// Stopped and started by a customer: an explained host move.
    StopStart,
    /// Moved, then into Standby and back: recovered.
    MigratedThenStandby,
    /// Without encrypted volumes: unseen.
    Unencrypted,
    /// One of several volumes came again.
    Partial,
    /// Moved, and terminated by the schedule before the window ends.
    DepartedMigrated,
    /// Older than the trail, and moved: presumed.
    PretrailMigrated,
    /// Older than the trail, and quiet: unseen.
    PretrailQuiet,
    /// Rebooted by a customer and moved by it: explained.
    RebootMoved,
    /// Moved twice.
    MigratedTwice,
    /// Moved, and terminating at the end of the window.
    MigratedTerminating,
    /// Moved while in Standby, and still there.
    MigratedInStandby,
    /// Moved while waiting for a lifecycle hook, and still waiting.
    MigratedPending,
    /// Several Decrypts for each attach.
    Burst,
    /// A volume went without a record: two partial moves, then one of all that is left.
    LostVolume,
    /// A volume was detached on record, then all others moved.
    DetachedThenMigrated,
    /// A start left a volume out, then all others moved.
    StartLeavesVolumeOut,
    /// Older than the trail, and moved twice: presumed twice.
    PretrailMigratedTwice,
    /// Launched on record, its first Decrypts lost, then moved: presumed.
    LostBaselineMigrated,
    /// The first Decrypt of one of two volumes lost, then moved.
    MixedBaselines,
    /// Older than the trail; a start gave it baselines, then it moved.
    PretrailRestartedMigrated,
    /// Stopped and started within Standby: repaired.
    StopStartInStandby,
    /// A further volume attached.
    AttachFurther,
    /// A volume detached and attached again.
    DetachReattach,
    /// The root volume replaced, and the other one attached again by it.
    RootReplaced,
    /// Attached again, explained by a customer's grants alone.
    GrantedOnly,
    /// Attached again, explained by a grant that shares its request ID, half an hour earlier.
    SharedRequest,
    /// Attached again after a stop; the start is not on record.
    StopOnly,
    /// A volume attached again after its detachment; the attachment is not on record.
    DetachOnly,
    /// Attached again a quarter of an hour after its launch.
    LaunchRepeat,
    /// A further volume, with nothing that tells why.
    UnknownAttach,
    /// Moved, with grants by an AWS-internal principal that explain nothing.
    InternalGrantMigrated,
    /// Moved, with a start of the running instance that explains nothing.
    RunningStartMigrated,
    /// Moved, with a failed attachment and a failed reboot that explain nothing.
    FailedAttachMigrated,
    /// Failed, tried and unreadable Decrypts, none of which is a sighting.
    FailedDecrypts,
    /// In no Auto Scaling group, and moved.
    StandaloneMigrated,
    /// Older than a trail without launches, and attached again: nobody can tell.
    Unplaced,
    /// Of a warm pool: stopped and started by Auto Scaling.
    WarmPool,
    /// Moved; its key belongs to another account, which logs every call too.
    SharedKeyMigrated,
    /// Launched by a schedule and terminated by the next.
    Departed,
    /// Moved and terminated; its group has been deleted since.
    DepartedDeletedGroup,
    /// Older than the trail and terminated by the first schedule: in no list of the truth.
    PretrailDeparted,
}

/// Where instances of a kind live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// Any ordinary group.
    Any,
    /// A group that does not replace what stops running.
    Suspended,
    /// The group with the warm pool.
    WarmPool,
    /// A group that was deleted within the window.
    Deleted,
    /// A group of the second region.
    Second,
    /// No group.
    Nowhere,
}

impl Kind {
    /// How many kinds are certain to be among the first instances of every simulation.
    pub const ASSURED: usize = 40;

    /// Every kind: those that are assured in their order, then the others.
    pub const ALL: [Self; 43] = [
        Self::Clean,
        Self::LiveMigrated,
        Self::StopStart,
        Self::MigratedThenStandby,
        Self::Unencrypted,
        Self::Partial,
        Self::DepartedMigrated,
        Self::PretrailMigrated,
        Self::PretrailQuiet,
        Self::RebootMoved,
        Self::MigratedTwice,
        Self::MigratedTerminating,
        Self::MigratedInStandby,
        Self::MigratedPending,
        Self::Burst,
        Self::LostVolume,
        Self::DetachedThenMigrated,
        Self::StartLeavesVolumeOut,
        Self::PretrailMigratedTwice,
        Self::LostBaselineMigrated,
        Self::MixedBaselines,
        Self::PretrailRestartedMigrated,
        Self::StopStartInStandby,
        Self::AttachFurther,
        Self::DetachReattach,
        Self::RootReplaced,
        Self::GrantedOnly,
        Self::SharedRequest,
        Self::StopOnly,
        Self::DetachOnly,
        Self::LaunchRepeat,
        Self::UnknownAttach,
        Self::InternalGrantMigrated,
        Self::RunningStartMigrated,
        Self::FailedAttachMigrated,
        Self::FailedDecrypts,
        Self::StandaloneMigrated,
        Self::Unplaced,
        Self::WarmPool,
        Self::SharedKeyMigrated,
        Self::Departed,
        Self::DepartedDeletedGroup,
        Self::PretrailDeparted,
    ];

    /// The name in `truth.json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::LiveMigrated => "live-migrated",
            Self::StopStart => "stop-start",
            Self::MigratedThenStandby => "migrated-then-standby",
            Self::Unencrypted => "unencrypted",
            Self::Partial => "partial",
            Self::DepartedMigrated => "departed-migrated",
            Self::PretrailMigrated => "pretrail-migrated",
            Self::PretrailQuiet => "pretrail-quiet",
            Self::RebootMoved => "reboot-moved",
            Self::MigratedTwice => "migrated-twice",
            Self::MigratedTerminating => "migrated-terminating",
            Self::MigratedInStandby => "migrated-in-standby",
            Self::MigratedPending => "migrated-pending",
            Self::Burst => "burst",
            Self::LostVolume => "lost-volume",
            Self::DetachedThenMigrated => "detached-then-migrated",
            Self::StartLeavesVolumeOut => "start-leaves-volume-out",
            Self::PretrailMigratedTwice => "pretrail-migrated-twice",
            Self::LostBaselineMigrated => "lost-baseline-migrated",
            Self::MixedBaselines => "mixed-baselines",
            Self::PretrailRestartedMigrated => "pretrail-restarted-migrated",
            Self::StopStartInStandby => "stop-start-in-standby",
            Self::AttachFurther => "attach-further",
            Self::DetachReattach => "detach-reattach",
            Self::RootReplaced => "root-replaced",
            Self::GrantedOnly => "granted-only",
            Self::SharedRequest => "shared-request",
            Self::StopOnly => "stop-only",
            Self::DetachOnly => "detach-only",
            Self::LaunchRepeat => "launch-repeat",
            Self::UnknownAttach => "unknown-attach",
            Self::InternalGrantMigrated => "internal-grant-migrated",
            Self::RunningStartMigrated => "running-start-migrated",
            Self::FailedAttachMigrated => "failed-attach-migrated",
            Self::FailedDecrypts => "failed-decrypts",
            Self::StandaloneMigrated => "standalone-migrated",
            Self::Unplaced => "unplaced",
            Self::WarmPool => "warm-pool",
            Self::SharedKeyMigrated => "shared-key-migrated",
            Self::Departed => "departed",
            Self::DepartedDeletedGroup => "departed-deleted-group",
            Self::PretrailDeparted => "pretrail-departed",
        }
    }

    /// How many in a thousand instances are of this kind once every assured kind is there. Maintenance is rare, what
    /// customers do to single instances of a group rarer, and what goes wrong with records rarest.
    pub(crate) const fn weight(self) -> u64 {
        match self {
            Self::Clean => 340,
            Self::Departed => 240,
            Self::PretrailQuiet => 130,
            Self::WarmPool => 35,
            Self::LiveMigrated => 60,
            Self::Unencrypted | Self::PretrailDeparted => 30,
            Self::DepartedMigrated => 25,
            Self::PretrailMigrated => 15,
            Self::AttachFurther | Self::MigratedTwice => 8,
            Self::StopStart | Self::MigratedThenStandby | Self::Burst | Self::SharedKeyMigrated => 6,
            Self::RebootMoved | Self::Partial | Self::StandaloneMigrated => 4,
            // The second region stays a handful.
            Self::Unplaced => 0,
            _ => 2,
        }
    }

    /// Whether off-peak maintenance moves it.
    pub(crate) const fn is_moved(self) -> bool {
        matches!(
            self,
            Self::LiveMigrated
                | Self::MigratedThenStandby
                | Self::DepartedMigrated
                | Self::PretrailMigrated
                | Self::MigratedTwice
                | Self::MigratedTerminating
                | Self::MigratedInStandby
                | Self::PretrailMigratedTwice
                | Self::InternalGrantMigrated
                | Self::SharedKeyMigrated
        )
    }

    pub(crate) const fn home(self) -> Home {
        match self {
            Self::StopStart | Self::StopOnly | Self::StartLeavesVolumeOut => Home::Suspended,
            Self::WarmPool => Home::WarmPool,
            Self::DepartedDeletedGroup => Home::Deleted,
            Self::Unplaced => Home::Second,
            Self::StandaloneMigrated => Home::Nowhere,
            _ => Home::Any,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_is_listed_once_and_named() {
        let kinds: BTreeSet<_> = Kind::ALL.into_iter().collect();
        let names: BTreeSet<_> = Kind::ALL.into_iter().map(Kind::name).collect();
        assert_eq!((kinds.len(), names.len()), (Kind::ALL.len(), Kind::ALL.len()));
        assert!(Kind::ASSURED <= Kind::ALL.len());
    }
}
