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
        let name = AutoScalingGroupName::new(&described.auto_scaling_group_name).map_err(at(&place))?;
        let arn = described.auto_scaling_group_arn.as_deref().and_then(|t| AutoScalingGroupArn::new(t).ok());
        let group = fleet.groups.len();
        for instance in &described.instances {
            fleet.members.push(Member {
                instance: InstanceId::new(&instance.instance_id).map_err(at(&place))?,
                group: Some(group),
                state: LifecycleState::new(&instance.lifecycle_state),
                region: region_of(instance.availability_zone.as_deref()),
            });
        }
        fleet.groups.push(Group {
            source: arn.as_ref().and_then(|arn| source_of_arn(arn.as_str())),
            name,
            arn,
            tags: described.tags.into_iter().map(|t| (t.key, t.value.unwrap_or_default())).collect(),
            has_warm_pool: described.warm_pool_configuration.is_some_and(|c| !c.is_null()),
        });
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
    let member = |instance: DescribedInstance| {
        Ok(WarmPoolMember {
            instance: InstanceId::new(&instance.instance_id).map_err(at(&|| "Instances".to_owned()))?,
            state: LifecycleState::new(&instance.lifecycle_state),
            region: region_of(instance.availability_zone.as_deref()),
        })
    };
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
        let place = || format!("Activities, {:?}", described.activity_id);
        let Some(instance) = instance_in(&described.description) else { continue };
        if matches!(described.status_code.as_str(), "Failed" | "Cancelled") {
            continue;
        }
        let time = |text: Option<&str>| text.and_then(Timestamp::parse);
        let Some(started) = time(described.start_time.as_deref()) else {
            return Err(FleetError::Entry { place: place(), reason: "no StartTime".to_owned() });
        };
        activities.push(Activity {
            instance,
            group: AutoScalingGroupName::new(&described.auto_scaling_group_name).map_err(at(&place))?,
            group_arn: described.auto_scaling_group_arn.as_deref().and_then(|t| AutoScalingGroupArn::new(t).ok()),
            started,
            ended: time(described.end_time.as_deref()),
            departs: described.description.starts_with("Terminating") || described.description.starts_with("Detaching"),
            id: described.activity_id.chars().take(64).collect(),
        });
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
