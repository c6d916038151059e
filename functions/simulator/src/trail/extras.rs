//! The files that lie beside logs and are none: digests and Insights, one of each for every day.
//!
//! AWS CloudTrail User Guide, "CloudTrail digest file structure", "CloudTrail record contents for Insights events".

use std::path::Path;

use super::path::{Tree, path};
use super::press::{Job, Press};
use crate::account::{Account, At};
use crate::calendar::{HOUR, MINUTE};
use crate::dice::Dice;
use crate::error::SimulateError;
use crate::scribe::time;

const DAY: i64 = 24 * HOUR;

/// Writes them for a window.
pub(crate) fn write_extras(
    account: &Account,
    out: &Path,
    press: &mut Press,
    dice: &mut Dice,
    window: (i64, i64),
) -> Result<(), SimulateError> {
    let place = account.place(At::Home);
    let mut at = window.0 + HOUR;
    while at < window.1 {
        let digest = digest(account, at, dice);
        press.send(Job { path: path(out, place, at, Tree::Digest, dice), text: digest.into_bytes() })?;
        let insight = insight(account, at, dice);
        press.send(Job { path: path(out, place, at + MINUTE, Tree::Insight, dice), text: insight.into_bytes() })?;
        at += DAY;
    }
    Ok(())
}

fn digest(account: &Account, at: i64, dice: &mut Dice) -> String {
    let place = account.place(At::Home);
    let hash = format!("{:016x}{:016x}{:016x}{:016x}", dice.bits(), dice.bits(), dice.bits(), dice.bits());
    serde_json::json!({
        "awsAccountId": place.account,
        "digestStartTime": time(at - HOUR),
        "digestEndTime": time(at),
        "digestS3Bucket": format!("trail-{}", place.account),
        "digestPublicKeyFingerprint": format!("{:016x}{:016x}", dice.bits(), dice.bits()),
        "digestSignatureAlgorithm": "SHA256withRSA",
        "newestEventTime": time(at - 1),
        "oldestEventTime": time(at - HOUR),
        "previousDigestS3Object": null,
        "previousDigestHashAlgorithm": "SHA-256",
        "logFiles": [{
            "s3Bucket": format!("trail-{}", place.account),
            "hashValue": hash,
            "hashAlgorithm": "SHA-256",
            "newestEventTime": time(at - 1),
            "oldestEventTime": time(at - HOUR),
        }],
    })
    .to_string()
}

fn insight(account: &Account, at: i64, dice: &mut Dice) -> String {
    let place = account.place(At::Home);
    serde_json::json!({"Records": [{
        "eventVersion": "1.09",
        "eventTime": time(at),
        "awsRegion": place.region,
        "eventID": dice.uuid().to_string(),
        "eventType": "AwsCloudTrailInsight",
        "recipientAccountId": place.account,
        "sharedEventID": dice.uuid().to_string(),
        "insightDetails": {
            "state": "Start",
            "eventSource": "kms.amazonaws.com",
            "eventName": "Decrypt",
            "insightType": "ApiCallRateInsight",
            "insightContext": {"statistics": {"baseline": {"average": 0.31}, "insight": {"average": 4.0}}},
        },
        "eventCategory": "Insight",
    }]})
    .to_string()
}
