//! Whichever way an open fact stands.

use std::collections::BTreeSet;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};
use exposure_stand_in::{StandIn, Switches, gzip};
use serde_json::{Value, json};

use super::cloudtrail::{all, by_name};
use super::common::{config, file, stand_in};
use super::sqs::drain;

fn by(key: LookupAttributeKey, value: &str) -> LookupAttribute {
    LookupAttribute::builder().attribute_key(key).attribute_value(value).build().expect("is complete")
}

async fn events(stand_in: &StandIn, name: &str) -> Vec<Event> {
    all(&Client::new(&config(stand_in)), Some(by_name(name))).await.0
}

fn is_sighting(event: &Event) -> bool {
    event.cloud_trail_event().is_some_and(|text| text.contains("assumed-role/aws:ec2-infrastructure/i-"))
}

fn record(text: &str) -> Value {
    serde_json::from_str(text).expect("is JSON")
}

/// The events that the truth calls migrations.
fn migrations() -> Vec<String> {
    let truth = file("truth.json");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let migrations = list(&truth["instances"]).into_iter().flat_map(move |instance| list(&instance["migrations"]));
    let events = migrations.flat_map(move |migration| list(&migration["event_ids"]));
    events.filter_map(|event| event.as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn lookups_may_miss_sessions_and_keys() {
    let stand_in = stand_in();
    let client = Client::new(&config(&stand_in));
    let decrypts = events(&stand_in, "Decrypt").await;
    let sighting = decrypts.iter().find(|event| is_sighting(event)).expect("is there");
    let user = sighting.username().expect("has one");
    let key = sighting.resources()[0].resource_name().expect("has one");
    stand_in.switches(Switches {
        username_misses_infrastructure: true,
        resource_name_misses_keys: true,
        ..Switches::default()
    });
    let (of_user, _) = all(&client, Some(by(LookupAttributeKey::Username, user))).await;
    assert!(of_user.iter().all(|event| event.event_id() != sighting.event_id()));
    assert!(all(&client, Some(by(LookupAttributeKey::ResourceName, key))).await.0.is_empty());
    let still = events(&stand_in, "Decrypt").await;
    assert_eq!(still.len(), decrypts.len());
    assert!(still.iter().filter(|event| is_sighting(event)).all(|event| event.username().is_none()));
}

#[tokio::test]
async fn a_migration_may_bring_a_grant_of_its_own() {
    let stand_in = stand_in();
    let before = events(&stand_in, "CreateGrant").await.len();
    let sightings = events(&stand_in, "Decrypt").await.len();
    stand_in.switches(Switches { migrations_bring_internal_grants: true, ..Switches::default() });
    let grants = events(&stand_in, "CreateGrant").await;
    assert!(grants.len() > before + 10);
    let decrypts = events(&stand_in, "Decrypt").await;
    assert_eq!(decrypts.len(), sightings);
    let records = |events: &[Event]| events.iter().filter_map(Event::cloud_trail_event).map(record).collect::<Vec<_>>();
    let (grants, decrypts) = (records(&grants), records(&decrypts));
    let mut found = 0;
    for event in migrations().iter().filter_map(|id| decrypts.iter().find(|event| event["eventID"] == **id)) {
        if event.get("sharedEventID").is_some() {
            continue;
        }
        let is_its = |grant: &&Value| grant["requestID"] == event["requestID"];
        let grant = grants.iter().find(is_its).expect("comes with it");
        assert_eq!(grant["userIdentity"], json!({"type": "AWSService", "invokedBy": "AWS Internal"}));
        let subset = &grant["requestParameters"]["constraints"]["encryptionContextSubset"];
        assert_eq!(*subset, event["requestParameters"]["encryptionContext"]);
        assert_eq!(grant["requestParameters"]["granteePrincipal"], event["userIdentity"]["arn"]);
        found += 1;
    }
    assert!(found > 10, "{found}");
}

#[tokio::test]
async fn a_launch_may_make_bursts() {
    let stand_in = stand_in();
    let before = events(&stand_in, "Decrypt").await;
    stand_in.switches(Switches { launches_make_bursts: true, ..Switches::default() });
    let after = events(&stand_in, "Decrypt").await;
    assert!(after.len() > before.len() + 20);
    let ids: BTreeSet<_> = after.iter().filter_map(Event::event_id).collect();
    assert_eq!(ids.len(), after.len());
}

#[tokio::test]
async fn a_bridge_may_drop_what_only_reads() {
    let stand_in = stand_in();
    stand_in.switches(Switches { bridge_drops_read_only: true, ..Switches::default() });
    let events = drain(&stand_in).await;
    assert!(!events.is_empty() && events.iter().all(|event| event["detail"]["readOnly"] != true));
}

#[tokio::test]
async fn a_trail_may_hide_what_matters() {
    let stand_in = stand_in();
    let sightings = events(&stand_in, "Decrypt").await.len();
    let set = async |switches: Switches| {
        stand_in.reset();
        stand_in.lookup_quota(exposure_stand_in::Quota::none());
        stand_in.switches(switches);
        let client = Client::new(&config(&stand_in));
        let selectors = client.get_event_selectors().trail_name("main").send().await.expect("answers");
        let selector = &selectors.event_selectors()[0];
        let status = client.get_trail_status().name("main").send().await.expect("answers");
        let text = format!(
            "{} {:?} {:?}",
            selector.read_write_type().expect("has one").as_str(),
            selector.exclude_management_event_sources(),
            status.is_logging()
        );
        let bridged = drain(&stand_in).await;
        let count = |name: &str| bridged.iter().filter(|event| event["detail"]["eventName"] == name).count();
        (
            text,
            events(&stand_in, "Decrypt").await.len(),
            count("Decrypt") > 0,
            count("CreateGrant") > 0,
            count("RunInstances") > 0,
        )
    };
    let off = Switches::default();
    let plain = set(off.clone()).await;
    assert_eq!(plain, ("All [] Some(true)".into(), sightings, true, true, true));
    let excluded = set(Switches { trail_excludes_kms: true, ..off.clone() }).await;
    assert_eq!(excluded, ("All [\"kms.amazonaws.com\"] Some(true)".into(), sightings, false, false, true));
    let writes = set(Switches { trail_is_write_only: true, ..off.clone() }).await;
    assert_eq!(writes, ("WriteOnly [] Some(true)".into(), sightings, false, true, true));
    let silent = set(Switches { trail_is_off: true, ..off.clone() }).await;
    assert_eq!(silent, ("All [] Some(false)".into(), sightings, false, false, false));
    let hidden = set(Switches { kms_is_hidden: true, ..off }).await;
    assert_eq!(hidden, ("All [\"kms.amazonaws.com\"] Some(true)".into(), 0, false, false, true));
}

#[tokio::test]
async fn log_files_follow_the_switches() {
    let stand_in = stand_in();
    let client = aws_sdk_s3::Client::new(&config(&stand_in));
    let prefix = "AWSLogs/111122223333/CloudTrail/eu-central-1/";
    let decrypts = async || {
        let list = client.list_objects_v2().bucket("trail").prefix(prefix).send().await.expect("answers");
        let mut decrypts = 0;
        for row in list.contents() {
            let key = row.key().expect("has one");
            let read = client.get_object().bucket("trail").key(key).send().await.expect("is there");
            let packed = read.body.collect().await.expect("arrives").to_vec();
            decrypts += unpacked(&packed).matches("\"eventName\":\"Decrypt\"").count();
        }
        decrypts
    };
    let plain = decrypts().await;
    stand_in.switches(Switches { launches_make_bursts: true, ..Switches::default() });
    assert!(decrypts().await > plain + 20);
    stand_in.switches(Switches { kms_is_hidden: true, ..Switches::default() });
    assert_eq!(decrypts().await, 0);
    stand_in.switches(Switches { trail_is_off: true, ..Switches::default() });
    let list = client.list_objects_v2().bucket("trail").prefix(prefix).send().await.expect("answers");
    assert!(list.contents().is_empty());
}

fn unpacked(packed: &[u8]) -> String {
    String::from_utf8(gzip::unpack(packed).expect("gzip")).expect("UTF-8")
}
