use std::collections::BTreeSet;

use super::*;
use crate::metrics::CATALOGUE;

fn dashboard() -> Dashboard {
    Dashboard { log_group: Some("/aws/lambda/analyzer".to_owned()), ..Dashboard::default() }
}

/// The names of metrics, as rows and searches give them.
fn names(body: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for widget in body["widgets"].as_array().expect("widgets") {
        for row in widget["properties"]["metrics"].as_array().into_iter().flatten() {
            if let Some(name) = row[1].as_str() {
                names.insert(name.to_owned());
            }
            let searched = row[0]["expression"].as_str().unwrap_or_default().split("MetricName=\"").skip(1);
            names.extend(searched.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    names
}

#[test]
fn every_metric_of_the_catalogue_stands_on_it_and_no_other() {
    let expected: BTreeSet<String> = CATALOGUE.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(names(&dashboard().body()), expected);
}

#[test]
fn the_text_is_the_body_and_each_row_stands_on_a_line() {
    let dashboard = dashboard();
    let text = dashboard.text();
    let read: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(read, dashboard.body());
    let rows: usize = dashboard.body()["widgets"]
        .as_array()
        .expect("widgets")
        .iter()
        .map(|widget| widget["properties"]["metrics"].as_array().map_or(0, Vec::len))
        .sum();
    assert!(rows > 100);
    let lines = text.lines().filter(|line| line.trim_start().starts_with('[')).count();
    assert!(lines >= rows, "{lines} lines of {rows} rows");
}

#[test]
fn a_stack_is_named_as_its_dimension_and_labelled_as_it_is() {
    let mut dashboard = dashboard();
    dashboard.stacks = vec!["Café (\"x\")".to_owned(), "it's".to_owned()];
    let body = dashboard.body().to_string();
    let value = json!("Caf%C3%A9 (\"x\")").to_string();
    assert!(body.contains(&format!("\"Stack\",{value},{{")), "{body}");
    assert!(body.contains(&json!("Café (\"x\")").to_string()));
    let search = dashboard.search(&crate::metrics::MEMBERS, 300, true);
    let expected = "SEARCH('{\"MigrationExposure\",Stack} MetricName=\"Members\" \
                    NOT Stack=\"Caf%C3%A9 \\(\\\"x\\\"\\)\"', 'Maximum', 300)";
    assert_eq!(search, expected, "a quote that would end the search is left out");
    dashboard.stacks = (0..200).map(|n| format!("stack number {n}")).collect();
    let search = dashboard.search(&crate::metrics::MEMBERS, 300, true);
    assert!(search.len() < 1_024 + 50 && search.contains("number 10"), "{}", search.len());
}

#[test]
fn what_is_not_given_is_not_asked_for() {
    let mut dashboard = dashboard();
    let kinds = |dashboard: &Dashboard| {
        let body = dashboard.body();
        let widgets = body["widgets"].as_array().expect("widgets").iter();
        widgets.map(|widget| widget["type"].as_str().expect("a type").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&dashboard).iter().filter(|kind| *kind == "log").count(), 4);
    assert!(!kinds(&dashboard).contains(&"alarm".to_owned()));
    dashboard.alarm_arns = vec!["arn:aws:cloudwatch:us-east-1:111122223333:alarm:a".to_owned()];
    dashboard.log_group = None;
    assert_eq!(kinds(&dashboard).first().map(String::as_str), Some("alarm"));
    assert!(!kinds(&dashboard).contains(&"log".to_owned()));
}
