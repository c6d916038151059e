//! Embedded Metric Format (CloudWatch User Guide, "Specification: Embedded metric format"): to standard output, or to the
//! CloudWatch agent's TCP port.

use exposure_core::metrics::Metric;
use serde_json::{Map, Value, json};

use super::{Tally, dimension_value};

/// One line for one period.
#[must_use]
pub fn line(namespace: &str, stack: &str, milliseconds: i64, log_group: Option<&str>, tally: &Tally) -> String {
    let mut document = Map::new();
    let mut metrics = Vec::new();
    let mut add = |metric: &Metric, value: Value| {
        metrics.push(json!({"Name": metric.name, "Unit": metric.unit.as_str()}));
        document.insert(metric.name.to_owned(), value);
    };
    for (metric, count) in tally.counts() {
        add(metric, json!(count));
    }
    // A metric that is named must have a value.
    for (metric, latencies) in tally.latencies().filter(|(_, latencies)| !latencies.is_empty()) {
        add(metric, json!(latencies));
    }
    let directive = json!({"Namespace": namespace, "Dimensions": [["Stack"]], "Metrics": metrics});
    let mut aws = json!({"Timestamp": milliseconds, "CloudWatchMetrics": [directive]});
    // The agent takes no document that names no group (same document, "Using the CloudWatch agent").
    if let (Some(group), Some(aws)) = (log_group, aws.as_object_mut()) {
        aws.insert("LogGroupName".to_owned(), json!(group));
    }
    document.insert("_aws".to_owned(), aws);
    document.insert("Stack".to_owned(), Value::String(dimension_value(stack)));
    Value::Object(document).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::tests::tally;

    #[test]
    fn a_line_names_what_it_holds_with_the_stack_alone_as_dimension() {
        let text = line("MigrationExposure", "Café", 1_778_540_700_000, Some("/lifecycle"), &tally());
        assert!(!text.contains('\n'));
        let line: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(line["_aws"]["Timestamp"], 1_778_540_700_000_i64);
        assert_eq!(line["_aws"]["LogGroupName"], "/lifecycle");
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            (&directive["Namespace"], &directive["Dimensions"]),
            (&json!("MigrationExposure"), &json!([["Stack"]]))
        );
        assert_eq!(line["Stack"], "Caf%C3%A9");
        let names: Vec<&str> =
            directive["Metrics"].as_array().expect("a list").iter().filter_map(|m| m["Name"].as_str()).collect();
        assert_eq!(names.len(), 7);
        for name in names {
            let value = &line[name];
            assert!(
                value.is_number() || value.as_array().is_some_and(|list| (1..=100).contains(&list.len())),
                "{name}"
            );
        }
        assert_eq!((&line["ImdsAbsent"], &line["ApiLatency"]), (&json!(2), &json!([250.0])));
        // Members: the directive, the stack, and the metrics. No instance.
        assert_eq!(line.as_object().expect("an object").len(), 9);
    }

    #[test]
    fn zeros_are_told_and_latencies_that_are_not_there_are_not_named() {
        let line: Value = serde_json::from_str(&line("N", "S", 0, None, &Tally::default())).expect("JSON");
        assert_eq!(line["FailOpen"], 0);
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().map(Vec::len), Some(5));
        assert!(line["_aws"].get("LogGroupName").is_none());
    }
}
