//! `LookupEvents` keeps the documented limits.

use std::collections::BTreeSet;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey, ReadWriteType};
use exposure_stand_in::{Clock, Delivery, Draws, Options, Quota, StandIn};
use serde_json::Value;

use super::common::{ACCOUNT, account, code, config, config_for, load, stand_in, start};

fn by(key: LookupAttributeKey, value: &str) -> LookupAttribute {
    LookupAttribute::builder().attribute_key(key).attribute_value(value).build().expect("is complete")
}

pub(crate) fn by_name(name: &str) -> LookupAttribute {
    by(LookupAttributeKey::EventName, name)
}

/// All events of a lookup, page by page, and the sizes of the pages.
pub(crate) async fn all(client: &Client, attribute: Option<LookupAttribute>) -> (Vec<Event>, Vec<usize>) {
    let (mut events, mut pages, mut token) = (Vec::new(), Vec::new(), None);
    loop {
        let page = client
            .lookup_events()
            .set_lookup_attributes(attribute.clone().map(|attribute| vec![attribute]))
            .end_time(DateTime::from_secs(4_000_000_000))
            .set_next_token(token)
            .send()
            .await
            .expect("answers");
        pages.push(page.events().len());
        events.extend(page.events.unwrap_or_default());
        token = page.next_token;
        if token.is_none() {
            return (events, pages);
        }
    }
}

fn seconds(event: &Event) -> i64 {
    event.event_time().expect("has a time").secs()
}

fn record(event: &Event) -> Value {
    serde_json::from_str(event.cloud_trail_event().expect("has a record")).expect("is JSON")
}

#[tokio::test]
async fn pages_hold_fifty_the_newest_first_and_reach_everything_once() {
    let stand_in = stand_in();
    let (events, pages) = all(&Client::new(&config(&stand_in)), None).await;
    let (last, full) = pages.split_last().expect("has pages");
    assert!(full.len() > 10 && full.iter().all(|page| *page == 50) && *last <= 50, "{pages:?}");
    assert!(events.is_sorted_by_key(|event| -seconds(event)));
    let ids: BTreeSet<_> = events.iter().map(|event| event.event_id().expect("has an ID")).collect();
    assert_eq!(ids.len(), events.len());
}

#[tokio::test]
async fn an_entry_has_what_recorded_answers_have() {
    let stand_in = stand_in();
    let (events, _) = all(&Client::new(&config(&stand_in)), Some(by_name("Decrypt"))).await;
    let is_sighting = |event: &&Event| record(event)["userIdentity"]["arn"].to_string().contains("ec2-infrastructure");
    let sighting = events.iter().find(is_sighting).expect("is there");
    let record = record(sighting);
    assert_eq!(sighting.event_id(), record["eventID"].as_str());
    assert_eq!(sighting.event_source(), Some("kms.amazonaws.com"));
    assert_eq!(sighting.read_only(), Some("true"));
    assert!(sighting.username().expect("is a session").starts_with("i-"));
    let resource = &sighting.resources()[0];
    assert_eq!(resource.resource_type(), Some("AWS::KMS::Key"));
    assert_eq!(resource.resource_name(), record["resources"][0]["ARN"].as_str());
}

#[tokio::test]
async fn events_are_found_by_one_attribute() {
    let stand_in = stand_in();
    let client = Client::new(&config(&stand_in));
    let (decrypts, _) = all(&client, Some(by_name("Decrypt"))).await;
    let sighting = decrypts.iter().find(|event| event.username().is_some_and(|name| name.starts_with("i-")));
    let sighting = sighting.expect("is there");
    let user = sighting.username().expect("is a session");
    let (of_user, _) = all(&client, Some(by(LookupAttributeKey::Username, user))).await;
    assert!(of_user.iter().all(|event| event.username() == Some(user)) && of_user.contains(sighting));
    let key = sighting.resources()[0].resource_name().expect("has a name");
    let (of_key, _) = all(&client, Some(by(LookupAttributeKey::ResourceName, key))).await;
    assert!(of_key.contains(sighting) && of_key.len() < decrypts.len() * 4);
    let (of_id, _) = all(&client, Some(by(LookupAttributeKey::EventId, sighting.event_id().expect("has one")))).await;
    assert!(of_id.len() == 1 && of_id.contains(sighting));
    let both = client.lookup_events().lookup_attributes(by_name("Decrypt")).lookup_attributes(by_name("CreateGrant"));
    assert_eq!(code(both.send().await), "InvalidLookupAttributesException");
}

#[tokio::test]
async fn two_requests_a_second_for_an_account_and_region() {
    let stand_in = start(Options {
        lookup_quota: Quota::by_clock(2.0),
        clock: Clock::Driven(account().window().1),
        ..Options::default()
    });
    let client = Client::new(&config(&stand_in));
    let ask = || client.lookup_events().send();
    assert!(ask().await.is_ok() && ask().await.is_ok());
    let refused = ask().await.expect_err("is throttled");
    assert_eq!(refused.raw_response().map(|response| response.status().as_u16()), Some(400));
    assert_eq!(code(Err::<(), _>(refused)), "ThrottlingException");
    let elsewhere = Client::new(&config_for(&stand_in, ACCOUNT, "eu-west-1"));
    assert!(elsewhere.lookup_events().send().await.is_ok());
    stand_in.set_clock_millis(stand_in.clock() * 1000 + 500);
    assert!(ask().await.is_ok());
    assert_eq!(code(ask().await), "ThrottlingException");
}

#[tokio::test]
async fn a_token_belongs_to_its_parameters() {
    let stand_in = stand_in();
    let client = Client::new(&config(&stand_in));
    let end = DateTime::from_secs(stand_in.clock());
    let ask = || client.lookup_events().lookup_attributes(by_name("Decrypt")).end_time(end);
    let token = ask().send().await.expect("answers").next_token.expect("has more");
    assert!(ask().next_token(&token).send().await.is_ok());
    let others = [
        ask().start_time(DateTime::from_secs(0)).next_token(&token),
        ask().end_time(DateTime::from_secs(stand_in.clock() + 1)).next_token(&token),
        client.lookup_events().lookup_attributes(by_name("CreateGrant")).end_time(end).next_token(&token),
        ask().next_token("made-up"),
    ];
    for other in others {
        assert_eq!(code(other.send().await), "InvalidNextTokenException");
    }
}

#[tokio::test]
async fn sizes_and_times_are_checked() {
    let stand_in = stand_in();
    let client = Client::new(&config(&stand_in));
    assert_eq!(code(client.lookup_events().max_results(51).send().await), "InvalidMaxResultsException");
    assert_eq!(client.lookup_events().max_results(7).send().await.expect("answers").events().len(), 7);
    let time = DateTime::from_secs;
    let turned = client.lookup_events().start_time(time(20)).end_time(time(10));
    assert_eq!(code(turned.send().await), "InvalidTimeRangeException");
}

#[tokio::test]
async fn both_ends_of_a_window_belong_to_it() {
    let stand_in = stand_in();
    let client = Client::new(&config(&stand_in));
    let (events, _) = all(&client, Some(by_name("RunInstances"))).await;
    let at = seconds(&events[events.len() / 2]);
    let of = |from: i64, to: i64| {
        client
            .lookup_events()
            .lookup_attributes(by_name("RunInstances"))
            .start_time(DateTime::from_secs(from))
            .end_time(DateTime::from_secs(to))
            .send()
    };
    let found = of(at, at).await.expect("answers").events.unwrap_or_default();
    assert!(!found.is_empty() && found.iter().all(|event| seconds(event) == at));
    assert_eq!(found.len(), events.iter().filter(|event| seconds(event) == at).count());
}

#[tokio::test]
async fn ninety_days_and_no_more() {
    let stand_in = stand_in();
    let client = Client::new(&config(&stand_in));
    let from = DateTime::from_secs(account().window().0);
    stand_in.set_clock(account().window().0 + 90 * 86_400 - 1);
    assert!(!client.lookup_events().start_time(from).send().await.expect("answers").events().is_empty());
    stand_in.set_clock(account().window().1 + 90 * 86_400 + 1);
    assert!(client.lookup_events().start_time(from).send().await.expect("answers").events().is_empty());
}

#[tokio::test]
async fn an_event_is_shown_when_it_has_been_delivered() {
    let draws = Draws { late_share: 0.1, ..Draws::default() };
    let account = load(&Delivery::Drawn(draws));
    let (first, last) = account.window();
    let options = Options { lookup_quota: Quota::none(), ..Options::default() };
    let stand_in = StandIn::start(account, options).expect("starts");
    let client = Client::new(&config(&stand_in));
    let mut before = BTreeSet::new();
    let mut late = 0;
    for clock in (first..last + 7 * 3600).step_by(7200) {
        stand_in.set_clock(clock);
        let (events, _) = all(&client, Some(by_name("Decrypt"))).await;
        for event in &events {
            let id = event.event_id().expect("has an ID");
            assert!(stand_in.account().delivered_at(id).expect("is known") <= clock);
            late += usize::from(!before.contains(id) && seconds(event) < clock - 7200 - 300);
        }
        let ids: BTreeSet<_> = events.into_iter().filter_map(|event| event.event_id).collect();
        assert!(before.is_subset(&ids));
        before = ids;
    }
    assert!(late > 10, "{late}");
}

#[tokio::test]
async fn places_have_events_of_their_own() {
    let stand_in = stand_in();
    let (here, _) = all(&Client::new(&config(&stand_in)), None).await;
    let (there, _) = all(&Client::new(&config_for(&stand_in, ACCOUNT, "eu-west-1")), None).await;
    let (other, _) = all(&Client::new(&config_for(&stand_in, "444455556666", "eu-central-1")), None).await;
    for (events, account, region) in
        [(here, ACCOUNT, "eu-central-1"), (there, ACCOUNT, "eu-west-1"), (other, "444455556666", "eu-central-1")]
    {
        assert!(!events.is_empty());
        for event in events.iter().map(record) {
            assert_eq!(event["awsRegion"], region);
            assert_eq!(event["recipientAccountId"], account);
        }
    }
    let nowhere = Client::new(&config_for(&stand_in, "999999999999", "us-east-1"));
    assert!(all(&nowhere, None).await.0.is_empty());
}

#[tokio::test]
async fn a_trail_says_how_it_is_set() {
    let stand_in = stand_in();
    let client = Client::new(&config(&stand_in));
    let trails = client.describe_trails().send().await.expect("answers");
    let trail = &trails.trail_list()[0];
    assert_eq!((trail.s3_bucket_name(), trail.is_multi_region_trail()), (Some("trail"), Some(true)));
    let arn = trail.trail_arn().expect("has an ARN");
    let listed = client.list_trails().send().await.expect("answers");
    assert_eq!(listed.trails()[0].trail_arn(), Some(arn));
    let set = client.get_event_selectors().trail_name(arn).send().await.expect("answers");
    let selector = &set.event_selectors()[0];
    assert_eq!(selector.read_write_type().map(ReadWriteType::as_str), Some("All"));
    assert!(selector.exclude_management_event_sources().is_empty());
    let status = client.get_trail_status().name("main").send().await.expect("answers");
    assert_eq!(status.is_logging(), Some(true));
    assert_eq!(code(client.get_trail_status().name("other").send().await), "TrailNotFoundException");
}
