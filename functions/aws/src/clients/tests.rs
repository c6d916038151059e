//! The clients over HTTP on loopback.

use std::net::TcpListener;

use aws_credential_types::credential_fn::provide_credentials_fn;
use aws_credential_types::provider::error::CredentialsError;
use tokio::time::Instant;

use super::calls::{Calls, Patience, call};
use super::loopback::{Loopback, Reply, Request, loader};
use super::*;

fn region(name: &str) -> Region {
    Region::new(name).expect(name)
}

fn identity_of(account: &str, arn: &str) -> Reply {
    Reply::of(
        200,
        format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{arn}</Arn><UserId>u</UserId>\
             <Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
        ),
    )
}

fn assumed() -> Reply {
    Reply::of(
        200,
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AKIDROLE</AccessKeyId>\
         <SecretAccessKey>not-a-secret</SecretAccessKey><SessionToken>token</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser>\
         <Arn>arn:aws:sts::444455556666:assumed-role/r/migration-exposure</Arn>\
         <AssumedRoleId>A:migration-exposure</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>",
    )
}

fn groups() -> Reply {
    Reply::of(
        200,
        "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups/>\
         </DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>",
    )
}

/// What becomes of one call, and how many requests it took.
async fn one_call(clients: &Clients, target: &Target, seconds: u64) -> (Result<(), Failure>, Calls) {
    let place = clients.at(target, &region("eu-central-1")).await;
    let mut calls = Calls::default();
    let patience = Patience::until(Instant::now() + Duration::from_secs(seconds));
    let send = || place.autoscaling.describe_auto_scaling_groups().send();
    let done = call("autoscaling:DescribeAutoScalingGroups", patience, &mut calls, send).await;
    (done.map(drop), calls)
}

#[tokio::test]
async fn the_own_identity_is_asked_of_sts() {
    let arn = "arn:aws:sts::111122223333:assumed-role/analyzer/x";
    let server = Loopback::start(move |_, _| identity_of("111122223333", arn));
    let clients = server.clients().await;
    let identity = clients.identity().await.expect("an identity");
    assert_eq!((identity.account.as_str(), identity.arn.as_str()), ("111122223333", arn));
    assert_eq!(clients.region(), Some(region("eu-central-1")));

    let server = Loopback::start(move |_, _| identity_of("root", arn));
    let failure = server.clients().await.identity().await.expect_err("no account");
    assert_eq!((failure.operation, failure.class), ("sts:GetCallerIdentity", Class::Invalid));
}

#[tokio::test]
async fn a_role_is_taken_on_once_for_all_its_regions_and_clients_are_kept() {
    let server = Loopback::start(|request, _| match request.text() {
        text if text.contains("Action=AssumeRole") => assumed(),
        text if text.contains("Action=GetCallerIdentity") => identity_of("444455556666", "arn:aws:sts::444455556666:x"),
        _ => groups(),
    });
    let clients = server.clients().await;
    let list = r#"[{"roleArn": "arn:aws:iam::444455556666:role/reader", "externalId": "secret-id"}]"#;
    let target = Target::parse_list(list).expect("a target").remove(0);
    for name in ["eu-central-1", "us-east-1", "eu-central-1"] {
        let place = clients.at(&target, &region(name)).await;
        place.autoscaling.describe_auto_scaling_groups().send().await.expect("groups");
        assert_eq!(identity(&place.sts).await.expect("an identity").account.as_str(), "444455556666");
    }
    let asked = server.asked();
    let roles: Vec<String> = asked.iter().map(Request::text).filter(|t| t.contains("Action=AssumeRole")).collect();
    assert_eq!(roles.len(), 1, "{roles:?}");
    assert!(roles[0].contains("RoleSessionName=migration-exposure") && roles[0].contains("ExternalId=secret-id"));
    let signed: Vec<&str> = asked.iter().filter_map(|r| r.header("authorization")).collect();
    assert!(signed.iter().any(|s| s.contains("AKIDROLE") && s.contains("/us-east-1/autoscaling/")), "{signed:?}");
    assert_eq!(clients.places.lock().expect("no panic before").len(), 2);
}

#[tokio::test]
async fn what_was_answered_decides_the_class_and_whether_to_ask_again() {
    let table = [
        (400, "AccessDenied", Class::Denied, 1),
        (403, "AccessDeniedException", Class::Denied, 1),
        (403, "UnauthorizedOperation", Class::Denied, 1),
        (403, "ExpiredToken", Class::Denied, 1),
        (403, "InvalidClientTokenId", Class::Denied, 1),
        (403, "UnrecognizedClientException", Class::Denied, 1),
        (403, "OptInRequired", Class::Disabled, 1),
        (403, "SomethingNew", Class::Denied, 1),
        (400, "Throttling", Class::Throttled, 2),
        (400, "ThrottlingException", Class::Throttled, 2),
        (503, "RequestLimitExceeded", Class::Throttled, 2),
        (503, "SlowDown", Class::Throttled, 2),
        (429, "SomethingNew", Class::Throttled, 2),
        (408, "RequestTimeout", Class::TimedOut, 2),
        (500, "InternalFailure", Class::Unavailable, 2),
        (502, "SomethingNew", Class::Unavailable, 2),
        (400, "ValidationError", Class::Invalid, 1),
        (403, "SignatureDoesNotMatch", Class::Denied, 2),
        (403, "RequestExpired", Class::Denied, 2),
    ];
    assert!(table.len() > 10);
    for (status, code, class, requests) in table {
        let server = Loopback::start(move |_, _| {
            Reply::error(status, code, "Said.\nThe canonical string: x-amz-security-token:SECRET")
        });
        let place = server.clients().await.at(&Target::default(), &region("eu-central-1")).await;
        let mut calls = Calls::default();
        let patience = Patience { deadline: Instant::now() + Duration::from_secs(20), attempts: 2 };
        let send = || place.autoscaling.describe_auto_scaling_groups().send();
        let failure = call("autoscaling:X", patience, &mut calls, send).await.expect_err(code);
        assert_eq!((failure.class, failure.message), (class, format!("{code}: Said.")), "{status} {code}");
        let throttled = if class == Class::Throttled { requests } else { 0 };
        assert_eq!(calls, Calls { made: requests, throttled }, "{status} {code}");
        assert_eq!(server.asked().len(), usize::try_from(requests).expect("small"), "the SDK made none of its own");
    }
}

#[tokio::test]
async fn what_breaks_off_drops_or_cannot_be_read_is_told_apart() {
    let table = [
        (Reply::Broken(Vec::new()), Class::Unavailable),
        (Reply::Drops, Class::Unavailable),
        (Reply::of(200, "junk"), Class::Invalid),
        (Reply::of(500, ""), Class::Unavailable),
    ];
    assert!(!table.is_empty());
    for (reply, class) in table {
        let told = format!("{reply:?}");
        let server = Loopback::start(move |_, _| reply.clone());
        let (done, calls) = one_call(&server.clients().await, &Target::default(), 20).await;
        let failure = done.expect_err("no answer");
        assert_eq!(failure.class, class, "{told}: {failure}");
        assert!(!failure.message.is_empty());
        assert_eq!(calls.made, if class == Class::Invalid { 1 } else { 5 }, "{told}");
    }
}

#[tokio::test]
async fn a_call_that_fails_at_first_succeeds_within_its_time() {
    let server = Loopback::start(|_, before| match before {
        0 => Reply::error(400, "Throttling", "Rate exceeded"),
        1 => Reply::of(503, ""),
        _ => groups(),
    });
    let (done, calls) = one_call(&server.clients().await, &Target::default(), 20).await;
    assert_eq!((done, calls), (Ok(()), Calls { made: 3, throttled: 1 }));
}

#[tokio::test]
async fn no_call_outlives_its_deadline() {
    let server = Loopback::start(|_, _| Reply::Hangs(Duration::from_secs(3)));
    let begun = Instant::now();
    let (done, calls) = one_call(&server.clients().await, &Target::default(), 1).await;
    assert_eq!(done.expect_err("no answer").class, Class::TimedOut);
    assert!(begun.elapsed() < Duration::from_millis(1_900), "{:?}", begun.elapsed());
    assert_eq!(calls.made, 1);
    let (done, calls) = one_call(&server.clients().await, &Target::default(), 0).await;
    assert_eq!((done.expect_err("no time").class, calls.made), (Class::TimedOut, 0));
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let clients = Clients::from_loader(loader(&format!("http://{free}"))).await;
    let (done, _) = one_call(&clients, &Target::default(), 1).await;
    let failure = done.expect_err("nobody");
    assert_eq!(failure.class, Class::Unavailable, "{failure}");
    assert!(failure.message.contains("refused"), "{failure}");
}

#[tokio::test]
async fn a_role_that_cannot_be_taken_on_says_why() {
    let table = [
        (
            Reply::error(403, "AccessDenied", "not authorized to perform: sts:AssumeRole"),
            Class::Denied,
            "sts:AssumeRole",
        ),
        (Reply::error(403, "RegionDisabledException", "STS is not activated"), Class::Disabled, "RegionDisabled"),
        (Reply::of(500, ""), Class::Unavailable, ""),
    ];
    assert!(!table.is_empty());
    for (reply, class, said) in table {
        let server = Loopback::start(move |_, _| reply.clone());
        let list = r#"[{"roleArn": "arn:aws:iam::444455556666:role/reader"}]"#;
        let target = Target::parse_list(list).expect("a target").remove(0);
        let place = server.clients().await.at(&target, &region("eu-central-1")).await;
        let error = place.autoscaling.describe_auto_scaling_groups().send().await.expect_err("no credentials");
        let failure = classify("autoscaling:X", &error);
        assert_eq!(failure.class, class, "{failure}");
        assert!(failure.message.contains(said), "{failure}");
    }
}

#[tokio::test]
async fn without_credentials_a_call_is_denied() {
    let server = Loopback::start(|_, _| groups());
    let none = provide_credentials_fn(|| async { Err(CredentialsError::not_loaded_no_source()) });
    let clients = Clients::from_loader(loader(&server.url()).credentials_provider(none)).await;
    let (done, calls) = one_call(&clients, &Target::default(), 5).await;
    let failure = done.expect_err("no credentials");
    assert_eq!((failure.class, calls.made), (Class::Denied, 1), "{failure}");
    assert!(server.asked().is_empty());
}
