//! Alarms as the CloudWatch User Guide says that they behave ("Alarm evaluation", "Configuring how CloudWatch alarms treat
//! missing data", "Composite alarms", "Suppressing composite alarm actions").

use std::collections::BTreeMap;

use serde_json::Value;

use super::math::{Series, evaluate};
use super::template::plain;

/// How many points more than it evaluates an alarm looks at. The guide's example takes 5 for 3, and leaves the number open.
const LOOK_BACK: i64 = 2;

/// The states of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Ok,
    Alarm,
    Unknown,
}

/// The upper edge of a band, which CloudWatch learns by a model that it does not publish: histories give it, as a metric.
pub(crate) const BAND: &str = "band";

/// A metric by the value of its dimension, empty for none, and its name.
pub(crate) type Key = (String, String);

/// Which points of a metric can be seen at a time.
pub(crate) type Visible<'a> = &'a dyn Fn(&Key, i64) -> Series;

/// A metric alarm of the template.
pub(crate) struct MetricAlarm {
    pub(crate) name: String,
    pub(crate) period: i64,
    pub(crate) actions: Vec<String>,
    metrics: Vec<(String, Key)>,
    expressions: Vec<(String, String)>,
    comparison: String,
    /// Nothing where a band is the threshold.
    threshold: Option<f64>,
    periods: i64,
    datapoints: usize,
    missing: String,
}

/// A composite of the template.
pub(crate) struct Composite {
    pub(crate) name: String,
    pub(crate) on_alarm: Vec<String>,
    pub(crate) on_ok: Vec<String>,
    /// Any of these alarms in ALARM, or not OK where so said.
    rule: Vec<(String, bool)>,
    suppressor: Option<(String, i64, i64)>,
}

/// What a composite has done, and what it waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acting {
    /// The state that it acted on last.
    acted: State,
    /// When it came to its state of now.
    changed: i64,
    /// The state of now.
    state: State,
    /// When its suppressor was in ALARM last.
    suppressed: Option<i64>,
    /// Whether its suppressor was in ALARM since it changed.
    held: bool,
}

fn number(value: &Value) -> f64 {
    plain(value).parse().expect("a number")
}

fn whole(value: &Value) -> i64 {
    plain(value).parse().expect("a whole number")
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().map(|list| list.iter().map(plain).collect()).unwrap_or_default()
}

fn key(metric: &Value) -> Key {
    let dimension = metric["Dimensions"].get(0).map(|dimension| plain(&dimension["Value"])).unwrap_or_default();
    (dimension, plain(&metric["MetricName"]))
}

impl MetricAlarm {
    /// The alarm of a resource.
    pub(crate) fn of(resource: &Value) -> Self {
        let band = &resource["ThresholdMetricId"];
        let (mut metrics, mut expressions, mut period) = (Vec::new(), Vec::new(), &resource["Period"]);
        for line in resource["Metrics"].as_array().into_iter().flatten() {
            let id = plain(&line["Id"]);
            if line["Expression"].is_null() {
                metrics.push((id, key(&line["MetricStat"]["Metric"])));
                period = &line["MetricStat"]["Period"];
            } else if *band == id {
                assert!(plain(&line["Expression"]).starts_with("ANOMALY_DETECTION_BAND("), "{line}");
            } else {
                expressions.push((id, plain(&line["Expression"])));
            }
        }
        if expressions.is_empty() {
            metrics.push(("value".to_owned(), key(resource)));
        }
        Self {
            name: plain(&resource["AlarmName"]),
            period: whole(period),
            actions: texts(&resource["AlarmActions"]),
            metrics,
            expressions,
            comparison: plain(&resource["ComparisonOperator"]),
            threshold: band.is_null().then(|| number(&resource["Threshold"])),
            periods: whole(&resource["EvaluationPeriods"]),
            datapoints: usize::try_from(whole(&resource["DatapointsToAlarm"])).expect("a number"),
            missing: plain(&resource["TreatMissingData"]),
        }
    }

    /// The series that is held against the threshold, as it can be seen in a period; how far above it, of a band's edge.
    pub(crate) fn series(&self, visible: Visible<'_>, now: i64) -> Series {
        let mut lines: BTreeMap<String, Series> =
            self.metrics.iter().map(|(id, key)| (id.clone(), visible(key, now))).collect();
        let mut last = self.metrics.last().expect("a metric").0.clone();
        for (id, expression) in &self.expressions {
            let series = evaluate(expression, &lines);
            lines.insert(id.clone(), series);
            last.clone_from(id);
        }
        let series = lines.remove(&last).expect("a line");
        if self.threshold.is_some() {
            return series;
        }
        let edge = visible(&(String::new(), BAND.to_owned()), now);
        series.into_iter().filter_map(|(period, value)| Some((period, value - edge.get(&period)?))).collect()
    }

    fn breaches(&self, value: f64) -> bool {
        match (self.comparison.as_str(), self.threshold) {
            ("GreaterThanOrEqualToThreshold", Some(threshold)) => value >= threshold,
            ("LessThanThreshold", Some(threshold)) => value < threshold,
            ("GreaterThanUpperThreshold", None) => value > 0.0,
            (other, _) => panic!("unknown: {other}"),
        }
    }

    /// The state in a period, from the state before it.
    pub(crate) fn judge(&self, visible: Visible<'_>, now: i64, before: State) -> State {
        let series = self.series(visible, now);
        let range = (now - self.periods - LOOK_BACK + 1)..=now;
        let wanted = usize::try_from(self.periods).expect("a number");
        let latest: Vec<bool> =
            series.range(range).rev().take(wanted).map(|(_, value)| self.breaches(*value)).collect();
        let breaching = latest.iter().filter(|breaching| **breaching).count();
        let missing = wanted - latest.len();
        match self.missing.as_str() {
            _ if breaching >= self.datapoints => State::Alarm,
            _ if missing == 0 => State::Ok,
            "breaching" if breaching + missing >= self.datapoints => State::Alarm,
            "breaching" | "notBreaching" => State::Ok,
            // What is there decides if one of it is good; if not, nothing does.
            "ignore" if latest.iter().any(|breaching| !breaching) => State::Ok,
            "ignore" => before,
            other => panic!("unknown: {other}"),
        }
    }
}

impl Composite {
    pub(crate) fn of(resource: &Value) -> Self {
        let rule = plain(&resource["AlarmRule"]);
        let one = |term: &str| match term.trim() {
            "FALSE" => None,
            term => {
                let told = [("ALARM(\"", false), ("NOT OK(\"", true)].into_iter().find_map(|(before, not_ok)| {
                    let name = term.strip_prefix(before)?.strip_suffix("\")")?;
                    Some((name.to_owned(), not_ok))
                });
                Some(told.unwrap_or_else(|| panic!("not read: {term}")))
            }
        };
        Self {
            name: plain(&resource["AlarmName"]),
            on_alarm: texts(&resource["AlarmActions"]),
            on_ok: texts(&resource["OKActions"]),
            rule: rule.split(" OR ").filter_map(one).collect(),
            suppressor: resource["ActionsSuppressor"].as_str().map(|name| {
                let seconds = |of: &str| whole(&resource[format!("ActionsSuppressor{of}Period")]);
                (name.to_owned(), seconds("Wait"), seconds("Extension"))
            }),
        }
    }

    /// Its state, from those of the others.
    pub(crate) fn judge(&self, states: &BTreeMap<String, State>) -> State {
        let holds = |(name, not_ok): &(String, bool)| {
            let state = states[name];
            if *not_ok { state != State::Ok } else { state == State::Alarm }
        };
        if self.rule.iter().any(holds) { State::Alarm } else { State::Ok }
    }

    /// What it does at a second, having come to a state: the actions that it takes then.
    ///
    /// The guide does not say whether an action that was held back is taken in the end if the state has changed back and
    /// forth meanwhile; here one is taken if the state differs from the one that was acted on last.
    pub(crate) fn act(&self, acting: &mut Acting, states: &BTreeMap<String, State>, second: i64) -> &[String] {
        let state = states[&self.name];
        if state != acting.state {
            (acting.state, acting.changed, acting.held) = (state, second, false);
        }
        let mut free = true;
        if let Some((suppressor, wait, extension)) = &self.suppressor {
            if states[suppressor] == State::Alarm {
                (acting.suppressed, acting.held, free) = (Some(second), true, false);
            } else {
                let waits = !acting.held && second < acting.changed + wait;
                let extended = acting.suppressed.is_some_and(|last| second < last + extension);
                free = !waits && !extended;
            }
        }
        if !free || state == acting.acted {
            return &[];
        }
        acting.acted = state;
        if state == State::Alarm { &self.on_alarm } else { &self.on_ok }
    }
}

impl Acting {
    /// One that has acted on a state before.
    pub(crate) fn on(state: State) -> Self {
        Self { acted: state, changed: i64::MIN / 2, state, suppressed: None, held: false }
    }
}
