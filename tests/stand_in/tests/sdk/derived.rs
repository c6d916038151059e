//! What is derived from the account's files, for several accounts.

use std::collections::BTreeSet;

use exposure_simulator::{Config, simulate};
use exposure_stand_in::{Account, Delivery, Draws, Options, Quota, StandIn};
use serde_json::Value;

use super::common::{config, load};

#[test]
fn every_account_ends_in_its_own_fleet() {
    for seed in 1..=6 {
        let folder = tempfile::tempdir().expect("is made");
        let config =
            Config { seed, instances: 45 + 30 * usize::try_from(seed).expect("is small"), ..Config::default() };
        simulate(&config, folder.path(), &mut |_| {}).expect("is simulated");
        let account = Account::load(folder.path(), &Delivery::AsFiled).expect("is what the simulator writes");
        let file = |name: &str| -> Value {
            serde_json::from_slice(&std::fs::read(folder.path().join(name)).expect("is there")).expect("is JSON")
        };
        let mut written = BTreeSet::new();
        let mut put = |group: &str, instances: &Value| {
            for one in instances.as_array().expect("is a list") {
                let text = |key: &str| one[key].as_str().expect("is a text").to_owned();
                written.insert((group.to_owned(), text("InstanceId"), text("LifecycleState")));
            }
        };
        for group in file("fleet.json")["AutoScalingGroups"].as_array().expect("is a list") {
            put(group["AutoScalingGroupName"].as_str().expect("is a text"), &group["Instances"]);
        }
        put("night-pool", &file("warm-pool.json")["Instances"]);
        let found: BTreeSet<_> = account.members_at(account.window().1 + 3600).into_iter().collect();
        assert_eq!(found, written, "seed {seed}");
        assert!(!account.members_at(account.window().0).is_empty());
    }
}

#[tokio::test]
async fn second_deliveries_reach_every_source() {
    let plain = Options { lookup_quota: Quota::none(), ..Options::default() };
    let once = StandIn::start(load(&Delivery::Drawn(Draws::default())), plain.clone()).expect("starts");
    let draws = Draws { duplicate_share: 0.1, ..Draws::default() };
    let twice = StandIn::start(load(&Delivery::Drawn(draws)), plain).expect("starts");
    let mut counts = Vec::new();
    for stand_in in [&once, &twice] {
        stand_in.set_clock(stand_in.account().window().1 + 86_400);
        let client = aws_sdk_cloudtrail::Client::new(&config(stand_in));
        let (events, _) = super::cloudtrail::all(&client, Some(super::cloudtrail::by_name("Decrypt"))).await;
        let ids: BTreeSet<_> = events.iter().filter_map(|event| event.event_id().map(str::to_owned)).collect();
        let files = aws_sdk_s3::Client::new(&config(stand_in)).list_objects_v2().bucket("trail");
        let files = files.send().await.expect("answers").contents().len();
        counts.push((events.len(), files, super::sqs::drain(stand_in).await.len(), ids));
    }
    let [(events, files, messages, ids), (more_events, more_files, more_messages, same_ids)] = &counts[..] else {
        panic!("two were counted")
    };
    assert_eq!(*events, ids.len());
    assert!(more_events > events && more_files > files && more_messages > messages, "{counts:?}");
    assert_eq!(ids, same_ids);
}
