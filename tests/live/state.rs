//! What the function remembers, read as any JSON would be.

use exposure_stand_in::gzip;
use serde_json::Value;

use crate::account::Stage;

/// The variables of a function that keeps its state in S3.
pub(crate) fn variables(stage: &Stage, source: &str) -> Vec<(&'static str, String)> {
    let mut variables = stage.variables(source);
    variables.retain(|(name, _)| *name != "STATE_URL");
    variables.push(("STATE_URL", "s3://state/state.json.gz".to_owned()));
    variables
}

/// The state in S3.
pub(crate) fn remembered(stage: &Stage) -> Value {
    let packed = stage.stand_in.object("state", "state.json.gz").expect("a state");
    serde_json::from_slice(&gzip::unpack(&packed).expect("gzip")).expect("JSON")
}

/// What records say in the ledger, and what was counted of it: by instance its sightings, causes and transitions, and its
/// migrations without those that were taken back.
///
/// Left out is what tells of the runs and not of the account: when snapshots were taken (`states`, `groups`, `stacks`,
/// `sources`), how far each source has read, and whether a migration was found more than a day late.
pub(crate) fn facts(stage: &Stage) -> Vec<Value> {
    let mut document = remembered(stage);
    let instances = document["ledger"]["instances"].take();
    let mut facts = Vec::new();
    for mut instance in instances.as_array().expect("instances").iter().cloned() {
        let row = instance.as_object_mut().expect("an instance");
        row.retain(|name, _| !matches!(name.as_str(), "states" | "groups"));
        if let Some(counted) = row.get_mut("counted").and_then(Value::as_array_mut) {
            counted.retain(|one| one["retracted"] != true);
            for one in counted {
                one.as_object_mut().expect("a migration").remove("backfilled");
            }
        }
        row.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
        facts.push(instance);
    }
    facts
}
