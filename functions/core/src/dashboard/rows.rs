//! Rows of a metric widget: metrics and expressions, by stack or for the whole fleet.

use serde_json::{Map, Value, json};

use super::Dashboard;
use crate::dimension::{STACK, dimension_value};
use crate::metrics::Metric;

/// An hour, the period of what is counted by the hour.
pub(super) const HOUR: u32 = 3_600;
/// A day.
pub(super) const DAY: u32 = 86_400;

/// The colours of the listed stacks, in their order; they can be told apart by the colour-blind too.
const COLOURS: [&str; 6] = ["#3949ab", "#ff8f00", "#00897b", "#8e24aa", "#6d4c41", "#607d8b"];
/// The longest search (User Guide, "Search expression syntax").
const SEARCH: usize = 1_024;

/// A stack that is listed.
pub(super) struct Listed<'a> {
    /// Its number, from 1: the end of the IDs of its rows.
    pub(super) number: usize,
    name: &'a str,
    colour: &'static str,
}

impl Dashboard {
    /// The listed stacks.
    pub(super) fn listed(&self) -> impl Iterator<Item = Listed<'_>> {
        let colours = COLOURS.iter().copied().cycle();
        self.stacks.iter().zip(colours).zip(1..).map(|((name, colour), number)| Listed { number, name, colour })
    }

    /// A metric of one stack, or of the fleet; what is `None` is left to the widget.
    fn metric(&self, metric: &Metric, stack: Option<&str>, mut options: Map<String, Value>) -> Value {
        let mut row = vec![json!(self.namespace), json!(metric.name)];
        if let Some(stack) = stack {
            row.extend([json!(STACK), json!(dimension_value(stack))]);
        }
        if metric.statistic() != "Maximum" {
            options.insert("stat".to_owned(), json!(metric.statistic()));
        }
        row.push(Value::Object(options));
        Value::Array(row)
    }

    /// A metric of the fleet that is drawn.
    pub(super) fn fleet(&self, metric: &Metric, label: &str, more: Value) -> Value {
        self.metric(metric, None, joined(json!({"label": label}), more))
    }

    /// A metric of the fleet that only expressions use.
    pub(super) fn hidden(&self, metric: &Metric, id: &str, period: u32) -> Value {
        self.metric(metric, None, joined(json!({"id": id, "period": period, "visible": false}), json!({})))
    }

    /// A metric of a listed stack that only expressions use; its ID ends in the stack's number.
    pub(super) fn hidden_of(&self, stack: &Listed<'_>, metric: &Metric, id: &str, period: u32) -> Value {
        let id = format!("{id}{}", stack.number);
        self.metric(metric, Some(stack.name), joined(json!({"id": id, "period": period, "visible": false}), json!({})))
    }

    /// A gauge by stack: the listed ones, and all others by search.
    pub(super) fn by_stack(&self, metric: &Metric) -> Vec<Value> {
        let mut rows: Vec<Value> = self
            .listed()
            .map(|stack| {
                let id = format!("g{}", stack.number);
                let options = json!({"id": id, "label": stack.name, "color": stack.colour});
                self.metric(metric, Some(stack.name), joined(options, json!({})))
            })
            .collect();
        rows.push(others(&self.search(metric, self.period_seconds, true)));
        rows
    }

    /// The searched series of a metric, each one stack's; `others` leaves out the listed.
    pub(super) fn search(&self, metric: &Metric, period: u32, others: bool) -> String {
        let mut terms = format!("{{\"{}\",{STACK}}} MetricName=\"{}\"", self.namespace, metric.name);
        for stack in self.stacks.iter().filter(|_| others) {
            let value = dimension_value(stack);
            // No document says how to write a quote inside the quotes of the search: such a stack is drawn twice.
            let term = format!(" NOT {STACK}=\"{}\"", escaped(&value));
            if !value.contains('\'') && terms.len() + term.len() <= SEARCH {
                terms.push_str(&term);
            }
        }
        format!("SEARCH('{terms}', '{}', {period})", metric.statistic())
    }
}

/// What an exact match of a search must escape (User Guide, "Search expression syntax").
fn escaped(value: &str) -> String {
    value.chars().flat_map(|c| matches!(c, '"' | '\\' | '(' | ')').then_some('\\').into_iter().chain([c])).collect()
}

impl Listed<'_> {
    /// An expression for the stack that is drawn in its colour; its ID ends in the stack's number.
    pub(super) fn expression(&self, id: &str, expression: &str, more: Value) -> Value {
        let id = format!("{id}{}", self.number);
        let options = json!({"expression": expression, "id": id, "label": self.name, "color": self.colour});
        Value::Array(vec![Value::Object(joined(options, more))])
    }

    /// A label that begins with the stack's name.
    pub(super) fn label(&self, rest: &str) -> String {
        format!("{} {rest}", self.name)
    }
}

/// An expression that is drawn.
pub(super) fn expression(id: &str, expression: &str, label: &str, more: Value) -> Value {
    let options = json!({"expression": expression, "id": id, "label": label});
    Value::Array(vec![Value::Object(joined(options, more))])
}

/// An expression of several series, each called by its stack.
pub(super) fn others(expression: &str) -> Value {
    self::expression("others", expression, "${PROP('Dim.Stack')}", json!({}))
}

fn joined(options: Value, more: Value) -> Map<String, Value> {
    let mut all = Map::new();
    for part in [options, more] {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    all
}
