//! The fleet over HTTP on loopback.

use std::time::Duration;

use exposure_core::ids::{AccountId, Region};

use super::*;
use crate::clients::Target;
use crate::clients::loopback::{Loopback, Reply, Request};

const ARN: &str = "arn:aws:autoscaling:eu-central-1:111122223333:autoScalingGroup:0f:autoScalingGroupName";

fn place() -> Source {
    let account = AccountId::new("111122223333").expect("an account");
    Source { account, region: Region::new("eu-central-1").expect("a region") }
}

fn time_of(text: &str) -> Timestamp {
    Timestamp::parse(text).expect(text)
}

async fn described(server: &Loopback, since: Option<&str>) -> Result<Described, Failure> {
    let clients = server.clients().await;
    let client = clients.at(&Target::default(), &place().region).await.autoscaling;
    describe(&client, &place(), since.map(time_of), Instant::now() + Duration::from_secs(20)).await
}

/// An answer of the query protocol.
fn answer(action: &str, members: &str, token: Option<&str>) -> Reply {
    let token = token.map(|token| format!("<NextToken>{token}</NextToken>")).unwrap_or_default();
    Reply::of(200, format!("<{action}Response><{action}Result>{members}{token}</{action}Result></{action}Response>"))
}

fn groups(groups: &[String], token: Option<&str>) -> Reply {
    answer("DescribeAutoScalingGroups", &format!("<AutoScalingGroups>{}</AutoScalingGroups>", groups.concat()), token)
}

fn pool(instances: &[String], token: Option<&str>) -> Reply {
    let members = format!("<Instances>{}</Instances>", instances.concat());
    answer("DescribeWarmPool", &members, token)
}

fn activities(activities: &[String], token: Option<&str>) -> Reply {
    answer("DescribeScalingActivities", &format!("<Activities>{}</Activities>", activities.concat()), token)
}

fn group(name: &str, instances: &[String], more: &str) -> String {
    format!(
        "<member><AutoScalingGroupName>{name}</AutoScalingGroupName><AutoScalingGroupARN>{ARN}/{name}\
         </AutoScalingGroupARN><Instances>{}</Instances>{more}</member>",
        instances.concat()
    )
}

fn instance(id: &str, state: &str) -> String {
    format!(
        "<member><InstanceId>{id}</InstanceId><AvailabilityZone>eu-central-1a</AvailabilityZone>\
         <LifecycleState>{state}</LifecycleState></member>"
    )
}

fn activity(id: &str, description: &str, started: &str, status: &str) -> String {
    format!(
        "<member><ActivityId>{id}</ActivityId><AutoScalingGroupName>gone</AutoScalingGroupName>\
         <AutoScalingGroupARN>{ARN}/gone</AutoScalingGroupARN><Description>{description}</Description>\
         <StartTime>{started}</StartTime><StatusCode>{status}</StatusCode></member>"
    )
}

fn is(request: &Request, action: &str) -> bool {
    request.text().contains(&format!("Action={action}&"))
}

fn token(request: &Request) -> Option<String> {
    let text = request.text();
    text.split('&').find_map(|pair| pair.strip_prefix("NextToken=")).map(str::to_owned)
}

#[tokio::test]
async fn all_pages_of_groups_warm_pools_and_activities_are_read() {
    let server = Loopback::start(|request, _| match token(request).as_deref() {
        None if is(request, "DescribeAutoScalingGroups") => {
            let tags = "<Tags><member><Key>Stack</Key><Value>Nighttime</Value></member><member><Key>empty</Key></member></Tags>";
            let suspended =
                "<SuspendedProcesses><member><ProcessName>ReplaceUnhealthy</ProcessName></member></SuspendedProcesses>";
            let instances =
                [instance("i-00000000000000001", "InService"), instance("i-00000000000000002", "BrandNew:Wait")];
            groups(&[group("night-web", &instances, &format!("{tags}{suspended}"))], Some("second"))
        }
        // A page may be empty and have a next one.
        Some("second") => groups(&[], Some("third")),
        Some("third") => {
            let pool = "<WarmPoolConfiguration><PoolState>Stopped</PoolState></WarmPoolConfiguration>";
            let harmless =
                "<SuspendedProcesses><member><ProcessName>AZRebalance</ProcessName></member></SuspendedProcesses>";
            groups(&[group("day-web", &[], &format!("{pool}{harmless}"))], None)
        }
        None if is(request, "DescribeWarmPool") => {
            pool(&[instance("i-00000000000000003", "Warmed:Stopped")], Some("more"))
        }
        Some("more") => pool(&[instance("i-00000000000000004", "Warmed:Running")], None),
        None => {
            let name = "Moving EC2 instance to Standby: i-00000000000000001";
            activities(&[activity("a-1", name, "2026-05-11T01:00:00.5Z", "Successful")], Some("older"))
        }
        Some(_) => {
            let name = "Terminating EC2 instance: i-00000000000000009";
            let failed = "Launching a new EC2 instance: i-00000000000000008";
            let list = [
                activity("a-2", name, "2026-05-11T00:30:00Z", "InProgress"),
                activity("a-3", failed, "2026-05-11T00:30:00Z", "Failed"),
                activity("a-4", "Launching a new EC2 instance", "2026-05-11T00:30:00Z", "Successful"),
            ];
            activities(&list, None)
        }
    });
    let described = described(&server, Some("2026-05-11T00:00:00Z")).await.expect("a fleet");
    let fleet = &described.fleet;
    let members: Vec<(&str, &str, &str)> = fleet
        .members
        .iter()
        .map(|m| (m.instance.as_str(), m.state.as_str(), fleet.group_of(m).expect("a group").name.as_str()))
        .collect();
    let expected = [
        ("i-00000000000000001", "InService", "night-web"),
        ("i-00000000000000002", "BrandNew:Wait", "night-web"),
        ("i-00000000000000003", "Warmed:Stopped", "day-web"),
        ("i-00000000000000004", "Warmed:Running", "day-web"),
    ];
    assert_eq!(members, expected);
    assert_eq!((fleet.taken, fleet.groups[0].source.as_ref()), (None, Some(&place())));
    assert_eq!(
        fleet.groups[0].tags,
        [("Stack".to_owned(), "Nighttime".to_owned()), ("empty".to_owned(), String::new())]
    );
    assert_eq!(described.suspended.iter().map(AutoScalingGroupName::as_str).collect::<Vec<_>>(), ["night-web"]);

    let told: Vec<(&str, bool, Timestamp)> =
        described.activities.iter().map(|a| (a.id.as_str(), a.departs, a.started)).collect();
    let expected = [("a-1", false, time_of("2026-05-11T01:00:00Z")), ("a-2", true, time_of("2026-05-11T00:30:00Z"))];
    assert_eq!(told, expected);
    assert!(described.activities.iter().all(|a| a.group_arn.is_some()));
    assert_eq!((described.requests, described.throttled, described.activities_failure), (7, 0, None));
    assert!(described.problems.is_empty(), "{:?}", described.problems);

    let asked = server.asked();
    let of = |action: &str| asked.iter().filter(|r| is(r, action)).map(Request::text).collect::<Vec<_>>();
    assert!(of("DescribeAutoScalingGroups").iter().all(|text| text.contains("MaxRecords=100")));
    assert!(of("DescribeWarmPool").iter().all(|text| text.contains("AutoScalingGroupName=day-web")));
    for text in of("DescribeScalingActivities") {
        assert!(text.contains("IncludeDeletedGroups=true") && text.contains("StartTimeLowerBound"), "{text}");
        assert!(text.contains("2026-05-11T00%3A00%3A00Z"), "{text}");
    }
}

#[tokio::test]
async fn without_a_time_no_activities_are_asked_for() {
    let server = Loopback::start(|_, _| groups(&[], None));
    let described = described(&server, None).await.expect("a fleet");
    assert_eq!((described.requests, described.fleet), (1, Fleet::default()));
}

#[tokio::test]
async fn entries_that_cannot_be_used_are_counted_and_spoil_no_other() {
    let server = Loopback::start(|request, _| {
        if is(request, "DescribeScalingActivities") {
            let timeless = activity("a-1", "Terminating EC2 instance: i-00000000000000001", "", "Successful")
                .replace("<StartTime></StartTime>", "");
            let named =
                activity("a-2", "Terminating EC2 instance: i-00000000000000002", "2026-05-11T00:30:00Z", "Successful");
            return activities(&[timeless, named], None);
        }
        let instances = [
            instance("i-1", "InService"),
            instance("i-00000000000000001", "InService"),
            instance("i-00000000000000001", "InService"),
        ];
        let list = [
            group("", &[], ""),
            group("night-web", &instances, ""),
            group("night-web", &[], ""),
            group("elsewhere", &[], "").replace("eu-central-1", "us-east-1"),
            group("arnless", &[], "").replace("arn:", "x"),
        ];
        groups(&list, None)
    });
    let described = described(&server, Some("2026-05-11T00:00:00Z")).await.expect("a fleet");
    assert_eq!((described.fleet.groups.len(), described.fleet.members.len(), described.activities.len()), (3, 1, 1));
    assert_eq!(described.fleet.groups[2].source, Some(place()), "where it was read");
    let problems: Vec<(&str, u64)> = described.problems.iter().map(|(what, count)| (what.as_str(), *count)).collect();
    let expected = [
        ("group whose ARN is of another account or region", 1),
        ("group without a usable name", 1),
        ("instance listed twice", 1),
        ("instance without a usable ID", 1),
        ("scaling activity without a start time or a usable group name", 1),
    ];
    assert_eq!(problems, expected);
}

#[tokio::test]
async fn a_repeated_token_ends_the_paging_with_a_failure_and_not_with_half_a_fleet() {
    let server = Loopback::start(|_, _| groups(&[], Some("again")));
    let failure = described(&server, None).await.expect_err("no end");
    assert_eq!((failure.class, failure.operation), (Class::Invalid, "autoscaling:DescribeAutoScalingGroups"));
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_failure_of_the_activities_leaves_the_fleet_whole() {
    let server = Loopback::start(|request, before| match before {
        0 => Reply::error(400, "Throttling", "Rate exceeded"),
        _ if is(request, "DescribeAutoScalingGroups") => groups(&[group("night-web", &[], "")], None),
        _ => Reply::error(403, "AccessDenied", "no"),
    });
    let described = described(&server, Some("2026-05-11T00:00:00Z")).await.expect("a fleet");
    assert_eq!(described.activities_failure.map(|failure| failure.class), Some(Class::Denied));
    assert_eq!((described.requests, described.throttled, described.fleet.groups.len()), (3, 1, 1));
}

#[tokio::test]
async fn a_warm_pool_that_has_gone_is_a_problem_and_one_that_is_denied_a_failure() {
    let pool = "<WarmPoolConfiguration><PoolState>Stopped</PoolState></WarmPoolConfiguration>";
    for (code, fails) in [("ValidationError", false), ("AccessDenied", true)] {
        let server = Loopback::start(move |request, _| {
            if is(request, "DescribeWarmPool") {
                return Reply::error(400, code, "no");
            }
            groups(&[group("night-web", &[], pool)], None)
        });
        let described = described(&server, None).await;
        assert_eq!(described.is_err(), fails, "{code}");
        if let Ok(described) = described {
            assert_eq!(described.problems.get("warm pool that is not there any more"), Some(&1));
        }
    }
}

#[tokio::test]
async fn activities_older_than_asked_end_the_paging_where_the_filter_is_not_heeded() {
    let server = Loopback::start(|request, before| {
        if is(request, "DescribeAutoScalingGroups") {
            return groups(&[], None);
        }
        let started = format!("2026-05-{:02}T00:00:00Z", 20 - before);
        let list = [activity("a", "Terminating EC2 instance: i-00000000000000001", &started, "Successful")];
        activities(&list, Some(&format!("page-{before}")))
    });
    let described = described(&server, Some("2026-05-17T12:00:00Z")).await.expect("a fleet");
    assert_eq!((described.activities.len(), described.requests), (2, 4));
}

#[tokio::test]
async fn targets_can_be_described_side_by_side() {
    fn on_any_thread<T: Send>(future: T) -> T {
        future
    }
    let server = Loopback::start(|_, _| groups(&[], None));
    let client = server.clients().await.at(&Target::default(), &place().region).await.autoscaling;
    let (place, deadline) = (place(), Instant::now() + Duration::from_secs(20));
    let all = (0..3).map(|_| on_any_thread(describe(&client, &place, None, deadline)));
    let done = futures::future::join_all(all).await;
    assert!(done.iter().all(Result::is_ok) && done.len() == 3);
    let cloudwatch = server.clients().await.cloudwatch();
    on_any_thread(crate::publish::publish(&cloudwatch, "MigrationExposure", &[], deadline)).await;
    let store = crate::store::Store::File("/nonexistent/x".into());
    assert!(on_any_thread(store.load(1)).await.is_ok_and(|loaded| loaded.text.is_none()));
}
