//! The queries that `LookupEvents` allows: one attribute with one value.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Which attribute a query is by (CloudTrail API, `LookupAttribute`: one at a time).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Attribute {
    /// The name of the call.
    EventName,
    /// A resource of it, here the ARN of a KMS key.
    ResourceName,
    /// The session's name, which for a sighting is the instance ID. Inferred, and not confirmed by AWS.
    Username,
}

/// A stream of events: what one query answers over all time. Written `EventName=CreateGrant`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream {
    /// By what.
    pub attribute: Attribute,
    /// Its value.
    pub value: Arc<str>,
}

/// The calls that explain a sighting. Without them no migration is settled.
pub const CAUSES: [&str; 9] = [
    "CreateGrant",
    "RunInstances",
    "CreateFleet",
    "StartInstances",
    "StopInstances",
    "RebootInstances",
    "AttachVolume",
    "DetachVolume",
    "CreateReplaceRootVolumeTask",
];

/// The calls that are lifecycle transitions.
pub const TRANSITIONS: [&str; 7] = [
    "TerminateInstances",
    "TerminateInstanceInAutoScalingGroup",
    "EnterStandby",
    "ExitStandby",
    "AttachInstances",
    "DetachInstances",
    "CompleteLifecycleAction",
];

impl Attribute {
    /// Its name as the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventName => "EventName",
            Self::ResourceName => "ResourceName",
            Self::Username => "Username",
        }
    }
}

impl Stream {
    /// The calls of one name.
    #[must_use]
    pub fn event_name(name: &str) -> Self {
        Self { attribute: Attribute::EventName, value: name.into() }
    }

    /// All use of one KMS key.
    #[must_use]
    pub fn key(arn: &str) -> Self {
        Self { attribute: Attribute::ResourceName, value: arn.into() }
    }

    /// All that the sessions of one instance did.
    #[must_use]
    pub fn instance(instance: exposure_core::ids::InstanceId) -> Self {
        Self { attribute: Attribute::Username, value: instance.as_str().into() }
    }

    /// Every `Decrypt` of the account.
    #[must_use]
    pub fn decrypts() -> Self {
        Self::event_name("Decrypt")
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.attribute.as_str(), self.value)
    }
}

impl Serialize for Stream {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let read = || {
            let (attribute, value) = text.split_once('=')?;
            let all = [Attribute::EventName, Attribute::ResourceName, Attribute::Username];
            let attribute = all.into_iter().find(|known| known.as_str() == attribute)?;
            Some(Self { attribute, value: value.into() })
        };
        read().ok_or_else(|| de::Error::custom(format!("not a stream: {text:?}")))
    }
}
