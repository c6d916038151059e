//! The envelope in which EventBridge sends a record, and whether it can be believed: a forged grant would explain a
//! migration away.

use std::borrow::Cow;

use exposure_core::decode::{self, Reading};
use exposure_core::ids::{AccountId, Region, Source};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What CloudTrail's records are sent as (EventBridge User Guide, "AWS service events delivered via AWS CloudTrail").
const DETAIL_TYPE: &str = "AWS API Call via CloudTrail";

/// What a message holds.
#[derive(Debug)]
pub(super) enum Opened {
    /// A record of an account and region that are asked for.
    Record {
        /// Which.
        place: Source,
        /// Its `eventID`.
        identity: Option<String>,
        /// The record, read.
        reading: Box<Reading>,
    },
    /// Something else, and why.
    Refused(String),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    account: Cow<'a, str>,
    #[serde(borrow)]
    region: Cow<'a, str>,
    #[serde(borrow, rename = "detail-type")]
    detail_type: Cow<'a, str>,
    #[serde(borrow)]
    detail: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named<'a> {
    #[serde(borrow, default, rename = "eventID")]
    event_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    event_source: Option<Cow<'a, str>>,
}

/// Opens a message. The envelope's account and region are to be among those that are asked for, its source is to be
/// the service of the record (EventBridge lets nobody but AWS send an `aws.` source), and the record is to have been
/// delivered to the same account and region.
pub(super) fn open(body: &str, is_asked: impl Fn(&Source) -> bool) -> Opened {
    let refused = |reason: &str| Opened::Refused(format!("refused message: {reason}"));
    let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(body) else {
        return refused("no EventBridge event");
    };
    if envelope.detail_type != DETAIL_TYPE {
        return refused("its detail-type is not that of CloudTrail records");
    }
    let (Ok(account), Ok(region)) = (AccountId::new(&envelope.account), Region::new(&envelope.region)) else {
        return refused("its account or region is none");
    };
    let place = Source { account, region };
    if !is_asked(&place) {
        return Opened::Refused(format!("refused message: {place} is not among the targets"));
    }
    let record = envelope.detail.get();
    let Ok(named) = serde_json::from_str::<Named<'_>>(record) else {
        return refused("its detail is no record");
    };
    let service = envelope.source.strip_prefix("aws.");
    let fits = named.event_source.as_deref().and_then(|source| source.strip_suffix(".amazonaws.com"));
    if service.is_none() || service != fits {
        return refused("its source is not the service of its record");
    }
    let reading = decode::read(record.as_bytes());
    if reading.source.as_ref() != Some(&place) {
        return refused("its record was delivered to another account or region");
    }
    Opened::Record { place, identity: named.event_id.map(Cow::into_owned), reading: Box::new(reading) }
}
