//! The AWS CLI's descriptions, made up.

use serde_json::json;

use super::*;
use crate::ids::AutoScalingGroupArn;

const GROUPS: &str = r#"{
  "AutoScalingGroups": [
    {
      "AutoScalingGroupName": "night-web",
      "AutoScalingGroupARN": "arn:aws:autoscaling:eu-central-1:111122223333:autoScalingGroup:0f:autoScalingGroupName/night-web",
      "MinSize": 0,
      "Instances": [
        {"InstanceId": "i-00000000000000001", "InstanceType": "m7i.large", "AvailabilityZone": "eu-central-1a", "LifecycleState": "InService", "HealthStatus": "Healthy"},
        {"InstanceId": "i-00000000000000002", "AvailabilityZone": "us-west-2-lax-1a", "LifecycleState": "SomethingNew"}
      ],
      "Tags": [
        {"ResourceId": "night-web", "ResourceType": "auto-scaling-group", "Key": "Stack", "Value": "Nighttime", "PropagateAtLaunch": true},
        {"Key": "empty", "Value": null}
      ],
      "WarmPoolConfiguration": {"MinSize": 1, "PoolState": "Stopped"}
    },
    {"AutoScalingGroupName": "caf\u00e9", "Instances": [{"InstanceId": "i-81e2f56c", "LifecycleState": "Standby"}]},
    {"AutoScalingGroupName": "none", "WarmPoolConfiguration": null}
  ]
}"#;

const ACTIVITIES: &str = r#"{
  "Activities": [
    {"ActivityId": "a-1", "AutoScalingGroupName": "night-web", "AutoScalingGroupARN": "arn:aws:autoscaling:eu-central-1:111122223333:autoScalingGroup:0f:autoScalingGroupName/night-web", "Description": "Moving EC2 instance to Standby: i-05b4f7d5be44822a6", "StartTime": "2026-05-11T01:00:00.123000+00:00", "EndTime": "2026-05-11T03:00:30+02:00", "StatusCode": "Successful"},
    {"ActivityId": "a-2", "AutoScalingGroupName": "night-web", "Description": "Terminating EC2 instance: i-00000000000000002", "StartTime": "2026-05-11T02:00:00Z", "StatusCode": "InProgress"},
    {"ActivityId": "a-3", "AutoScalingGroupName": "night-web", "Description": "Detaching EC2 instance: i-00000000000000003 - and so on", "StartTime": "2026-05-11T02:00:00Z", "StatusCode": "Successful"},
    {"ActivityId": "a-4", "AutoScalingGroupName": "night-web", "Description": "Terminating EC2 instance: i-00000000000000004", "StartTime": "2026-05-11T02:00:00Z", "StatusCode": "Failed"},
    {"ActivityId": "a-5", "AutoScalingGroupName": "night-web", "Description": "Launching a new EC2 instance: i-00000000000000005", "StartTime": "2026-05-11T02:00:00Z", "StatusCode": "Cancelled"},
    {"ActivityId": "a-6", "AutoScalingGroupName": "night-web", "Description": "Launching a new EC2 instance.  Status Reason: no capacity", "StartTime": "2026-05-11T02:00:00Z", "StatusCode": "Successful"}
  ]
}"#;

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).expect(text)
}

fn instance(number: usize) -> InstanceId {
    InstanceId::new(&format!("i-{number:017x}")).expect("an instance")
}

fn name(text: &str) -> AutoScalingGroupName {
    AutoScalingGroupName::new(text).expect(text)
}

#[test]
fn groups_are_read_with_their_instances_tags_and_place() {
    let fleet = parse_groups(GROUPS.as_bytes()).expect("groups");
    assert_eq!(fleet.taken, None, "a description does not say when it was taken");
    let names: Vec<&str> = fleet.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["night-web", "caf\u{e9}", "none"]);
    let group = &fleet.groups[0];
    assert_eq!(group.source.as_ref().map(ToString::to_string), Some("111122223333 eu-central-1".to_owned()));
    assert_eq!(group.arn.as_ref().map(AutoScalingGroupArn::as_str).map(|arn| arn.starts_with("arn:aws:")), Some(true));
    let tags: Vec<(&str, &str)> = group.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("Stack", "Nighttime"), ("empty", "")]);
    assert_eq!(fleet.groups.iter().map(|group| group.has_warm_pool).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!((&fleet.groups[1].arn, &fleet.groups[1].source), (&None, &None));

    let members: Vec<(&str, &str, Option<&str>, Option<&str>)> = fleet
        .members
        .iter()
        .map(|member| {
            let group = fleet.group_of(member).map(|group| group.name.as_str());
            (member.instance.as_str(), member.state.as_str(), group, member.region.as_ref().map(Region::as_str))
        })
        .collect();
    let expected = [
        ("i-00000000000000001", "InService", Some("night-web"), Some("eu-central-1")),
        ("i-00000000000000002", "SomethingNew", Some("night-web"), Some("us-west-2")),
        ("i-81e2f56c", "Standby", Some("caf\u{e9}"), None),
    ];
    assert_eq!(members, expected);
}

#[test]
fn pages_and_regions_add_up() {
    let mut fleet = parse_groups(GROUPS.as_bytes()).expect("groups");
    fleet.taken = Some(time("2026-05-11T00:00:00Z"));
    fleet.extend(parse_groups(GROUPS.as_bytes()).expect("groups"));
    assert_eq!((fleet.groups.len(), fleet.members.len()), (6, 6));
    assert_eq!(fleet.members[3].group, Some(3), "members point at their own page's groups");
    assert_eq!(fleet.group_of(&fleet.members[5]).map(|group| group.name.as_str()), Some("caf\u{e9}"));
    assert_eq!(fleet.taken, Some(time("2026-05-11T00:00:00Z")));
}

#[test]
fn a_byte_order_mark_and_an_empty_list_are_no_errors() {
    let marked = [b"\xef\xbb\xbf", GROUPS.as_bytes()].concat();
    assert_eq!(parse_groups(&marked).expect("groups"), parse_groups(GROUPS.as_bytes()).expect("groups"));
    assert_eq!(parse_groups(br#"{"AutoScalingGroups": []}"#).expect("none"), Fleet::default());
    assert!(parse_activities(br#"{"Activities": []}"#).expect("none").is_empty());
    assert!(parse_warm_pool(br#"{"Instances": []}"#).expect("none").is_empty());
}

#[test]
fn activities_that_failed_were_cancelled_or_name_no_instance_are_left_out() {
    let activities = parse_activities(ACTIVITIES.as_bytes()).expect("activities");
    let told: Vec<(&str, &str, bool)> = activities
        .iter()
        .map(|activity| (activity.id.as_str(), activity.instance.as_str(), activity.departs))
        .collect();
    let expected = [
        ("a-1", "i-05b4f7d5be44822a6", false),
        ("a-2", "i-00000000000000002", true),
        ("a-3", "i-00000000000000003", true),
    ];
    assert_eq!(told, expected);
    let (first, second) = (&activities[0], &activities[1]);
    assert_eq!((first.started, first.ended), (time("2026-05-11T01:00:00Z"), Some(time("2026-05-11T01:00:30Z"))));
    assert_eq!((first.group.as_str(), first.group_arn.is_some()), ("night-web", true));
    assert_eq!((second.ended, second.group_arn.is_some()), (None, false));
}

#[test]
fn a_file_of_another_kind_is_named_by_what_it_is() {
    let table = [
        (ACTIVITIES, "the output of describe-scaling-activities"),
        (r#"{"Instances": [], "WarmPoolConfiguration": {}}"#, "the output of describe-warm-pool"),
        (r#"{"AutoScalingInstances": []}"#, "the output of describe-auto-scaling-instances"),
        (r#"{"Reservations": []}"#, "the output of describe-instances"),
        (r#"{"Records": []}"#, "a CloudTrail log file"),
        (r#"{"Events": []}"#, "the output of lookup-events"),
        (r#"{"schema": "migration-exposure/ledger/1"}"#, "a file that this tool wrote"),
        (r#"{"a": 1, "b\u0007": 2}"#, r"a JSON object with a, b\u{7}"),
        (r#"{"AutoScalingGroups": {}}"#, "the output of describe-auto-scaling-groups"),
        ("{}", "an empty object"),
        (r#"["i-00000000000000001"]"#, "a JSON list (was --query used? the whole output is needed)"),
        ("1", "a single JSON value"),
    ];
    assert_eq!(table.len(), 12);
    for (text, kind) in table {
        let error = parse_groups(text.as_bytes()).expect_err(kind);
        assert!(matches!(&error, FleetError::WrongKind { found, .. } if found == kind), "{text}: {error}");
        let said = error.to_string();
        assert!(said.contains("describe-auto-scaling-groups") && said.contains(kind), "{said}");
    }
    let said = parse_activities(GROUPS.as_bytes()).expect_err("groups are no activities").to_string();
    assert!(
        said.contains("describe-scaling-activities`") && said.contains("is the output of describe-auto-scaling-groups"),
        "{said}"
    );
    let said = parse_warm_pool(GROUPS.as_bytes()).expect_err("groups are no warm pool").to_string();
    assert!(
        said.contains("describe-warm-pool`") && said.contains("is the output of describe-auto-scaling-groups"),
        "{said}"
    );
    for junk in [&b""[..], b"junk", b"\x1f\x8b", br#"{"AutoScalingGroups": ["#] {
        assert!(matches!(parse_groups(junk), Err(FleetError::NotJson(_))), "{junk:?}");
    }
}

#[test]
fn an_entry_that_cannot_be_used_is_named() {
    let groups = |text: &str| parse_groups(text.as_bytes()).expect_err(text).to_string();
    let bad_instance = GROUPS.replace("i-81e2f56c", "i-81e2f56");
    assert_eq!(
        groups(&bad_instance),
        r#"AutoScalingGroups, "café": not an instance ID (i- and 8 or 17 hex digits): "i-81e2f56""#
    );
    let nameless = groups(r#"{"AutoScalingGroups": [{"AutoScalingGroupName": ""}]}"#);
    assert!(nameless.starts_with(r#"AutoScalingGroups, "": not an Auto Scaling group name"#), "{nameless}");
    let shapeless = groups(r#"{"AutoScalingGroups": [{"Instances": []}]}"#);
    assert!(shapeless.contains("AutoScalingGroupName"), "{shapeless}");

    let untimed = ACTIVITIES.replace(r#""StartTime": "2026-05-11T02:00:00Z""#, r#""StartTime": "yesterday""#);
    let said = parse_activities(untimed.as_bytes()).expect_err("no time").to_string();
    assert_eq!(said, r#"Activities, "a-2": no StartTime"#);
    let said = parse_warm_pool(br#"{"Instances": [{"InstanceId": "pool"}]}"#).expect_err("no instance").to_string();
    assert!(said.contains(r#""pool""#), "{said}");
}

/// The only description of a warm pool's instances, which names no group.
fn pool() -> Vec<WarmPoolMember> {
    let text = r#"{
        "WarmPoolConfiguration": {"PoolState": "Stopped"},
        "Instances": [
            {"InstanceId": "i-00000000000000007", "AvailabilityZone": "eu-central-1b", "LifecycleState": "Warmed:Stopped"},
            {"InstanceId": "i-00000000000000001", "LifecycleState": "Warmed:Running"}
        ]
    }"#;
    parse_warm_pool(text.as_bytes()).expect("a warm pool")
}

/// The group and the state of the pooled instance.
fn pooled(fleet: &Fleet) -> (Option<&str>, &str) {
    let member = fleet.members.iter().find(|member| member.instance == instance(7)).expect("the pooled instance");
    (fleet.group_of(member).map(|group| group.name.as_str()), member.state.as_str())
}

#[test]
fn a_warm_pools_group_is_the_one_named_else_the_one_launched_into_else_the_only_one_with_a_pool() {
    let home = source_of_arn("arn:aws:autoscaling:eu-central-1:111122223333:x").expect("a source");
    let launched = |into: Option<&'static str>| {
        let home = home.clone();
        move |_: InstanceId| Some((home.clone(), name(into?)))
    };
    // The group that is named, the group launched into, whether a second group has a warm pool, and whose it is.
    let table = [
        (Some("none"), Some("caf\u{e9}"), false, Some("none")),
        (None, Some("caf\u{e9}"), false, Some("caf\u{e9}")),
        (None, None, false, Some("night-web")),
        (None, None, true, None),
        (None, Some("deleted"), false, Some("night-web")),
        (None, Some("deleted"), true, None),
        (Some("none"), None, true, Some("none")),
    ];
    assert_eq!(table.len(), 7);
    for (given, into, second, group) in table {
        let mut fleet = parse_groups(GROUPS.as_bytes()).expect("groups");
        fleet.groups[1].has_warm_pool = second;
        fleet.add_warm_pool(pool(), given.map(name).as_ref(), launched(into));
        assert_eq!(
            pooled(&fleet),
            (group, "Warmed:Stopped"),
            "given {given:?}, launched into {into:?}, second {second}"
        );
    }
}

#[test]
fn of_groups_of_one_name_a_warm_pool_is_that_of_its_own_region() {
    let arn =
        |region: &str| format!("arn:aws:autoscaling:{region}:111122223333:autoScalingGroup:x:autoScalingGroupName/g");
    let group = |region: &str| json!({"AutoScalingGroupName": "g", "AutoScalingGroupARN": arn(region), "WarmPoolConfiguration": {}, "Instances": []});
    let text = json!({"AutoScalingGroups": [group("us-east-1"), group("eu-central-1")]}).to_string();
    let region_of = |fleet: &Fleet| {
        let member = fleet.members.first().expect("the pooled instance");
        fleet.group_of(member).and_then(|group| group.source.as_ref()).map(|source| source.region.to_string())
    };
    for given in [Some("g"), None] {
        let mut fleet = parse_groups(text.as_bytes()).expect("groups");
        fleet.add_warm_pool(pool(), given.map(name).as_ref(), |_| None);
        assert_eq!(region_of(&fleet).as_deref(), Some("eu-central-1"), "by its zone, given {given:?}");
        // Where it was launched counts for more than anything.
        let known = source_of_arn(&arn("us-east-1")).expect("a source");
        let mut fleet = parse_groups(text.as_bytes()).expect("groups");
        fleet.add_warm_pool(pool(), given.map(name).as_ref(), |_| Some((known.clone(), name("g"))));
        assert_eq!(region_of(&fleet).as_deref(), Some("us-east-1"), "by its launch, given {given:?}");
    }
}

#[test]
fn a_pooled_instance_that_the_groups_hold_already_is_counted_once() {
    let mut fleet = parse_groups(GROUPS.as_bytes()).expect("groups");
    fleet.add_warm_pool(pool(), None, |_| None);
    assert_eq!(fleet.members.len(), 4);
    let first = fleet.members.iter().find(|member| member.instance == instance(1)).expect("the member");
    assert_eq!(first.state.as_str(), "InService");
    let pooled = fleet.members.last().expect("the pooled one");
    assert_eq!(pooled.region.as_ref().map(Region::as_str), Some("eu-central-1"));
}
