//! The groups of an account and region: the calls that describe them, and what about them the analyzer stumbles over.

use std::collections::{BTreeSet, HashSet};

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::AutoScalingGroup;
use exposure_core::fleet::Group;
use exposure_core::ids::InstanceId;
use exposure_core::stacks::UNASSIGNED;
use tokio::time::Instant;

use super::check::{Check, counted};
use super::listed;
use super::tried::{Miss, TRIES, tried};
use crate::failure::{Class, Failure};
use crate::settings::Settings;

const GROUPS: &str = "autoscaling:DescribeAutoScalingGroups";
const WARM_POOL: &str = "autoscaling:DescribeWarmPool";
const ACTIVITIES: &str = "autoscaling:DescribeScalingActivities";
/// The processes without which a group keeps an instance that is not healthy.
const REPLACING: [&str; 2] = ["HealthCheck", "ReplaceUnhealthy"];
/// The metric that counts the members in service (Auto Scaling User Guide, "Group metrics").
const IN_SERVICE: &str = "GroupInServiceInstances";

/// What was found of the fleet.
#[derive(Debug, Default)]
pub(super) struct Groups {
    described: Vec<Group>,
    /// All instances, those of warm pools among them.
    pub(super) members: BTreeSet<InstanceId>,
    unmetered: Vec<String>,
    suspended: Vec<String>,
}

/// Describes the fleet, and says which of the calls work. No fleet where the groups cannot be read.
pub(super) async fn look(client: &Client, settings: &Settings, deadline: Instant) -> (Option<Groups>, Vec<Check>) {
    let activities = tried(ACTIVITIES, deadline, TRIES, || {
        client.describe_scaling_activities().include_deleted_groups(true).max_records(1).send()
    });
    let (groups, activities) = futures::future::join(Groups::read(client, deadline), activities).await;
    let activities = match activities {
        Ok(_) => Check::ok(ACTIVITIES, "allowed"),
        Err(miss) => miss.check(ACTIVITIES),
    };
    let mut groups = match groups {
        Ok(groups) => groups,
        Err(miss) => return (None, vec![miss.check(GROUPS), activities]),
    };
    let pools = groups.warm_pools(client, deadline).await;
    let mut checks = vec![groups.found(), pools, activities];
    if !groups.described.is_empty() {
        checks.extend([groups.tags(settings), groups.metrics(), groups.processes()]);
    }
    (Some(groups), checks)
}

impl Groups {
    async fn read(client: &Client, deadline: Instant) -> Result<Self, Miss> {
        let (mut groups, mut token, mut seen) = (Self::default(), None::<String>, HashSet::new());
        loop {
            let request = client.describe_auto_scaling_groups().max_records(100).set_next_token(token.clone());
            let page = tried(GROUPS, deadline, TRIES, || request.clone().send()).await?;
            for group in page.auto_scaling_groups() {
                groups.take(group);
            }
            token = page.next_token.filter(|token| !token.is_empty());
            match &token {
                None => return Ok(groups),
                Some(token) if !seen.insert(token.clone()) => {
                    let failure = Failure::new(GROUPS, Class::Invalid, "it gave the token of an earlier page again");
                    return Err(Miss::of(failure));
                }
                Some(_) => {}
            }
        }
    }

    fn take(&mut self, told: &AutoScalingGroup) {
        let name = told.auto_scaling_group_name().unwrap_or_default();
        let Ok(mut group) = Group::described(name, told.auto_scaling_group_arn()) else { return };
        let tags = told.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())));
        group.tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        group.has_warm_pool = told.warm_pool_configuration().is_some();
        if !told.enabled_metrics().iter().any(|metric| metric.metric() == Some(IN_SERVICE)) {
            self.unmetered.push(name.to_owned());
        }
        let mut suspended = told.suspended_processes().iter().filter_map(|process| process.process_name());
        if suspended.any(|process| REPLACING.contains(&process)) {
            self.suspended.push(name.to_owned());
        }
        let ids = told.instances().iter().filter_map(|told| InstanceId::new(told.instance_id()?).ok());
        self.members.extend(ids);
        self.described.push(group);
    }

    /// Reads every warm pool. Without any, that of another group is asked for, to see whether that is allowed.
    async fn warm_pools(&mut self, client: &Client, deadline: Instant) -> Check {
        let pools: Vec<&Group> = self.described.iter().filter(|group| group.has_warm_pool).collect();
        let asked: Vec<String> = match (pools.as_slice(), self.described.first()) {
            ([], None) => return Check::note(WARM_POOL, "not tried: there is no group to ask for"),
            ([], Some(first)) => vec![first.name.to_string()],
            (pools, _) => pools.iter().map(|group| group.name.to_string()).collect(),
        };
        let keeping = pools.len();
        let (mut read, mut instances) = (0_usize, 0_usize);
        for name in asked {
            let (mut token, mut seen) = (None::<String>, HashSet::new());
            loop {
                let request = client.describe_warm_pool().auto_scaling_group_name(&name).max_records(50);
                let request = request.set_next_token(token.clone());
                let page = match tried(WARM_POOL, deadline, TRIES, || request.clone().send()).await {
                    Ok(page) => page,
                    // Allowed, but there is none.
                    Err(miss) if miss.failure.message.starts_with("ValidationError") => break,
                    Err(miss) => return miss.check(WARM_POOL),
                };
                let ids = page.instances().iter().filter_map(|told| InstanceId::new(told.instance_id()?).ok());
                let before = self.members.len();
                self.members.extend(ids);
                instances += self.members.len() - before;
                read += 1;
                token = page.next_token.filter(|token| !token.is_empty() && seen.insert(token.clone()));
                if token.is_none() {
                    break;
                }
            }
        }
        match keeping {
            0 => Check::ok(WARM_POOL, "allowed; no group keeps a warm pool"),
            _ => Check::ok(
                WARM_POOL,
                &format!(
                    "{} in {}, {}",
                    counted(instances, "instance"),
                    counted(keeping, "warm pool"),
                    counted(read, "request")
                ),
            ),
        }
    }

    fn found(&self) -> Check {
        if self.described.is_empty() {
            let fix = "check that this is the right account and region, or take it out of TARGETS";
            return Check::warn(GROUPS, "there is no Auto Scaling group here: nothing to look at", fix);
        }
        Check::ok(GROUPS, &counted(self.described.len(), "group"))
    }

    fn tags(&self, settings: &Settings) -> Check {
        const NAME: &str = "stack tags";
        let tag = &settings.stack_tag;
        let is_tagged = |group: &&Group| group.tags.iter().any(|(key, value)| key == tag && !value.is_empty());
        let untagged: Vec<&Group> = self.described.iter().filter(|group| !is_tagged(group)).collect();
        let (unassigned, ruled): (Vec<&Group>, Vec<&Group>) =
            untagged.into_iter().partition(|group| settings.stacks.of_group(group) == UNASSIGNED);
        let names = |groups: &[&Group]| listed(groups.iter().map(|group| group.name.as_str()));
        match (unassigned.len(), ruled.len()) {
            (0, 0) => Check::ok(NAME, &format!("every group has the tag {tag}")),
            (0, count) => {
                let groups = counted(count, "group");
                let detail = format!("{groups} without the tag {tag}, with a stack by rule: {}", names(&ruled));
                Check::note(NAME, &detail)
            }
            (count, _) => {
                let detail = format!(
                    "{} without the tag {tag}, counted as {UNASSIGNED}: {}",
                    counted(count, "group"),
                    names(&unassigned)
                );
                Check::warn(NAME, &detail, &format!("tag them with {tag}, or name them in STACK_RULES"))
            }
        }
    }

    fn metrics(&self) -> Check {
        const NAME: &str = "group metrics";
        if self.unmetered.is_empty() {
            return Check::ok(NAME, &format!("every group publishes {IN_SERVICE}"));
        }
        let groups = counted(self.unmetered.len(), "group");
        let names = listed(self.unmetered.iter().map(String::as_str));
        let detail = format!("{groups} without {IN_SERVICE}, which MembersInService could be compared with: {names}");
        Check::advice(NAME, &detail, "enable-metrics-collection of the groups, if you want that comparison")
    }

    fn processes(&self) -> Check {
        const NAME: &str = "suspended processes";
        if self.suspended.is_empty() {
            return Check::ok(NAME, "HealthCheck and ReplaceUnhealthy run in every group");
        }
        let names = listed(self.suspended.iter().map(String::as_str));
        let detail = format!(
            "{} with HealthCheck or ReplaceUnhealthy suspended, where an instance that was stopped, or is marked \
             unhealthy because it is exposed, is not replaced: {names}",
            counted(self.suspended.len(), "group")
        );
        Check::advice(NAME, &detail, "resume-processes of the groups, unless that is meant")
    }
}
