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
use record::Fields;

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

/// How the names begin that [`concern`] anything.
const BEGINNINGS: [[u8; 4]; 12] = [
    *b"Decr", *b"Crea", *b"RunI", *b"Star", *b"Stop", *b"Rebo", *b"Atta", *b"Deta", *b"Term", *b"Ente", *b"Exit",
    *b"Comp",
];

/// Those beginnings, each in the place that its letters tell: one comparison says whether a name has one of them.
#[expect(clippy::indexing_slicing, reason = "worked out when it is compiled")]
const PLACES: [u32; 64] = {
    let mut places = [0; 64];
    let mut next = 0;
    while next < BEGINNINGS.len() {
        let letters = u32::from_le_bytes(BEGINNINGS[next]);
        assert!(places[place(letters)] == 0, "two in one place");
        places[place(letters)] = letters;
        next += 1;
    }
    places
};

const fn place(letters: u32) -> usize {
    // Found by trial: it leads no two of them to one place.
    (letters.wrapping_mul(0x2265_b1f5) >> 26) as usize
}

/// Whether a name that begins with these letters can be of [`concern`].
#[inline]
#[must_use]
pub fn may_concern(letters: [u8; 4]) -> bool {
    let letters = u32::from_le_bytes(letters);
    PLACES.get(place(letters)).is_some_and(|known| *known == letters)
}

/// Whether records with this `eventName` can mean something to [`decode`].
#[must_use]
pub fn concern(event_name: &[u8]) -> Concern {
    if !event_name.first_chunk().is_some_and(|letters| may_concern(*letters)) {
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
    read_from(record, None)
}

/// Reads one record. Where it was sifted out of a file of `known`'s, what the two have in common is shared instead of
/// kept again.
#[must_use]
pub(crate) fn read_from(record: &[u8], known: Option<&Source>) -> Reading {
    let unreadable = |reason| Reading { time: None, source: None, decoded: Decoded::malformed(reason) };
    match std::str::from_utf8(record).map(|record| Fields::of(record, known.is_some())) {
        Ok(Ok(mut fields)) => {
            fields.known = known;
            Reading { time: fields.time(), source: fields.source(), decoded: decode_fields(&fields) }
        }
        Ok(Err(error)) if error.is_data() => unreadable("not a JSON object"),
        _ => unreadable("not JSON"),
    }
}

fn decode_fields(fields: &Fields<'_>) -> Decoded {
    let (Some(source), Some(name)) = (fields.event_source.text(), fields.event_name.text()) else {
        return Decoded::NOTHING;
    };
    match (source, name) {
        ("kms.amazonaws.com", "Decrypt") => kms::decrypt(fields),
        ("kms.amazonaws.com", "CreateGrant") => kms::create_grant(fields),
        ("ec2.amazonaws.com" | "autoscaling.amazonaws.com", name) => calls::decode(source, name, fields),
        _ => Decoded::NOTHING,
    }
}

#[cfg(test)]
mod tests;
