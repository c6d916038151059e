//! The text format of Prometheus.

use std::fmt::Write as _;

use super::Tally;
use crate::machine::Decision;

/// The exposition of what was counted since the start, and of the last decision.
#[must_use]
pub fn text(stack: &str, total: &Tally, last: Option<&Decision>) -> String {
    let stack = escaped(stack);
    let mut text = String::new();
    // Writing to a string cannot fail.
    for (metric, count) in total.counts() {
        let name = snake(metric.name);
        let _ = writeln!(text, "# HELP lifecycle_{name}_total {}", metric.meaning);
        let _ = writeln!(text, "# TYPE lifecycle_{name}_total counter");
        let _ = writeln!(text, "lifecycle_{name}_total{{stack=\"{stack}\"}} {count}");
    }
    for (metric, count, milliseconds) in total.latency_totals() {
        let name = snake(metric.name);
        let _ = writeln!(text, "# HELP lifecycle_{name}_seconds {}", metric.meaning);
        let _ = writeln!(text, "# TYPE lifecycle_{name}_seconds summary");
        let _ = writeln!(text, "lifecycle_{name}_seconds_sum{{stack=\"{stack}\"}} {}", milliseconds / 1_000.0);
        let _ = writeln!(text, "lifecycle_{name}_seconds_count{{stack=\"{stack}\"}} {count}");
    }
    if let Some(decision) = last {
        let (state, source, imds) = (&decision.state, decision.source.as_str(), decision.imds.as_str());
        let _ = writeln!(text, "# HELP lifecycle_state 1 for the state that is decided on.");
        let _ = writeln!(text, "# TYPE lifecycle_state gauge");
        let labels = format!("stack=\"{stack}\",state=\"{state}\",source=\"{source}\",imds=\"{imds}\"");
        let _ = writeln!(text, "lifecycle_state{{{labels}}} 1");
        let _ = writeln!(text, "# HELP lifecycle_state_age_seconds How old that is.");
        let _ = writeln!(text, "# TYPE lifecycle_state_age_seconds gauge");
        let _ = writeln!(text, "lifecycle_state_age_seconds{{stack=\"{stack}\"}} {}", decision.age.as_secs());
    }
    text
}

/// `ImdsAbsent` as `imds_absent`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// A label's value (Prometheus, "Exposition formats": backslash, quote and line feed are escaped).
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::tests::tally;

    #[test]
    fn counters_are_totals_and_labels_are_escaped() {
        let text = text("a\"b\\c\nd", &tally(), None);
        assert!(text.contains("# TYPE lifecycle_imds_absent_total counter\n"), "{text}");
        assert!(text.contains("lifecycle_imds_absent_total{stack=\"a\\\"b\\\\c\\nd\"} 2\n"), "{text}");
        assert!(text.contains("lifecycle_api_latency_seconds_sum{stack=\"a\\\"b\\\\c\\nd\"} 0.25\n"), "{text}");
        assert!(text.ends_with('\n') && !text.contains("lifecycle_state"));
    }
}
