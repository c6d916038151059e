//! The template against the catalogue, both ways, and the metrics against those that the function sends.

use std::collections::{BTreeMap, BTreeSet};

use exposure_aws::cost::{Usage, monthly};
use exposure_aws::settings::SourceKind;
use exposure_core::alarms::{
    COMPOSITES, Comparison, CompositeAlarm, LISTED_STACKS, Line, METRIC_ALARMS, MetricAlarm, PARAMETERS, PERIODS,
    Period, Rule, Scope, Setting, Severity, Watched, description,
};
use exposure_core::metrics::CATALOGUE;
use exposure_tests::root;
use serde_json::{Map, Value, json};

use super::template::{Template, plain};
use crate::account::Stage;

const PAGE: &str = "arn:aws:sns:eu-central-1:111122223333:page";
const TICKET: &str = "arn:aws:sns:eu-central-1:111122223333:ticket";
const STACKS: [&str; 3] = ["Nighttime", "Daytime", "day-web 2"];

/// Parameters no two of which are the same, so that one in another's place shows.
fn given() -> BTreeMap<String, String> {
    let mut given: BTreeMap<String, String> = [
        ("Prefix", "mx"),
        ("MetricNamespace", "Exposure/Test"),
        ("PeriodSeconds", "600"),
        ("Stacks", "Nighttime,Daytime,day-web 2"),
        ("FunctionName", "analyzer"),
        ("FunctionTimeoutSeconds", "90"),
        ("ScheduleDeadLetterQueueName", "schedule-dlq"),
        ("RecordQueueDeadLetterQueueName", "record-dlq"),
        ("PageTopicArn", PAGE),
        ("TicketTopicArn", TICKET),
        ("RunbookUrl", "https://runbook.test/x"),
        ("MigrationRateMode", "fixed"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    given.extend((31..).zip(PARAMETERS).map(|(value, parameter)| (parameter.name.to_owned(), value.to_string())));
    given
}

fn with(changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut given = given();
    given.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    given
}

/// A text with the parameters in it.
fn filled(text: &str, stack: &str, given: &BTreeMap<String, String>) -> String {
    let text = text.replace("${Stack}", stack);
    given.iter().fold(text, |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

fn full_name(name: &str, scope: Scope, stack: &str) -> String {
    if scope == Scope::Stack { format!("mx-{stack}-{name}") } else { format!("mx-{name}") }
}

/// What the template must make of a catalogue's metric.
fn metric(watched: &Watched, scope: Scope, stack: &str, given: &BTreeMap<String, String>) -> (Value, String) {
    match watched {
        Watched::Own(metric) => {
            let mut told = json!({"Namespace": given["MetricNamespace"], "MetricName": metric.name});
            if scope == Scope::Stack {
                told["Dimensions"] = json!([{"Name": "Stack", "Value": stack}]);
            }
            (told, "Maximum".to_owned())
        }
        Watched::Aws { namespace, name, statistic, dimension, parameter } => {
            let dimensions = json!([{"Name": dimension, "Value": given[*parameter]}]);
            (json!({"Namespace": namespace, "MetricName": name, "Dimensions": dimensions}), (*statistic).to_owned())
        }
    }
}

fn setting(setting: Setting, given: &BTreeMap<String, String>) -> String {
    match setting {
        Setting::Fixed(value) => value.to_string(),
        Setting::Parameter(name) => given[name].clone(),
    }
}

fn actions(severity: Severity) -> Option<Value> {
    match severity {
        Severity::Page => Some(json!([PAGE])),
        Severity::Ticket => Some(json!([TICKET])),
        Severity::Part => None,
    }
}

/// The resource that the template must have for an alarm.
fn expected(alarm: &MetricAlarm, stack: &str, given: &BTreeMap<String, String>) -> Value {
    let period = match alarm.period {
        Period::Run => given["PeriodSeconds"].clone(),
        Period::Seconds(seconds) => seconds.to_string(),
    };
    let mut told = json!({
        "Type": "AWS::CloudWatch::Alarm",
        "AlarmName": full_name(alarm.name, alarm.scope, stack),
        "AlarmDescription": filled(&description(alarm.name, alarm.meaning, &alarm.delay), stack, given),
        "ComparisonOperator": alarm.comparison.as_str(),
        "EvaluationPeriods": setting(alarm.periods, given),
        "DatapointsToAlarm": setting(alarm.datapoints, given),
        "TreatMissingData": alarm.missing.as_str(),
    });
    let band = alarm.comparison == Comparison::AboveBand;
    if band {
        told["ThresholdMetricId"] = json!("band");
    } else {
        told["Threshold"] = json!(setting(alarm.threshold, given));
    }
    if let Some(actions) = actions(alarm.severity) {
        told["AlarmActions"] = actions;
    }
    if let [Line::Of(_, watched)] = alarm.lines {
        let (metric, statistic) = metric(watched, alarm.scope, stack, given);
        let members = metric.as_object().expect("a metric").clone();
        told.as_object_mut().expect("a resource").extend(members);
        (told["Statistic"], told["Period"]) = (json!(statistic), json!(period));
        return told;
    }
    let last = alarm.lines.len() - 1;
    let lines = alarm.lines.iter().enumerate().map(|(place, line)| {
        // A band is shown beside what it is the band of.
        let shown = place == last || (band && place + 1 == last);
        match line {
            Line::Of(id, watched) => {
                let (metric, statistic) = metric(watched, alarm.scope, stack, given);
                json!({"Id": id, "ReturnData": shown, "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}})
            }
            Line::Math(id, expression) => {
                json!({"Id": id, "ReturnData": shown, "Expression": filled(expression, stack, given)})
            }
        }
    });
    told["Metrics"] = lines.collect();
    told
}

fn expected_composite(alarm: &CompositeAlarm, stack: &str, given: &BTreeMap<String, String>) -> Value {
    let state = |name: &str, stack: &str| format!("ALARM(\"{}\")", full_name(name, alarm.scope, stack));
    let rule: Vec<String> = match alarm.rule {
        Rule::Any(names) => names.iter().map(|name| state(name, stack)).collect(),
        Rule::AnyNotOk(names) => names.iter().map(|name| state(name, stack).replace("ALARM(", "NOT OK(")).collect(),
        Rule::AnyStack(name) => {
            let listed = given["Stacks"].split(',').map(|stack| format!("ALARM(\"mx-{stack}-{name}\")"));
            listed.chain(std::iter::repeat("FALSE".to_owned())).take(LISTED_STACKS).collect()
        }
    };
    let mut told = json!({
        "Type": "AWS::CloudWatch::CompositeAlarm",
        "AlarmName": full_name(alarm.name, alarm.scope, stack),
        "AlarmDescription": filled(&description(alarm.name, alarm.meaning, &alarm.delay), stack, given),
        "AlarmRule": rule.join(" OR "),
    });
    if let Some(actions) = actions(alarm.severity) {
        told["AlarmActions"] = actions;
    }
    if alarm.tells_end {
        told["OKActions"] = json!([PAGE]);
    }
    if let Some(suppressor) = alarm.suppressor {
        let period: u32 = given["PeriodSeconds"].parse().expect("seconds");
        told["ActionsSuppressor"] = json!(full_name(suppressor.alarm, Scope::Fleet, stack));
        told["ActionsSuppressorWaitPeriod"] = json!(suppressor.wait * period);
        told["ActionsSuppressorExtensionPeriod"] = json!(suppressor.extension * period);
    }
    told
}

/// Numbers as texts: `CloudFormation` takes both.
fn even(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.to_string().into(),
        Value::Array(items) => items.iter().map(even).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), even(value))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// The alarms that there must be, by their full names.
fn catalogue(given: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    let there = |condition: Option<&str>| match condition {
        None => true,
        Some("FixedRate") => given["MigrationRateMode"] == "fixed",
        Some("AnomalousRate") => given["MigrationRateMode"] == "anomaly",
        Some("HasRecordQueue") => !given["RecordQueueDeadLetterQueueName"].is_empty(),
        Some(other) => panic!("unknown: {other}"),
    };
    let stacks: Vec<&str> = given["Stacks"].split(',').collect();
    let of = |scope: Scope| if scope == Scope::Stack { stacks.clone() } else { vec![""] };
    let mut all = BTreeMap::new();
    for alarm in METRIC_ALARMS.iter().filter(|alarm| there(alarm.condition)) {
        for stack in of(alarm.scope) {
            all.insert(full_name(alarm.name, alarm.scope, stack), even(&expected(alarm, stack, given)));
        }
    }
    for alarm in COMPOSITES {
        for stack in of(alarm.scope) {
            all.insert(full_name(alarm.name, alarm.scope, stack), even(&expected_composite(alarm, stack, given)));
        }
    }
    all
}

fn template(given: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    let resources = Template::load("alarms.yaml", given).resources();
    let alarms = resources.into_values().filter(|resource| resource["Type"] != "AWS::CloudWatch::AnomalyDetector");
    alarms.map(|resource| (plain(&resource["AlarmName"]), even(&resource))).collect()
}

#[test]
fn the_template_has_every_alarm_of_the_catalogue_as_it_is_there_and_no_other() {
    let mut cases = vec![
        with(&[]),
        with(&[("MigrationRateMode", "anomaly")]),
        with(&[("RecordQueueDeadLetterQueueName", ""), ("Stacks", "Nighttime")]),
    ];
    // Each length of the list up to one too many, and each period: the template has a condition or a row for each.
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    for (count, period) in (1..=LISTED_STACKS + 1).zip(PERIODS.iter().cycle()) {
        cases.push(with(&[("Stacks", &names[..count].join(",")), ("PeriodSeconds", &period.to_string())]));
    }
    assert!(cases.len() == 12 && LISTED_STACKS > PERIODS.len());
    for given in cases {
        let (expected, found) = (catalogue(&given), template(&given));
        assert!(expected.len() >= 20);
        let names = |all: &BTreeMap<String, Value>| all.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(&found), names(&expected));
        for (name, expected) in &expected {
            let found = &found[name];
            assert_eq!(found, expected, "{name}: {found:#} is in the template, and in the catalogue {expected:#}");
            assert!(plain(&found["AlarmDescription"]).len() <= 1_024);
        }
    }
}

#[test]
fn what_alarms_cost_follows_from_those_that_the_templates_deploy() {
    let main = std::fs::read_to_string(root().join("infra/template.yaml")).expect("the template");
    let others = main.matches("Type: AWS::CloudWatch::Alarm\n").count();
    let cases =
        [(SourceKind::Lookup, "", "a,b"), (SourceKind::Queue, "record-dlq", "a,b"), (SourceKind::Logs, "", "a,b,c")];
    for (source, queue, stacks) in cases {
        let alarms = template(&with(&[("Stacks", stacks), ("RecordQueueDeadLetterQueueName", queue)]));
        let composites = alarms.values().filter(|alarm| alarm["Type"] == "AWS::CloudWatch::CompositeAlarm").count();
        let watched = |alarm: &Value| match alarm["Metrics"].as_array() {
            Some(lines) => lines.iter().filter(|line| !line["MetricStat"].is_null()).count(),
            None => usize::from(!alarm["MetricName"].is_null()),
        };
        let metrics = others + alarms.values().map(watched).sum::<usize>();
        assert!(metrics > 40 && composites >= 10, "{metrics}, {composites}");
        let usage = Usage {
            instances: 100,
            stacks: u32::try_from(stacks.split(',').count()).expect("few"),
            alarms: true,
            source,
            period_seconds: 300,
            launches_per_day: 1.0,
            memory_mb: 256,
            run_seconds: 5.0,
            trail_objects_per_day: 5_000,
        };
        let bill: BTreeMap<_, _> = monthly(&usage).into_iter().map(|item| (item.what, item.quantity)).collect();
        let paid = |what: &str| format!("{:.0}", bill[what]);
        assert_eq!(paid("CloudWatch alarm metrics"), metrics.to_string(), "{source:?}");
        assert_eq!(paid("CloudWatch composite alarms"), composites.to_string(), "{source:?}");
    }
}

#[test]
fn without_a_topic_for_tickets_they_go_nowhere() {
    let alarms = template(&with(&[("TicketTopicArn", "")]));
    let acting: BTreeSet<&str> = alarms
        .iter()
        .filter(|(_, alarm)| alarm.get("AlarmActions").is_some())
        .map(|(name, alarm)| {
            assert_eq!(alarm["AlarmActions"], json!([PAGE]), "{name}");
            name.rsplit_once('-').map_or(name.as_str(), |(_, last)| last)
        })
        .collect();
    assert_eq!(acting, BTreeSet::from(["exposure", "health", "stacks"]));
}

#[test]
fn what_is_learned_is_what_is_watched() {
    let given = with(&[("MigrationRateMode", "anomaly")]);
    let resources = Template::load("alarms.yaml", &given).resources();
    let detectors: Vec<&Value> =
        resources.values().filter(|resource| resource["Type"] == "AWS::CloudWatch::AnomalyDetector").collect();
    assert_eq!(detectors.len(), STACKS.len());
    for detector in detectors {
        let lines = detector["MetricMathAnomalyDetector"]["MetricDataQueries"].as_array().expect("lines");
        let same = resources.values().filter(|resource| resource["ThresholdMetricId"] == "band");
        let same = same.filter(|alarm| alarm["Metrics"].as_array().expect("lines")[..lines.len()] == lines[..]);
        assert_eq!(same.count(), 1);
    }
    assert!(template(&with(&[])).values().all(|alarm| alarm["Type"] != "AWS::CloudWatch::AnomalyDetector"));
}

#[test]
fn parameters_have_the_defaults_of_the_catalogue_and_say_what_they_take() {
    let template = Template::load("alarms.yaml", &given()).template;
    let parameters = template["Parameters"].as_object().expect("parameters");
    for parameter in PARAMETERS {
        let found = &parameters[parameter.name];
        assert_eq!(found["Default"].as_f64(), Some(parameter.default), "{}", parameter.name);
        assert_eq!(found["Description"], parameter.meaning, "{}", parameter.name);
        assert_eq!(found["Type"], "Number", "{}", parameter.name);
    }
    for (name, parameter) in parameters {
        let bounds = ["AllowedPattern", "AllowedValues", "MinValue"];
        assert!(bounds.iter().any(|bound| !parameter[bound].is_null()), "{name} takes anything");
        for text in ["Description", "ConstraintDescription"] {
            assert!(parameter[text].as_str().is_some_and(|text| text.len() > 10), "{name}: {text}");
        }
    }
    assert_eq!(parameters["PeriodSeconds"]["AllowedValues"], json!(PERIODS));
    let groups = &template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"];
    let grouped = groups.as_array().expect("groups").iter().filter_map(|group| group["Parameters"].as_array());
    let grouped: BTreeSet<String> = grouped.flatten().map(plain).collect();
    assert_eq!(grouped, parameters.keys().cloned().collect());
}

#[test]
fn the_template_says_why_missing_points_are_treated_so() {
    let text = std::fs::read_to_string(root().join("infra/alarms.yaml")).expect("the template");
    let reason = |alarm: &MetricAlarm| (alarm.missing_because, alarm.missing);
    for alarm in METRIC_ALARMS {
        let because = format!("{}{}.", alarm.missing_because[..1].to_uppercase(), &alarm.missing_because[1..]);
        let said = format!("# {because}\n");
        let treated = text
            .split(&said)
            .skip(1)
            .filter(|rest| rest.trim_start().starts_with(&format!("TreatMissingData: {}\n", alarm.missing.as_str())));
        let alike = METRIC_ALARMS.iter().filter(|other| reason(other) == reason(alarm));
        assert_eq!(treated.count(), alike.count(), "{}: {because}", alarm.name);
    }
}

/// Every metric of the analyzer that the template names, with whether it is one of a stack.
fn watched() -> BTreeSet<(String, bool)> {
    let metrics =
        template(&given()).into_values().chain(template(&with(&[("MigrationRateMode", "anomaly")])).into_values());
    let mut watched = BTreeSet::new();
    for alarm in metrics {
        let lines = alarm["Metrics"].as_array().cloned().unwrap_or_default();
        for metric in lines.iter().map(|line| &line["MetricStat"]["Metric"]).chain([&alarm]) {
            if metric["Namespace"] == "Exposure/Test" {
                watched.insert((plain(&metric["MetricName"]), !metric["Dimensions"].is_null()));
            }
        }
    }
    watched
}

#[test]
fn every_metric_that_is_watched_is_sent_by_the_function_with_just_these_dimensions() {
    let stage = Stage::new(&["--days", "1", "--instances", "48"]);
    let mut function = Stage::function(&stage.variables("directory"));
    stage.run(&mut function, stage.window.1 + 3_600);
    stage.run(&mut function, stage.window.1 + 3_900);
    let sent: BTreeSet<(String, Vec<String>)> = stage
        .stand_in
        .metrics()
        .into_iter()
        .map(|datum| (datum.name, datum.dimensions.into_iter().map(|(name, _)| name).collect()))
        .collect();
    let watched = watched();
    assert!(watched.len() > 12, "{watched:?}");
    for (name, by_stack) in watched {
        assert!(CATALOGUE.iter().any(|metric| metric.name == name), "{name} is not in the catalogue");
        let dimensions = if by_stack { vec!["Stack".to_owned()] } else { Vec::new() };
        assert!(sent.contains(&(name.clone(), dimensions)), "{name} is not sent so: {sent:?}");
    }
    let stacks = stage.stand_in.metrics().into_iter().flat_map(|datum| datum.dimensions);
    let stacks: BTreeSet<String> = stacks.filter(|(name, _)| name == "Stack").map(|(_, stack)| stack).collect();
    let default = Template::load("alarms.yaml", &BTreeMap::new()).template["Parameters"]["Stacks"]["Default"].clone();
    for stack in plain(&default).split(',') {
        assert!(stacks.contains(stack), "{stack} is not sent: {stacks:?}");
    }
}
