//! The widgets and their places.

use serde_json::{Map, Value, json};

use super::rows::{DAY, HOUR, expression, others};
use super::{Dashboard, words};
use crate::metrics;

/// Left, top, width, height.
type Place = [u64; 4];

/// Every widget, from top to bottom.
pub(super) fn all(of: &Dashboard) -> Vec<Value> {
    let mut widgets = vec![alarms(of), now(of), text([18, 6, 6, 14], &words::how_to_read())];
    widgets.extend(exposure(of));
    widgets.push(text([0, 20, 24, 1], words::COMPARISON));
    widgets.extend(comparison(of));
    widgets.extend(hours_of_day(of));
    widgets.push(text([0, 34, 24, 1], words::HEALTH));
    widgets.extend(health(of));
    widgets.push(text([0, 47, 24, 1], words::EVIDENCE));
    widgets.extend(instances(of));
    widgets.extend(log(of));
    widgets
}

fn widget(kind: &str, [x, y, width, height]: Place, properties: Value) -> Value {
    let mut widget = Map::new();
    for (name, value) in [("x", x), ("y", y), ("width", width), ("height", height)] {
        widget.insert(name.to_owned(), json!(value));
    }
    widget.insert("type".to_owned(), json!(kind));
    widget.insert("properties".to_owned(), properties);
    Value::Object(widget)
}

fn text(place: Place, markdown: &str) -> Value {
    widget("text", place, json!({"markdown": markdown}))
}

impl Dashboard {
    /// A widget of metrics. `more` adds to its properties.
    fn graph(&self, place: Place, title: &str, view: &str, metrics: Vec<Value>, more: Value) -> Value {
        let mut properties = json!({
            "title": title,
            "view": view,
            "region": self.region,
            "stat": "Maximum",
            "period": self.period_seconds,
        });
        if let (Value::Object(properties), Value::Object(more)) = (&mut properties, more) {
            properties.insert("metrics".to_owned(), Value::Array(metrics));
            properties.extend(more);
        }
        widget("metric", place, properties)
    }
}

/// A left axis that begins at zero.
fn from_zero(label: &str) -> Value {
    json!({"yAxis": {"left": {"min": 0, "label": label, "showUnits": false}}})
}

fn percent() -> Value {
    json!({"yAxis": {"left": {"min": 0, "max": 100, "label": "%", "showUnits": false}}})
}

fn stacked(label: &str) -> Value {
    json!({"stacked": true, "yAxis": {"left": {"min": 0, "label": label, "showUnits": false}}})
}

/// The same place with alarms and without: nothing below moves.
fn alarms(of: &Dashboard) -> Value {
    const PLACE: Place = [0, 0, 24, 3];
    if of.alarm_arns.is_empty() {
        return text(PLACE, words::NO_ALARMS);
    }
    // CloudWatch API Reference: an alarm widget takes 1 to 100.
    let arns: Vec<&String> = of.alarm_arns.iter().take(100).collect();
    let properties = json!({"title": "Alarms", "alarms": arns, "sortBy": "stateUpdatedTimestamp"});
    widget("alarm", PLACE, properties)
}

fn now(of: &Dashboard) -> Value {
    let rows = vec![
        of.fleet(&metrics::MEMBERS, "members", json!({"color": "#546e7a"})),
        of.fleet(&metrics::MEMBERS_EXPOSED, "exposed", json!({"color": "#d32f2f"})),
        of.fleet(&metrics::WORST_STACK_EXPOSED_PERCENT, "worst stack, %", json!({"color": "#d32f2f"})),
        of.fleet(&metrics::WORST_STACK_UNMITIGATED_PERCENT, "worst unmitigated, %", json!({"color": "#d32f2f"})),
        of.hidden(&metrics::OLDEST_EXPOSURE_AGE, "age", of.period_seconds),
        expression("oldest", "age / 3600", "oldest exposure, h", json!({"color": "#d32f2f"})),
        of.fleet(&metrics::MEMBERS_UNDETERMINED, "undetermined", json!({"color": "#f9a825"})),
        of.fleet(&metrics::MEMBERS_UNSEEN, "unseen", json!({"color": "#9e9e9e"})),
        of.fleet(&metrics::COVERAGE, "coverage, %", json!({"color": "#2e7d32"})),
        of.fleet(&metrics::SOURCE_BLIND, "blind places", json!({"color": "#2e7d32"})),
        of.fleet(&metrics::RUN_COMPLETED, "last run whole", json!({"color": "#2e7d32"})),
    ];
    of.graph([0, 3, 24, 3], "Now, the whole fleet", "singleValue", rows, json!({}))
}

fn exposure(of: &Dashboard) -> [Value; 4] {
    let mut counted: Vec<Value> = Vec::new();
    for stack in of.listed() {
        counted.push(of.hidden_of(&stack, &metrics::MIGRATIONS_TOTAL, "m", HOUR));
        counted.push(stack.expression("d", &format!("DIFF(m{})", stack.number), json!({"period": HOUR})));
    }
    counted.push(others(&format!("DIFF({})", of.search(&metrics::MIGRATIONS_TOTAL, HOUR, true))));
    let line = |metric, place, title, axis| of.graph(place, title, "timeSeries", of.by_stack(metric), axis);
    [
        line(&metrics::EXPOSED_PERCENT, [0, 6, 9, 7], "Exposed share by stack", percent()),
        line(&metrics::MEMBERS_EXPOSED, [9, 6, 9, 7], "Exposed members by stack", from_zero("members")),
        of.graph([0, 13, 9, 7], "Migrations by stack and hour", "timeSeries", counted, stacked("migrations")),
        line(&metrics::MEMBERS_IN_SERVICE, [9, 13, 9, 7], "In service by stack", from_zero("instances")),
    ]
}

/// Counts beside rates. Sums over the time shown are series of one value, so that a bar shows them whatever point it takes.
fn comparison(of: &Dashboard) -> [Value; 4] {
    let (mut counts, mut hours, mut rates, mut daily) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for stack in of.listed() {
        let n = stack.number;
        let migrations = |period| of.hidden_of(&stack, &metrics::MIGRATIONS_TOTAL, "m", period);
        let in_service = |period| of.hidden_of(&stack, &metrics::INSTANCE_HOURS_TOTAL, "h", period);
        let sum = |id: &str| format!("TIME_SERIES(SUM(DIFF({id}{n})))");
        counts.extend([migrations(HOUR), stack.expression("c", &sum("m"), json!({"period": HOUR}))]);
        hours.extend([in_service(HOUR), stack.expression("t", &sum("h"), json!({"period": HOUR}))]);
        let rate = format!("1000 * {} / {}", sum("m"), sum("h"));
        rates.extend([migrations(HOUR), in_service(HOUR), stack.expression("r", &rate, json!({"period": HOUR}))]);
        let rate = format!("1000 * DIFF(m{n}) / DIFF(h{n})");
        daily.extend([migrations(DAY), in_service(DAY), stack.expression("r", &rate, json!({"period": DAY}))]);
    }
    let bars = |place, title, rows, axis| of.graph(place, title, "bar", rows, from_zero(axis));
    [
        bars([0, 21, 5, 7], "Raw count, time shown", counts, "migrations"),
        bars([5, 21, 5, 7], "Instance-hours, time shown", hours, "hours"),
        bars([10, 21, 5, 7], "Fair rate, time shown", rates, "per 1,000 instance-hours"),
        of.graph([15, 21, 9, 7], "Fair rate by day", "timeSeries", daily, from_zero("per 1,000 instance-hours")),
    ]
}

/// When in the day: of the fleet by the hour, of the listed stacks by three. What was found late has no true hour.
fn hours_of_day(of: &Dashboard) -> [Value; 3] {
    let on_time = expression("c", "DIFF(m) - DIFF(b)", "", json!({"period": HOUR, "visible": false}));
    let sources = [
        of.hidden(&metrics::MIGRATIONS_TOTAL, "m", HOUR),
        of.hidden(&metrics::MIGRATIONS_BACKFILLED_TOTAL, "b", HOUR),
        on_time,
    ];
    let mut shares = sources.to_vec();
    let mut rates = sources.to_vec();
    rates.push(of.hidden(&metrics::INSTANCE_HOURS_TOTAL, "h", HOUR));
    rates.push(expression("e", "DIFF(h)", "", json!({"period": HOUR, "visible": false})));
    for hour in 0..24 {
        let of_hour = |id: &str| format!("TIME_SERIES(SUM(IF(HOUR(m) == {hour}, {id}, 0)))");
        let options = json!({"period": HOUR, "color": "#546e7a"});
        let share = format!("100 * {} / TIME_SERIES(SUM(c))", of_hour("c"));
        shares.push(expression(&format!("share_{hour:02}"), &share, &format!("{hour:02}"), options.clone()));
        let rate = format!("1000 * {} / {}", of_hour("c"), of_hour("e"));
        rates.push(expression(&format!("rate_{hour:02}"), &rate, &format!("{hour:02}"), options));
    }
    let mut blocks = Vec::new();
    for stack in of.listed() {
        let n = stack.number;
        blocks.push(of.hidden_of(&stack, &metrics::MIGRATIONS_TOTAL, "m", HOUR));
        blocks.push(of.hidden_of(&stack, &metrics::MIGRATIONS_BACKFILLED_TOTAL, "b", HOUR));
        let on_time = format!("DIFF(m{n}) - DIFF(b{n})");
        blocks.push(stack.expression("c", &on_time, json!({"period": HOUR, "visible": false})));
        for block in 0..8 {
            let of_block = format!("IF(FLOOR(HOUR(m{n}) / 3) == {block}, c{n}, 0)");
            let share = format!("100 * TIME_SERIES(SUM({of_block})) / TIME_SERIES(SUM(c{n}))");
            let label = stack.label(&format!("{:02}-{:02}", 3 * block, 3 * block + 3));
            let row = json!({"id": format!("s{n}_{block}"), "label": label, "period": HOUR});
            blocks.push(stack.expression("", &share, row));
        }
    }
    let bars = |place, title, rows, axis| of.graph(place, title, "bar", rows, from_zero(axis));
    [
        bars([0, 28, 8, 6], "Share of migrations by hour of day, UTC, fleet", shares, "%"),
        bars([8, 28, 8, 6], "Rate by hour of day, UTC, fleet", rates, "per 1,000 instance-hours"),
        bars([16, 28, 8, 6], "Share of a stack's migrations by time of day, UTC", blocks, "%"),
    ]
}

fn health(of: &Dashboard) -> Vec<Value> {
    let fleet = |metric, label| of.fleet(metric, label, json!({}));
    let right = |metric, label| of.fleet(metric, label, json!({"yAxis": "right"}));
    let alarming = json!({"annotations": {"horizontal": [
        {"value": 1, "label": "blind: a zero means nothing", "color": "#d32f2f", "fill": "above", "yAxis": "right"}
    ]}, "yAxis": {"left": {"min": 0, "max": 1.5, "showUnits": false}, "right": {"min": 0, "showUnits": false}}});
    let by_day = |metric, id: &str, label| {
        let total = of.hidden(metric, id, DAY);
        [total, expression(&format!("{id}_day"), &format!("DIFF({id})"), label, json!({"period": DAY}))]
    };
    let honest = [
        by_day(&metrics::MIGRATIONS_RETRACTED_TOTAL, "retracted", "taken back"),
        by_day(&metrics::MIGRATIONS_BACKFILLED_TOTAL, "backfilled", "found over 24 h late"),
        by_day(&metrics::PARTIAL_REATTACHMENTS_TOTAL, "partial", "some volumes only"),
    ];
    let graph = |place, title, rows, more| of.graph(place, title, "timeSeries", rows, more);
    let both = json!({"yAxis": {"left": {"min": 0, "showUnits": false}, "right": {"min": 0, "showUnits": false}}});
    vec![
        graph(
            [0, 35, 8, 6],
            "Runs whole (left); blind and failed places (right)",
            vec![
                fleet(&metrics::RUN_COMPLETED, "run whole"),
                right(&metrics::SOURCE_BLIND, "blind"),
                right(&metrics::TARGETS_FAILED, "failed"),
            ],
            alarming,
        ),
        graph(
            [8, 35, 8, 6],
            "Coverage, work and budget",
            vec![
                fleet(&metrics::COVERAGE, "coverage"),
                fleet(&metrics::WORK_COMPLETED, "work completed"),
                fleet(&metrics::SOURCE_BUDGET_USED, "budget used"),
            ],
            percent(),
        ),
        graph(
            [16, 35, 8, 6],
            "Behind by seconds (left); late records (right)",
            vec![fleet(&metrics::EVENT_LAG, "event lag, s"), right(&metrics::LATE_EVENTS, "late records")],
            both.clone(),
        ),
        graph(
            [0, 41, 8, 6],
            "Requests (left); throttled and refused (right)",
            vec![
                fleet(&metrics::SOURCE_REQUESTS, "requests"),
                right(&metrics::SOURCE_THROTTLED, "throttled"),
                right(&metrics::MALFORMED_RECORDS, "malformed records"),
                right(&metrics::METRICS_REJECTED, "metrics refused"),
            ],
            both.clone(),
        ),
        graph(
            [8, 41, 8, 6],
            "Duration in ms (left); state in bytes (right)",
            vec![fleet(&metrics::RUN_DURATION, "duration"), right(&metrics::STATE_BYTES, "state")],
            both,
        ),
        graph([16, 41, 8, 6], "Counted, with a reservation, by day", honest.concat(), from_zero("migrations")),
    ]
}

/// The on-instance check over what the analyzer expects of it.
fn instances(of: &Dashboard) -> Vec<Value> {
    let period = of.period_seconds;
    let sum = |metric, id, label, color| {
        let all = format!("SUM({})", of.search(metric, period, false));
        expression(id, &all, label, json!({"yAxis": "right", "color": color}))
    };
    let mut overlay = of.by_stack(&metrics::MEMBERS_EXPOSED);
    overlay.extend([
        sum(&metrics::IMDS_ABSENT, "absent", "IMDS answered 404", "#d32f2f"),
        sum(&metrics::API_FALLBACK, "fallback", "API asked instead", "#0288d1"),
        sum(&metrics::FAIL_OPEN, "open", "assumed InService", "#000000"),
    ]);
    let axes = json!({"yAxis": {
        "left": {"min": 0, "label": "exposed members (analyzer)", "showUnits": false},
        "right": {"min": 0, "label": "answers (instances)", "showUnits": false},
    }});
    let title = "Exposed by the analyzer (left); what the on-instance check met (right)";
    let found = |metric, id, what: &str, axis| {
        expression(id, &of.search(metric, period, false), &format!("{what} ${{PROP('Dim.Stack')}}"), axis)
    };
    let trouble = vec![
        found(&metrics::IMDS_UNREACHABLE, "unreachable", "IMDS unreachable", json!({})),
        found(&metrics::API_FALLBACK_FAILED, "failed", "API failed", json!({})),
        found(&metrics::IMDS_LATENCY, "imds", "IMDS ms", json!({"yAxis": "right"})),
        found(&metrics::API_LATENCY, "api", "API ms", json!({"yAxis": "right"})),
    ];
    let verdicts = vec![
        of.fleet(&metrics::MEMBERS_EXPOSED, "exposed", json!({"color": "#d32f2f"})),
        of.fleet(&metrics::MEMBERS_EXPOSED_MITIGATED, "exposed, mitigated", json!({"color": "#f57c00"})),
        of.fleet(&metrics::MEMBERS_UNDETERMINED, "undetermined", json!({"color": "#fbc02d"})),
        of.fleet(&metrics::MEMBERS_RECOVERED, "recovered", json!({"color": "#2e7d32"})),
        of.fleet(&metrics::MEMBERS_UNSEEN, "unseen", json!({"color": "#9e9e9e"})),
    ];
    let mut oldest = of.by_stack(&metrics::OLDEST_EXPOSURE_AGE);
    oldest.push(of.fleet(&metrics::WORST_STACK_EXPOSED_PERCENT, "worst stack, %", json!({"yAxis": "right"})));
    let graph = |place, title, rows, more| of.graph(place, title, "timeSeries", rows, more);
    vec![
        graph([0, 48, 12, 8], title, overlay, axes),
        graph([12, 48, 6, 8], "Not clean, the whole fleet", verdicts, stacked("members")),
        graph([18, 48, 6, 8], "Trouble on instances (left); ms (right)", trouble, from_zero("answers")),
        graph([0, 56, 8, 7], "Oldest exposure by stack", oldest, from_zero("seconds")),
    ]
}

fn log(of: &Dashboard) -> Vec<Value> {
    let Some(group) = &of.log_group else { return Vec::new() };
    let table = |place, title, query: &str| {
        let query = format!("SOURCE '{group}' | {query}");
        widget("log", place, json!({"title": title, "region": of.region, "query": query, "view": "table"}))
    };
    vec![
        table([8, 56, 16, 7], "Latest migrations and their evidence", words::LATEST),
        table([0, 63, 8, 6], "Migrations by hour of day, UTC, as they happened", words::BY_HOUR),
        table([8, 63, 8, 6], "Runs that were not whole", words::INCOMPLETE),
        table([16, 63, 8, 6], "Problems", words::PROBLEMS),
    ]
}
