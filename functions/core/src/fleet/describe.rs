//! The AWS CLI's descriptions of groups, warm pools and scaling activities.

use serde::Deserialize;
use serde_json::Value;

use crate::ids::{AutoScalingGroupArn, AutoScalingGroupName, InstanceId, InvalidId, Region};
use crate::lifecycle::LifecycleState;
use crate::time::Timestamp;

use super::{Fleet, Group, Member, source_of_arn};

/// A file that is not the description that it was taken for.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// Not JSON at all.
    #[error("not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// JSON, but something else.
    #[error("expected {expected}, but this is {found}")]
    WrongKind {
        /// Which command's output was expected.
        expected: &'static str,
        /// What the file is instead.
        found: String,
    },
    /// The right description with an entry that cannot be used.
    #[error("{place}: {reason}")]
    Entry {
        /// Which entry.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// An instance of a warm pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmPoolMember {
    /// The instance.
    pub instance: InstanceId,
    /// Its state, `Warmed:…`.
    pub state: LifecycleState,
    /// The region of its availability zone.
    pub region: Option<Region>,
}

/// A scaling activity that names an instance: a lifecycle transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Its identity.
    pub id: String,
    /// The instance, from the description (the API has no field for it).
    pub instance: InstanceId,
    /// The group.
    pub group: AutoScalingGroupName,
    /// The group's ARN, where it was given.
    pub group_arn: Option<AutoScalingGroupArn>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended, if it has.
    pub ended: Option<Timestamp>,
    /// Whether the instance left its group by it.
    pub departs: bool,
}

/// What Auto Scaling told of one scaling activity, before it is judged.
#[derive(Debug, Clone, Copy, Default)]
pub struct ToldActivity<'a> {
    /// `ActivityId`.
    pub id: &'a str,
    /// `AutoScalingGroupName`.
    pub group: &'a str,
    /// `AutoScalingGroupARN`.
    pub group_arn: Option<&'a str>,
    /// `Description`.
    pub description: &'a str,
    /// `StatusCode`.
    pub status: &'a str,
    /// `StartTime`.
    pub started: Option<Timestamp>,
    /// `EndTime`.
    pub ended: Option<Timestamp>,
}

/// A scaling activity that names an instance and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidActivity {
    /// It does not say when it began.
    #[error("no StartTime")]
    NoStart,
    /// Its group's name is none.
    #[error(transparent)]
    Group(#[from] InvalidId),
}

impl Group {
    /// A group of that name, with neither tags nor a warm pool yet. A text that is no ARN is left out: it is optional.
    ///
    /// # Errors
    /// If the name is none.
    pub fn described(name: &str, arn: Option<&str>) -> Result<Self, InvalidId> {
        let arn = arn.and_then(|text| AutoScalingGroupArn::new(text).ok());
        Ok(Self {
            name: AutoScalingGroupName::new(name)?,
            source: arn.as_ref().and_then(|arn| source_of_arn(arn.as_str())),
            arn,
            tags: Vec::new(),
            has_warm_pool: false,
        })
    }
}

impl WarmPoolMember {
    /// An instance by its ID, `LifecycleState` and availability zone. The state is kept verbatim, known or not.
    ///
    /// # Errors
    /// If the instance ID is none.
    pub fn described(instance: &str, state: &str, zone: Option<&str>) -> Result<Self, InvalidId> {
        let instance = InstanceId::new(instance)?;
        Ok(Self { instance, state: LifecycleState::new(state), region: region_of(zone) })
    }

    /// The same instance as a member of the group at that place of [`Fleet::groups`].
    #[must_use]
    pub fn member_of(self, group: usize) -> Member {
        Member { instance: self.instance, group: Some(group), state: self.state, region: self.region }
    }
}

impl Activity {
    /// The transition that an activity is; nothing where it names no instance, failed or was cancelled.
    ///
    /// # Errors
    /// If it names an instance, but not when it began or a group.
    pub fn described(told: &ToldActivity<'_>) -> Result<Option<Self>, InvalidActivity> {
        let Some(instance) = instance_in(told.description) else { return Ok(None) };
        if matches!(told.status, "Failed" | "Cancelled") {
            return Ok(None);
        }
        Ok(Some(Self {
            instance,
            started: told.started.ok_or(InvalidActivity::NoStart)?,
            ended: told.ended,
            group: AutoScalingGroupName::new(told.group)?,
            group_arn: told.group_arn.and_then(|text| AutoScalingGroupArn::new(text).ok()),
            departs: told.description.starts_with("Terminating") || told.description.starts_with("Detaching"),
            id: told.id.chars().take(64).collect(),
        }))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedGroup {
    auto_scaling_group_name: String,
    #[serde(rename = "AutoScalingGroupARN")]
    auto_scaling_group_arn: Option<String>,
    #[serde(default)]
    instances: Vec<DescribedInstance>,
    #[serde(default)]
    tags: Vec<DescribedTag>,
    warm_pool_configuration: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedInstance {
    instance_id: String,
    #[serde(default)]
    lifecycle_state: String,
    availability_zone: Option<String>,
}

impl DescribedInstance {
    fn read(&self) -> Result<WarmPoolMember, InvalidId> {
        WarmPoolMember::described(&self.instance_id, &self.lifecycle_state, self.availability_zone.as_deref())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedTag {
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedActivity {
    #[serde(default)]
    activity_id: String,
    auto_scaling_group_name: String,
    #[serde(rename = "AutoScalingGroupARN")]
    auto_scaling_group_arn: Option<String>,
    #[serde(default)]
    description: String,
    start_time: Option<String>,
    end_time: Option<String>,
    #[serde(default)]
    status_code: String,
}

/// Reads the output of `aws autoscaling describe-auto-scaling-groups`.
///
/// # Errors
/// Says what the file is instead, or which entry cannot be used.
pub fn parse_groups(text: &[u8]) -> Result<Fleet, FleetError> {
    const EXPECTED: &str = "the output of `aws autoscaling describe-auto-scaling-groups` (AutoScalingGroups)";
    let described: Vec<DescribedGroup> = list(text, "AutoScalingGroups", EXPECTED)?;
    let mut fleet = Fleet::default();
    for described in described {
        let place = || format!("AutoScalingGroups, {:?}", described.auto_scaling_group_name);
        let arn = described.auto_scaling_group_arn.as_deref();
        let mut group = Group::described(&described.auto_scaling_group_name, arn).map_err(at(&place))?;
        for instance in &described.instances {
            let member = instance.read().map_err(at(&place))?;
            fleet.members.push(member.member_of(fleet.groups.len()));
        }
        group.has_warm_pool = described.warm_pool_configuration.is_some_and(|c| !c.is_null());
        group.tags = described.tags.into_iter().map(|t| (t.key, t.value.unwrap_or_default())).collect();
        fleet.groups.push(group);
    }
    Ok(fleet)
}

/// Reads the output of `aws autoscaling describe-warm-pool`.
///
/// # Errors
/// Says what the file is instead, or which entry cannot be used.
pub fn parse_warm_pool(text: &[u8]) -> Result<Vec<WarmPoolMember>, FleetError> {
    const EXPECTED: &str = "the output of `aws autoscaling describe-warm-pool` (Instances)";
    let described: Vec<DescribedInstance> = list(text, "Instances", EXPECTED)?;
    let member = |instance: DescribedInstance| instance.read().map_err(at(&|| "Instances".to_owned()));
    described.into_iter().map(member).collect()
}

/// Reads the output of `aws autoscaling describe-scaling-activities`. Activities that name no instance, failed or
/// were cancelled are left out.
///
/// # Errors
/// Says what the file is instead, or which entry cannot be used.
pub fn parse_activities(text: &[u8]) -> Result<Vec<Activity>, FleetError> {
    const EXPECTED: &str = "the output of `aws autoscaling describe-scaling-activities` (Activities)";
    let described: Vec<DescribedActivity> = list(text, "Activities", EXPECTED)?;
    let mut activities = Vec::new();
    for described in described {
        let time = |text: Option<&str>| text.and_then(Timestamp::parse);
        let told = ToldActivity {
            id: &described.activity_id,
            group: &described.auto_scaling_group_name,
            group_arn: described.auto_scaling_group_arn.as_deref(),
            description: &described.description,
            status: &described.status_code,
            started: time(described.start_time.as_deref()),
            ended: time(described.end_time.as_deref()),
        };
        let activity = Activity::described(&told).map_err(|reason| FleetError::Entry {
            place: format!("Activities, {:?}", described.activity_id),
            reason: reason.to_string(),
        })?;
        activities.extend(activity);
    }
    Ok(activities)
}

fn at(place: &dyn Fn() -> String) -> impl FnOnce(InvalidId) -> FleetError + '_ {
    move |reason| FleetError::Entry { place: place(), reason: reason.to_string() }
}

/// The list under `key`, or what the text is instead.
fn list<T: for<'a> Deserialize<'a>>(text: &[u8], key: &str, expected: &'static str) -> Result<Vec<T>, FleetError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    match serde_json::from_slice(text)? {
        Value::Object(mut map) if map.get(key).is_some_and(Value::is_array) => {
            let list = map.remove(key).unwrap_or_default();
            serde_json::from_value(list)
                .map_err(|error| FleetError::Entry { place: key.to_owned(), reason: error.to_string() })
        }
        other => Err(FleetError::WrongKind { expected, found: describe(&other) }),
    }
}

/// What a JSON document is, as far as its top level tells.
pub(crate) fn describe(value: &Value) -> String {
    const KNOWN: [(&str, &str); 10] = [
        ("AutoScalingGroups", "the output of describe-auto-scaling-groups"),
        ("Activities", "the output of describe-scaling-activities"),
        ("WarmPoolConfiguration", "the output of describe-warm-pool"),
        ("AutoScalingInstances", "the output of describe-auto-scaling-instances"),
        ("Reservations", "the output of describe-instances"),
        ("Records", "a CloudTrail log file"),
        ("Events", "the output of lookup-events"),
        ("digestS3Bucket", "a CloudTrail digest"),
        ("configurationItems", "an AWS Config snapshot"),
        ("schema", "a file that this tool wrote"),
    ];
    match value {
        Value::Object(map) if map.is_empty() => "an empty object".to_owned(),
        Value::Object(map) => KNOWN.iter().find(|(key, _)| map.contains_key(*key)).map_or_else(
            || {
                let keys: Vec<String> = map.keys().take(3).map(|k| k.escape_debug().take(40).collect()).collect();
                format!("a JSON object with {}", keys.join(", "))
            },
            |(_, what)| (*what).to_owned(),
        ),
        Value::Array(_) => "a JSON list (was --query used? the whole output is needed)".to_owned(),
        _ => "a single JSON value".to_owned(),
    }
}

/// The instance that an activity's description names, such as `Moving EC2 instance to Standby: i-05b4f7d5be44822a6`.
fn instance_in(description: &str) -> Option<InstanceId> {
    description.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').find_map(|word| InstanceId::new(word).ok())
}

/// The region of an availability zone: `eu-central-1a`, or a local zone's `us-west-2-lax-1a`.
fn region_of(zone: Option<&str>) -> Option<Region> {
    let zone = zone?;
    let end = zone.find(|c: char| c.is_ascii_digit())? + 1;
    Region::new(zone.get(..end)?).ok()
}
