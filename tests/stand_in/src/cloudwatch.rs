//! CloudWatch: takes `PutMetricData` in rpc-v2-cbor and keeps what it took.
//!
//! Amazon CloudWatch API Reference, `PutMetricData`, `MetricDatum`, `Dimension`: one error for the whole request.

use serde::{Deserialize, Serialize};

use crate::cbor::{self, Value};
use crate::gzip;
use crate::http::Response;
use crate::hub::{Hub, unknown_operation};
use crate::wire::{Answer, ApiError, Call};

const LARGEST_REQUEST: usize = 1 << 20;
const MOST_DATA: usize = 1000;
const MOST_DIMENSIONS: usize = 30;
const MOST_VALUES: usize = 150;
/// Two weeks back, two hours ahead, in seconds.
const TIMES: (i64, i64) = (-14 * 86_400, 2 * 3600);

/// A datum that was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Datum {
    /// The request that brought it; counts from 1.
    pub request: u64,
    /// The stand-in's clock when it came, in seconds of the Unix epoch.
    pub received: i64,
    /// The account that it was put in.
    pub account: String,
    /// The region that it was put in.
    pub region: String,
    /// The namespace.
    pub namespace: String,
    /// The name of the metric.
    pub name: String,
    /// Names and values of the dimensions, sorted.
    pub dimensions: Vec<(String, String)>,
    /// Seconds of the Unix epoch.
    pub timestamp: i64,
    /// The unit; empty if there is none.
    pub unit: String,
    /// The values; of a statistic set its maximum.
    pub values: Vec<f64>,
    /// How often each value occurs.
    pub counts: Vec<f64>,
}

pub(crate) fn answer(hub: &Hub, call: &Call) -> Answer {
    if call.operation != "PutMetricData" {
        return Err(unknown_operation(call));
    }
    if call.request.header("smithy-protocol") != Some("rpc-v2-cbor") {
        return Err(ApiError::new(400, "UnknownOperationException", "this protocol is not spoken here"));
    }
    let body = &call.request.body;
    let unpacked;
    let body = if call.request.header("content-encoding") == Some("gzip") {
        unpacked = gzip::unpack(body).map_err(|error| invalid(&format!("the body is not gzip: {error}")))?;
        &unpacked
    } else {
        body
    };
    // AWS limits the body of the POST; its text is the stricter measure.
    if body.len() > LARGEST_REQUEST {
        return Err(ApiError::new(413, "RequestEntityTooLarge", "The request is larger than 1 MB"));
    }
    let value = cbor::read(body).map_err(|error| ApiError::new(400, "SerializationException", error.to_string()))?;
    let mut live = hub.live();
    let now = live.now();
    let mut data = take(&value, call, now)?;
    let request = live.metrics.last().map_or(0, |datum| datum.request) + 1;
    for datum in &mut data {
        datum.request = request;
    }
    live.metrics.extend(data);
    Ok(Response::new(200, "application/cbor", cbor::map(&[])).with("smithy-protocol", "rpc-v2-cbor"))
}

fn take(value: &Value, call: &Call, now: i64) -> Result<Vec<Datum>, ApiError> {
    let namespace = value.get("Namespace").and_then(Value::text).unwrap_or_default();
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/#: ".contains(c);
    if namespace.is_empty() {
        return Err(ApiError::new(400, "MissingParameter", "The parameter Namespace is required."));
    }
    if namespace.len() > 255 || !namespace.chars().all(is_allowed) || namespace.starts_with([':', ' ']) {
        return Err(invalid("The value for the parameter Namespace is invalid."));
    }
    if namespace.starts_with("AWS/") {
        return Err(invalid("The value AWS/ for parameter Namespace is invalid."));
    }
    let data = value.get("MetricData").map_or(&[][..], Value::list);
    if data.is_empty() {
        return Err(ApiError::new(400, "MissingParameter", "The parameter MetricData is required."));
    }
    if data.len() > MOST_DATA {
        return Err(invalid("The collection MetricData must not have a size greater than 1000."));
    }
    data.iter()
        .enumerate()
        .map(|(index, row)| {
            let datum = datum(row, namespace, call, now);
            datum.map_err(|what| invalid(&format!("The parameter MetricData.member.{}.{what}", index + 1)))
        })
        .collect()
}

fn datum(row: &Value, namespace: &str, call: &Call, now: i64) -> Result<Datum, String> {
    let text = |key: &str| row.get(key).and_then(Value::text).unwrap_or_default();
    let name = text("MetricName");
    if name.is_empty() || name.len() > 255 || !name.is_ascii() {
        return Err("MetricName is invalid.".into());
    }
    let timestamp = match row.get("Timestamp").and_then(Value::number) {
        None => now,
        Some(second) => whole(second)
            .filter(|second| (TIMES.0..=TIMES.1).contains(&(second - now)))
            .ok_or("Timestamp must specify a time within the past two weeks and the next two hours.")?,
    };
    let (values, counts) = values(row)?;
    Ok(Datum {
        request: 0,
        received: now,
        account: call.account.clone(),
        region: call.region.clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        dimensions: dimensions(row)?,
        timestamp,
        unit: unit(text("Unit"))?,
        values,
        counts,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "it is in range")]
fn whole(second: f64) -> Option<i64> {
    (second.is_finite() && second.abs() < 1e12).then(|| second.floor() as i64)
}

fn dimensions(row: &Value) -> Result<Vec<(String, String)>, String> {
    let list = row.get("Dimensions").map_or(&[][..], Value::list);
    if list.len() > MOST_DIMENSIONS {
        return Err("Dimensions must not have a size greater than 30.".into());
    }
    let mut dimensions = Vec::new();
    for dimension in list {
        let text = |key: &str| dimension.get(key).and_then(Value::text).unwrap_or_default().to_owned();
        let (name, value) = (text("Name"), text("Value"));
        let is_good = |text: &str, longest: usize| {
            text.is_ascii() && text.len() <= longest && !text.trim().is_empty() && !text.contains(char::is_control)
        };
        if !is_good(&name, 255) || name.starts_with(':') {
            return Err("Dimensions: Name is invalid.".into());
        }
        if !is_good(&value, 1024) {
            return Err(format!("Dimensions: Value of {name} is invalid."));
        }
        if dimensions.iter().any(|(known, _)| *known == name) {
            return Err(format!("Dimensions: {name} occurs twice."));
        }
        dimensions.push((name, value));
    }
    dimensions.sort();
    Ok(dimensions)
}

fn values(row: &Value) -> Result<(Vec<f64>, Vec<f64>), String> {
    let (value, list, set) = (row.get("Value"), row.get("Values"), row.get("StatisticValues"));
    let numbers = |list: &Value| list.list().iter().filter_map(Value::number).collect::<Vec<_>>();
    let (values, counts) = match (value.and_then(Value::number), list, set) {
        (Some(value), None, None) => (vec![value], vec![1.0]),
        (None, Some(list), None) => {
            let values = numbers(list);
            let counts = row.get("Counts").map_or_else(|| vec![1.0; values.len()], numbers);
            (values, counts)
        }
        (None, None, Some(set)) => {
            let field = |key: &str| set.get(key).and_then(Value::number).ok_or_else(|| format!("{key} is required."));
            let (_, _) = (field("Sum")?, field("Minimum")?);
            (vec![field("Maximum")?], vec![field("SampleCount")?])
        }
        (None, None, None) => return Err("Value is required.".into()),
        _ => return Err("Value, Values and StatisticValues are mutually exclusive.".into()),
    };
    if values.is_empty() || values.len() > MOST_VALUES || values.len() != counts.len() {
        return Err("Values: between 1 and 150, and as many Counts.".into());
    }
    let limit = 2_f64.powi(360);
    if values.iter().chain(&counts).any(|value| !value.is_finite() || value.abs() > limit) {
        return Err("Value is not a finite number of the supported range.".into());
    }
    Ok((values, counts))
}

fn unit(unit: &str) -> Result<String, String> {
    const UNITS: &str = "Seconds Microseconds Milliseconds Bytes Kilobytes Megabytes Gigabytes Terabytes Bits Kilobits \
                         Megabits Gigabits Terabits Percent Count Bytes/Second Kilobytes/Second Megabytes/Second \
                         Gigabytes/Second Terabytes/Second Bits/Second Kilobits/Second Megabits/Second \
                         Gigabits/Second Terabits/Second Count/Second None";
    if unit.is_empty() || UNITS.split_whitespace().any(|known| known == unit) {
        Ok(unit.to_owned())
    } else {
        Err("Unit is invalid.".into())
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(400, "InvalidParameterValue", message)
}
