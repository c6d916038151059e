//! The fields of a record that judgements need, borrowed from its text.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::ops::Deref;

use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::ids::{AccountId, EventId, Region, RequestId, Source};
use crate::observation::{Kind, Observation};
use crate::time::Timestamp;

use super::caller::UserIdentity;

/// The top level of a record (CloudTrail User Guide, "CloudTrail record contents"). A key that comes twice
/// counts as it came last, as in other JSON readers; unknown keys are normal.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) event_source: Field<'a>,
    pub(super) event_name: Field<'a>,
    pub(super) event_time: Field<'a>,
    pub(super) event_id: Field<'a>,
    pub(super) shared_event_id: Field<'a>,
    pub(super) request_id: Field<'a>,
    pub(super) aws_region: Field<'a>,
    pub(super) recipient_account_id: Field<'a>,
    pub(super) error_code: Option<&'a RawValue>,
    pub(super) event_category: Field<'a>,
    pub(super) user_identity: Option<&'a RawValue>,
    pub(super) request_parameters: Option<&'a RawValue>,
    pub(super) response_elements: Option<&'a RawValue>,
    /// What `user_identity` says, where that was read already.
    pub(super) caller: Option<UserIdentity<'a>>,
    /// Where records of the same file come from.
    pub(super) known: Option<&'a Source>,
    /// When the request completed, once that was asked for.
    time: OnceCell<Option<Timestamp>>,
}

enum Key {
    EventSource,
    EventName,
    EventTime,
    EventId,
    SharedEventId,
    RequestId,
    AwsRegion,
    RecipientAccountId,
    ErrorCode,
    EventCategory,
    UserIdentity,
    RequestParameters,
    ResponseElements,
    Other,
}

/// By hand, since bytes are matched one after the other, and not name by name.
impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: de::Error>(self, key: &str) -> Result<Key, E> {
                Ok(match key.as_bytes() {
                    b"eventSource" => Key::EventSource,
                    b"eventName" => Key::EventName,
                    b"eventTime" => Key::EventTime,
                    b"eventID" => Key::EventId,
                    b"sharedEventID" => Key::SharedEventId,
                    b"requestID" => Key::RequestId,
                    b"awsRegion" => Key::AwsRegion,
                    b"recipientAccountId" => Key::RecipientAccountId,
                    b"errorCode" => Key::ErrorCode,
                    b"eventCategory" => Key::EventCategory,
                    b"userIdentity" => Key::UserIdentity,
                    b"requestParameters" => Key::RequestParameters,
                    b"responseElements" => Key::ResponseElements,
                    _ => Key::Other,
                })
            }
        }

        deserializer.deserialize_identifier(Name)
    }
}

/// What stands under a key that should have a string.
#[derive(Default)]
pub(super) enum Field<'a> {
    #[default]
    Absent,
    Text(Cow<'a, str>),
    /// Something else.
    Other,
}

impl<'a> Field<'a> {
    fn of(raw: &'a RawValue) -> Self {
        serde_json::from_str(raw.get()).map_or(Self::Other, |Text(text)| Self::Text(text))
    }

    /// The string, if it is one and not empty.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

/// By hand, since nothing that is no string may spoil the rest.
impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;

        impl<'de> Visitor<'de> for Anything {
            type Value = Field<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Field::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Field::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Field::Other)
            }
        }

        deserializer.deserialize_any(Anything)
    }
}

/// The fields of a record whose fields have the types that they should: each is read on the way. Anything else is an
/// error here, and left to the other way.
struct Usual<'a>(Fields<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Usual<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Record { usual: true }).map(Self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Record { usual: false })
    }
}

struct Record {
    usual: bool,
}

impl Record {
    /// What stands under a key that should have a string.
    fn text<'de, A: MapAccess<'de>>(&self, map: &mut A) -> Result<Field<'de>, A::Error> {
        if self.usual { map.next_value() } else { map.next_value().map(Field::of) }
    }
}

impl<'de> Visitor<'de> for Record {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudTrail record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key()? {
            match key {
                Key::EventSource => fields.event_source = self.text(&mut map)?,
                Key::EventName => fields.event_name = self.text(&mut map)?,
                Key::EventTime => fields.event_time = self.text(&mut map)?,
                Key::EventId => fields.event_id = self.text(&mut map)?,
                Key::SharedEventId => fields.shared_event_id = self.text(&mut map)?,
                Key::RequestId => fields.request_id = self.text(&mut map)?,
                Key::AwsRegion => fields.aws_region = self.text(&mut map)?,
                Key::RecipientAccountId => fields.recipient_account_id = self.text(&mut map)?,
                Key::EventCategory => fields.event_category = self.text(&mut map)?,
                Key::ErrorCode => fields.error_code = Some(map.next_value()?),
                Key::UserIdentity if self.usual => fields.caller = map.next_value()?,
                Key::UserIdentity => fields.user_identity = Some(map.next_value()?),
                Key::RequestParameters => fields.request_parameters = Some(map.next_value()?),
                Key::ResponseElements => fields.response_elements = Some(map.next_value()?),
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

/// A JSON string, borrowed unless it has escapes, in an `Option` too.
#[derive(Deserialize, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// What `raw` holds, read as `T`; nothing where it is absent, null or of another shape.
pub(super) fn read<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str::<Option<T>>(raw?.get()).ok()?
}

impl<'a> Fields<'a> {
    /// The fields of a record. Where it is one of few that were sifted out, nearly all of them are asked for, its caller
    /// too, and read on the way. Where one is of a strange shape, which spoils nothing but what depends on it, they are
    /// read when they are asked for.
    pub(super) fn of(record: &'a str, sifted: bool) -> serde_json::Result<Self> {
        if sifted && let Ok(Usual(fields)) = serde_json::from_str(record) {
            return Ok(fields);
        }
        serde_json::from_str(record)
    }

    /// The error code of a failed call. One that is no string is a failure all the same.
    pub(super) fn failure(&self) -> Option<Cow<'a, str>> {
        let raw = self.error_code?;
        match (raw.get(), Field::of(raw)) {
            ("null" | "\"\"", _) => None,
            (_, Field::Text(code)) => Some(code),
            (other, _) => Some(Cow::Borrowed(other)),
        }
    }

    /// The request's parameters, or nothing where they are absent, null or omitted for their size
    /// (CloudTrail User Guide, `requestParameters`: a field with `"omitted": true`).
    pub(super) fn parameters(&self) -> Option<&'a RawValue> {
        present(self.request_parameters)
    }

    /// The answer's elements, or nothing where they are absent, null or omitted for their size.
    pub(super) fn answer(&self) -> Option<&'a RawValue> {
        present(self.response_elements)
    }

    /// When the request completed.
    pub(super) fn time(&self) -> Option<Timestamp> {
        *self.time.get_or_init(|| Timestamp::parse(self.event_time.text()?))
    }

    /// The account and region that the record was delivered for, where it names both.
    pub(super) fn source(&self) -> Option<Source> {
        Some(Source { account: self.recipient()?, region: self.region()? })
    }

    fn region(&self) -> Option<Region> {
        let text = self.aws_region.text()?;
        match self.known {
            Some(known) if known.region.as_str() == text => Some(known.region.clone()),
            _ => Region::new(text).ok(),
        }
    }

    /// The account that the record was delivered to.
    pub(super) fn recipient(&self) -> Option<AccountId> {
        AccountId::new(self.recipient_account_id.text()?).ok()
    }

    /// The observation of `kind` that this record is, for an instance of `account`, or what the record lacks for it.
    pub(super) fn observe(&self, account: Option<AccountId>, kind: Kind) -> Result<Observation, &'static str> {
        let time = self.time().ok_or("no eventTime")?;
        let event_id = self.event_id.text().and_then(|t| EventId::new(t).ok()).ok_or("no eventID")?;
        let region = self.region().ok_or("no awsRegion")?;
        let account = account.ok_or("no recipientAccountId")?;
        let shared = self.shared_event_id.text().and_then(|t| EventId::new(t).ok());
        Ok(Observation {
            identity: shared.unwrap_or_else(|| event_id.clone()),
            own_copy: self.recipient() == Some(account),
            event_id,
            time,
            source: Source { account, region },
            request_id: self.request_id.text().and_then(|t| RequestId::new(t).ok()),
            kind,
        })
    }
}

fn present(raw: Option<&RawValue>) -> Option<&RawValue> {
    #[derive(Deserialize)]
    struct Omission {
        #[serde(default)]
        omitted: bool,
    }

    let raw = raw.filter(|raw| raw.get() != "null")?;
    // Any escape may hide the key.
    let perhaps = raw.get().contains("omitted") || raw.get().contains("\\u00");
    let omitted = perhaps && read::<Omission>(Some(raw)).is_some_and(|o| o.omitted);
    (!omitted).then_some(raw)
}

/// Of what kind a record is: enough to tell what a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identification {
    /// Whether it is an Insights event, which reports on other events and is none itself.
    pub insight: bool,
    /// Whether it looks like a CloudTrail record at all.
    pub record: bool,
}

impl Identification {
    /// Reads it off a record.
    #[must_use]
    pub fn of(record: &[u8]) -> Option<Self> {
        let fields: Fields<'_> = serde_json::from_slice(record).ok()?;
        let category = fields.event_category.text();
        let others = [&fields.event_source, &fields.event_name, &fields.event_time, &fields.event_id];
        Some(Self {
            insight: category == Some("Insight"),
            record: others.into_iter().any(Field::is_present) || fields.user_identity.is_some() || category.is_some(),
        })
    }
}
