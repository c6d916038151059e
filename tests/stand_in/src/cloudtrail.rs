//! CloudTrail: `LookupEvents` with its limits, and what a trail says of itself.
//!
//! AWS CloudTrail API Reference, "LookupEvents": 2 requests a second for an account and region, 50 events, one attribute,
//! 90 days, the newest first, a token with its own parameters.

use serde_json::{Value, json};

use crate::account::{Account, Attribute, Place};
use crate::digest::draw;
use crate::hub::{Hub, Live, unknown_operation};
use crate::record::Record;
use crate::switches::{Channel, Switches};
use crate::time;
use crate::wire::{Answer, ApiError, Call, Mood, Service, json_answer};

const PAGE: usize = 50;
const DAYS: i64 = 90;

/// What a lookup asks.
#[derive(Debug)]
struct Lookup<'a> {
    attribute: Option<(Attribute, &'a str)>,
    from: f64,
    to: f64,
    most: usize,
    /// Where the last page ended: the time and the index of its last event.
    after: Option<(i64, usize)>,
    /// What the token is bound to.
    hash: u64,
}

pub(crate) fn answer(hub: &Hub, call: &Call, mood: Mood) -> Answer {
    let value = match call.operation.as_str() {
        "LookupEvents" => {
            let mut live = hub.live();
            let (clock, system) = (live.millis(), time::system_millis());
            if !live.quota.take(&call.account, &call.region, clock, system) {
                return Err(ApiError::throttled(Service::CloudTrail));
            }
            let lookup = parse(call, &live)?;
            if mood.expired_token && lookup.after.is_some() {
                return Err(invalid_token());
            }
            page(&hub.account, call, &lookup, mood, live.now(), &live.switches)
        }
        "DescribeTrails" => json!({"trailList": [trail(hub, call)]}),
        "ListTrails" => {
            let trail = trail(hub, call);
            let info = ["TrailARN", "Name", "HomeRegion"].map(|key| (key.to_owned(), trail[key].clone()));
            json!({"Trails": [Value::Object(info.into_iter().collect())]})
        }
        "GetTrailStatus" => {
            known(hub, call, "Name")?;
            let live = hub.live();
            json!({
                "IsLogging": !live.switches.trail_is_off,
                "StartLoggingTime": 1_738_570_542,
                "LatestDeliveryTime": live.now() - 120,
            })
        }
        "GetEventSelectors" => {
            known(hub, call, "TrailName")?;
            selectors(hub, call)
        }
        _ => return Err(unknown_operation(call)),
    };
    Ok(json_answer(Service::CloudTrail, &value))
}

fn parse<'a>(call: &'a Call, live: &Live) -> Result<Lookup<'a>, ApiError> {
    let body = &call.json;
    let most = match body.get("MaxResults").filter(|value| !value.is_null()) {
        None => PAGE,
        Some(most) => most
            .as_u64()
            .and_then(|most| usize::try_from(most).ok())
            .filter(|most| (1..=PAGE).contains(most))
            .ok_or_else(|| invalid("InvalidMaxResultsException", "MaxResults must be between 1 and 50"))?,
    };
    let attributes = body.get("LookupAttributes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let attribute = match attributes {
        [] => None,
        [one] => {
            let text = |key: &str| one.get(key).and_then(Value::as_str);
            let (key, value) = (text("AttributeKey").and_then(Attribute::parse), text("AttributeValue"));
            let valid = key.zip(value).filter(|(_, value)| (1..=2000).contains(&value.len()));
            Some(valid.ok_or_else(|| invalid("InvalidLookupAttributesException", "unknown attribute, or no value"))?)
        }
        _ => return Err(invalid("InvalidLookupAttributesException", "Only one lookup attribute is allowed")),
    };
    let moment = |key: &str| body.get(key).and_then(Value::as_f64);
    let (start, end) = (moment("StartTime"), moment("EndTime"));
    if start.zip(end).is_some_and(|(start, end)| start > end) {
        return Err(invalid("InvalidTimeRangeException", "The start time is after the end time"));
    }
    let bound = json!([call.account, call.region, attributes, body.get("StartTime"), body.get("EndTime"), most]);
    let hash = draw(0, &bound.to_string());
    let after = match body.get("NextToken").and_then(Value::as_str) {
        None => None,
        Some(token) => Some(read_token(token, hash).ok_or_else(invalid_token)?),
    };
    let oldest = float(live.now() - DAYS * 86_400);
    let to = end.unwrap_or(f64::INFINITY);
    Ok(Lookup { attribute, from: start.unwrap_or(oldest).max(oldest), to, most, after, hash })
}

fn page(account: &Account, call: &Call, lookup: &Lookup<'_>, mood: Mood, now: i64, switches: &Switches) -> Value {
    let most = if mood.short_page { (lookup.most / 3).max(1) } else { lookup.most };
    let found = account.place(&call.account, &call.region).map_or(&[][..], |place| candidates(place, lookup, switches));
    let record = |index: &usize| account.records.get(*index);
    let start = found.partition_point(|index| {
        let at = record(index).map_or(i64::MIN, |record| record.at);
        let is_past = lookup.after.is_some_and(|(last, last_index)| at > last || at == last && *index <= last_index);
        float(at) > lookup.to || is_past
    });
    let by_user = matches!(lookup.attribute, Some((Attribute::Username, _)));
    let mut rows = found.get(start..).unwrap_or_default().iter().filter_map(|index| Some((*index, record(index)?)));
    let is_shown = |record: &Record| {
        record.delivered <= now
            && switches.show(account, record, Channel::Lookup)
            && !(by_user && record.is_infrastructure && switches.username_misses_infrastructure)
    };
    let mut events = Vec::new();
    let mut last = None;
    let mut more = false;
    for (index, record) in rows.by_ref() {
        if float(record.at) < lookup.from {
            break;
        }
        if !is_shown(record) {
            continue;
        }
        if events.len() == most {
            more = true;
            break;
        }
        events.push(entry(record, switches));
        last = Some((record.at, index));
    }
    let mut answer = json!({"Events": events});
    if let (true, Some(last)) = (more, last) {
        answer["NextToken"] = json!(token(lookup.hash, last));
    }
    if let (true, Some(sent)) = (mood.repeat_token, call.json.get("NextToken").filter(|token| token.is_string())) {
        answer["NextToken"] = sent.clone();
    }
    answer
}

fn candidates<'a>(place: &'a Place, lookup: &Lookup<'_>, switches: &Switches) -> &'a [usize] {
    let Some((attribute, value)) = lookup.attribute else { return &place.newest };
    if attribute == Attribute::ResourceName && switches.resource_name_misses_keys && value.contains(":kms:") {
        return &[];
    }
    place.index.get(&(attribute, value.into())).map_or(&[], Vec::as_slice)
}

/// An event as a lookup shows it. Absent fields are left out, as in recorded answers.
fn entry(record: &Record, switches: &Switches) -> Value {
    let resources: Vec<Value> =
        record.resources.iter().map(|(kind, name)| json!({"ResourceType": &**kind, "ResourceName": &**name})).collect();
    let mut entry = json!({
        "EventId": &*record.event_id,
        "EventName": &*record.name,
        "EventTime": record.at,
        "EventSource": &*record.source,
        "Resources": resources,
        "CloudTrailEvent": &*record.text,
    });
    if let Some(read_only) = record.read_only {
        entry["ReadOnly"] = json!(if read_only { "true" } else { "false" });
    }
    if let Some(key) = &record.access_key {
        entry["AccessKeyId"] = json!(&**key);
    }
    if let Some(user) = &record.user
        && !(record.is_infrastructure && switches.username_misses_infrastructure)
    {
        entry["Username"] = json!(&**user);
    }
    entry
}

fn token(hash: u64, (at, index): (i64, usize)) -> String {
    format!("{hash:016x}{at:016x}{index:016x}==")
}

fn read_token(token: &str, hash: u64) -> Option<(i64, usize)> {
    let number = |from: usize| u64::from_str_radix(token.get(from..from + 16)?, 16).ok();
    if number(0)? != hash || token.get(48..) != Some("==") {
        return None;
    }
    Some((number(16)?.try_into().ok()?, number(32)?.try_into().ok()?))
}

fn invalid(code: &str, message: &str) -> ApiError {
    ApiError::new(400, code, message)
}

fn invalid_token() -> ApiError {
    invalid("InvalidNextTokenException", "The token is invalid, or it was used with different parameters")
}

#[expect(clippy::cast_precision_loss, reason = "times of this age fit into 53 bits")]
fn float(at: i64) -> f64 {
    at as f64
}

fn trail(hub: &Hub, call: &Call) -> Value {
    let (account, home) = (&call.account, hub.account.region());
    json!({
        "Name": "main",
        "TrailARN": format!("arn:aws:cloudtrail:{home}:{account}:trail/main"),
        "S3BucketName": hub.options.trail_bucket,
        "IncludeGlobalServiceEvents": true,
        "IsMultiRegionTrail": !hub.live().switches.trail_is_single_region,
        "HomeRegion": home,
        "LogFileValidationEnabled": true,
        "HasCustomEventSelectors": true,
        "HasInsightSelectors": false,
        "IsOrganizationTrail": false,
    })
}

/// Refuses a trail that is not there.
fn known(hub: &Hub, call: &Call, field: &str) -> Result<(), ApiError> {
    let name = call.json.get(field).and_then(Value::as_str).unwrap_or_default();
    let trail = trail(hub, call);
    let is_known = ["Name", "TrailARN"].iter().any(|key| trail[key] == name);
    if is_known { Ok(()) } else { Err(invalid("TrailNotFoundException", &format!("Unknown trail: {name}"))) }
}

fn selectors(hub: &Hub, call: &Call) -> Value {
    let live = hub.live();
    let excluded = live.switches.trail_excludes_kms || live.switches.kms_is_hidden;
    let kind = if live.switches.trail_is_write_only { "WriteOnly" } else { "All" };
    let excluded: &[&str] = if excluded { &["kms.amazonaws.com"] } else { &[] };
    drop(live);
    json!({
        "TrailARN": trail(hub, call)["TrailARN"],
        "EventSelectors": [{
            "ReadWriteType": kind,
            "IncludeManagementEvents": true,
            "DataResources": [],
            "ExcludeManagementEventSources": excluded,
        }],
    })
}
