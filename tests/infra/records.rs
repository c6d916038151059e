//! The rules of the queue source against the decoder: exactly the records that can mean something are let through.

use std::collections::{BTreeMap, BTreeSet};

use exposure_core::decode::{Concern, Decoded, concern, read};
use exposure_stand_in::gzip;
use exposure_tests::{account, files, root};
use serde_json::{Value, json};

use crate::policies::is_like;
use crate::template::Resolved;

/// Every rule of the templates, with its pattern.
fn rules() -> Vec<(String, Value)> {
    let given = [("Source", "queue"), ("ForwardingAccounts", "444455556666")];
    let analyzer = Resolved::new("template.yaml", &given).resources("AWS::Events::Rule");
    let member = Resolved::new("event-forwarding.yaml", &[]).resources("AWS::Events::Rule");
    analyzer.into_iter().chain(member).collect()
}

/// Whether an event fits a pattern (EventBridge User Guide, "Event patterns"), as far as ours go.
fn fits(pattern: &Value, event: &Value) -> bool {
    pattern.as_object().expect("an object").iter().all(|(name, wanted)| match wanted {
        Value::Array(either) if name == "$or" => either.iter().any(|one| fits(one, event)),
        Value::Array(values) => values.iter().any(|value| is_value(value, &event[name])),
        inner => event[name].is_object() && fits(inner, &event[name]),
    })
}

fn is_value(wanted: &Value, found: &Value) -> bool {
    match wanted {
        Value::Object(test) => {
            assert_eq!(test.len(), 1, "{wanted}");
            match (test.get("wildcard"), test.get("exists")) {
                (Some(wildcard), None) => {
                    found.as_str().is_some_and(|found| is_like(wildcard.as_str().expect("a text"), found))
                }
                (None, Some(exists)) => exists.as_bool() == Some(!found.is_null()),
                _ => panic!("a test that this matcher does not know: {wanted}"),
            }
        }
        plain => plain == found,
    }
}

#[test]
fn all_rules_let_the_same_through_and_see_read_only_events() {
    let rules = rules();
    assert_eq!(rules.len(), 3);
    for (name, rule) in &rules {
        assert_eq!(rule["Properties"]["EventPattern"], rules[0].1["Properties"]["EventPattern"], "{name}");
        assert_eq!(rule["Properties"]["State"], "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS", "{name}");
        let target = &rule["Properties"]["Targets"][0];
        assert!(target["DeadLetterConfig"]["Arn"].is_object(), "{name}: what cannot be delivered is lost");
    }
}

#[test]
fn the_rules_name_the_events_that_concern_the_decoder() {
    let source = std::fs::read_to_string(root().join("functions/core/src/decode.rs")).expect("the decoder");
    let literals = source.split("b\"").skip(1).filter_map(|rest| rest.split('"').next());
    let known: BTreeSet<&str> = literals.filter(|name| concern(name.as_bytes()) != Concern::None).collect();
    assert!(known.len() > 15, "{known:?}");
    let pattern = rules()[0].1["Properties"]["EventPattern"].clone();
    let mut named = BTreeSet::new();
    for branch in pattern["$or"].as_array().expect("branches") {
        let text = |value: &Value| value[0].as_str().expect("a text").to_owned();
        let (source, service) = (text(&branch["source"]), text(&branch["detail"]["eventSource"]));
        assert_eq!(format!("{}.amazonaws.com", source.trim_start_matches("aws.")), service, "the envelope is refused");
        let events = branch["detail"]["eventName"].as_array().expect("names");
        named.extend(events.iter().map(|name| name.as_str().expect("a name")).map(str::to_owned));
    }
    assert_eq!(named.iter().map(String::as_str).collect::<BTreeSet<_>>(), known);
}

#[test]
fn of_a_whole_account_the_rules_let_through_what_means_something() {
    let pattern = rules()[0].1["Properties"]["EventPattern"].clone();
    let account = account(&["--days", "2", "--instances", "200"]);
    let (mut needed, mut idle, mut spare) = (0_u32, 0_u32, BTreeMap::<String, u32>::new());
    for file in files(&account.path().join("AWSLogs")) {
        let packed = std::fs::read(&file).expect("a file");
        if file.extension().is_none_or(|ending| ending != "gz") || !packed.starts_with(&[0x1f, 0x8b]) {
            continue;
        }
        let Some(records) = gzip::unpack(&packed).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok())
        else {
            continue;
        };
        for record in records["Records"].as_array().into_iter().flatten().filter(|record| record.is_object()) {
            let service = record["eventSource"].as_str().unwrap_or_default().trim_end_matches(".amazonaws.com");
            let event = json!({
                "source": format!("aws.{service}"), "detail-type": "AWS API Call via CloudTrail", "detail": record,
            });
            let passes = fits(&pattern, &event);
            let matters = match read(record.to_string().as_bytes()).decoded {
                Decoded::Observed(_) | Decoded::Malformed { .. } => true,
                Decoded::Irrelevant { failed_decrypt } => failed_decrypt,
            };
            assert!(passes || !matters, "the rule keeps out {record:#}");
            needed += u32::from(matters);
            idle += u32::from(!passes);
            if passes && !matters {
                *spare.entry(record["eventName"].to_string()).or_default() += 1;
            }
        }
    }
    assert!(needed > 500 && idle > 5_000, "{needed} {idle}");
    // What a pattern cannot tell apart: a host's Decrypt of what is no volume, a grant by AWS itself.
    let few = spare.values().sum::<u32>() * 10 < needed;
    assert!(few && spare.keys().all(|name| name.contains("Decrypt") || name.contains("CreateGrant")), "{spare:?}");
}
