//! Auto Scaling: the describe calls.
//!
//! Amazon EC2 Auto Scaling API Reference: pages of at most 100 groups, 100 activities, 50 instances; six weeks of
//! activities.

use serde_json::{Map, Value, json};

use crate::digest::draw;
use crate::fleet::{Activity, Fleet, Group};
use crate::hub::{Hub, unknown_operation};
use crate::life::Life;
use crate::time;
use crate::wire::{Answer, ApiError, Call, Mood};
use crate::xml;

const NAMESPACE: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";
const SIX_WEEKS: i64 = 42 * 86_400;

/// What a call sees.
struct View<'a> {
    fleet: &'a Fleet,
    call: &'a Call,
    mood: Mood,
    /// The time that is described: of the first page, for its whole paging.
    at: i64,
    offset: usize,
}

pub(crate) fn answer(hub: &Hub, call: &Call, mood: Mood, id: &str) -> Answer {
    let now = hub.live().now();
    let mut view = View { fleet: &hub.account.fleet, call, mood, at: now, offset: 0 };
    if let Some(token) = call.params.get("NextToken") {
        let read = read_token(token, view.hash()).filter(|_| !mood.expired_token);
        (view.at, view.offset) = read.ok_or_else(|| ApiError::new(400, "InvalidNextToken", "The token is invalid"))?;
    }
    let result = match call.operation.as_str() {
        "DescribeAutoScalingGroups" => view.groups()?,
        "DescribeWarmPool" => view.warm_pool()?,
        "DescribeScalingActivities" => view.activities()?,
        "DescribeAutoScalingInstances" => view.instances()?,
        _ => return Err(unknown_operation(call)),
    };
    Ok(xml::answer(&call.operation, NAMESPACE, &result, id))
}

impl<'a> View<'a> {
    fn groups(&self) -> Result<Value, ApiError> {
        let most = self.most(50, 100)?;
        let names = self.call.params.list("AutoScalingGroupNames");
        let filters = self.call.params.filters();
        let wanted = self.here().filter(|group| {
            (names.is_empty() || names.contains(&group.name.as_str()))
                && filters.iter().all(|(name, values)| is_tagged(group, name, values))
        });
        let rows = wanted.map(|group| self.group(group)).collect();
        Ok(self.page("AutoScalingGroups", rows, most))
    }

    fn warm_pool(&self) -> Result<Value, ApiError> {
        let most = self.most(50, 50)?;
        let name = self.call.params.get("AutoScalingGroupName").unwrap_or_default();
        let group = self.here().find(|group| group.name == name).ok_or_else(|| not_found(name))?;
        let rows = group.members(self.at, true).map(|(life, state)| self.instance(life, state)).collect();
        let mut page = self.page("Instances", rows, most);
        if let Some(configuration) = group.row.get("WarmPoolConfiguration") {
            page["WarmPoolConfiguration"] = configuration.clone();
        }
        Ok(page)
    }

    fn activities(&self) -> Result<Value, ApiError> {
        let params = &self.call.params;
        let most = self.most(100, 100)?;
        let deleted_too = params.get("IncludeDeletedGroups") == Some("true");
        let name = params.get("AutoScalingGroupName");
        let is_here = |group: &&Group| deleted_too || group.exists(self.at);
        if let Some(name) = name
            && !self.everywhere().filter(is_here).any(|group| group.name == name)
        {
            return Err(not_found(name));
        }
        let (mut from, mut to) = (self.at - SIX_WEEKS, self.at);
        for (filter, values) in params.filters() {
            let bound = values.first().and_then(|value| time::parse(value));
            let bound = bound.ok_or_else(|| invalid(&format!("{filter} is not a time")))?;
            match filter {
                "StartTimeLowerBound" => from = from.max(bound),
                "StartTimeUpperBound" => to = to.min(bound),
                _ => return Err(invalid(&format!("unknown filter {filter}"))),
            }
        }
        let ids = params.list("ActivityIds");
        let is_asked = |activity: &&Activity| {
            let group = self.fleet.groups.get(activity.group).filter(|group| self.is_here(group)).filter(is_here);
            let id = activity.row.get("ActivityId").and_then(Value::as_str).unwrap_or_default();
            (from..=to).contains(&activity.start)
                && group.is_some_and(|group| name.is_none_or(|name| name == group.name))
                && (ids.is_empty() || ids.contains(&id))
        };
        let rows = self.fleet.activities.iter().filter(is_asked).map(|activity| self.activity(activity)).collect();
        Ok(self.page("Activities", rows, most))
    }

    fn instances(&self) -> Result<Value, ApiError> {
        let most = self.most(50, 50)?;
        let ids = self.call.params.list("InstanceIds");
        if ids.len() > 50 {
            return Err(invalid("The number of instance ids is more than 50"));
        }
        let mut rows = Vec::new();
        for group in self.here() {
            let members = group.members(self.at, false).chain(group.members(self.at, true));
            for (life, state) in members.filter(|(life, _)| ids.is_empty() || ids.contains(&life.instance.as_str())) {
                let mut row = self.instance(life, state);
                row["AutoScalingGroupName"] = json!(group.name);
                rows.push(row);
            }
        }
        Ok(self.page("AutoScalingInstances", rows, most))
    }

    fn group(&self, group: &Group) -> Value {
        let members: Vec<Value> =
            group.members(self.at, false).map(|(life, state)| self.instance(life, state)).collect();
        let mut row = group.row.clone();
        row.insert("DesiredCapacity".into(), json!(members.len()));
        row.insert("Instances".into(), Value::Array(members));
        if row.contains_key("WarmPoolConfiguration") {
            row.insert("WarmPoolSize".into(), json!(group.members(self.at, true).count()));
        }
        Value::Object(row)
    }

    fn instance(&self, life: &Life, state: &str) -> Value {
        let mut row: Map<String, Value> = life.row.clone();
        let is_unknown = self.mood.unknown_states && draw(0, &life.instance).is_multiple_of(2);
        row.insert("LifecycleState".into(), json!(if is_unknown { "Bewildered:Wait" } else { state }));
        row.entry("ProtectedFromScaleIn").or_insert(json!(false));
        Value::Object(row)
    }

    /// An activity as it stands: what ends later goes on.
    fn activity(&self, activity: &Activity) -> Value {
        let mut row = activity.row.clone();
        if activity.end.is_some_and(|end| end > self.at) {
            row.remove("EndTime");
            row.insert("StatusCode".into(), json!("InProgress"));
            row.insert("Progress".into(), json!(50));
        }
        if let Some(group) = self.fleet.groups.get(activity.group).filter(|group| !group.exists(self.at)) {
            row.insert("AutoScalingGroupState".into(), json!("Deleted"));
            row.insert("AutoScalingGroupARN".into(), json!(group.arn));
        }
        Value::Object(row)
    }

    fn is_here(&self, group: &Group) -> bool {
        group.account == self.call.account && group.region == self.call.region
    }

    fn everywhere(&self) -> impl Iterator<Item = &'a Group> {
        let (account, region) = (&self.call.account, &self.call.region);
        self.fleet.groups.iter().filter(move |group| group.account == *account && group.region == *region)
    }

    /// The groups that there are.
    fn here(&self) -> impl Iterator<Item = &'a Group> {
        let at = self.at;
        self.everywhere().filter(move |group| group.exists(at))
    }

    fn most(&self, usual: usize, limit: usize) -> Result<usize, ApiError> {
        let Some(most) = self.call.params.get("MaxRecords") else { return Ok(usual) };
        let most = most.parse().ok().filter(|most| (1..=limit).contains(most));
        most.ok_or_else(|| invalid(&format!("MaxRecords must be between 1 and {limit}")))
    }

    fn hash(&self) -> u64 {
        let bound = self.call.params.without(&["NextToken", "MaxRecords"]);
        draw(0, &format!("{}{}{bound}", self.call.account, self.call.region))
    }

    fn page(&self, name: &str, rows: Vec<Value>, most: usize) -> Value {
        let most = if self.mood.short_page { (most / 3).min(rows.len() / 2).max(1) } else { most };
        let next = self.offset + most;
        let token = (rows.len() > next).then(|| format!("{:016x}{:016x}{next:016x}", self.hash(), self.at));
        let rows: Vec<Value> = rows.into_iter().skip(self.offset).take(most).collect();
        let sent = self.call.params.get("NextToken").filter(|_| self.mood.repeat_token).map(str::to_owned);
        let mut page = Map::new();
        page.insert(name.to_owned(), Value::Array(rows));
        page.insert("NextToken".into(), json!(sent.or(token)));
        Value::Object(page)
    }
}

fn read_token(token: &str, hash: u64) -> Option<(i64, usize)> {
    let number = |from: usize| u64::from_str_radix(token.get(from..from + 16)?, 16).ok();
    (number(0)? == hash).then_some(())?;
    Some((number(16)?.try_into().ok()?, number(32)?.try_into().ok()?))
}

fn is_tagged(group: &Group, name: &str, values: &[&str]) -> bool {
    let tags = group.row.get("Tags").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let has = |field: &str, key: Option<&str>| {
        tags.iter().any(|tag| {
            let text = |name: &str| tag.get(name).and_then(Value::as_str).unwrap_or_default();
            key.is_none_or(|key| text("Key") == key) && values.contains(&text(field))
        })
    };
    match name {
        "tag-key" => has("Key", None),
        "tag-value" => has("Value", None),
        _ => name.strip_prefix("tag:").is_some_and(|key| has("Value", Some(key))),
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(400, "ValidationError", message)
}

fn not_found(name: &str) -> ApiError {
    invalid(&format!("AutoScalingGroup name not found - {name}"))
}
