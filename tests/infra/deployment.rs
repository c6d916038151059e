//! What else of the templates must agree with the code and with itself.

use std::collections::BTreeSet;

use exposure_aws::run::Event;
use exposure_aws::settings::{REFERENCE, Settings};
use serde_json::{Value, json};

use crate::template::{Resolved, TEMPLATES, load};

/// The settings that the template does not give.
const LEFT_OUT: [(&str, &str); 1] = [("CLOCK", "for replays only")];
const PERIODS: [&str; 6] = ["2", "5", "10", "15", "30", "60"];

fn variables(given: &[(&str, &str)]) -> Vec<(String, String)> {
    let resolved = Resolved::new("template.yaml", given);
    let analyzer = resolved.resource("AWS::Serverless::Function", "Analyzer");
    let variables = analyzer["Properties"]["Environment"]["Variables"].as_object().expect("variables");
    variables.iter().map(|(name, value)| (name.clone(), resolved.render(value))).collect()
}

fn settings(given: &[(&str, &str)]) -> Settings {
    let variables = variables(given);
    let value = |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    Settings::from_variables(value).expect("settings that the function takes")
}

#[test]
fn the_template_gives_every_setting_and_no_other() {
    let given: BTreeSet<String> = variables(&[]).into_iter().map(|(name, _)| name).collect();
    let left_out = LEFT_OUT.map(|(name, _)| name);
    let known = REFERENCE.iter().map(|(name, ..)| *name).filter(|name| !left_out.contains(name));
    assert_eq!(given.iter().map(String::as_str).collect::<BTreeSet<_>>(), known.collect());
}

#[test]
fn the_defaults_are_those_of_the_function() {
    let none = |name: &str| (name == "STATE_URL").then(|| "s3://StateBucket/state.json.gz".to_owned());
    let own = Settings::from_variables(none).expect("settings");
    assert_eq!(format!("{:?}", settings(&[])), format!("{own:?}"));
}

#[test]
fn the_function_takes_what_the_parameters_may_be() {
    let logs = settings(&[("Source", "logs"), ("TrailBucket", "trail"), ("TrailPrefix", "some/prefix")]);
    assert_eq!(logs.trail_url.as_deref(), Some("s3://trail/some/prefix"));
    assert_eq!(settings(&[("Source", "queue")]).queue_url.as_deref(), Some("RecordQueue"));
    let template = load("template.yaml");
    for (name, parameter) in template["Parameters"].as_object().expect("parameters") {
        for bound in ["MinValue", "MaxValue", "AllowedValues"] {
            let values = match &parameter[bound] {
                Value::Null => Vec::new(),
                Value::Array(values) => values.clone(),
                one => vec![one.clone()],
            };
            for value in values {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                settings(&[("TrailBucket", "trail"), (name.as_str(), &text)]);
            }
        }
    }
}

#[test]
fn a_run_ends_before_the_next_one_begins_whatever_the_period() {
    let parameter = &load("template.yaml")["Parameters"]["PeriodMinutes"];
    assert_eq!(parameter["AllowedValues"], json!(PERIODS));
    for minutes in PERIODS {
        let seconds = minutes.parse::<u64>().expect("minutes") * 60;
        let resolved = Resolved::new("template.yaml", &[("PeriodMinutes", minutes), ("Source", "queue")]);
        let number = |value: &Value| resolved.render(value).parse::<u64>().expect("a number");
        assert_eq!(settings(&[("PeriodMinutes", minutes)]).period.as_secs(), seconds);
        let function = resolved.resource("AWS::Serverless::Function", "Analyzer")["Properties"].clone();
        let timeout = number(&function["Timeout"]);
        assert!(timeout < seconds && timeout <= 900, "{minutes}: {timeout}");
        let again = &function["EventInvokeConfig"];
        assert!((60..seconds).contains(&number(&again["MaximumEventAgeInSeconds"])), "{minutes}");
        assert!(again["DestinationConfig"]["OnFailure"]["Destination"].is_object(), "{minutes}");
        let schedule = resolved.resource("AWS::Scheduler::Schedule", "Schedule")["Properties"].clone();
        let target = &schedule["Target"];
        assert!((60..seconds).contains(&number(&target["RetryPolicy"]["MaximumEventAgeInSeconds"])), "{minutes}");
        assert!(target["DeadLetterConfig"]["Arn"].is_object(), "{minutes}");
        let field = if minutes == "60" { "0".to_owned() } else { format!("0/{minutes}") };
        assert_eq!(resolved.render(&schedule["ScheduleExpression"]), format!("cron({field} * * * ? *)"));
        let visible = number(&resolved.resource("AWS::SQS::Queue", "RecordQueue")["Properties"]["VisibilityTimeout"]);
        assert!((timeout + 1..seconds).contains(&visible), "{minutes}: {visible}");
        let alarm = resolved.resource("AWS::CloudWatch::Alarm", "TestPage");
        assert_eq!(number(&alarm["Properties"]["Period"]), seconds);
        for nested in resolved.resources("AWS::CloudFormation::Stack").values() {
            assert_eq!(number(&nested["Properties"]["Parameters"]["PeriodSeconds"]), seconds);
        }
    }
}

#[test]
fn the_schedules_input_is_an_event_that_the_function_takes() {
    let resolved = Resolved::new("template.yaml", &[]);
    let schedule = resolved.resource("AWS::Scheduler::Schedule", "Schedule");
    let input = schedule["Properties"]["Target"]["Input"].as_str().expect("a text");
    let time = "2026-05-11T23:05:00Z";
    let event = serde_json::from_str(&input.replace("<aws.scheduler.scheduled-time>", time)).expect("JSON");
    let event = Event::read(&event).expect("an event");
    assert_eq!(event.scheduled.expect("its time").to_string(), time);
    assert!(!event.dry_run && event.from.is_none() && event.to.is_none());
}

#[test]
fn the_state_outlives_the_stack_and_nothing_else_does() {
    let mut kept = Vec::new();
    for name in TEMPLATES {
        for (resource, definition) in load(name)["Resources"].as_object().expect("resources") {
            if definition["DeletionPolicy"] == "Retain" {
                assert_eq!(definition["UpdateReplacePolicy"], "Retain", "{resource}");
                kept.push(resource.clone());
            }
        }
    }
    assert_eq!(kept, ["StateBucket", "StateBucketPolicy"]);
}

/// The services that may publish, and what they must be allowed to do with a key (SNS Developer Guide, "Key management";
/// SQS Developer Guide, "Key management").
fn key_lets(template: &Value, key: &str, service: &str) -> bool {
    let statements = template["Resources"][key]["Properties"]["KeyPolicy"]["Statement"].as_array();
    statements.into_iter().flatten().any(|statement| {
        let actions = statement["Action"].to_string();
        statement["Effect"] == "Allow"
            && statement["Principal"]["Service"].to_string().contains(service)
            && actions.contains("kms:Decrypt")
            && actions.contains("kms:GenerateDataKey*")
    })
}

/// What a key property may come to, whichever way its conditions are decided.
fn choices(value: &Value) -> Vec<Value> {
    match value["Fn::If"].as_array() {
        Some(branches) => branches.iter().skip(1).flat_map(choices).collect(),
        None => vec![value.clone()],
    }
}

/// Why a topic or queue would not get what is published to it.
fn obstacles(template: &Value) -> Vec<String> {
    let mut obstacles = Vec::new();
    for (name, resource) in template["Resources"].as_object().expect("resources") {
        let service = match resource["Type"].as_str() {
            Some("AWS::SNS::Topic") => "cloudwatch.amazonaws.com",
            Some("AWS::SQS::Queue") => "events.amazonaws.com",
            _ => continue,
        };
        for key in choices(&resource["Properties"]["KmsMasterKeyId"]) {
            let made_here = key["Ref"].as_str().filter(|name| template["Resources"][name]["Type"] == "AWS::KMS::Key");
            let is_none = key.is_null() || key == json!({"Ref": "AWS::NoValue"});
            if !is_none && !made_here.is_some_and(|key| key_lets(template, key, service)) {
                obstacles.push(format!("{name}: {service} may not use {key}"));
            }
        }
    }
    obstacles
}

#[test]
fn no_key_keeps_a_publisher_out() {
    let mut seen = 0;
    for name in TEMPLATES {
        let template = load(name);
        assert_eq!(obstacles(&template), Vec::<String>::new(), "{name}");
        let kinds = ["AWS::SNS::Topic", "AWS::SQS::Queue"];
        let resources = template["Resources"].as_object().expect("resources").values();
        seen += resources.filter(|resource| kinds.iter().any(|kind| resource["Type"] == *kind)).count();
    }
    assert_eq!(seen, 6);
    // What it is there to find.
    for (resource, key) in [
        ("PageTopic", json!("alias/aws/sns")),
        ("RecordQueue", json!("alias/aws/sqs")),
        ("RecordQueue", json!({"Ref": "TopicKey"})),
        ("TicketTopic", json!({"Fn::If": ["HasKey", {"Ref": "KmsKeyArn"}, {"Ref": "TopicKey"}]})),
    ] {
        let mut template = load("template.yaml");
        template["Resources"][resource]["Properties"]["KmsMasterKeyId"] = key.clone();
        assert_eq!(obstacles(&template).len(), 1, "{resource} {key}");
    }
}

#[test]
fn a_queue_takes_messages_of_its_rules_alone() {
    let mut seen = 0;
    let given = [("Source", "queue"), ("ForwardingAccounts", "444455556666")];
    for (name, given, rules) in [
        ("template.yaml", &given[..], vec!["RecordRule.Arn", "ForwardedRecordRule.Arn"]),
        ("template.yaml", &given[..1], vec!["RecordRule.Arn"]),
        ("event-forwarding.yaml", &[], vec!["ForwardingRule.Arn"]),
    ] {
        let resolved = Resolved::new(name, given);
        for (policy, definition) in resolved.resources("AWS::SQS::QueuePolicy") {
            let statements = &definition["Properties"]["PolicyDocument"]["Statement"];
            for statement in statements.as_array().expect("statements").iter().filter(|s| s["Effect"] == "Allow") {
                let sources = match &statement["Condition"]["ArnEquals"]["aws:SourceArn"] {
                    Value::Array(sources) => sources.iter().map(|source| resolved.render(source)).collect(),
                    one => vec![resolved.render(one)],
                };
                assert_eq!(sources, rules, "{name} {policy}");
                assert_eq!(statement["Principal"], json!({"Service": "events.amazonaws.com"}), "{policy}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 5);
}
