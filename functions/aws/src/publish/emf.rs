//! The second channel: the same data points in the log, in CloudWatch's Embedded Metric Format (CloudWatch User Guide,
//! "Specification: Embedded metric format"). CloudWatch Logs makes metrics of them, so that they survive a refusal of the
//! API. Where both get through, the same point is there twice, which is one number for `Maximum`.

use std::collections::BTreeMap;

use exposure_core::metrics::Datum;
use exposure_core::time::Timestamp;
use serde_json::{Map, Value, json};

use super::{STACK, dimension_value, is_sound};

/// The most metrics of one directive.
const METRICS: usize = 100;
/// The most bytes of a line that holds metrics. An event of CloudWatch Logs may have 256 KB by older documents, more by newer.
const LINE: usize = 240_000;

/// The data of one document, by metric.
type Part<'a> = BTreeMap<&'a str, &'a Datum>;

/// The data as lines of the log, each a JSON object of its own: one for each stack and one for the fleet, since a document
/// has one value for each dimension and metric. The record's members stand in the first line, unless its size would put
/// the metrics there at risk; then it has a line of its own. Members of the record that are called like a metric or the
/// dimension give way. Data that are no numbers are left out.
#[must_use]
pub fn emf(namespace: &str, data: &[Datum], record: Map<String, Value>) -> Vec<String> {
    let mut documents: BTreeMap<(Option<&str>, Timestamp), Vec<Part<'_>>> = BTreeMap::new();
    for datum in data.iter().filter(|datum| is_sound(datum)) {
        let parts = documents.entry((datum.stack.as_deref(), datum.at)).or_default();
        match parts.last_mut() {
            Some(part) if part.len() < METRICS && !part.contains_key(datum.metric.name) => {
                part.insert(datum.metric.name, datum);
            }
            _ => parts.push(BTreeMap::from([(datum.metric.name, datum)])),
        }
    }
    let mut documents: Vec<Map<String, Value>> = documents
        .iter()
        .flat_map(|((stack, at), parts)| parts.iter().map(|part| document(namespace, *stack, *at, part)))
        .collect();
    let alone = Value::Object(record.clone()).to_string();
    let size = documents.first().map_or(0, |first| Value::Object(first.clone()).to_string().len());
    match documents.first_mut() {
        Some(first) if alone.len() + size <= LINE => {
            for (name, value) in record {
                first.entry(name).or_insert(value);
            }
            documents.into_iter().map(|document| Value::Object(document).to_string()).collect()
        }
        _ => std::iter::once(alone)
            .chain(documents.into_iter().map(|document| Value::Object(document).to_string()))
            .collect(),
    }
}

/// A document of metrics that share stack and time.
fn document(namespace: &str, stack: Option<&str>, at: Timestamp, part: &Part<'_>) -> Map<String, Value> {
    let metrics: Vec<Value> =
        part.values().map(|datum| json!({"Name": datum.metric.name, "Unit": datum.metric.unit.as_str()})).collect();
    // An empty set is a metric without dimensions.
    let dimensions = if stack.is_some() { json!([[STACK]]) } else { json!([[]]) };
    let directive = json!({"Namespace": namespace, "Dimensions": dimensions, "Metrics": metrics});
    let mut document = Map::new();
    document.insert(
        "_aws".to_owned(),
        json!({"Timestamp": at.as_second().saturating_mul(1_000), "CloudWatchMetrics": [directive]}),
    );
    if let Some(stack) = stack {
        document.insert(STACK.to_owned(), Value::String(dimension_value(stack)));
    }
    for (name, datum) in part {
        document.insert((*name).to_owned(), json!(datum.value));
    }
    document
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::publish::tests::{datum, metric};

    /// What the specification demands of a document, and the metrics that it holds, as (stack, name, time, value).
    fn metrics_of(line: &str) -> Vec<(Option<String>, String, i64, f64)> {
        assert!(!line.contains('\n') && line.len() <= LINE + 20_000);
        let document: Value = serde_json::from_str(line).expect("JSON");
        let Some(aws) = document.get("_aws") else { return Vec::new() };
        let members: BTreeSet<&str> = aws.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(members, BTreeSet::from(["CloudWatchMetrics", "Timestamp"]));
        let mut found = Vec::new();
        for directive in aws["CloudWatchMetrics"].as_array().expect("directives") {
            let members: BTreeSet<&str> =
                directive.as_object().expect("an object").keys().map(String::as_str).collect();
            assert_eq!(members, BTreeSet::from(["Dimensions", "Metrics", "Namespace"]));
            assert!((1..=1_024).contains(&directive["Namespace"].as_str().expect("a namespace").len()));
            let dimensions = directive["Dimensions"].as_array().expect("sets");
            assert_eq!(dimensions.len(), 1, "one set, so that a datum is published once");
            let set = dimensions[0].as_array().expect("a set");
            let stack = set.first().map(|name| {
                let value = document[name.as_str().expect("a name")].as_str().expect("a text at the root").to_owned();
                assert!((1..=1_024).contains(&value.len()) && value.is_ascii());
                value
            });
            let metrics = directive["Metrics"].as_array().expect("metrics");
            assert!((1..=METRICS).contains(&metrics.len()));
            for metric in metrics {
                assert!(matches!(
                    metric["Unit"].as_str(),
                    Some("Count" | "Percent" | "Seconds" | "Milliseconds" | "Bytes" | "None")
                ));
                let name = metric["Name"].as_str().expect("a name");
                let value = document[name].as_f64().expect("a number at the root");
                found.push((stack.clone(), name.to_owned(), aws["Timestamp"].as_i64().expect("milliseconds"), value));
            }
        }
        found
    }

    fn record() -> Map<String, Value> {
        let record = json!({"schema": "migration-exposure/run/1", "outcome": "complete", "Members": "gives way"});
        record.as_object().expect("an object").clone()
    }

    #[test]
    fn every_datum_is_in_one_document_of_its_stack() {
        let data = [
            datum("Members", None, 5.0),
            datum("RunCompleted", None, 1.0),
            datum("Members", Some("Nighttime"), 3.0),
            datum("Members", Some("Café"), 2.0),
        ];
        let lines = emf("MigrationExposure", &data, record());
        assert_eq!(lines.len(), 3);
        let mut found: Vec<_> = lines.iter().flat_map(|line| metrics_of(line)).collect();
        found.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        let of = |stack: Option<&str>, name: &str, value| {
            (stack.map(str::to_owned), name.to_owned(), 1_778_540_700_000, value)
        };
        let expected = [
            of(None, "Members", 5.0),
            of(None, "RunCompleted", 1.0),
            of(Some("Caf%C3%A9"), "Members", 2.0),
            of(Some("Nighttime"), "Members", 3.0),
        ];
        assert_eq!(found, expected);
        let first: Value = serde_json::from_str(&lines[0]).expect("JSON");
        assert_eq!(
            (&first["outcome"], &first["Members"]),
            (&json!("complete"), &json!(5.0)),
            "the record is there too"
        );
        assert!(lines[1..].iter().all(|line| !line.contains("outcome")), "once");
    }

    #[test]
    fn times_repeated_names_and_many_metrics_have_documents_of_their_own() {
        let mut later = datum("Members", None, 6.0);
        later.at = Timestamp::from_second(later.at.as_second() + 300);
        let mut data = vec![datum("Members", None, 5.0), later, datum("Members", None, 7.0)];
        data.extend(
            (0..250).map(|n| Datum { metric: metric(&format!("Metric{n}")), ..datum("Members", None, f64::from(n)) }),
        );
        let lines = emf("MigrationExposure", &data, Map::new());
        assert_eq!(lines.iter().map(|line| metrics_of(line).len()).sum::<usize>(), data.len());
        assert!(lines.len() >= 4);
    }

    #[test]
    fn what_is_no_number_is_left_out_and_a_large_record_stands_alone() {
        let data = [datum("Members", None, f64::NAN), datum("Coverage", None, 100.0)];
        let large = Map::from_iter([("newMigrations".to_owned(), json!("x".repeat(LINE)))]);
        let lines = emf("MigrationExposure", &data, large);
        assert_eq!(lines.len(), 2);
        assert_eq!(metrics_of(&lines[1]).len(), 1);
        assert!(lines[0].contains("newMigrations") && !lines[1].contains("newMigrations"));
        assert_eq!(emf("MigrationExposure", &[], record()).len(), 1, "a record without data");
    }
}
