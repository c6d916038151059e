//! The rows of the answer, and the names under which other tools read them.

use serde_json::{Value, json};

use super::*;

#[test]
fn the_age_is_from_the_launch_and_null_where_none_is_on_record() {
    let mut world = World::default();
    world.migrated(1, &[7_200]);
    world.sight(2, 7_200);
    assert_eq!(world.row(1).migrations[0].instance_age_seconds, Some(7_200));
    assert_eq!(world.row(2).migrations[0].instance_age_seconds, None);
    // Rule 4: RunInstances and CreateFleet may both name it, and the earlier one launched it.
    world.launch(1, 5);
    assert_eq!(world.row(1).migrations[0].instance_age_seconds, Some(7_200));
}

#[test]
fn instances_come_by_account_region_and_id() {
    let mut world = World::default();
    let places =
        [("444455556666", HOME, 1), ("111122223333", AWAY, 1), ("111122223333", HOME, 2), ("111122223333", HOME, 1)];
    for (account, region, number) in places {
        world.note_in(source_of(account, region), sighting(number), 7_200);
    }
    let told = world.answer().instances;
    let told: Vec<_> = told
        .iter()
        .map(|row| {
            (row.account.as_ref().map(AccountId::as_str), row.region.as_ref().map(Region::as_str), row.instance_id)
        })
        .collect();
    let expected: Vec<_> = places.iter().rev().map(|(a, r, n)| (Some(*a), Some(*r), instance(*n))).collect();
    assert_eq!(told, expected);
}

#[test]
fn instances_that_moved_are_listed_and_all_of_them_where_that_is_asked() {
    let mut world = World::default();
    world.migrated(1, &[7_200]).migrated(2, &[]).launch(3, 0).holds(group("web", ""), &[2, 4]);
    // Instance 5 came again with a cause; of instance 6 there is a grant and nothing else.
    world.launch(5, 0).sight(5, 20).grant(5, 7_200).sight(5, 7_200).grant(6, 7_200);
    let listed =
        |world: &World| -> Vec<InstanceId> { world.answer().instances.iter().map(|row| row.instance_id).collect() };
    assert_eq!(listed(&world), [1, 5].map(instance));
    world.all = true;
    assert_eq!(listed(&world), [1, 2, 3, 4, 5].map(instance));
}

#[test]
fn of_copies_in_two_accounts_the_instances_own_is_the_event() {
    let copy = |event_id: &str, own_copy: bool| Observation {
        identity: EventId::new("shared").expect("an event"),
        event_id: EventId::new(event_id).expect(event_id),
        own_copy,
        time: at(7_200),
        source: source(HOME),
        request_id: None,
        kind: sighting(1),
    };
    let (own, foreign) = (copy("of-its-own-account", true), copy("a-copy-of-the-keys-account", false));
    for order in [[&own, &foreign], [&foreign, &own]] {
        let mut world = World::default();
        world.launch(1, 0).sight(1, 20);
        for observation in order {
            world.ledger.absorb(observation);
        }
        let events = world.row(1).migrations[0].event_ids.clone();
        assert_eq!(events.iter().map(EventId::as_str).collect::<Vec<_>>(), ["of-its-own-account"]);
    }
    let mut alone = World::default();
    alone.launch(1, 0).sight(1, 20);
    alone.ledger.absorb(&foreign);
    assert_eq!(
        alone.row(1).migrations[0].event_ids[0].as_str(),
        "a-copy-of-the-keys-account",
        "where it is the only one"
    );
}

#[test]
fn a_member_that_nothing_places_has_no_account() {
    let mut world = World { all: true, ..World::default() };
    let mut fleet = Fleet::default();
    fleet.members.push(Member { region: Some(Region::new(HOME).expect("a region")), ..member(1, None, "InService") });
    world.fleet = Some(fleet);
    let row = world.row(1);
    assert_eq!((row.account, row.region.as_ref().map(Region::as_str)), (None, Some(HOME)));
    // Where there is but one account and region on record, it is that.
    world.sight(2, 0);
    assert_eq!(world.row(1).account.as_ref().map(AccountId::as_str), Some("111122223333"));
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn the_json_has_the_names_of_the_contract_and_three_more() {
    let contract = json!({
        "schema": 0,
        "window": {"from": 0, "to": 0},
        "accounting": {
            "files": 0, "unreadable_files": 0, "records": 0, "sightings": 0, "causes": 0, "irrelevant": 0,
            "duplicates": 0, "malformed": 0, "failed_decrypts": 0
        },
        "coverage": {"launched": 0, "baseline_seen": 0, "blind": false},
        "stacks": [{
            "stack": 0, "members": 0, "in_service": 0, "exposed": 0, "recovered": 0, "clean": 0, "unseen": 0,
            "undetermined": 0, "migrations": 0, "partial_reattachments": 0
        }],
        "instances": [{
            "account": 0, "region": 0, "instance_id": 0, "auto_scaling_group": 0, "stack": 0, "lifecycle_state": 0,
            "verdict": 0, "reason": 0,
            "migrations": [{"at": 0, "volumes": 0, "confidence": 0, "event_ids": 0, "instance_age_seconds": 0}],
            "reattachments": [{"at": 0, "volumes": 0, "cause": 0}]
        }]
    });
    let mut world = World::default();
    world.migrated(1, &[7_200]).grant(1, 20_000).sight(1, 20_000).holds(group("web", "Nighttime"), &[1]);
    let mut told = serde_json::to_value(world.answer()).expect("JSON");
    // What the contract was extended by.
    let sources = told["coverage"].as_object_mut().expect("an object").remove("sources").expect("the sources");
    assert_eq!(keys(&sources[0]), ["account", "baseline_seen", "launched", "region", "sight"]);
    let exposed_since = told["instances"][0].as_object_mut().expect("an object").remove("exposed_since");
    assert_eq!(exposed_since, Some(json!("2026-05-11T02:00:00Z")));
    let mitigated = told["stacks"][0].as_object_mut().expect("an object").remove("exposed_mitigated");
    assert_eq!(mitigated, Some(json!(0)));

    let places = [
        "",
        "/window",
        "/accounting",
        "/coverage",
        "/stacks/0",
        "/instances/0",
        "/instances/0/migrations/0",
        "/instances/0/reattachments/0",
    ];
    assert_eq!(places.len(), 8);
    for place in places {
        let (theirs, ours) = (contract.pointer(place).expect(place), told.pointer(place).expect(place));
        assert_eq!(keys(ours), keys(theirs), "{place}");
    }
}

#[test]
fn the_json_says_what_the_contract_says() {
    let mut world = World::default();
    world.migrated(1, &[7_200]).grant(1, 20_000).sight(1, 20_000).holds(group("web", "Nighttime"), &[1]);
    world.sight(2, 7_200);
    let window = Window::from(Some(TimeSpan { from: at(0), to: at(86_400) }));
    let told = serde_json::to_value(world.question().answer(window, Accounting::default())).expect("JSON");
    assert_eq!(told["schema"], "migration-exposure/analysis/1");
    assert_eq!(told["window"], json!({"from": "2026-05-11T00:00:00Z", "to": "2026-05-12T00:00:00Z"}));
    assert_eq!(told["coverage"]["blind"], false);
    assert_eq!(told["coverage"]["sources"][0]["sight"], "seeing");
    let mut first = told["instances"][0].clone();
    let reason = first["reason"].take();
    assert!(reason.as_str().is_some_and(|reason| reason.contains("InService since")), "{reason}");
    let expected = json!({
        "account": "111122223333", "region": "eu-central-1", "instance_id": "i-00000000000000001",
        "auto_scaling_group": "web", "stack": "Nighttime", "lifecycle_state": "InService", "verdict": "exposed",
        "reason": null, "exposed_since": "2026-05-11T02:00:00Z",
        "migrations": [{
            "at": "2026-05-11T02:00:00Z", "volumes": ["vol-00000000000000001"], "confidence": "confirmed",
            "event_ids": ["event-3"], "instance_age_seconds": 7200
        }],
        "reattachments": [{"at": "2026-05-11T05:33:20Z", "volumes": ["vol-00000000000000001"], "cause": "grant"}]
    });
    assert_eq!(first, expected);
    let second = &told["instances"][1];
    for unknown in ["auto_scaling_group", "stack", "lifecycle_state", "verdict", "reason"] {
        assert_eq!(second.get(unknown), Some(&Value::Null), "{unknown}");
    }
    assert_eq!(second["migrations"][0]["instance_age_seconds"], Value::Null);
}

#[test]
fn accounting_balances_or_says_that_it_does_not() {
    let mut accounting = Accounting {
        records: 15,
        sightings: 1,
        causes: 2,
        irrelevant: 3,
        duplicates: 4,
        malformed: 5,
        ..Accounting::default()
    };
    assert!(accounting.balances());
    accounting += accounting;
    assert!(accounting.balances() && accounting.records == 30);
    accounting.malformed += 1;
    assert!(!accounting.balances());
}
