//! Identifiers. Each is a newtype whose constructor is its validation, so that text from outside is
//! checked once, on entry, and bounded ever after.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A text that is not the identifier that it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {kind}: {text:?}")]
pub struct InvalidId {
    kind: &'static str,
    text: String,
}

impl InvalidId {
    fn new(kind: &'static str, text: &str) -> Self {
        let text = text.chars().take(80).collect();
        Self { kind, text }
    }
}

/// Defines an identifier of at most `$max` ASCII bytes that is kept inline, so that it is `Copy`.
macro_rules! inline_id {
    ($(#[$doc:meta])* $name:ident, $max:literal, $kind:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            bytes: [u8; $max],
            len: u8,
        }

        impl $name {
            /// Checks `text` and keeps it.
            ///
            /// # Errors
            /// Says what was expected and quotes the text, cut to 80 characters.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                let mut bytes = [0; $max];
                match (valid(text), bytes.get_mut(..text.len()), u8::try_from(text.len())) {
                    (true, Some(room), Ok(len)) => {
                        room.copy_from_slice(text.as_bytes());
                        Ok(Self { bytes, len })
                    }
                    _ => Err(InvalidId::new($kind, text)),
                }
            }

            /// The identifier as AWS writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.bytes.get(..usize::from(self.len)).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
            }
        }

        text_id!($name);
    };
}

/// Defines an identifier of variable length that is shared when it is cloned.
macro_rules! shared_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and keeps it.
            ///
            /// # Errors
            /// Says what was expected and quotes the text, cut to 80 characters.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(InvalidId::new($kind, text)) }
            }

            /// The identifier as AWS writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        text_id!($name);
    };
}

macro_rules! text_id {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&text).map_err(de::Error::custom)
            }
        }
    };
}

/// Eight hex digits (resources made before 2018) or seventeen, after `prefix`.
fn is_ec2_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|hex| matches!(hex.len(), 8 | 17) && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_bounded(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max
}

inline_id!(
    /// An EC2 instance: `i-` and 8 or 17 hex digits (EC2 User Guide, "Resource IDs").
    InstanceId, 19, "an instance ID (i- and 8 or 17 hex digits)", |t| is_ec2_id(t, "i-")
);
inline_id!(
    /// An EBS volume: `vol-` and 8 or 17 hex digits.
    VolumeId, 21, "a volume ID (vol- and 8 or 17 hex digits)", |t| is_ec2_id(t, "vol-")
);
inline_id!(
    /// An AWS account: twelve digits.
    AccountId, 12, "an account ID (12 digits)", |t| t.len() == 12 && t.bytes().all(|b| b.is_ascii_digit())
);
shared_id!(
    /// An AWS region such as `eu-central-1`.
    Region, "a region (lower-case letters, digits and hyphens)",
    |t| is_bounded(t, 40) && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);
shared_id!(
    /// The name of an Auto Scaling group: at most 255 characters of any kind (Auto Scaling API, `CreateAutoScalingGroup`).
    AutoScalingGroupName, "an Auto Scaling group name (1 to 255 characters)",
    |t| is_bounded(t, 1_020) && t.chars().count() <= 255
);
shared_id!(
    /// The ARN of an Auto Scaling group, which tells a group from another that had its name before.
    AutoScalingGroupArn, "an Auto Scaling group ARN", |t| is_bounded(t, 1_600) && t.starts_with("arn:")
);
shared_id!(
    /// The identity of an event: its `sharedEventID` if it has one, else its `eventID`
    /// (CloudTrail User Guide, "CloudTrail record contents").
    EventId, "an event ID (1 to 128 bytes)", |t| is_bounded(t, 128)
);
shared_id!(
    /// The `requestID` that the records of one request share.
    RequestId, "a request ID (1 to 256 bytes)", |t| is_bounded(t, 256)
);

/// Where records come from and are complete or not: one account in one region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// The account whose trail it is.
    pub account: AccountId,
    /// The region of the events.
    pub region: Region,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.account, self.region)
    }
}

/// One instance of one account and region. The order is that of the report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceKey {
    /// Account and region.
    pub source: Source,
    /// The instance.
    pub instance: InstanceId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked_on_entry() {
        for good in ["i-81e2f56c", "i-0c9d812c0cfa2790f"] {
            assert_eq!(InstanceId::new(good).expect(good).as_str(), good);
        }
        for bad in [
            "",
            "i-",
            "i-0c9d812c0cfa2790",
            "i-0c9d812c0cfa2790ff",
            "i-0c9d812c0cfa2790g",
            "vol-81e2f56c",
            "i-ééééééééé",
        ] {
            assert!(InstanceId::new(bad).is_err(), "{bad:?} passed for an instance");
        }
        assert!(VolumeId::new("snap-0894f908458cca170").is_err());
        assert!(VolumeId::new("vol-0894f908458cca170").is_ok());
        assert!(AccountId::new("11112222333").is_err());
        assert!(Region::new("EU-central-1").is_err());
        assert!(EventId::new(&"x".repeat(129)).is_err());
    }

    #[test]
    fn an_error_quotes_no_more_than_a_line() {
        let error = InstanceId::new(&"x".repeat(10_000)).expect_err("too long").to_string();
        assert!(error.len() < 200, "{error}");
    }
}
