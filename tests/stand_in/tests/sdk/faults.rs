//! What goes wrong when it is told to.

use std::time::{Duration, Instant};

use aws_sdk_autoscaling::types::{AutoScalingGroup, LifecycleState};
use aws_sdk_cloudtrail::Client;
use exposure_stand_in::{Fault, FaultKind, StandIn};

use super::cloudtrail::{all, by_name};
use super::common::{code, config, stand_in};

fn client(stand_in: &StandIn) -> Client {
    Client::new(&config(stand_in))
}

const LOOKUP: &str = "cloudtrail:LookupEvents";

#[tokio::test]
async fn errors_are_those_of_the_service() {
    let stand_in = stand_in();
    let config = config(&stand_in);
    let trail = Client::new(&config);
    let groups = aws_sdk_autoscaling::Client::new(&config);
    let metrics = aws_sdk_cloudwatch::Client::new(&config);
    let objects = aws_sdk_s3::Client::new(&config);
    let queue = aws_sdk_sqs::Client::new(&config);
    let datum = aws_sdk_cloudwatch::types::MetricDatum::builder().metric_name("A").value(1.0).build();
    for (kind, codes) in [
        (FaultKind::Throttle, ["ThrottlingException", "Throttling", "Throttling", "SlowDown", "RequestThrottled"]),
        (
            FaultKind::AccessDenied,
            ["AccessDeniedException", "AccessDenied", "AccessDenied", "AccessDenied", "AccessDeniedException"],
        ),
        (
            FaultKind::ServerError { status: 500 },
            ["InternalFailure", "InternalFailure", "InternalServiceError", "InternalError", "InternalFailure"],
        ),
    ] {
        stand_in.faults(1, vec![Fault::of("*", kind)]);
        let put = metrics.put_metric_data().namespace("A").metric_data(datum.clone());
        let received = queue.receive_message().queue_url(stand_in.queue_url());
        let found = [
            code(trail.lookup_events().send().await),
            code(groups.describe_auto_scaling_groups().send().await),
            code(put.send().await),
            code(objects.get_object().bucket("state").key("a").send().await),
            code(received.send().await),
        ];
        assert_eq!(found, codes);
    }
    assert!(stand_in.metrics().is_empty());
}

#[tokio::test]
async fn a_share_is_drawn_from_the_seed() {
    let stand_in = stand_in();
    let client = client(&stand_in);
    let mut draws = Vec::new();
    for seed in [1, 1, 2] {
        stand_in.faults(seed, vec![Fault::of(LOOKUP, FaultKind::Throttle).share(0.2)]);
        let mut refused = Vec::new();
        for call in 0..100 {
            if client.lookup_events().max_results(1).send().await.is_err() {
                refused.push(call);
            }
        }
        assert!((8..35).contains(&refused.len()), "{refused:?}");
        draws.push(refused);
    }
    assert!(draws[0] == draws[1] && draws[0] != draws[2]);
}

#[tokio::test]
async fn connections_break_before_or_after_the_work() {
    let stand_in = stand_in();
    let client = aws_sdk_s3::Client::new(&config(&stand_in));
    let put = |key: &str| client.put_object().bucket("state").key(key).body(b"x".to_vec().into()).send();
    stand_in.faults(1, vec![Fault::of("PutObject", FaultKind::Drop)]);
    assert!(put("before").await.is_err());
    stand_in.faults(1, vec![Fault::of("PutObject", FaultKind::DropAnswer)]);
    assert!(put("after").await.is_err());
    stand_in.faults(1, Vec::new());
    assert!(put("fine").await.is_ok());
    assert_eq!((stand_in.object("state", "before"), stand_in.object("state", "after")), (None, Some(b"x".to_vec())));
}

#[tokio::test]
async fn tokens_expire_repeat_and_come_with_short_pages() {
    let stand_in = stand_in();
    let client = client(&stand_in);
    let page = |token: Option<String>| {
        client.lookup_events().lookup_attributes(by_name("Decrypt")).set_next_token(token).send()
    };
    let token = page(None).await.expect("answers").next_token.expect("has more");
    stand_in.faults(1, vec![Fault::of(LOOKUP, FaultKind::ExpiredToken)]);
    assert!(page(None).await.is_ok());
    assert_eq!(code(page(Some(token.clone())).await), "InvalidNextTokenException");
    stand_in.faults(1, vec![Fault::of(LOOKUP, FaultKind::RepeatToken).times(1).after(1)]);
    assert!(page(None).await.is_ok());
    assert_eq!(page(Some(token.clone())).await.expect("answers").next_token, Some(token.clone()));
    assert_ne!(page(Some(token.clone())).await.expect("answers").next_token, Some(token));
    stand_in.faults(1, Vec::new());
    let (whole, _) = all(&client, Some(by_name("Decrypt"))).await;
    stand_in.faults(1, vec![Fault::of(LOOKUP, FaultKind::ShortPage)]);
    let (short, pages) = all(&client, Some(by_name("Decrypt"))).await;
    assert!(short == whole && pages.iter().all(|page| *page <= 16));
}

#[tokio::test]
async fn answers_are_slow_or_dated_wrongly() {
    let stand_in = stand_in();
    let client = client(&stand_in);
    stand_in.faults(1, vec![Fault::of(LOOKUP, FaultKind::Slow { millis: 150 })]);
    let start = Instant::now();
    assert!(client.lookup_events().send().await.is_ok());
    assert!(start.elapsed() >= Duration::from_millis(150));
    let skewed = [Fault::of(LOOKUP, FaultKind::ClockSkew { seconds: 86_400 }), Fault::of(LOOKUP, FaultKind::Throttle)];
    stand_in.faults(1, skewed.to_vec());
    let refused = client.lookup_events().send().await.expect_err("is refused");
    let date = refused.raw_response().and_then(|response| response.headers().get("date")).expect("has a date");
    let format = aws_sdk_cloudtrail::primitives::DateTimeFormat::HttpDate;
    let date = aws_sdk_cloudtrail::primitives::DateTime::from_str(date, format).expect("is a date");
    let system = std::time::UNIX_EPOCH.elapsed().expect("is later").as_secs();
    assert!(date.secs().unsigned_abs().abs_diff(system + 86_400) < 60);
}

#[tokio::test]
async fn states_can_be_unheard_of() {
    let stand_in = stand_in();
    let client = aws_sdk_autoscaling::Client::new(&config(&stand_in));
    stand_in.faults(1, vec![Fault::of("autoscaling:*", FaultKind::UnknownStates)]);
    let groups = client.describe_auto_scaling_groups().send().await.expect("answers");
    let members = groups.auto_scaling_groups().iter().flat_map(AutoScalingGroup::instances);
    let states: Vec<_> = members.filter_map(|member| member.lifecycle_state()).map(LifecycleState::as_str).collect();
    assert!(states.contains(&"Bewildered:Wait") && states.contains(&"InService"), "{states:?}");
}
