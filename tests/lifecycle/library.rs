//! The library's clients against the scripted sources: what a program that embeds them gets.

use std::time::{Duration, Instant};

use aws_config::imds::client::error::ImdsError;
use exposure_core::lifecycle::LifecycleState;
use exposure_lifecycle::api::LazyApi;
use exposure_lifecycle::identity::{Given, tag};
use exposure_lifecycle::imds::{AskImds as _, ImdsClient, ImdsSettings};
use exposure_lifecycle::observation::{Imds as Outcome, Refusal, Trouble};
use exposure_lifecycle::state::Target;

use crate::imds::{INSTANCE, Imds, TARGET, gone, page_as_state, says};
use crate::server::Act;

fn client(imds: &Imds, timeout: u64) -> ImdsClient {
    let timeout = Duration::from_millis(timeout);
    ImdsClient::new(ImdsSettings { endpoint: Some(imds.url()), ipv6: false, timeout }).expect("an address")
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

#[test]
fn outcomes_are_never_merged() {
    let slow = Act::Slow(Duration::from_secs(3), Box::new(says("InService")));
    let status = |status| Outcome::Unreachable(Trouble::Status(status));
    let resting = Trouble::UnknownState(LifecycleState::new("Resting"));
    let table = [
        (says("Standby"), Outcome::Known(Target::Standby)),
        (gone(), Outcome::Absent),
        (Act::new(401, ""), Outcome::Refused(Refusal::Unauthorized)),
        (Act::new(403, ""), Outcome::Refused(Refusal::Forbidden)),
        (Act::new(400, ""), status(400)),
        (Act::new(500, ""), status(500)),
        (Act::new(503, ""), status(503)),
        (slow, Outcome::Unreachable(Trouble::TimedOut)),
        (Act::Drop, Outcome::Unreachable(Trouble::NoConnection)),
        (says(""), Outcome::Unreachable(Trouble::NoState)),
        (page_as_state(), Outcome::Unreachable(Trouble::NoState)),
        (Act::Answer(200, Vec::new(), vec![0xFF, 0xFE]), Outcome::Unreachable(Trouble::NoState)),
        (says("Resting"), Outcome::Unreachable(resting)),
    ];
    assert!(!table.is_empty());
    for (act, expected) in table {
        let imds = Imds::start();
        imds.target([act.clone()]);
        let began = Instant::now();
        assert_eq!(run(async { client(&imds, 1_000).target().await }), expected, "{act:?}");
        assert!(began.elapsed() < Duration::from_millis(2_900), "{act:?}: {:?}", began.elapsed());
    }
}

#[test]
fn trouble_with_the_token_says_nothing_of_the_item() {
    let slow = Act::Slow(Duration::from_secs(3), Box::new(Act::Drop));
    let table = [
        (Act::new(403, ""), Outcome::Refused(Refusal::Forbidden)),
        (Act::new(404, ""), Outcome::Unreachable(Trouble::Status(404))),
        (Act::new(400, ""), Outcome::Unreachable(Trouble::Status(400))),
        (Act::new(500, ""), Outcome::Unreachable(Trouble::Status(500))),
        (Act::new(200, "no lifetime"), Outcome::Unreachable(Trouble::NoState)),
        (Act::Drop, Outcome::Unreachable(Trouble::NoConnection)),
        (slow, Outcome::Unreachable(Trouble::TimedOut)),
    ];
    for (act, expected) in table {
        let imds = Imds::start();
        imds.target([says("InService")]);
        imds.tokens(Some(act.clone()));
        assert_eq!(run(async { client(&imds, 1_000).target().await }), expected, "{act:?}");
        assert_eq!(imds.asked(TARGET), 0, "{act:?}");
    }
}

#[test]
fn nobody_there_is_unreachable() {
    let imds = {
        let gone = Imds::start();
        client(&gone, 1_000)
    };
    assert_eq!(run(async { imds.clone().target().await }), Outcome::Unreachable(Trouble::NoConnection));
}

/// Why [`ImdsClient`] makes itself another SDK client after a 401. If this fails, that is not needed any more.
#[test]
fn the_sdks_own_client_takes_a_rejected_token_to_imds_again() {
    let imds = Imds::start();
    imds.target([says("InService")]);
    run(async {
        let http = aws_smithy_http_client::Builder::new().build_http();
        let config = aws_config::provider_config::ProviderConfig::default().with_http_client(http);
        let own = aws_config::imds::Client::builder().configure(&config).endpoint(imds.url()).expect("an address");
        let own = own.max_attempts(2).build();
        own.get(TARGET).await.expect("a state");
        imds.revoke();
        let error = own.get(TARGET).await.expect_err("the token is not valid any more");
        let ImdsError::ErrorResponse(answer) = &error else { panic!("{error:?}") };
        assert_eq!(answer.response().status().as_u16(), 401);
        assert_eq!((imds.tokens_given(), imds.asked(TARGET)), (1, 3));
    });
}

#[test]
fn a_revoked_token_is_refreshed_once_and_a_second_401_is_a_refusal() {
    let imds = Imds::start();
    imds.target([says("InService")]);
    run(async {
        let mut client = client(&imds, 2_000);
        for _ in 0..3 {
            assert_eq!(client.target().await, Outcome::Known(Target::InService));
        }
        assert_eq!(imds.tokens_given(), 1, "a token lasts");
        imds.revoke();
        assert_eq!(client.target().await, Outcome::Known(Target::InService));
        assert_eq!(imds.tokens_given(), 2);
        imds.target([Act::new(401, "")]);
        let before = imds.asked(TARGET);
        assert_eq!(client.target().await, Outcome::Refused(Refusal::Unauthorized));
        assert_eq!((imds.tokens_given(), imds.asked(TARGET) - before), (3, 2), "once");
    });
}

#[test]
fn the_identity_comes_from_imds_or_as_it_is_given() {
    let imds = Imds::start();
    run(async {
        let mut client = client(&imds, 2_000);
        let identity = Given::default().complete(&mut client).await.expect("it answers");
        assert_eq!((identity.instance.as_str(), identity.region.as_str()), (INSTANCE, "eu-central-1"));
        imds.play("/latest/meta-data/instance-id", [page_as_state()]);
        assert_eq!(Given::default().complete(&mut client).await, None);
        imds.play("/latest/meta-data/tags/instance/Stack", [says("Nighttime")]);
        assert_eq!(tag(&mut client, "Stack").await.as_deref(), Some("Nighttime"));
        for key in ["Other", "", "..", "a/b", "a b"] {
            assert_eq!(tag(&mut client, key).await, None, "{key:?}");
        }
        imds.play("/latest/meta-data/tags/instance/Stack", [page_as_state()]);
        assert_eq!(tag(&mut client, "Stack").await, None);
    });
}

#[test]
fn several_instances_are_told_apart() {
    let others = ["i-0000000000000001a", "i-0000000000000002b"];
    let all: Vec<Imds> = others.iter().map(|id| Imds::of(id)).collect();
    all[0].target([says("Standby")]);
    all[1].target([gone()]);
    run(async {
        let mut found = Vec::new();
        for imds in &all {
            let mut client = client(imds, 2_000);
            let identity = Given::default().complete(&mut client).await.expect("it answers");
            found.push((identity.instance.to_string(), client.target().await));
        }
        let expected = [Outcome::Known(Target::Standby), Outcome::Absent];
        assert_eq!(found, others.map(str::to_owned).into_iter().zip(expected).collect::<Vec<_>>());
    });
}

#[test]
fn an_api_that_is_not_needed_is_not_built() {
    let imds = Imds::start();
    let api = LazyApi::new(client(&imds, 1_000), Given::default(), None, Duration::from_secs(1));
    assert!(api.member().is_none() && api.error().is_none());
    assert_eq!(imds.asked("/latest/meta-data/instance-id"), 0);
}
