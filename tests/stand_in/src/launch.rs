//! What the records tell about launches and warm pools.

use std::collections::HashMap;

use serde_json::Value;

use crate::account::Place;
use crate::record::Record;

/// A launch into a group.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) at: i64,
    pub(crate) group: String,
    pub(crate) machine: String,
    pub(crate) zone: String,
    pub(crate) template: String,
}

/// The launches into groups by instance.
pub(crate) fn launches(records: &[Record], places: &[Place]) -> HashMap<String, Launch> {
    let mut launches = HashMap::new();
    for record in records.iter().filter(|record| &*record.name == "RunInstances" && record.place < places.len()) {
        for item in items(record) {
            let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let tags = item.pointer("/tagSet/items").and_then(Value::as_array);
            let tag = |key: &str| {
                let is = |tag: &&Value| tag.get("key").and_then(Value::as_str) == Some(key);
                let found = tags.into_iter().flatten().find(is);
                found.and_then(|tag| tag.get("value")?.as_str().map(str::to_owned))
            };
            let Some(group) = tag("aws:autoscaling:groupName") else { continue };
            let launch = Launch {
                at: record.at,
                group,
                machine: text("/instanceType"),
                zone: text("/placement/availabilityZone"),
                template: tag("aws:ec2launchtemplate:id").unwrap_or_default(),
            };
            launches.insert(text("/instanceId"), launch);
        }
    }
    launches
}

/// When Auto Scaling stopped instances, which it does with those of a warm pool.
pub(crate) fn pool_stops(records: &[Record]) -> HashMap<String, Vec<i64>> {
    let mut stops: HashMap<String, Vec<i64>> = HashMap::new();
    let by_auto_scaling =
        |record: &&Record| &*record.name == "StopInstances" && record.user.as_deref() == Some("AutoScaling");
    for record in records.iter().filter(by_auto_scaling) {
        for item in items(record) {
            if let Some(instance) = item.get("instanceId").and_then(Value::as_str) {
                stops.entry(instance.to_owned()).or_default().push(record.at);
            }
        }
    }
    stops
}

/// The instances of an answer of EC2.
fn items(record: &Record) -> Vec<Value> {
    let value: Value = serde_json::from_str(&record.text).unwrap_or_default();
    let items = value.pointer("/responseElements/instancesSet/items").and_then(Value::as_array);
    items.cloned().unwrap_or_default()
}
