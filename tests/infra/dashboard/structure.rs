//! A dashboard's body, checked: `CloudWatch` API Reference, "Dashboard Body Structure and Syntax".

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::expression::{self, Kind, is_period, is_statistic};

/// What is wrong with a body; each with its widget's place in the list.
pub(crate) fn faults(body: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(members) = body.as_object() else { return vec!["the body is no object".to_owned()] };
    only(members, &["start", "end", "periodOverride", "widgets", "variables"], "the body", &mut faults);
    let start = regex::Regex::new(r"^-P(\d+[DWM]|T\d+[MH])$").expect("a pattern");
    if members.get("start").is_some_and(|value| !value.as_str().is_some_and(|text| start.is_match(text))) {
        faults.push("start is no time range".to_owned());
    }
    if members.get("periodOverride").is_some_and(|value| !["auto", "inherit"].contains(&value.as_str().unwrap_or(""))) {
        faults.push("periodOverride is neither auto nor inherit".to_owned());
    }
    let Some(widgets) = body["widgets"].as_array() else {
        faults.push("there is no list of widgets".to_owned());
        return faults;
    };
    if widgets.len() > 500 {
        faults.push("more than 500 widgets".to_owned());
    }
    let mut taken: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    for (number, widget) in widgets.iter().enumerate() {
        let mut of_widget = Vec::new();
        place(widget, number, &mut taken, &mut of_widget);
        properties(widget, &mut of_widget);
        faults.extend(of_widget.into_iter().map(|fault| format!("widget {number}: {fault}")));
    }
    faults
}

fn only(members: &Map<String, Value>, known: &[&str], what: &str, faults: &mut Vec<String>) {
    for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
        faults.push(format!("{what} has no member {name}"));
    }
}

/// Widgets have whole numbers within 24 columns, and no cell has two.
fn place(widget: &Value, number: usize, taken: &mut BTreeMap<(u64, u64), usize>, faults: &mut Vec<String>) {
    if let Some(members) = widget.as_object() {
        only(members, &["type", "x", "y", "width", "height", "properties"], "a widget", faults);
    }
    let side = |name: &str| widget[name].as_u64();
    let (Some(x), Some(y), Some(width), Some(height)) = (side("x"), side("y"), side("width"), side("height")) else {
        faults.push("x, y, width and height are whole numbers".to_owned());
        return;
    };
    if !(1..=24).contains(&width) || !(1..=1_000).contains(&height) {
        faults.push(format!("a size of {width} by {height}"));
    } else if x + width > 24 {
        faults.push("it leaves the 24 columns".to_owned());
    } else {
        let cells = (x..x + width).flat_map(|column| (y..y + height).map(move |row| (column, row)));
        let mut over: Vec<usize> = cells.filter_map(|cell| taken.insert(cell, number)).collect();
        over.dedup();
        faults.extend(over.iter().map(|other| format!("it lies over widget {other}")));
    }
}

fn properties(widget: &Value, faults: &mut Vec<String>) {
    let Some(properties) = widget["properties"].as_object() else {
        faults.push("it has no properties".to_owned());
        return;
    };
    let text = |name: &str| properties.get(name).and_then(Value::as_str);
    match widget["type"].as_str() {
        Some("text") => {
            only(properties, &["markdown", "background"], "a text", faults);
            if text("markdown").is_none_or(str::is_empty) {
                faults.push("a text without markdown".to_owned());
            }
        }
        Some("alarm") => {
            only(properties, &["alarms", "sortBy", "states", "title"], "an alarm widget", faults);
            let arns = properties.get("alarms").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let sound =
                arns.iter().all(|arn| arn.as_str().is_some_and(|arn| arn.split(':').nth(2) == Some("cloudwatch")));
            if !(1..=100).contains(&arns.len()) || !sound {
                faults.push("an alarm widget has 1 to 100 ARNs of alarms".to_owned());
            }
            if !["default", "stateUpdatedTimestamp", "timestamp"].contains(&text("sortBy").unwrap_or("default")) {
                faults.push("sortBy is unknown".to_owned());
            }
        }
        Some("log") => log(properties, faults),
        Some("metric") => metric(properties, faults),
        kind => faults.push(format!("{kind:?} is no type")),
    }
}

fn log(properties: &Map<String, Value>, faults: &mut Vec<String>) {
    only(properties, &["accountId", "region", "title", "query", "view"], "a log widget", faults);
    region(properties, faults);
    let query = properties.get("query").and_then(Value::as_str).unwrap_or_default();
    let shape = r"^SOURCE '[A-Za-z0-9_\-/.#]{1,512}' \| [a-z].*(\n\| [a-z].*)*$";
    if !regex::Regex::new(shape).expect("a pattern").is_match(query) {
        faults.push("a query names its log group first, and each command after it has a line".to_owned());
    }
    let view = properties.get("view").map_or(Some("table"), Value::as_str);
    if !["table", "timeSeries", "bar", "pie"].contains(&view.unwrap_or_default()) {
        faults.push("the view is unknown".to_owned());
    }
}

fn region(properties: &Map<String, Value>, faults: &mut Vec<String>) {
    let name = properties.get("region").and_then(Value::as_str).unwrap_or_default();
    if !regex::Regex::new(r"^[a-z]{2}(-[a-z]+)+-\d$").expect("a pattern").is_match(name) {
        faults.push("it has no region".to_owned());
    }
}

fn metric(properties: &Map<String, Value>, faults: &mut Vec<String>) {
    const KNOWN: [&str; 14] = [
        "accountId",
        "annotations",
        "liveData",
        "legend",
        "metrics",
        "period",
        "region",
        "stacked",
        "stat",
        "timezone",
        "title",
        "view",
        "yAxis",
        "sparkline",
    ];
    only(properties, &KNOWN, "a metric widget", faults);
    region(properties, faults);
    if let Err(fault) = is_period(properties.get("period").map_or(300, |period| period.as_u64().unwrap_or_default())) {
        faults.push(fault);
    }
    if let Some(Err(fault)) = properties.get("stat").map(|stat| is_statistic(stat.as_str().unwrap_or_default())) {
        faults.push(fault);
    }
    let view = properties.get("view").map_or(Some("timeSeries"), Value::as_str).unwrap_or_default();
    if !["timeSeries", "singleValue", "gauge", "bar", "pie", "table"].contains(&view) {
        faults.push("the view is unknown".to_owned());
    }
    axes(properties, faults);
    let annotations = properties.get("annotations").and_then(|all| all["horizontal"].as_array());
    if annotations.into_iter().flatten().any(|one| !one["value"].is_number()) {
        faults.push("an annotation without its value".to_owned());
    }
    match properties.get("metrics").and_then(Value::as_array) {
        Some(rows) if (1..=500).contains(&rows.len()) => self::rows(rows, faults),
        _ => faults.push("a metric widget has 1 to 500 metrics".to_owned()),
    }
}

fn axes(properties: &Map<String, Value>, faults: &mut Vec<String>) {
    for (side, axis) in properties.get("yAxis").and_then(Value::as_object).into_iter().flatten() {
        let known = ["left", "right"].contains(&side.as_str());
        let members = axis.as_object().cloned().unwrap_or_default();
        let sound = members.iter().all(|(name, value)| match name.as_str() {
            "min" | "max" => value.is_number(),
            "label" => value.is_string(),
            "showUnits" => value.is_boolean(),
            _ => false,
        });
        if !known || !sound {
            faults.push(format!("the axis {side} is not well formed"));
        }
    }
}

/// Every row is a metric with its options, or an expression; IDs are unique, and what they stand for is known before it is
/// used.
fn rows(rows: &[Value], faults: &mut Vec<String>) {
    let mut known: BTreeMap<String, Kind> = BTreeMap::new();
    let id_shape = regex::Regex::new("^[a-z][A-Za-z0-9_]*$").expect("a pattern");
    let mut visible = 0;
    for row in rows {
        let cells = row.as_array().map_or(&[][..], Vec::as_slice);
        let (texts, options) = match cells.split_last() {
            Some((Value::Object(options), texts)) => (texts, options.clone()),
            _ => (cells, Map::new()),
        };
        options_of(&options, faults);
        let kind = if let Some(text) = options.get("expression").map(|text| text.as_str().unwrap_or_default()) {
            if !texts.is_empty() {
                faults.push("an expression stands alone in its row".to_owned());
            }
            expression::check(text, &known).unwrap_or_else(|fault| {
                faults.push(format!("{text}: {fault}"));
                Kind::Series
            })
        } else {
            // Namespace, name, and pairs of a dimension and its value.
            let named = texts.len() >= 2 && texts.len().is_multiple_of(2);
            if !named || !texts.iter().all(|text| text.as_str().is_some_and(|text| !text.is_empty())) {
                faults.push(format!("{row} is no metric"));
            }
            Kind::Series
        };
        if let Some(id) = options.get("id").map(|id| id.as_str().unwrap_or_default()) {
            if !id_shape.is_match(id) {
                faults.push(format!("{id:?} is no ID"));
            }
            if known.insert(id.to_owned(), kind).is_some() {
                faults.push(format!("the ID {id} stands twice"));
            }
        }
        visible += usize::from(options.get("visible") != Some(&Value::Bool(false)));
    }
    if visible == 0 {
        faults.push("nothing is drawn".to_owned());
    }
}

fn options_of(options: &Map<String, Value>, faults: &mut Vec<String>) {
    let colour = regex::Regex::new("^#[0-9a-f]{6}$").expect("a pattern");
    for (name, value) in options {
        let text = value.as_str();
        let sound = match name.as_str() {
            "expression" | "id" | "label" => text.is_some(),
            "color" => text.is_some_and(|text| colour.is_match(text)),
            "period" => value.as_u64().is_some_and(|seconds| is_period(seconds).is_ok()),
            "stat" => text.is_some_and(|text| is_statistic(text).is_ok()),
            "visible" => value.is_boolean(),
            "yAxis" => ["left", "right"].contains(&text.unwrap_or_default()),
            _ => false,
        };
        if !sound {
            faults.push(format!("the option {name} is not well formed"));
        }
    }
}
