//! From one CloudTrail record to what it means: a pure function over its bytes.
//!
//! Records are judged as JSON (rule 2): only the fields that a judgement needs are read, each at its own path,
//! borrowed from the text, whatever the order of keys, white space or escapes.

mod caller;
mod calls;
mod kms;
mod record;

pub use record::Identification;

use crate::observation::Observation;
use record::{Fields, text};

/// What one record means here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A sighting, a cause or a transition.
    Observed(Observation),
    /// Nothing that concerns this analysis.
    Irrelevant {
        /// Whether it is a failed infrastructure `Decrypt` (and no dry run).
        failed_decrypt: bool,
    },
    /// Not a JSON object, or without what its kind must have.
    Malformed {
        /// What is wrong, for the log.
        reason: &'static str,
        /// What it says all the same: that there was a launch.
        observation: Option<Box<Observation>>,
    },
}

impl Decoded {
    pub(crate) const NOTHING: Self = Self::Irrelevant { failed_decrypt: false };

    /// What came of making an observation of a record.
    fn of(observed: Result<Observation, &'static str>) -> Self {
        observed.map_or_else(Self::malformed, Self::Observed)
    }

    pub(crate) fn malformed(reason: &'static str) -> Self {
        Self::Malformed { reason, observation: None }
    }
}

/// The role in whose name the hosts fetch the keys of volumes. A customer's role name cannot hold a colon.
pub const INFRASTRUCTURE_ROLE: &str = "aws:ec2-infrastructure";

/// Whether records of an event's name can mean something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// They are causes or transitions.
    Always,
    /// They do if they name the hosts' role.
    WithRole,
    /// They never do.
    None,
}

/// Whether records with this `eventName` can mean something to [`decode`].
#[must_use]
pub fn concern(event_name: &[u8]) -> Concern {
    match event_name {
        b"Decrypt" | b"CreateGrant" => Concern::WithRole,
        b"RunInstances"
        | b"CreateFleet"
        | b"StartInstances"
        | b"StopInstances"
        | b"RebootInstances"
        | b"AttachVolume"
        | b"DetachVolume"
        | b"CreateReplaceRootVolumeTask"
        | b"TerminateInstances"
        | b"TerminateInstanceInAutoScalingGroup"
        | b"EnterStandby"
        | b"ExitStandby"
        | b"AttachInstances"
        | b"DetachInstances"
        | b"CompleteLifecycleAction" => Concern::Always,
        _ => Concern::None,
    }
}

/// Decodes one record.
#[must_use]
pub fn decode(record: &[u8]) -> Decoded {
    let fields = match serde_json::from_slice::<Fields<'_>>(record) {
        Ok(fields) => fields,
        Err(error) if error.is_data() => return Decoded::malformed("not a JSON object"),
        Err(_) => return Decoded::malformed("not JSON"),
    };
    let (Some(source), Some(name)) = (text(fields.event_source), text(fields.event_name)) else {
        return Decoded::NOTHING;
    };
    match (&*source, &*name) {
        ("kms.amazonaws.com", "Decrypt") => kms::decrypt(&fields),
        ("kms.amazonaws.com", "CreateGrant") => kms::create_grant(&fields),
        ("ec2.amazonaws.com" | "autoscaling.amazonaws.com", name) => calls::decode(&source, name, &fields),
        _ => Decoded::NOTHING,
    }
}

#[cfg(test)]
mod tests;
