//! The documents say what the code does: tables are checked against the code that they describe.

use std::fs;

use exposure_aws::settings::REFERENCE;
use exposure_core::metrics::{CATALOGUE, Split};
use exposure_tests::{exposure, root, run};

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("README.md")
}

/// The rows of the table under a heading, without the first two.
fn rows(text: &str, heading: &str) -> Vec<String> {
    let section = text.split_once(heading).unwrap_or_else(|| panic!("no {heading}")).1;
    let table = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    table.skip(2).map(str::to_owned).collect()
}

#[test]
fn every_setting_stands_in_the_readme_as_the_code_has_it() {
    let expected: Vec<String> =
        REFERENCE.iter().map(|(name, meaning, default)| format!("| `{name}` | {meaning} | {default} |")).collect();
    assert!(expected.len() > 10);
    assert_eq!(rows(&readme(), "### Settings"), expected);
}

#[test]
fn the_costs_in_the_readme_are_those_that_the_program_computes() {
    let readme = readme();
    let table = rows(&readme, "### What it costs");
    assert_eq!(table.len(), 3);
    for row in table {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        for (instances, dollars) in ["100", "2000", "20000"].iter().zip(&cells[1..]) {
            let ran = run(exposure().args(["cost", "--instances", instances, "--source", cells[0].trim_matches('`')]));
            let all = ran.out.lines().find(|line| line.starts_with("all ")).expect("a sum").split_whitespace().last();
            assert_eq!(all, Some(*dollars), "{row}: {instances}");
        }
    }
}

#[test]
fn the_bill_in_the_guide_is_the_one_that_the_program_makes_out() {
    let guide = fs::read_to_string(root().join("infra/README.md")).expect("infra/README.md");
    let ran = run(exposure().args(["cost", "--instances", "100", "--json"]));
    let bill: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let items = bill["items"].as_array().expect("items");
    let of = |what: &str| items.iter().find(|item| item["what"].as_str().is_some_and(|name| name == what));
    let table = rows(&guide, "## What it costs");
    let mut computed = 0;
    for row in &table {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let Some(item) = of(cells[0]) else { continue };
        let told = format!(
            "{:.0}, {:.2}",
            item["quantity"].as_f64().expect("a number"),
            item["dollars"].as_f64().expect("dollars")
        );
        assert_eq!(format!("{}, {}", cells[1], cells[2]), told, "{row}");
        computed += 1;
    }
    assert_eq!(computed, 3, "{table:?}");
}

#[test]
fn every_metric_stands_in_the_readme_as_the_catalogue_has_it() {
    let row = |metric: &&exposure_core::metrics::Metric| {
        let split = if metric.split == Split::Fleet { "fleet only" } else { "yes" };
        format!("| `{}` | {} | {split} | {} |", metric.name, metric.unit.as_str(), metric.meaning)
    };
    let expected: Vec<String> = CATALOGUE.iter().map(row).collect();
    assert!(expected.len() > 30);
    assert_eq!(rows(&readme(), "### Metrics"), expected);
}
