//! The histories: what is published, and what must become of it. `alarm_logic.py` plays the same ones.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::engine::{Acting, BAND, Composite, Key, MetricAlarm, State};
use super::math::Series;
use super::template::Template;

/// The file of the histories.
#[derive(Deserialize)]
pub(crate) struct Histories {
    pub(crate) parameters: BTreeMap<String, String>,
    healthy: BTreeMap<String, String>,
    #[serde(rename = "histories")]
    pub(crate) all: Vec<History>,
}

/// One history. Each list is of one item a period; `*5` repeats one, and the last one goes on to the end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct History {
    pub(crate) name: String,
    /// What it shows.
    #[expect(dead_code, reason = "for readers")]
    why: String,
    /// How many periods of a run it lasts; of the alarms' own period where `period` says so.
    steps: i64,
    #[serde(default)]
    period: Option<i64>,
    /// Whether the alarms are new, and know no state yet.
    #[serde(default)]
    new: bool,
    /// Whether each run publishes (`+`), late by so many periods (`+~2`), or not at all (`-`).
    #[serde(default)]
    runs: Option<String>,
    /// Metrics that are not healthy: values, `-` for none, `7~2` for one that shows two periods late.
    #[serde(default)]
    data: BTreeMap<String, String>,
    /// The upper edge of the band that CloudWatch has learned; the alarms are then those of `MigrationRateMode=anomaly`.
    #[serde(default)]
    band: Option<String>,
    /// The states (`O`, `A`, `I` for insufficient data) of the alarms that are not always OK.
    pub(crate) states: BTreeMap<String, String>,
    /// How often each notifies: 1, or it would not be here.
    #[serde(default)]
    pages: BTreeMap<String, u32>,
    #[serde(default)]
    tickets: BTreeMap<String, u32>,
    /// Notifications of an end.
    #[serde(default)]
    ends: BTreeMap<String, u32>,
    /// What fakecloud says otherwise, which only `alarm_logic.py` reads.
    #[serde(default, rename = "fakecloud")]
    _fakecloud: Value,
}

/// What came of a history.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) states: BTreeMap<String, String>,
    pub(crate) pages: BTreeMap<String, u32>,
    pub(crate) tickets: BTreeMap<String, u32>,
    pub(crate) ends: BTreeMap<String, u32>,
}

/// Items of a list, as many as there are periods.
fn items(list: &str, steps: i64) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for item in list.split(' ') {
        let (item, times) = item.split_once('*').unwrap_or((item, "1"));
        items.extend(std::iter::repeat_n(item.to_owned(), times.parse().expect("a number")));
    }
    let steps = usize::try_from(steps).expect("a number");
    assert!(items.len() <= steps, "{list}: more than {steps}");
    let end = items.last().expect("an item").clone();
    items.resize(steps, end);
    items
}

fn key(name: &str) -> Key {
    let (dimension, metric) = name.rsplit_once('/').unwrap_or(("", name));
    (dimension.to_owned(), metric.to_owned())
}

/// A template's resources without and with a band.
pub(crate) type Resources = [BTreeMap<String, Value>; 2];

/// When each point shows: value and period of showing, by period.
type Published = BTreeMap<Key, Vec<Option<(f64, i64)>>>;

impl Histories {
    pub(crate) fn load() -> Self {
        let path = exposure_tests::root().join("tests/infra/alarm_histories.json");
        serde_json::from_slice(&std::fs::read(path).expect("the histories")).expect("histories")
    }

    fn published(&self, history: &History) -> Published {
        let runs = items(history.runs.as_deref().unwrap_or("+"), history.steps);
        let mut published = Published::new();
        for (name, healthy) in &self.healthy {
            let list = history.data.get(name).unwrap_or(healthy);
            let of_runs = !name.starts_with("AWS/");
            let points = (0..).zip(items(list, history.steps)).zip(&runs).map(|((period, item), run)| {
                let (run, late_run) = run.split_once('~').unwrap_or((run, "0"));
                let (value, late) = item.split_once('~').unwrap_or((&item, if of_runs { late_run } else { "0" }));
                let there = value != "-" && (run == "+" || !of_runs);
                there.then(|| (value.parse().expect("a value"), period + late.parse::<i64>().expect("periods")))
            });
            published.insert(key(name.trim_start_matches("AWS/")), points.collect());
        }
        if let Some(band) = &history.band {
            let edge = (0..).zip(items(band, history.steps)).map(|(period, edge)| Some((edge.parse().ok()?, period)));
            published.insert(key(BAND), edge.collect());
        }
        for name in history.data.keys() {
            assert!(self.healthy.contains_key(name), "{}: {name} is not among the healthy", history.name);
        }
        published
    }

    /// The resources of a template, by whether the migration rate is held against a band.
    pub(crate) fn resources(&self, template: &Value) -> Resources {
        let mut anomaly = self.parameters.clone();
        anomaly.insert("MigrationRateMode".to_owned(), "anomaly".to_owned());
        [&self.parameters, &anomaly].map(|parameters| Template::new(template.clone(), parameters).resources())
    }

    /// Plays a history against the alarms of a template, given by its resources.
    pub(crate) fn play(&self, history: &History, resources: &Resources) -> Outcome {
        let resources = &resources[usize::from(history.band.is_some())];
        let published = self.published(history);
        let seen = |key: &Key, now: i64| -> Series {
            let points = published.get(key).unwrap_or_else(|| panic!("{key:?} is not among the healthy"));
            let there = (0..=now).zip(points).filter_map(|(period, point)| Some((period, (*point)?)));
            there.filter(|(_, (_, shows))| *shows <= now).map(|(period, (value, _))| (period, value)).collect()
        };
        let of = |kind: &'static str| resources.values().filter(move |resource| resource["Type"] == kind);
        let run: i64 = self.parameters["PeriodSeconds"].parse().expect("seconds");
        let step = history.period.unwrap_or(run);
        let alarms: Vec<MetricAlarm> = of("AWS::CloudWatch::Alarm").map(MetricAlarm::of).collect();
        let composites: Vec<Composite> = of("AWS::CloudWatch::CompositeAlarm").map(Composite::of).collect();
        let beginning = if history.new { State::Unknown } else { State::Ok };
        let names = alarms.iter().map(|alarm| &alarm.name).chain(composites.iter().map(|alarm| &alarm.name));
        let mut states: BTreeMap<String, State> = names.map(|name| (name.clone(), beginning)).collect();
        let mut acting: BTreeMap<String, Acting> =
            composites.iter().map(|alarm| (alarm.name.clone(), Acting::on(beginning))).collect();
        let mut outcome = Outcome::default();
        let page = &self.parameters["PageTopicArn"];
        for now in 0..history.steps {
            for alarm in alarms.iter().filter(|alarm| alarm.period == step) {
                let before = states[&alarm.name];
                let state = alarm.judge(&seen, now, before);
                if state == State::Alarm && before != State::Alarm && !alarm.actions.is_empty() {
                    *outcome.tickets.entry(self.short(&alarm.name)).or_default() += 1;
                    assert!(!alarm.actions.contains(page), "{} pages by itself", alarm.name);
                }
                states.insert(alarm.name.clone(), state);
            }
            for minute in 0..step / 60 {
                // Composites of composites settle within a minute.
                for _ in 0..composites.len() {
                    for composite in &composites {
                        states.insert(composite.name.clone(), composite.judge(&states));
                    }
                }
                for composite in &composites {
                    let acting = acting.get_mut(&composite.name).expect("a composite");
                    let second = now * step + minute * 60;
                    for action in composite.act(acting, &states, second) {
                        let list = match (states[&composite.name], action == page) {
                            (State::Alarm, true) => &mut outcome.pages,
                            (State::Alarm, false) => &mut outcome.tickets,
                            _ => &mut outcome.ends,
                        };
                        *list.entry(self.short(&composite.name)).or_default() += 1;
                    }
                }
            }
            for (name, state) in &states {
                let letter = match state {
                    State::Ok => 'O',
                    State::Alarm => 'A',
                    State::Unknown => 'I',
                };
                outcome.states.entry(self.short(name)).or_default().push(letter);
            }
        }
        // Those of another period stay as they began, and say nothing here.
        for alarm in alarms.iter().filter(|alarm| alarm.period != step) {
            outcome.states.remove(&self.short(&alarm.name));
        }
        outcome.states.retain(|_, states| states.contains(['A', 'I']));
        outcome
    }

    /// The name of an alarm without its prefix.
    fn short(&self, name: &str) -> String {
        let prefix = format!("{}-", self.parameters["Prefix"]);
        name.strip_prefix(&prefix).unwrap_or_else(|| panic!("{name} does not begin with {prefix}")).to_owned()
    }
}

impl History {
    /// What must come of it.
    pub(crate) fn expected(&self) -> Outcome {
        let states = self.states.iter().map(|(name, list)| (name.clone(), items(list, self.steps).concat()));
        Outcome {
            states: states.collect(),
            pages: self.pages.clone(),
            tickets: self.tickets.clone(),
            ends: self.ends.clone(),
        }
    }
}
