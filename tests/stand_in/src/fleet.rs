//! The fleet at any time, derived from launches on record, scaling activities and the fleet at the end.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use crate::account::Place;
use crate::launch::{Launch, launches, pool_stops};
use crate::life::{Life, Move, settle};
use crate::record::Record;
use crate::time;

/// How long a deleted group outlives its last instance, in seconds.
const DELETED_AFTER: i64 = 3600;

/// All groups, their instances and what happened to them.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    pub(crate) groups: Vec<Group>,
    /// The latest first.
    pub(crate) activities: Vec<Activity>,
}

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) account: String,
    pub(crate) region: String,
    /// As it is described, without instances.
    pub(crate) row: Map<String, Value>,
    /// When it was deleted, if it was.
    pub(crate) deleted: Option<i64>,
    pub(crate) lives: Vec<Life>,
}

/// A scaling activity.
#[derive(Debug)]
pub(crate) struct Activity {
    pub(crate) group: usize,
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
    pub(crate) row: Map<String, Value>,
}

impl Group {
    pub(crate) fn exists(&self, at: i64) -> bool {
        self.deleted.is_none_or(|deleted| at < deleted)
    }

    /// Its instances at a time, of the warm pool or not of it, with their states.
    pub(crate) fn members(&self, at: i64, pooled: bool) -> impl Iterator<Item = (&Life, &str)> {
        let members = self.lives.iter().filter_map(move |life| Some((life, life.state(at)?)));
        members.filter(move |(_, state)| state.starts_with("Warmed:") == pooled)
    }
}

impl Fleet {
    /// Puts it together from `fleet.json`, `activities.json`, `warm-pool.json` and the launches among the records.
    pub(crate) fn derive(
        fleet: &Value,
        activities: &Value,
        warm_pool: &Value,
        records: &[Record],
        places: &[Place],
    ) -> Self {
        let mut groups = described(fleet);
        let activities = read_activities(activities, &mut groups);
        let launches = launches(records, places);
        let stops = pool_stops(records);
        let mut finals = finals(fleet, warm_pool);
        let mut stories: BTreeMap<(usize, String), Vec<Move>> = BTreeMap::new();
        for activity in activities.iter().rev() {
            if let Some((instance, step)) = Move::read(activity) {
                stories.entry((activity.group, instance)).or_default().push(step);
            }
        }
        // Instances without any activity: in the fleet at the end, or launched on record.
        for (instance, (group, _, _)) in &finals {
            let group = group.clone().or_else(|| launches.get(instance).map(|launch| launch.group.clone()));
            let index = group.and_then(|name| groups.iter().position(|group| group.name == name));
            if let Some(index) = index.or_else(|| pool_owner(&groups)).filter(|_| !has(&stories, instance)) {
                stories.insert((index, instance.clone()), Vec::new());
            }
        }
        for ((index, instance), moves) in stories {
            let Some(group) = groups.get_mut(index) else { continue };
            let end = finals.remove(&instance);
            let launch = launches.get(&instance);
            let row = end.as_ref().map_or_else(|| made_up(&instance, launch, &group.region), |(_, row, _)| row.clone());
            let state = end.as_ref().and_then(|(_, row, _)| row.get("LifecycleState")?.as_str());
            let stop = stops.get(&instance).map(Vec::as_slice).unwrap_or_default();
            let stages = settle(launch.map(|launch| launch.at), &moves, stop, state);
            let rank = end.as_ref().map_or(usize::MAX, |(_, _, rank)| *rank);
            group.lives.push(Life { instance, row, rank, stages });
        }
        for group in &mut groups {
            group.lives.sort_by(|a, b| (a.rank, &a.instance).cmp(&(b.rank, &b.instance)));
            if group.deleted.is_some() {
                let last = group.lives.iter().filter_map(Life::end).max().unwrap_or(i64::MIN);
                group.deleted = Some(last.saturating_add(DELETED_AFTER));
            }
        }
        Self { groups, activities }
    }

    /// The group, the instance and the state of every member.
    pub(crate) fn members_at(&self, at: i64) -> Vec<(String, String, String)> {
        let existing = self.groups.iter().filter(|group| group.exists(at));
        existing
            .flat_map(|group| {
                let members = group.members(at, false).chain(group.members(at, true));
                members.map(|(life, state)| (group.name.clone(), life.instance.clone(), state.to_owned()))
            })
            .collect()
    }
}

fn has(stories: &BTreeMap<(usize, String), Vec<Move>>, instance: &str) -> bool {
    stories.keys().any(|(_, known)| known == instance)
}

/// The first group with a warm pool.
fn pool_owner(groups: &[Group]) -> Option<usize> {
    groups.iter().position(|group| group.row.contains_key("WarmPoolConfiguration"))
}

fn described(fleet: &Value) -> Vec<Group> {
    let rows = fleet.get("AutoScalingGroups").and_then(Value::as_array).into_iter().flatten();
    rows.filter_map(|row| {
        let mut row = row.as_object()?.clone();
        row.remove("Instances");
        normalise(&mut row, "CreatedTime");
        Some(group(row, None))
    })
    .collect()
}

fn group(row: Map<String, Value>, deleted: Option<i64>) -> Group {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let arn = text("AutoScalingGroupARN");
    let part = |index| arn.split(':').nth(index).unwrap_or_default().to_owned();
    Group {
        name: text("AutoScalingGroupName"),
        account: part(4),
        region: part(3),
        arn,
        row,
        deleted,
        lives: Vec::new(),
    }
}

/// Writes a time as the API does, in UTC.
fn normalise(row: &mut Map<String, Value>, key: &str) {
    if let Some(at) = row.get(key).and_then(Value::as_str).and_then(time::parse) {
        row.insert(key.to_owned(), json!(time::iso(at)));
    }
}

/// The activities, and a group for each that is in no description any more: it was deleted.
fn read_activities(activities: &Value, groups: &mut Vec<Group>) -> Vec<Activity> {
    let mut read = Vec::new();
    let mut by_arn: HashMap<String, usize> =
        groups.iter().enumerate().map(|(index, group)| (group.arn.clone(), index)).collect();
    for row in activities.get("Activities").and_then(Value::as_array).into_iter().flatten() {
        let Some(row) = row.as_object() else { continue };
        let moment = |key: &str| row.get(key).and_then(Value::as_str).and_then(time::parse);
        let Some(start) = moment("StartTime") else { continue };
        let arn = row.get("AutoScalingGroupARN").and_then(Value::as_str).unwrap_or_default().to_owned();
        let index = *by_arn.entry(arn).or_insert_with_key(|arn| {
            groups.push(group(undescribed(row, arn), Some(i64::MAX)));
            groups.len() - 1
        });
        let mut row = row.clone();
        let end = moment_of(&row, "EndTime");
        normalise(&mut row, "StartTime");
        normalise(&mut row, "EndTime");
        read.push(Activity { group: index, start, end, row });
    }
    read.sort_by_key(|activity| std::cmp::Reverse(activity.start));
    read
}

fn moment_of(row: &Map<String, Value>, key: &str) -> Option<i64> {
    row.get(key).and_then(Value::as_str).and_then(time::parse)
}

/// What a deleted group may have looked like. Its tags are not known any more.
fn undescribed(activity: &Map<String, Value>, arn: &str) -> Map<String, Value> {
    let name = activity.get("AutoScalingGroupName").cloned().unwrap_or_default();
    let region = arn.split(':').nth(3).unwrap_or_default();
    let row = json!({
        "AutoScalingGroupName": name,
        "AutoScalingGroupARN": arn,
        "MinSize": 0,
        "MaxSize": 100,
        "DefaultCooldown": 300,
        "AvailabilityZones": [format!("{region}a")],
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 300,
        "CreatedTime": "2025-02-03T08:15:42Z",
        "SuspendedProcesses": [],
        "Tags": [{"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": "Name", "Value": name,
                  "PropagateAtLaunch": true}],
        "NewInstancesProtectedFromScaleIn": false,
    });
    row.as_object().cloned().unwrap_or_default()
}

type Finals = HashMap<String, (Option<String>, Map<String, Value>, usize)>;

/// The instances at the end: the group where it is named, the description, the place in the list.
fn finals(fleet: &Value, warm_pool: &Value) -> Finals {
    let mut finals = Finals::new();
    let mut put = |group: Option<&Value>, instances: Option<&Value>| {
        for row in instances.and_then(Value::as_array).into_iter().flatten() {
            let Some(row) = row.as_object() else { continue };
            let Some(id) = row.get("InstanceId").and_then(Value::as_str) else { continue };
            let rank = finals.len();
            finals.insert(id.to_owned(), (group.and_then(Value::as_str).map(str::to_owned), row.clone(), rank));
        }
    };
    for group in fleet.get("AutoScalingGroups").and_then(Value::as_array).into_iter().flatten() {
        put(group.get("AutoScalingGroupName"), group.get("Instances"));
    }
    put(None, warm_pool.get("Instances"));
    finals
}

/// The description of an instance that is not there at the end.
fn made_up(instance: &str, launch: Option<&Launch>, region: &str) -> Map<String, Value> {
    let text = |of: fn(&Launch) -> &String, otherwise: String| launch.map_or(otherwise, |launch| of(launch).clone());
    let row = json!({
        "InstanceId": instance,
        "InstanceType": text(|launch| &launch.machine, "m7i.large".into()),
        "AvailabilityZone": text(|launch| &launch.zone, format!("{region}a")),
        "LifecycleState": "InService",
        "HealthStatus": "Healthy",
        "LaunchTemplate": {
            "LaunchTemplateId": text(|launch| &launch.template, "lt-0a1b2c3d4e5f60718".into()),
            "LaunchTemplateName": "nodes",
            "Version": "7",
        },
        "ProtectedFromScaleIn": false,
    });
    row.as_object().cloned().unwrap_or_default()
}
