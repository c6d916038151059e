//! The fleet, at the end and on the way there.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::{Activity, AutoScalingGroup, Filter, LifecycleState, WarmPoolState};
use serde_json::Value;

use super::common::{ACCOUNT, account, code, config, config_for, file, stand_in};

async fn groups(client: &Client, most: i32) -> Vec<AutoScalingGroup> {
    let (mut groups, mut token) = (Vec::new(), None);
    loop {
        let ask = client.describe_auto_scaling_groups().max_records(most).set_next_token(token);
        let page = ask.send().await.expect("answers");
        assert!(page.auto_scaling_groups().len() <= usize::try_from(most).expect("is small"));
        groups.extend(page.auto_scaling_groups.unwrap_or_default());
        token = page.next_token;
        if token.is_none() {
            return groups;
        }
    }
}

async fn activities(client: &Client, deleted_too: bool) -> Vec<Activity> {
    let (mut activities, mut token) = (Vec::new(), None);
    loop {
        let ask = client.describe_scaling_activities().include_deleted_groups(deleted_too).set_next_token(token);
        let page = ask.max_records(40).send().await.expect("answers");
        activities.extend(page.activities.unwrap_or_default());
        token = page.next_token;
        if token.is_none() {
            return activities;
        }
    }
}

fn rows(value: &Value, key: &str) -> Vec<Value> {
    value[key].as_array().expect("is a list").clone()
}

fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

#[tokio::test]
async fn at_the_end_the_fleet_is_that_of_the_file() {
    let stand_in = stand_in();
    let mut seen = 0;
    for region in ["eu-central-1", "eu-west-1"] {
        let client = Client::new(&config_for(&stand_in, ACCOUNT, region));
        let groups = groups(&client, 3).await;
        let written = file("fleet.json");
        let here = rows(&written, "AutoScalingGroups").into_iter().filter(|group| {
            group["AutoScalingGroupARN"].as_str().is_some_and(|arn| arn.contains(&format!(":{region}:")))
        });
        for (group, written) in groups.iter().zip(here) {
            assert_eq!(group.auto_scaling_group_name(), text(&written["AutoScalingGroupName"]));
            assert_eq!(group.auto_scaling_group_arn(), text(&written["AutoScalingGroupARN"]));
            let members = rows(&written, "Instances");
            assert_eq!(group.instances().len(), members.len());
            for (member, written) in group.instances().iter().zip(members) {
                assert_eq!(member.instance_id(), text(&written["InstanceId"]));
                assert_eq!(member.lifecycle_state().map(LifecycleState::as_str), text(&written["LifecycleState"]));
                assert_eq!(member.availability_zone(), text(&written["AvailabilityZone"]));
                assert_eq!(member.health_status(), Some("Healthy"));
                assert_eq!(member.protected_from_scale_in(), Some(false));
                let template = member.launch_template().and_then(|template| template.launch_template_id());
                assert_eq!(template, text(&written["LaunchTemplate"]["LaunchTemplateId"]));
            }
            let tags = rows(&written, "Tags");
            assert_eq!(group.tags().len(), tags.len());
            for (tag, written) in group.tags().iter().zip(tags) {
                assert_eq!((tag.key(), tag.value()), (text(&written["Key"]), text(&written["Value"])));
            }
            assert_eq!(group.suspended_processes().len(), rows(&written, "SuspendedProcesses").len());
            assert_eq!(group.warm_pool_size().map(i64::from), written["WarmPoolSize"].as_i64());
            seen += 1;
        }
    }
    assert_eq!(seen, rows(&file("fleet.json"), "AutoScalingGroups").len());
}

#[tokio::test]
async fn at_the_end_the_warm_pool_is_that_of_the_file() {
    let stand_in = stand_in();
    let client = Client::new(&config(&stand_in));
    let pool = client.describe_warm_pool().auto_scaling_group_name("night-pool").send().await.expect("answers");
    let state = |value: &Value| {
        (text(&value["InstanceId"]).map(str::to_owned), text(&value["LifecycleState"]).map(str::to_owned))
    };
    let written: BTreeMap<_, _> = rows(&file("warm-pool.json"), "Instances").iter().map(state).collect();
    let instances = pool.instances().iter();
    let found: BTreeMap<_, _> = instances
        .map(|one| (one.instance_id().map(str::to_owned), one.lifecycle_state().map(|state| state.as_str().to_owned())))
        .collect();
    assert_eq!(found, written);
    assert!(!found.is_empty());
    let state = pool.warm_pool_configuration().and_then(|pool| pool.pool_state());
    assert_eq!(state.map(WarmPoolState::as_str), Some("Stopped"));
    let unknown = client.describe_warm_pool().auto_scaling_group_name("nowhere").send().await;
    assert_eq!(code(unknown), "ValidationError");
}

#[tokio::test]
async fn activities_are_those_of_the_file_the_newest_first() {
    let stand_in = stand_in();
    let here = activities(&Client::new(&config(&stand_in)), true).await;
    let there = activities(&Client::new(&config_for(&stand_in, ACCOUNT, "eu-west-1")), true).await;
    let ids: BTreeSet<_> = here.iter().chain(&there).filter_map(Activity::activity_id).map(str::to_owned).collect();
    let written = rows(&file("activities.json"), "Activities");
    let expected: BTreeSet<_> = written.iter().filter_map(|row| text(&row["ActivityId"]).map(str::to_owned)).collect();
    assert_eq!(ids, expected);
    assert!(here.is_sorted_by_key(|activity| std::cmp::Reverse(activity.start_time().expect("has one").secs())));
    let living = activities(&Client::new(&config(&stand_in)), false).await;
    assert!(living.len() < here.len());
    assert!(living.iter().all(|activity| activity.auto_scaling_group_name() != Some("legacy-etl")));
}

#[tokio::test]
async fn activities_are_those_so_far_and_since() {
    let stand_in = stand_in();
    let (first, last) = account().window();
    let middle = i64::midpoint(first, last);
    stand_in.set_clock(middle);
    let client = Client::new(&config(&stand_in));
    let all = activities(&client, true).await;
    assert!(!all.is_empty() && all.iter().all(|activity| activity.start_time().expect("has one").secs() <= middle));
    let bound = all[all.len() / 2].start_time().expect("has one").secs();
    let text = aws_sdk_autoscaling::primitives::DateTime::from_secs(bound);
    let text = text.fmt(aws_sdk_autoscaling::primitives::DateTimeFormat::DateTime).expect("is a time");
    let filter = Filter::builder().name("StartTimeLowerBound").values(text).build();
    let since = client.describe_scaling_activities().include_deleted_groups(true).filters(filter);
    let since = since.send().await.expect("answers").activities.unwrap_or_default();
    let expected = all.iter().filter(|activity| activity.start_time().expect("has one").secs() >= bound).count();
    assert_eq!(since.len(), expected);
}

#[tokio::test]
async fn members_come_with_their_launch_and_go_with_their_end() {
    let stand_in = stand_in();
    let client = Client::new(&config(&stand_in));
    let (first, last) = account().window();
    let (mut joined, mut left, mut states) = (0, 0, BTreeSet::new());
    let mut before: Option<BTreeSet<String>> = None;
    for clock in (first..last).step_by(600) {
        stand_in.set_clock(clock);
        let mut now = BTreeSet::new();
        for group in groups(&client, 100).await {
            assert_eq!(group.desired_capacity().map(i64::from), i64::try_from(group.instances().len()).ok());
            for member in group.instances() {
                states.insert(member.lifecycle_state().expect("has one").as_str().to_owned());
                assert!(now.insert(member.instance_id().expect("has one").to_owned()), "is in one group only");
            }
        }
        if let Some(before) = before {
            joined += now.difference(&before).count();
            left += before.difference(&now).count();
        }
        before = Some(now);
    }
    assert!(joined > 20 && left > 5, "{joined} {left}");
    for state in ["Pending", "InService", "Standby"] {
        assert!(states.contains(state), "{states:?}");
    }
}

#[tokio::test]
async fn pages_and_filters_keep_their_limits() {
    let stand_in = stand_in();
    let client = Client::new(&config(&stand_in));
    assert_eq!(code(client.describe_auto_scaling_groups().max_records(101).send().await), "ValidationError");
    assert_eq!(code(client.describe_scaling_activities().max_records(101).send().await), "ValidationError");
    let many = (0..51).map(|number| format!("i-{number:017x}"));
    let ask = client.describe_auto_scaling_instances().set_instance_ids(Some(many.collect()));
    assert_eq!(code(ask.send().await), "ValidationError");
    let filter = Filter::builder().name("tag:Stack").values("Nighttime").build();
    let tagged = client.describe_auto_scaling_groups().filters(filter).send().await.expect("answers");
    let names: Vec<_> =
        tagged.auto_scaling_groups().iter().filter_map(|group| group.auto_scaling_group_name()).collect();
    assert_eq!(names, ["night-web", "night-worker", "night-cache", "night-pool"]);
    let member = tagged.auto_scaling_groups()[0].instances()[0].instance_id().expect("has one").to_owned();
    let ask = client.describe_auto_scaling_instances().instance_ids(&member).instance_ids("i-00000000000000000");
    let found = ask.send().await.expect("answers");
    assert_eq!(found.auto_scaling_instances().len(), 1);
    assert_eq!(found.auto_scaling_instances()[0].auto_scaling_group_name(), Some("night-web"));
}

#[tokio::test]
async fn a_group_is_there_until_it_is_deleted() {
    let stand_in = stand_in();
    let client = Client::new(&config(&stand_in));
    let ask = || client.describe_auto_scaling_groups().auto_scaling_group_names("legacy-etl").send();
    assert!(ask().await.expect("answers").auto_scaling_groups().is_empty());
    stand_in.set_clock(account().window().0);
    assert_eq!(ask().await.expect("answers").auto_scaling_groups().len(), 1);
}
