//! The `CloudWatch` dashboard, made from the catalogue: which metric stands where, and how the stacks are told apart.
//!
//! `CloudWatch` API Reference, "Dashboard Body Structure and Syntax"; User Guide, "Using metric math" and "Search
//! expression syntax". Metric math divides no array of series by another, so a rate of each stack needs the stack's name:
//! the stacks that are listed have rows of their own and a colour that is theirs throughout, all others are found by
//! SEARCH wherever one series is enough.

mod panels;
mod rows;
mod words;

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

/// The columns of the grid.
pub const COLUMNS: u64 = 24;

/// What a dashboard is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dashboard {
    /// The namespace of the metrics.
    pub namespace: String,
    /// The region that has them.
    pub region: String,
    /// The interval of the analyzer's schedule; a multiple of 60.
    pub period_seconds: u32,
    /// The log group of the analyzer; nothing leaves out what reads it.
    pub log_group: Option<String>,
    /// The stacks to list, in this order.
    pub stacks: Vec<String>,
    /// The alarms to show on top.
    pub alarm_arns: Vec<String>,
}

impl Default for Dashboard {
    fn default() -> Self {
        Self {
            namespace: "MigrationExposure".to_owned(),
            region: "us-east-1".to_owned(),
            period_seconds: 300,
            log_group: None,
            stacks: vec!["Nighttime".to_owned(), "Daytime".to_owned()],
            alarm_arns: Vec::new(),
        }
    }
}

impl Dashboard {
    /// The body for `PutDashboard`.
    ///
    /// Periods are obeyed whatever time is shown (`inherit`): an hour's or a day's DIFF means nothing at another period.
    #[must_use]
    pub fn body(&self) -> Value {
        json!({"start": "-P2W", "periodOverride": "inherit", "widgets": panels::all(self)})
    }

    /// The body as text, one row of metrics a line.
    #[must_use]
    pub fn text(&self) -> String {
        as_text(&self.body())
    }
}

/// A body as text, one row of metrics a line.
#[must_use]
pub fn as_text(body: &Value) -> String {
    let mut text = String::new();
    write(body, 0, false, &mut text);
    text.push('\n');
    text
}

/// The longest value that stays on one line.
const LINE: usize = 100;

/// Writes JSON so that a difference of two shows the row that differs: `rows` has every element stand on its line.
fn write(value: &Value, depth: usize, rows: bool, out: &mut String) {
    let line = value.to_string();
    let inside = "  ".repeat(depth + 1);
    let items: Vec<(Option<&str>, &Value)> = match value {
        Value::Array(array) if rows || line.len() > LINE => array.iter().map(|value| (None, value)).collect(),
        Value::Object(object) if line.len() > LINE => {
            object.iter().map(|(name, value)| (Some(name.as_str()), value)).collect()
        }
        _ => Vec::new(),
    };
    if items.is_empty() {
        out.push_str(&line);
        return;
    }
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    out.push(open);
    for (place, (name, item)) in items.iter().enumerate() {
        out.push_str(if place == 0 { "\n" } else { ",\n" });
        out.push_str(&inside);
        if let Some(name) = name {
            out.push_str(&Value::from(*name).to_string());
            out.push_str(": ");
        }
        if rows {
            out.push_str(&item.to_string());
        } else {
            write(item, depth + 1, *name == Some("metrics"), out);
        }
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(close);
}
