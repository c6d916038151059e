//! The fleet of an account and region, as Auto Scaling describes it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::{AutoScalingGroup, Filter, Instance};
use aws_smithy_types::DateTime;
use exposure_core::fleet::{Activity, Fleet, Group, ToldActivity, WarmPoolMember};
use exposure_core::ids::{AutoScalingGroupName, InstanceId, Source};
use exposure_core::time::Timestamp;
use tokio::time::Instant;

use crate::clients::calls::{Calls, Patience, call};
use crate::failure::{Class, Failure};

#[cfg(test)]
mod tests;

/// The most that Auto Scaling gives in one page of groups and of activities (Auto Scaling API, `MaxRecords`).
const PAGE: i32 = 100;
/// The most that it gives in one page of a warm pool.
const WARM_POOL_PAGE: i32 = 50;
/// The processes without which a group keeps an instance that fails or stops running.
const REPLACING: [&str; 3] = ["HealthCheck", "ReplaceUnhealthy", "Terminate"];

/// What Auto Scaling said of one account and region.
#[derive(Debug, Default)]
pub struct Described {
    /// Groups and members, whole. The caller stamps the time at which it was taken.
    pub fleet: Fleet,
    /// The activities that name an instance, since the time asked for.
    pub activities: Vec<Activity>,
    /// Why the activities are not complete, if so. The fleet is, all the same.
    pub activities_failure: Option<Failure>,
    /// The groups that would not replace an instance that stops running: with `HealthCheck`, `ReplaceUnhealthy` or
    /// `Terminate` suspended.
    pub suspended: BTreeSet<AutoScalingGroupName>,
    /// How many requests it took.
    pub requests: u64,
    /// How many of them were throttled.
    pub throttled: u64,
    /// Entries that were left out or looked odd, by what is wrong with them, with a count.
    pub problems: BTreeMap<String, u64>,
}

/// Describes all groups with their instances and warm pools, and the scaling activities that began at `activities_since`
/// or later (none are asked for without it). An activity under way at that time began before it: ask with an overlap.
/// `client` must have no retries of its own.
///
/// # Errors
/// If the groups or a warm pool cannot be read to the end: a fleet that lacks a part would look as if that part had gone.
pub async fn describe(
    client: &Client,
    place: &Source,
    activities_since: Option<Timestamp>,
    deadline: Instant,
) -> Result<Described, Failure> {
    let mut describing = Describing {
        client,
        place,
        patience: Patience::until(deadline),
        calls: Calls::default(),
        described: Described::default(),
        names: HashSet::new(),
        instances: HashSet::new(),
    };
    describing.groups().await?;
    describing.warm_pools().await?;
    if let Some(since) = activities_since {
        describing.described.activities_failure = describing.activities(since).await.err();
    }
    let Describing { calls, mut described, .. } = describing;
    (described.requests, described.throttled) = (calls.made, calls.throttled);
    Ok(described)
}

/// A description on its way.
struct Describing<'a> {
    client: &'a Client,
    place: &'a Source,
    patience: Patience,
    calls: Calls,
    described: Described,
    names: HashSet<AutoScalingGroupName>,
    instances: HashSet<InstanceId>,
}

impl Describing<'_> {
    async fn groups(&mut self) -> Result<(), Failure> {
        const OPERATION: &str = "autoscaling:DescribeAutoScalingGroups";
        let mut pages = Pages::new(OPERATION);
        loop {
            let request = self.client.describe_auto_scaling_groups().max_records(PAGE);
            let send = || request.clone().set_next_token(pages.token()).send();
            let page = call(OPERATION, self.patience, &mut self.calls, send).await?;
            for group in page.auto_scaling_groups() {
                self.group(group);
            }
            if !pages.turn(page.next_token)? {
                return Ok(());
            }
        }
    }

    fn group(&mut self, told: &AutoScalingGroup) {
        let name = told.auto_scaling_group_name().unwrap_or_default();
        let Ok(mut group) = Group::described(name, told.auto_scaling_group_arn()) else {
            self.problem("group without a usable name");
            return;
        };
        // Pages of a fleet that changes meanwhile may overlap.
        if !self.names.insert(group.name.clone()) {
            return;
        }
        if group.source.get_or_insert_with(|| self.place.clone()) != self.place {
            self.problem("group whose ARN is of another account or region");
        }
        let tags = told.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value().unwrap_or_default())));
        group.tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        group.has_warm_pool = told.warm_pool_configuration().is_some();
        let suspended = told.suspended_processes().iter().filter_map(|process| process.process_name());
        if suspended.into_iter().any(|process| REPLACING.contains(&process)) {
            self.described.suspended.insert(group.name.clone());
        }
        let place = self.described.fleet.groups.len();
        self.described.fleet.groups.push(group);
        self.members(told.instances(), place);
    }

    /// Adds instances to the group at a place of the fleet's.
    fn members(&mut self, told: &[Instance], group: usize) {
        for told in told {
            let state = told.lifecycle_state().map_or("", |state| state.as_str());
            let id = told.instance_id().unwrap_or_default();
            match WarmPoolMember::described(id, state, told.availability_zone()) {
                Ok(member) if self.instances.insert(member.instance) => {
                    self.described.fleet.members.push(member.member_of(group));
                }
                Ok(_) => self.problem("instance listed twice"),
                Err(_) => self.problem("instance without a usable ID"),
            }
        }
    }

    async fn warm_pools(&mut self) -> Result<(), Failure> {
        let groups = self.described.fleet.groups.iter().enumerate();
        let pools: Vec<(usize, AutoScalingGroupName)> =
            groups.filter(|(_, group)| group.has_warm_pool).map(|(place, group)| (place, group.name.clone())).collect();
        for (group, name) in pools {
            match self.warm_pool(group, &name).await {
                // The group or its pool was deleted since: its members have gone.
                Err(failure) if failure.class == Class::Invalid && failure.message.starts_with("ValidationError") => {
                    self.problem("warm pool that is not there any more");
                }
                done => done?,
            }
        }
        Ok(())
    }

    async fn warm_pool(&mut self, group: usize, name: &AutoScalingGroupName) -> Result<(), Failure> {
        const OPERATION: &str = "autoscaling:DescribeWarmPool";
        let mut pages = Pages::new(OPERATION);
        loop {
            let request =
                self.client.describe_warm_pool().auto_scaling_group_name(name.as_str()).max_records(WARM_POOL_PAGE);
            let send = || request.clone().set_next_token(pages.token()).send();
            let page = call(OPERATION, self.patience, &mut self.calls, send).await?;
            self.members(page.instances(), group);
            if !pages.turn(page.next_token)? {
                return Ok(());
            }
        }
    }

    async fn activities(&mut self, since: Timestamp) -> Result<(), Failure> {
        const OPERATION: &str = "autoscaling:DescribeScalingActivities";
        let from = Filter::builder().name("StartTimeLowerBound").values(since.to_string()).build();
        let mut pages = Pages::new(OPERATION);
        loop {
            let request = self.client.describe_scaling_activities().include_deleted_groups(true).max_records(PAGE);
            let request = request.filters(from.clone());
            let send = || request.clone().set_next_token(pages.token()).send();
            let page = call(OPERATION, self.patience, &mut self.calls, send).await?;
            let mut older = false;
            for told in page.activities() {
                older |= self.activity(told, since);
            }
            // Newest first: where the filter is not heeded, one that is older says that the rest is older still.
            if older || !pages.turn(page.next_token)? {
                return Ok(());
            }
        }
    }

    /// Takes in an activity, and says whether it began before `since`.
    fn activity(&mut self, told: &aws_sdk_autoscaling::types::Activity, since: Timestamp) -> bool {
        // The SDK puts 1970 in the place of a required time that is missing.
        let started = told.start_time().map(time).filter(|time| time.as_second() > 0);
        if started.is_some_and(|started| started < since) {
            return true;
        }
        let read = Activity::described(&ToldActivity {
            id: told.activity_id().unwrap_or_default(),
            group: told.auto_scaling_group_name().unwrap_or_default(),
            group_arn: told.auto_scaling_group_arn(),
            description: told.description().unwrap_or_default(),
            status: told.status_code().map_or("", |status| status.as_str()),
            started,
            ended: told.end_time().map(time),
        });
        match read {
            Ok(activity) => self.described.activities.extend(activity),
            Err(_) => self.problem("scaling activity without a start time or a usable group name"),
        }
        false
    }

    fn problem(&mut self, what: &str) {
        *self.described.problems.entry(what.to_owned()).or_default() += 1;
    }
}

/// The whole seconds of a time.
fn time(time: &DateTime) -> Timestamp {
    Timestamp::from_second(time.secs())
}

/// The tokens of one paging.
struct Pages {
    operation: &'static str,
    next: Option<String>,
    seen: HashSet<String>,
}

impl Pages {
    fn new(operation: &'static str) -> Self {
        Self { operation, next: None, seen: HashSet::new() }
    }

    /// What to ask for next.
    fn token(&self) -> Option<String> {
        self.next.clone()
    }

    /// Whether there is another page. An empty page may well have a next one.
    ///
    /// # Errors
    /// If it would be one that was there before: there would be no end to it.
    fn turn(&mut self, token: Option<String>) -> Result<bool, Failure> {
        self.next = token.filter(|token| !token.is_empty());
        match &self.next {
            Some(token) if !self.seen.insert(token.clone()) => {
                Err(Failure::new(self.operation, Class::Invalid, "it gave the token of an earlier page again"))
            }
            next => Ok(next.is_some()),
        }
    }
}
