//! Records that an open fact would add. They are there only while their switch is on.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::account::Account;
use crate::digest::draw_uuid;
use crate::record::{Names, Origin, Record};
use crate::time;

/// The longest from a launch to its first Decrypts, in seconds.
const LAUNCH: i64 = 60;

/// All of them.
pub(crate) fn make(account: &Account, truth: &Value, names: &mut Names) -> Vec<Record> {
    let moved = migrations(truth);
    let launches = launches(account);
    let mut extras = Vec::new();
    let mut done = HashSet::new();
    for record in account.records.iter().filter(|record| record.is_infrastructure && &*record.name == "Decrypt") {
        let place = account.places.get(record.place);
        if place.is_none_or(|place| place.account != account.id()) || !done.insert(&record.event_id) {
            continue;
        }
        let Ok(value) = serde_json::from_str::<Value>(&record.text) else { continue };
        if value.get("errorCode").is_some() || value.get("sharedEventID").is_some() {
            continue;
        }
        if moved.contains(&*record.event_id) {
            extras.extend(grant(&value).and_then(|grant| take(record, &grant, Origin::InternalGrant, names)));
        }
        let birth = record.user.as_ref().and_then(|user| launches.get(&**user));
        if birth.is_some_and(|at| (0..=LAUNCH).contains(&(record.at - at))) {
            for (number, seconds) in [(1, 3), (2, 41)] {
                extras.extend(take(record, &again(&value, record, number, seconds), Origin::Burst, names));
            }
        }
    }
    extras
}

fn take(of: &Record, value: &Value, origin: Origin, names: &mut Names) -> Option<Record> {
    let record = Record::read(&value.to_string(), of.place, of.file, names)?;
    Some(Record { origin, delivered: of.delivered.max(record.at), ..record })
}

/// The events that the truth calls migrations.
fn migrations(truth: &Value) -> HashSet<&str> {
    let mut events = HashSet::new();
    for instance in truth.get("instances").and_then(Value::as_array).into_iter().flatten() {
        for migration in instance.get("migrations").and_then(Value::as_array).into_iter().flatten() {
            let ids = migration.get("event_ids").and_then(Value::as_array).into_iter().flatten();
            events.extend(ids.filter_map(Value::as_str));
        }
    }
    events
}

/// When instances were launched on record.
fn launches(account: &Account) -> HashMap<String, i64> {
    let mut launches = HashMap::new();
    for record in account.records.iter().filter(|record| &*record.name == "RunInstances") {
        for (_, arn) in &record.resources {
            if let Some((_, instance)) = arn.rsplit_once('/') {
                launches.insert(instance.to_owned(), record.at);
            }
        }
    }
    launches
}

/// One more Decrypt.
fn again(value: &Value, of: &Record, number: u64, seconds: i64) -> Value {
    let mut value = value.clone();
    value["eventID"] = json!(draw_uuid(number, &of.event_id));
    value["requestID"] = json!(draw_uuid(number + 100, &of.event_id));
    value["eventTime"] = json!(time::iso(of.at + seconds));
    value
}

/// A grant of the same request, one second earlier, by an AWS-internal principal.
fn grant(value: &Value) -> Option<Value> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let at = time::parse(text("/eventTime")?)? - 1;
    let volume = text("/requestParameters/encryptionContext/aws:ebs:id")?;
    let key = text("/resources/0/ARN")?;
    let event = text("/eventID")?;
    Some(json!({
        "eventVersion": "1.11",
        "userIdentity": {"type": "AWSService", "invokedBy": "AWS Internal"},
        "eventTime": time::iso(at),
        "eventSource": "kms.amazonaws.com",
        "eventName": "CreateGrant",
        "awsRegion": text("/awsRegion")?,
        "sourceIPAddress": "AWS Internal",
        "userAgent": "AWS Internal",
        "requestParameters": {
            "keyId": key,
            "operations": ["Decrypt"],
            "constraints": {"encryptionContextSubset": {"aws:ebs:id": volume}},
            "granteePrincipal": text("/userIdentity/arn")?,
        },
        "responseElements": {"grantId": draw_uuid(3, event).replace('-', "").repeat(2), "keyId": key},
        "requestID": text("/requestID")?,
        "eventID": draw_uuid(4, event),
        "readOnly": false,
        "resources": value.get("resources")?,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": text("/recipientAccountId")?,
        "eventCategory": "Management",
    }))
}
