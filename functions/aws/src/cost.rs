//! What a month of the analyzer costs at list prices: from the data points, requests and seconds that its runs make.

use std::collections::{BTreeMap, BTreeSet};

use exposure_core::alarms::{COMPOSITES, Line, METRIC_ALARMS, Scope};
use exposure_core::analysis::{Accounting, Analysis, Coverage, SCHEMA, StackRow, Window};
use exposure_core::figures::{Health, figures};
use exposure_core::time::Timestamp;
use serde::Serialize;

use crate::settings::SourceKind;

/// Days of a month.
const DAYS: f64 = 30.0;
/// The most data points of one `PutMetricData` request (CloudWatch API).
const DATA: f64 = 1_000.0;
/// What the alarm of the test page watches (infra/template.yaml); it is none of the catalogue.
const TEST_PAGE: f64 = 1.0;

/// List prices of us-east-1 in dollars, without free tiers and discounts (the services' pricing pages, 2026). They
/// change, and differ by region: what counts is the quantities.
mod price {
    /// One custom metric and month, of the first 10,000.
    pub(super) const METRIC: f64 = 0.30;
    /// One metric that an alarm of standard resolution watches, and month; metric math pays for each that it takes in.
    pub(super) const ALARM_METRIC: f64 = 0.10;
    /// One composite alarm and month.
    pub(super) const COMPOSITE_ALARM: f64 = 0.50;
    /// One `PutMetricData` request.
    pub(super) const PUT_METRIC_DATA: f64 = 0.01 / 1_000.0;
    /// One gigabyte-second of Lambda on arm64.
    pub(super) const GB_SECOND: f64 = 0.000_013_333_4;
    /// One invocation.
    pub(super) const INVOCATION: f64 = 0.20 / 1_000_000.0;
    /// One S3 request that writes or lists.
    pub(super) const S3_PUT: f64 = 0.005 / 1_000.0;
    /// One S3 request that reads.
    pub(super) const S3_GET: f64 = 0.000_4 / 1_000.0;
    /// One SQS request.
    pub(super) const SQS: f64 = 0.40 / 1_000_000.0;
    /// One gigabyte of logs.
    pub(super) const LOG_GB: f64 = 0.50;
}

/// What is to be paid for.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Instances of the fleet.
    pub instances: u32,
    /// Stacks.
    pub stacks: u32,
    /// Whether there are alarms, all of these stacks listed, with a fixed limit for the rate of migrations.
    pub alarms: bool,
    /// Where records come from.
    pub source: SourceKind,
    /// The schedule's interval in seconds.
    pub period_seconds: u32,
    /// Launches of each instance's place in a day.
    pub launches_per_day: f64,
    /// The function's memory in MB.
    pub memory_mb: u32,
    /// How long a run takes, in seconds; the lookup source waits for its pace.
    pub run_seconds: f64,
    /// Objects that the trail delivers in a day, for the logs source.
    pub trail_objects_per_day: u32,
}

/// One line of the bill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// For what.
    pub what: &'static str,
    /// How many in a month.
    pub quantity: f64,
    /// Dollars in a month.
    pub dollars: f64,
}

/// The bill of a month, largest first.
#[must_use]
pub fn monthly(usage: &Usage) -> Vec<Item> {
    let runs = DAYS * 86_400.0 / f64::from(usage.period_seconds.max(1));
    let (metrics, log_bytes) = of_a_run(usage.stacks);
    let launches = DAYS * usage.launches_per_day * f64::from(usage.instances);
    let mut items = vec![
        item("CloudWatch custom metrics", metrics, price::METRIC),
        item("PutMetricData requests", runs * (metrics / DATA).ceil(), price::PUT_METRIC_DATA),
        item("Lambda GB-seconds", runs * usage.run_seconds * f64::from(usage.memory_mb) / 1_024.0, price::GB_SECOND),
        item("Lambda invocations", runs, price::INVOCATION),
        item("S3 writes of the state", runs, price::S3_PUT),
        item("S3 reads of the state", runs, price::S3_GET),
        item("GB of logs", runs * log_bytes / 1e9, price::LOG_GB),
    ];
    match usage.source {
        SourceKind::Lookup | SourceKind::Directory => {}
        SourceKind::Queue => {
            // A launch makes four messages or so (call, grant, two Decrypts); each is sent, received and deleted, the
            // latter two by the ten, and in each run an empty queue is asked twice, and what is held of it once.
            items.push(item("SQS requests", launches * 4.0 * 1.2 + runs * 3.0, price::SQS));
        }
        SourceKind::Logs => {
            items.push(item("S3 lists of the trail", runs * 2.0, price::S3_PUT));
            items.push(item("S3 reads of the trail", DAYS * f64::from(usage.trail_objects_per_day), price::S3_GET));
        }
    }
    if usage.alarms {
        let (metrics, composites) = of_alarms(usage.stacks, usage.source);
        items.push(item("CloudWatch alarm metrics", metrics, price::ALARM_METRIC));
        items.push(item("CloudWatch composite alarms", composites, price::COMPOSITE_ALARM));
    }
    items.sort_by(|a, b| b.dollars.total_cmp(&a.dollars));
    items
}

fn item(what: &'static str, quantity: f64, price: f64) -> Item {
    Item { what, quantity, dollars: quantity * price }
}

/// How many metrics the alarms of the catalogue watch, and how many composites there are.
fn of_alarms(stacks: u32, source: SourceKind) -> (f64, f64) {
    let there = |condition: Option<&str>| match condition {
        Some("HasRecordQueue") => source == SourceKind::Queue,
        Some(mode) => mode == "FixedRate",
        None => true,
    };
    let copies = |scope: Scope| if scope == Scope::Stack { f64::from(stacks) } else { 1.0 };
    let watched = |lines: &[Line]| number(lines.iter().filter(|line| matches!(line, Line::Of(..))).count());
    let metrics: f64 = METRIC_ALARMS
        .iter()
        .filter(|alarm| there(alarm.condition))
        .map(|alarm| copies(alarm.scope) * watched(alarm.lines))
        .sum();
    (metrics + TEST_PAGE, COMPOSITES.iter().map(|alarm| copies(alarm.scope)).sum())
}

/// How many data points a run publishes, and how many bytes it logs, as the code makes them.
fn of_a_run(stacks: u32) -> (f64, f64) {
    let names: BTreeSet<String> = (0..stacks).map(|number| format!("stack-{number}")).collect();
    let row = |stack: &String| StackRow { stack: stack.clone(), members: 1, clean: 1, ..StackRow::default() };
    let analysis = Analysis {
        schema: SCHEMA,
        window: Window::default(),
        accounting: Accounting::default(),
        coverage: Coverage::default(),
        stacks: names.iter().map(row).collect(),
        instances: Vec::new(),
    };
    let health = Health { event_lag: Some(0.0), ..Health::default() };
    let time = Timestamp::from_second(1_778_457_600);
    let data = figures(&analysis, &BTreeMap::new(), &names, &health, time, time);
    let lines = crate::publish::emf("MigrationExposure", &data, serde_json::Map::new());
    let bytes: usize = lines.iter().map(String::len).sum();
    (number(data.len()), number(bytes))
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(instances: u32, source: SourceKind) -> Usage {
        Usage {
            instances,
            stacks: 2,
            alarms: true,
            source,
            period_seconds: 300,
            launches_per_day: 1.0,
            memory_mb: 256,
            run_seconds: 5.0,
            trail_objects_per_day: 5_000,
        }
    }

    fn total(usage: &Usage) -> f64 {
        monthly(usage).iter().map(|item| item.dollars).sum()
    }

    #[test]
    fn metrics_are_those_of_a_run_and_cost_the_most() {
        let items = monthly(&usage(100, SourceKind::Lookup));
        assert_eq!(items[0].what, "CloudWatch custom metrics");
        // Fourteen for each of two stacks and the fleet, and sixteen of the run's health.
        assert!((items[0].quantity - 58.0).abs() < 0.5, "{items:?}");
        assert!((items.iter().find(|i| i.what == "Lambda invocations").unwrap().quantity - 8_640.0).abs() < 0.5);
    }

    #[test]
    fn alarms_cost_by_what_they_watch_and_only_where_there_are_some() {
        let of = |usage: &Usage, what| monthly(usage).iter().find(|item| item.what == what).map(|item| item.quantity);
        let (metrics, composites) = ("CloudWatch alarm metrics", "CloudWatch composite alarms");
        let two = usage(100, SourceKind::Lookup);
        let three = Usage { stacks: 3, ..two };
        // Fifteen metrics and three composites for each stack.
        assert!((of(&three, metrics).unwrap() - of(&two, metrics).unwrap() - 15.0).abs() < 0.5);
        assert!((of(&three, composites).unwrap() - of(&two, composites).unwrap() - 3.0).abs() < 0.5);
        let queue = usage(100, SourceKind::Queue);
        assert!((of(&queue, metrics).unwrap() - of(&two, metrics).unwrap() - 1.0).abs() < 0.5);
        let without = Usage { alarms: false, ..two };
        assert_eq!((of(&without, metrics), of(&without, composites)), (None, None));
        assert!(total(&two) - total(&without) > 9.0);
    }

    #[test]
    fn a_larger_fleet_costs_more_only_where_its_records_are_paid_for() {
        let grows = |source| total(&usage(20_000, source)) - total(&usage(100, source));
        assert!(grows(SourceKind::Lookup).abs() < 1e-9);
        assert!(grows(SourceKind::Queue) > 0.0);
        assert!(total(&usage(100, SourceKind::Logs)) > total(&usage(100, SourceKind::Lookup)));
    }
}
