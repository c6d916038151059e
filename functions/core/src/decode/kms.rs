//! KMS records: the sighting itself, and the grant that explains one.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ids::VolumeId;
use crate::observation::{Cause, Kind, Target};

use super::Decoded;
use super::caller::{UserIdentity, grantee};
use super::record::{Fields, Text, read};

/// An infrastructure `Decrypt` with the one context of an EBS volume is a sighting (rule 1).
pub(super) fn decrypt(fields: &Fields<'_>) -> Decoded {
    #[derive(Deserialize)]
    struct Parameters<'a> {
        #[serde(borrow, default, rename = "encryptionContext")]
        context: Option<&'a RawValue>,
    }

    let Some((account, instance)) = UserIdentity::of(fields).infrastructure() else {
        return Decoded::NOTHING;
    };
    if let Some(code) = fields.failure() {
        return Decoded::Irrelevant { failed_decrypt: !code.contains("DryRun") };
    }
    let Some(parameters) = fields.parameters() else {
        return Decoded::malformed("an infrastructure Decrypt without requestParameters");
    };
    let context = read::<Parameters<'_>>(Some(parameters)).and_then(|p| p.context);
    let Some(volume) = only_volume(context) else {
        return Decoded::NOTHING;
    };
    Decoded::of(fields.observe(Some(account), Kind::Sighting { instance, volume }))
}

/// A grant of a volume's key to an instance's host explains, if a customer or Auto Scaling asked for it (rule 3).
pub(super) fn create_grant(fields: &Fields<'_>) -> Decoded {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Parameters<'a> {
        #[serde(borrow)]
        grantee_principal: Text<'a>,
        #[serde(borrow, default)]
        constraints: Option<Constraints<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Constraints<'a> {
        #[serde(borrow, default)]
        encryption_context_subset: Option<&'a RawValue>,
        #[serde(borrow, default)]
        encryption_context_equals: Option<&'a RawValue>,
    }

    let Some(parameters) = read::<Parameters<'_>>(fields.parameters()) else {
        return Decoded::NOTHING;
    };
    let Some((account, instance)) = grantee(&parameters.grantee_principal) else {
        return Decoded::NOTHING;
    };
    let context = parameters.constraints.and_then(|c| c.encryption_context_subset.or(c.encryption_context_equals));
    let Some(volume) = only_volume(context) else {
        return Decoded::NOTHING;
    };
    let caller = UserIdentity::of(fields);
    if fields.failure().is_some() || !caller.is_customer_or_auto_scaling() {
        return Decoded::NOTHING;
    }
    let target = Target { instance, volume: Some(volume), group: None };
    let kind = Kind::Cause { cause: Cause::Grant, targets: vec![target], by_auto_scaling: caller.is_auto_scaling() };
    Decoded::of(fields.observe(Some(account), kind))
}

/// The volume of an encryption context whose only key is `aws:ebs:id`. Fargate, RDS, WorkSpaces and Amazon MQ
/// have further keys or others; a snapshot's Decrypt names a `snap-`.
fn only_volume(context: Option<&RawValue>) -> Option<VolumeId> {
    let context: BTreeMap<Text<'_>, &RawValue> = read(context)?;
    let mut pairs = context.iter();
    let (Some((key, value)), None) = (pairs.next(), pairs.next()) else {
        return None;
    };
    let Text(value) = read(Some(value)).filter(|_| &**key == "aws:ebs:id")?;
    VolumeId::new(&value).ok()
}
