//! What one CloudTrail record means here: a sighting, a cause, a transition, or nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{AutoScalingGroupName, EventId, InstanceId, RequestId, Source, VolumeId};
use crate::time::Timestamp;

/// Why a volume was attached (again). The order is that of rule 3: of several, the first is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// `RunInstances`, or a `CreateFleet` that names the instance.
    #[serde(rename = "launch")]
    Launch,
    /// `StartInstances` of an instance that was not running.
    #[serde(rename = "start")]
    Start,
    /// `AttachVolume`.
    #[serde(rename = "attach")]
    Attach,
    /// `CreateReplaceRootVolumeTask`.
    #[serde(rename = "root volume replacement")]
    RootVolumeReplacement,
    /// `RebootInstances`, which moves the host while a `system-reboot` event is pending.
    #[serde(rename = "reboot")]
    Reboot,
    /// KMS `CreateGrant` for instance and volume, by a customer or Auto Scaling principal.
    #[serde(rename = "grant")]
    Grant,
    /// `StopInstances`.
    #[serde(rename = "stop")]
    Stop,
    /// `DetachVolume`.
    #[serde(rename = "detach")]
    Detach,
}

impl Cause {
    /// Every cause, most specific first.
    pub const ALL: [Self; 8] = [
        Self::Launch,
        Self::Start,
        Self::Attach,
        Self::RootVolumeReplacement,
        Self::Reboot,
        Self::Grant,
        Self::Stop,
        Self::Detach,
    ];

    /// Its name in the report.
    #[must_use]
    pub fn as_str(self) -> &'static str {
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

    /// Whether the instance went to another host by it, with the guest's knowledge.
    #[must_use]
    pub fn moves_host(self) -> bool {
        matches!(self, Self::Start | Self::Reboot)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A lifecycle transition on record: from then on the IMDS item is written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    /// `EnterStandby`.
    EnterStandby,
    /// `ExitStandby`.
    ExitStandby,
    /// `AttachInstances`.
    AttachInstances,
    /// `DetachInstances`.
    DetachInstances,
    /// `TerminateInstanceInAutoScalingGroup`, or EC2's `TerminateInstances`.
    Terminate,
    /// `CompleteLifecycleAction`.
    CompleteLifecycleAction,
    /// `StartInstances` by Auto Scaling: out of a warm pool.
    WarmPoolStart,
    /// `StopInstances` by Auto Scaling: into a warm pool.
    WarmPoolStop,
    /// A scaling activity that names the instance.
    ScalingActivity,
}

impl Transition {
    /// What happened, in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EnterStandby => "entered Standby",
            Self::ExitStandby => "left Standby",
            Self::AttachInstances => "was attached to its group",
            Self::DetachInstances => "was detached from its group",
            Self::Terminate => "was terminated",
            Self::CompleteLifecycleAction => "completed a lifecycle action",
            Self::WarmPoolStart => "was started by Auto Scaling",
            Self::WarmPoolStop => "was stopped by Auto Scaling",
            Self::ScalingActivity => "had a scaling activity",
        }
    }
}

/// Whom an observation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The instance.
    pub instance: InstanceId,
    /// The volume, where the record names one.
    pub volume: Option<VolumeId>,
    /// The Auto Scaling group, where the record's tags name one.
    pub group: Option<AutoScalingGroupName>,
}

impl Target {
    /// The instance alone.
    #[must_use]
    pub fn instance(instance: InstanceId) -> Self {
        Self { instance, volume: None, group: None }
    }
}

/// What kind of thing was observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An infrastructure `Decrypt` of an instance's volume.
    Sighting {
        /// The instance whose host fetched the key.
        instance: InstanceId,
        /// The volume that was attached.
        volume: VolumeId,
    },
    /// Something that explains a sighting.
    Cause {
        /// Which.
        cause: Cause,
        /// Of whom.
        targets: Vec<Target>,
        /// Whether Auto Scaling did it: then a start or a stop is a lifecycle transition too.
        by_auto_scaling: bool,
    },
    /// A lifecycle transition.
    Transition {
        /// Which.
        transition: Transition,
        /// Of whom.
        instances: Vec<InstanceId>,
    },
    /// A launch whose record does not name its instances: no absence of a launch proves anything any more (rule 7).
    UnnamedLaunch,
}

/// One record that means something here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Identity: `sharedEventID` if present, else `eventID`.
    pub identity: EventId,
    /// The `eventID` of this copy of the record.
    pub event_id: EventId,
    /// Whether this copy was delivered to the instance's own account.
    pub own_copy: bool,
    /// When the request completed.
    pub time: Timestamp,
    /// The account and region of the instance.
    pub source: Source,
    /// Joins the records of one request.
    pub request_id: Option<RequestId>,
    /// What it is.
    pub kind: Kind,
}
