//! From one CloudTrail record to what it means: a pure function over its bytes.
//!
//! Records are judged as JSON (rule 2): only the fields that a judgement needs are read, each at its own path,
//! borrowed from the text, whatever the order of keys, white space or escapes.

mod caller;
mod calls;
mod kms;
mod record;

pub use record::Identification;

use crate::ids::Source;
use crate::observation::Observation;
use crate::time::Timestamp;
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
    // Nearly every name is of another call, and four bytes tell that of most.
    let may_matter = matches!(
        event_name.first_chunk(),
        Some(
            b"Decr"
                | b"Crea"
                | b"RunI"
                | b"Star"
                | b"Stop"
                | b"Rebo"
                | b"Atta"
                | b"Deta"
                | b"Term"
                | b"Ente"
                | b"Exit"
                | b"Comp"
        )
    );
    if !may_matter {
        return Concern::None;
    }
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

/// One record, read: what it means, and what every record tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Its `eventTime`.
    pub time: Option<Timestamp>,
    /// The account and region that it was delivered for.
    pub source: Option<Source>,
    /// What it means.
    pub decoded: Decoded,
}

/// Decodes one record.
#[must_use]
pub fn decode(record: &[u8]) -> Decoded {
    read(record).decoded
}

/// Reads one record.
#[must_use]
pub fn read(record: &[u8]) -> Reading {
    let unreadable = |reason| Reading { time: None, source: None, decoded: Decoded::malformed(reason) };
    match std::str::from_utf8(record).map(serde_json::from_str::<Fields<'_>>) {
        Ok(Ok(fields)) => Reading { time: fields.time(), source: fields.source(), decoded: decode_fields(&fields) },
        Ok(Err(error)) if error.is_data() => unreadable("not a JSON object"),
        _ => unreadable("not JSON"),
    }
}

fn decode_fields(fields: &Fields<'_>) -> Decoded {
    let (Some(source), Some(name)) = (text(fields.event_source), text(fields.event_name)) else {
        return Decoded::NOTHING;
    };
    match (&*source, &*name) {
        ("kms.amazonaws.com", "Decrypt") => kms::decrypt(fields),
        ("kms.amazonaws.com", "CreateGrant") => kms::create_grant(fields),
        ("ec2.amazonaws.com" | "autoscaling.amazonaws.com", name) => calls::decode(&source, name, fields),
        _ => Decoded::NOTHING,
    }
}

#[cfg(test)]
mod tests;
