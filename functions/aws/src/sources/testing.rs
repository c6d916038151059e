//! Made-up records and chance for the tests of the sources.

use exposure_core::ids::{AccountId, Region, Source};
use exposure_core::time::Timestamp;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

pub(crate) const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/aaaaaaaa-0000-4000-8000-000000000001";

/// Chance that repeats itself.
pub(crate) struct Dice(SmallRng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed))
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.random_range(0..bound) }
    }

    pub(crate) fn below_i64(&mut self, bound: i64) -> i64 {
        if bound <= 0 { 0 } else { self.0.random_range(0..bound) }
    }
}

pub(crate) fn place() -> Source {
    Source { account: AccountId::new("111122223333").unwrap(), region: Region::new("eu-central-1").unwrap() }
}

pub(crate) fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn record(name: &str, source: &str, at: Timestamp, id: &str, rest: &serde_json::Value) -> String {
    let mut record = serde_json::json!({
        "eventVersion": "1.11", "eventTime": at.to_string(), "eventName": name, "eventSource": source,
        "eventID": id, "awsRegion": "eu-central-1", "recipientAccountId": "111122223333", "eventType": "AwsApiCall",
    });
    for (key, value) in rest.as_object().unwrap() {
        record[key] = value.clone();
    }
    record.to_string()
}

pub(crate) fn sighting(at: Timestamp, id: &str, instance: &str, volume: &str, key: &str) -> String {
    let rest = serde_json::json!({
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": format!("111122223333:aws:ec2-infrastructure:{instance}"),
            "arn": format!("arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/{instance}"),
            "accountId": "111122223333",
            "sessionContext": {"sessionIssuer": {"userName": "aws:ec2-infrastructure"}},
            "invokedBy": "AWS Internal",
        },
        "requestParameters": {"encryptionContext": {"aws:ebs:id": volume}},
        "resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": key}],
    });
    record("Decrypt", "kms.amazonaws.com", at, id, &rest)
}

pub(crate) fn grant(at: Timestamp, id: &str, instance: &str, volume: &str, key: &str) -> String {
    let rest = serde_json::json!({
        "userIdentity": {
            "type": "AssumedRole", "accountId": "111122223333",
            "arn": "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForAutoScaling/AutoScaling",
            "sessionContext": {"sessionIssuer": {"userName": "AWSServiceRoleForAutoScaling",
                "arn": "arn:aws:iam::111122223333:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"}},
        },
        "requestParameters": {
            "granteePrincipal": format!("arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/{instance}"),
            "constraints": {"encryptionContextSubset": {"aws:ebs:id": volume}},
        },
        "resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": key}],
    });
    record("CreateGrant", "kms.amazonaws.com", at, id, &rest)
}

pub(crate) fn launch(at: Timestamp, id: &str, instance: &str) -> String {
    let rest = serde_json::json!({
        "userIdentity": {"type": "AssumedRole", "accountId": "111122223333", "invokedBy": "autoscaling.amazonaws.com"},
        "requestParameters": {},
        "responseElements": {"instancesSet": {"items": [{"instanceId": instance, "tagSet": {"items":
            [{"key": "aws:autoscaling:groupName", "value": "night-web"}]}}]}},
    });
    record("RunInstances", "ec2.amazonaws.com", at, id, &rest)
}

pub(crate) fn noise(at: Timestamp, id: &str) -> String {
    record("GetParameter", "ssm.amazonaws.com", at, id, &serde_json::json!({"userIdentity": {"type": "AssumedRole"}}))
}

pub(crate) fn instance(number: u64) -> String {
    format!("i-{number:017x}")
}

pub(crate) fn volume(number: u64) -> String {
    format!("vol-{number:017x}")
}
