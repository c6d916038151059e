//! An account in which other software decrypts all day, with a key of its own: every `Decrypt` of it is then a dear way to
//! find sightings, and the keys of the volumes are the cheap one.

use std::path::Path;

use exposure_stand_in::gzip;
use serde_json::{Value, json};

use crate::account::ACCOUNT;

const REGION: &str = "eu-central-1";
/// How much a log file holds, in seconds.
const FILE: i64 = 1_800;

/// Lays log files with so many Decrypts a minute between two seconds beside those of the account.
pub(crate) fn decrypts(account: &Path, (from, to): (i64, i64), per_minute: i64) {
    for begin in (from..to).step_by(usize::try_from(FILE).expect("a length")) {
        let end = (begin + FILE).min(to);
        let records: Vec<Value> = (begin * per_minute / 60..end * per_minute / 60)
            .map(|number| decrypt(number, time(number * 60 / per_minute)))
            .collect();
        let day = time(end).strftime("%Y/%m/%d").to_string();
        let folder = account.join("AWSLogs").join(ACCOUNT).join("CloudTrail").join(REGION).join(day);
        std::fs::create_dir_all(&folder).expect("a folder");
        let minute = time(end).strftime("%Y%m%dT%H%MZ");
        let name = format!("{ACCOUNT}_CloudTrail_{REGION}_{minute}_busybusybusybusy.json.gz");
        let text = json!({ "Records": records }).to_string();
        std::fs::write(folder.join(name), gzip::pack(text.as_bytes())).expect("written");
    }
}

fn time(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(second).expect("a time")
}

/// A web application reads a secret.
fn decrypt(number: i64, at: jiff::Timestamp) -> Value {
    let key = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/7d4f1c52-93c8-4c0e-8f0a-3c5be1d2a960");
    let role = "storefront";
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAYWEBSHOP000000001:task",
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/task"),
            "accountId": ACCOUNT,
            "accessKeyId": "ASIAYWEBSHOP00000001",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAYWEBSHOP000000001",
                    "arn": format!("arn:aws:iam::{ACCOUNT}:role/{role}"),
                    "accountId": ACCOUNT,
                    "userName": role,
                },
                "attributes": {"creationDate": "2026-05-11T00:00:00Z", "mfaAuthenticated": "false"},
            },
            "invokedBy": "secretsmanager.amazonaws.com",
        },
        "eventTime": at.to_string(),
        "eventSource": "kms.amazonaws.com",
        "eventName": "Decrypt",
        "awsRegion": REGION,
        "sourceIPAddress": "secretsmanager.amazonaws.com",
        "userAgent": "secretsmanager.amazonaws.com",
        "requestParameters": {
            "encryptionContext": {
                "SecretARN": format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:storefront"),
            },
            "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
        },
        "responseElements": null,
        "requestID": format!("00000000-0000-4000-9000-{number:012x}"),
        "eventID": format!("00000000-0000-4000-8000-{number:012x}"),
        "readOnly": true,
        "resources": [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key}],
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    })
}
