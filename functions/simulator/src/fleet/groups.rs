//! `fleet.json`: `aws autoscaling describe-auto-scaling-groups`.

use serde::Serialize;
use serde_json::{Value, json};

use super::{LaunchTemplate, Member, launch_template};
use crate::account::{Account, Group, Mark};
use crate::instance::Instance;

/// The output of `describe-auto-scaling-groups`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Groups<'a> {
    auto_scaling_groups: Vec<Row<'a>>,
}

/// A group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row<'a> {
    auto_scaling_group_name: &'a str,
    #[serde(rename = "AutoScalingGroupARN")]
    auto_scaling_group_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    launch_template: Option<LaunchTemplate<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mixed_instances_policy: Option<Value>,
    min_size: usize,
    max_size: usize,
    desired_capacity: usize,
    default_cooldown: u32,
    availability_zones: Vec<String>,
    load_balancer_names: [&'static str; 0],
    #[serde(rename = "TargetGroupARNs")]
    target_group_arns: [&'static str; 0],
    health_check_type: &'static str,
    health_check_grace_period: u32,
    instances: Vec<Member<'a>>,
    created_time: &'static str,
    suspended_processes: Vec<Value>,
    #[serde(rename = "VPCZoneIdentifier")]
    vpc_zone_identifier: &'static str,
    enabled_metrics: Vec<Value>,
    tags: Vec<Value>,
    termination_policies: [&'static str; 1],
    new_instances_protected_from_scale_in: bool,
    #[serde(rename = "ServiceLinkedRoleARN")]
    service_linked_role_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    warm_pool_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warm_pool_size: Option<usize>,
    capacity_rebalance: bool,
    traffic_sources: [&'static str; 0],
}

/// The groups that there are at the end, with their members.
pub(super) fn groups<'a>(account: &'a Account, instances: &[Instance]) -> Groups<'a> {
    let mut members: Vec<Vec<Member<'a>>> = account.groups.iter().map(|_| Vec::new()).collect();
    let mut pooled: Vec<usize> = account.groups.iter().map(|_| 0).collect();
    for instance in instances.iter().filter(|instance| instance.is_member()) {
        let Some(index) = instance.group else { continue };
        let Some(group) = account.groups.get(index) else { continue };
        if instance.is_in_warm_pool() {
            pooled.iter_mut().skip(index).take(1).for_each(|count| *count += 1);
        } else if let Some(members) = members.get_mut(index) {
            members.push(Member::of(account, group, instance));
        }
    }
    let rows = account.groups.iter().zip(members).zip(pooled);
    Groups {
        auto_scaling_groups: rows
            .filter(|((group, _), _)| !group.is(Mark::Deleted))
            .map(|((group, members), pooled)| row(account, group, members, pooled))
            .collect(),
    }
}

fn row<'a>(account: &Account, group: &'a Group, members: Vec<Member<'a>>, pooled: usize) -> Row<'a> {
    let place = account.place(group.at);
    let count = members.len();
    let partition = account.partition;
    Row {
        auto_scaling_group_name: group.name,
        auto_scaling_group_arn: format!(
            "arn:{partition}:autoscaling:{}:{}:autoScalingGroup:{}:autoScalingGroupName/{}",
            place.region, place.account, group.uuid, group.name
        ),
        launch_template: (!group.is(Mark::Mixed)).then(|| launch_template(group)),
        mixed_instances_policy: group.is(Mark::Mixed).then(|| mixed_instances_policy(group)),
        min_size: 0,
        max_size: 2 * count + 10,
        desired_capacity: count,
        default_cooldown: 300,
        availability_zones: ["a", "b", "c"].map(|zone| format!("{}{zone}", place.region)).to_vec(),
        load_balancer_names: [],
        target_group_arns: [],
        health_check_type: "EC2",
        health_check_grace_period: 300,
        instances: members,
        created_time: "2025-02-03T08:15:42.217000+00:00",
        suspended_processes: suspended_processes(group),
        vpc_zone_identifier: "subnet-0d7be2513fa04c986",
        enabled_metrics: vec![json!({"Metric": "GroupInServiceInstances", "Granularity": "1Minute"})],
        tags: tags(group),
        termination_policies: ["Default"],
        new_instances_protected_from_scale_in: false,
        service_linked_role_arn: format!(
            "arn:{partition}:iam::{}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
            place.account
        ),
        warm_pool_configuration: group.is(Mark::WarmPool).then(super::warm_pool::configuration),
        warm_pool_size: group.is(Mark::WarmPool).then_some(pooled),
        capacity_rebalance: group.is(Mark::Mixed),
        traffic_sources: [],
    }
}

fn suspended_processes(group: &Group) -> Vec<Value> {
    let suspended = if group.is(Mark::Suspended) { ["HealthCheck", "ReplaceUnhealthy"].as_slice() } else { &[] };
    let row = |name: &&str| json!({"ProcessName": name, "SuspensionReason": "User suspended at 2026-04-02T09:12:33Z"});
    suspended.iter().map(row).collect()
}

fn tags(group: &Group) -> Vec<Value> {
    let tag = |key: &str, value: &str| {
        json!({
            "ResourceId": group.name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": true,
        })
    };
    let mut tags = vec![tag("Name", group.name), tag("Owner", "Plattform – Größe S/M")];
    tags.extend(group.tag.map(|stack| tag("Stack", stack)));
    tags
}

fn mixed_instances_policy(group: &Group) -> Value {
    json!({
        "LaunchTemplate": {
            "LaunchTemplateSpecification": launch_template(group),
            "Overrides": [{"InstanceType": "m7i.large"}, {"InstanceType": "m6i.large"}],
        },
        "InstancesDistribution": {
            "OnDemandAllocationStrategy": "prioritized",
            "OnDemandBaseCapacity": 0,
            "OnDemandPercentageAboveBaseCapacity": 0,
            "SpotAllocationStrategy": "price-capacity-optimized",
        },
    })
}
