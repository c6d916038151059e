//! `exposure catalogue`: the metrics, for people, for programs, and as a dashboard.

use std::io::Write;

use anyhow::Result;
use exposure_core::dashboard::Dashboard;
use exposure_core::dimension::STACK;
use exposure_core::metrics::{CATALOGUE, Metric, Split};
use serde_json::{Value, json};

use crate::End;
use crate::args::{Catalogue, CatalogueFormat};
use crate::inputs::Usage;

/// The schema of the JSON.
const SCHEMA: &str = "migration-exposure/catalogue/1";

pub(crate) fn run(arguments: &Catalogue) -> Result<End> {
    let text = match arguments.format {
        CatalogueFormat::Markdown => markdown(),
        CatalogueFormat::Json => format!("{:#}\n", as_json(&arguments.namespace)),
        CatalogueFormat::Dashboard => dashboard(arguments)?.text(),
    };
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(End::Done)
}

/// The reference of the README.
fn markdown() -> String {
    let head = ["| metric | unit | by stack | what it means |", "| --- | --- | --- | --- |"].map(str::to_owned);
    let rows = CATALOGUE.iter().map(|metric| {
        let split = if metric.split == Split::Fleet { "fleet only" } else { "yes" };
        format!("| `{}` | {} | {split} | {} |", metric.name, metric.unit.as_str(), metric.meaning)
    });
    head.into_iter().chain(rows).map(|row| row + "\n").collect()
}

/// Every section of the catalogue with all that is known.
fn as_json(namespace: &str) -> Value {
    let metrics: Vec<Value> = CATALOGUE.iter().map(|metric| one(metric)).collect();
    json!({"schema": SCHEMA, "namespace": namespace, "metrics": metrics})
}

fn one(metric: &Metric) -> Value {
    let dimensions: &[&[&str]] = match metric.split {
        Split::StackAndFleet => &[&[], &[STACK]],
        Split::Fleet => &[&[]],
        Split::Stack => &[&[STACK]],
    };
    json!({
        "name": metric.name,
        "unit": metric.unit.as_str(),
        "dimensions": dimensions,
        "kind": metric.kind.as_str(),
        "statistic": metric.statistic(),
        "stability": metric.stability.as_str(),
        "meaning": metric.meaning,
    })
}

fn dashboard(arguments: &Catalogue) -> Result<Dashboard> {
    let missing = || Usage("a dashboard needs --region, or AWS_REGION".to_owned());
    Ok(Dashboard {
        namespace: arguments.namespace.clone(),
        region: arguments.region.clone().ok_or_else(missing)?,
        period_seconds: arguments.period,
        log_group: arguments.log_group.clone(),
        stacks: arguments.stack.clone(),
        alarm_arns: arguments.alarm_arn.clone(),
    })
}

/// CloudWatch API Reference, `PutMetricData`, `Namespace`.
pub(crate) fn parse_namespace(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/#: ".contains(c);
    let sound = (1..=255).contains(&text.len()) && text.chars().all(allowed) && !text.starts_with([':', ' ']);
    told(text, sound, "1 to 255 letters, digits and .-_/#: and blanks")
}

/// CloudWatch Logs API Reference, `CreateLogGroup`, `logGroupName`: nothing that ends the quotes of a query.
pub(crate) fn parse_log_group(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-/.#".contains(c);
    told(text, (1..=512).contains(&text.len()) && text.chars().all(allowed), "1 to 512 letters, digits and _-/.#")
}

pub(crate) fn parse_region(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    told(text, !text.is_empty() && text.chars().all(allowed), "write it like eu-central-1")
}

pub(crate) fn parse_period(text: &str) -> Result<u32, String> {
    let seconds = text.parse().ok().filter(|seconds| (60..=3_600).contains(seconds) && seconds % 60 == 0);
    seconds.ok_or_else(|| "seconds from 60 to 3600, a multiple of 60: CloudWatch has no other periods".to_owned())
}

fn told(text: &str, sound: bool, rule: &str) -> Result<String, String> {
    if sound { Ok(text.to_owned()) } else { Err(rule.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_a_dashboard_cannot_hold_are_refused() {
        assert!(parse_namespace("My/Name space").is_ok());
        for bad in ["", "a\"b", "a'b", ":a", "é"] {
            assert!(parse_namespace(bad).is_err(), "{bad}");
        }
        assert!(parse_log_group("/aws/lambda/a.b#c").is_ok());
        for bad in ["", "a'b", "a|b", "a b"] {
            assert!(parse_log_group(bad).is_err(), "{bad}");
        }
        assert!(parse_region("eu-central-1").is_ok() && parse_region("Frankfurt").is_err());
        assert_eq!(parse_period("900"), Ok(900));
        for bad in ["0", "30", "90", "7200", "x"] {
            assert!(parse_period(bad).is_err(), "{bad}");
        }
    }
}
