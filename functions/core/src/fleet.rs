//! The fleet at one moment: which groups there are, which instances they hold, and in which state.

mod describe;

use crate::ids::{AccountId, AutoScalingGroupArn, AutoScalingGroupName, InstanceId, Region, Source};
use crate::lifecycle::LifecycleState;
use crate::time::Timestamp;

pub(crate) use describe::describe as describe_json;
pub use describe::{
    Activity, FleetError, InvalidActivity, ToldActivity, WarmPoolMember, parse_activities, parse_groups,
    parse_warm_pool,
};

/// What Auto Scaling said of an account's groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fleet {
    /// When it said so. Without it the fleet decides membership and state only (rule 11).
    pub taken: Option<Timestamp>,
    /// The groups, in the order in which they were described.
    pub groups: Vec<Group>,
    /// Their instances, those of warm pools among them.
    pub members: Vec<Member>,
}

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: AutoScalingGroupName,
    /// Its ARN, where it was given.
    pub arn: Option<AutoScalingGroupArn>,
    /// Account and region, read off the ARN.
    pub source: Option<Source>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Whether it keeps a warm pool.
    pub has_warm_pool: bool,
}

/// An instance of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The instance.
    pub instance: InstanceId,
    /// The place of its group in [`Fleet::groups`], where it is known.
    pub group: Option<usize>,
    /// Its state.
    pub state: LifecycleState,
    /// The region of its availability zone, for a member whose group's ARN is not known.
    pub region: Option<Region>,
}

impl Fleet {
    /// The group of `member`.
    #[must_use]
    pub fn group_of(&self, member: &Member) -> Option<&Group> {
        self.groups.get(member.group?)
    }

    /// Adds what another description holds: of another account, region or page.
    pub fn extend(&mut self, other: Self) {
        let offset = self.groups.len();
        self.groups.extend(other.groups);
        self.members.extend(other.members.into_iter().map(|m| Member { group: m.group.map(|g| g + offset), ..m }));
        self.taken = self.taken.or(other.taken);
    }

    /// Adds the instances of a warm pool. Its description does not name the group, so the group is the one given,
    /// else the one that `launched_into` knows the instance of, else the only group that keeps a warm pool; of several
    /// of one name that of the instance's own region.
    pub fn add_warm_pool(
        &mut self,
        pool: Vec<WarmPoolMember>,
        given: Option<&AutoScalingGroupName>,
        launched_into: impl Fn(InstanceId) -> Option<(Source, AutoScalingGroupName)>,
    ) {
        let members: Vec<Member> = pool
            .into_iter()
            .filter(|pooled| !self.members.iter().any(|m| m.instance == pooled.instance))
            .map(|pooled| {
                let known = launched_into(pooled.instance);
                let launched = known.as_ref().map(|(source, name)| (Some(source), name));
                let group = given
                    .map(|name| (known.as_ref().map(|(source, _)| source), name))
                    .or(launched)
                    .and_then(|(source, name)| self.place_of(name, source, pooled.region.as_ref()))
                    .or_else(|| self.only_with_warm_pool(pooled.region.as_ref()));
                Member { instance: pooled.instance, group, state: pooled.state, region: pooled.region }
            })
            .collect();
        self.members.extend(members);
    }

    /// The place of the group of a name: of several, of one account and region, else of one region, else the first.
    fn place_of(&self, name: &AutoScalingGroupName, source: Option<&Source>, region: Option<&Region>) -> Option<usize> {
        let named = || self.groups.iter().enumerate().filter(|(_, group)| group.name == *name);
        let of = |place: Option<(usize, &Group)>| place.map(|(place, _)| place);
        of(named().find(|(_, group)| source.is_some() && group.source.as_ref() == source))
            .or_else(|| of(named().find(|(_, group)| group.source.as_ref().is_some_and(|s| Some(&s.region) == region))))
            .or_else(|| of(named().next()))
    }

    /// The only group that keeps a warm pool, in a region where that is known.
    fn only_with_warm_pool(&self, region: Option<&Region>) -> Option<usize> {
        let here =
            |group: &Group| group.source.as_ref().is_none_or(|source| region.is_none_or(|r| *r == source.region));
        let mut keeping = self.groups.iter().enumerate().filter(|(_, group)| group.has_warm_pool && here(group));
        keeping.next().filter(|_| keeping.next().is_none()).map(|(place, _)| place)
    }
}

/// Account and region of an ARN: `arn:<partition>:<service>:<region>:<account>:…`.
pub(crate) fn source_of_arn(arn: &str) -> Option<Source> {
    let mut parts = arn.split(':').skip(3);
    let region = Region::new(parts.next()?).ok()?;
    let account = AccountId::new(parts.next()?).ok()?;
    Some(Source { account, region })
}

#[cfg(test)]
mod tests;
