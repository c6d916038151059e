use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::ids::{AutoScalingGroupName, InstanceId, Region, VolumeId};
use crate::observation::{Cause, Kind, Target, Transition};

const ACCOUNT: &str = "111122223333";
const OTHER_ACCOUNT: &str = "444455556666";
const INSTANCE: &str = "i-0123456789abcdef0";
const SECOND: &str = "i-0fedcba9876543210";
const VOLUME: &str = "vol-0123456789abcdef0";
const GROUP: &str = "night-web";

// ---- Records, as CloudTrail writes them ----

fn record(source: &str, name: &str, caller: &Value, parameters: &Value, answer: &Value) -> Value {
    json!({
        "eventVersion": "1.11", "userIdentity": caller, "eventTime": "2026-05-18T06:16:59Z",
        "eventSource": source, "eventName": name, "awsRegion": "eu-central-1",
        "sourceIPAddress": "192.0.2.7", "userAgent": "test", "requestParameters": parameters,
        "responseElements": answer, "requestID": "11111111-aaaa-4bbb-8ccc-000000000001",
        "eventID": "22222222-aaaa-4bbb-8ccc-000000000002", "readOnly": false, "eventType": "AwsApiCall",
        "managementEvent": true, "recipientAccountId": ACCOUNT, "eventCategory": "Management"
    })
}

fn host(partition: &str, instance: &str) -> Value {
    json!({
        "type": "AssumedRole", "principalId": format!("{ACCOUNT}:aws:ec2-infrastructure:{instance}"),
        "arn": format!("arn:{partition}:sts::{ACCOUNT}:assumed-role/aws:ec2-infrastructure/{instance}"),
        "accountId": ACCOUNT, "accessKeyId": "ASIAEXAMPLE000000000",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role", "principalId": format!("{ACCOUNT}:aws:ec2-infrastructure"),
                "arn": format!("arn:{partition}:iam::{ACCOUNT}:role/aws:ec2-infrastructure"),
                "accountId": ACCOUNT, "userName": "aws:ec2-infrastructure"
            },
            "attributes": {"creationDate": "2026-05-18T06:16:59Z", "mfaAuthenticated": "false"}
        },
        "invokedBy": "AWS Internal",
        "inScopeOf": {"issuerType": "AWS::EC2::Instance"}
    })
}

fn user() -> Value {
    json!({
        "type": "IAMUser", "principalId": "AIDAEXAMPLE000000000", "arn": format!("arn:aws:iam::{ACCOUNT}:user/alice"),
        "accountId": ACCOUNT, "accessKeyId": "AKIAEXAMPLE000000000", "userName": "alice"
    })
}

/// A session of a role: at `path` in IAM, for the service that `invoked_by` names, if any does.
fn role(path: &str, invoked_by: Option<&str>) -> Value {
    let name = path.rsplit('/').next().unwrap_or_default();
    json!({
        "type": "AssumedRole", "principalId": "AROAEXAMPLE000000000:session",
        "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/session"), "accountId": ACCOUNT,
        "sessionContext": {"sessionIssuer": {
            "type": "Role", "principalId": "AROAEXAMPLE000000000",
            "arn": format!("arn:aws:iam::{ACCOUNT}:role/{path}"), "accountId": ACCOUNT, "userName": name
        }},
        "invokedBy": invoked_by
    })
}

fn auto_scaling() -> Value {
    role("aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling", Some("autoscaling.amazonaws.com"))
}

fn service(name: &str) -> Value {
    json!({"type": "AWSService", "invokedBy": name})
}

fn sighting() -> Value {
    let parameters = json!({"encryptionContext": {"aws:ebs:id": VOLUME}, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"});
    let mut sighting = record("kms.amazonaws.com", "Decrypt", &host("aws", INSTANCE), &parameters, &Value::Null);
    sighting["userAgent"] = json!("AWS Internal");
    sighting["readOnly"] = json!(true);
    sighting["resources"] = json!([{"accountId": ACCOUNT, "type": "AWS::KMS::Key",
        "ARN": format!("arn:aws:kms:eu-central-1:{ACCOUNT}:key/00000000-1111-2222-3333-444444444444")}]);
    sighting
}

fn grant(caller: &Value) -> Value {
    let parameters = json!({
        "constraints": {"encryptionContextSubset": {"aws:ebs:id": VOLUME}}, "operations": ["Decrypt"],
        "granteePrincipal": format!("arn:aws:sts::{ACCOUNT}:assumed-role/aws:ec2-infrastructure/{INSTANCE}")
    });
    record("kms.amazonaws.com", "CreateGrant", caller, &parameters, &json!({"grantId": "0123"}))
}

fn run_instances() -> Value {
    let tags = json!([{"key": "Name", "value": "x"}, {"key": "aws:autoscaling:groupName", "value": GROUP}]);
    let asked = json!({
        "instancesSet": {"items": [{"minCount": 1, "maxCount": 1}]},
        "tagSpecificationSet": {"items": [{"resourceType": "instance", "tags": tags}]}
    });
    let answer = json!({"reservationId": "r-0123456789abcdef0", "instancesSet": {"items": [{
        "instanceId": INSTANCE, "instanceState": {"code": 0, "name": "pending"}, "tagSet": {"items": tags},
        "blockDeviceMapping": {}
    }]}});
    record("ec2.amazonaws.com", "RunInstances", &auto_scaling(), &asked, &answer)
}

fn create_fleet(item: &Value) -> Value {
    let asked = json!({"CreateFleetRequest": {"Type": "instant", "TagSpecification": {"tag": 1,
        "ResourceType": "instance", "Tag": {"tag": 1, "Key": "aws:autoscaling:groupName", "Value": GROUP}}}});
    let answer = json!({"CreateFleetResponse": {"fleetId": "fleet-0123", "errorSet": "",
        "fleetInstanceSet": {"item": item}}});
    record("ec2.amazonaws.com", "CreateFleet", &auto_scaling(), &asked, &answer)
}

/// `StartInstances`, `StopInstances` or `RebootInstances` of instances, each with the state it was in.
fn power(name: &str, caller: &Value, instances: &[(&str, &str)]) -> Value {
    let asked: Vec<Value> = instances.iter().map(|(id, _)| json!({"instanceId": id})).collect();
    let answered: Vec<Value> = instances
        .iter()
        .map(|(id, was)| json!({"instanceId": id, "previousState": {"name": was}, "currentState": {"name": "x"}}))
        .collect();
    let answer =
        if name == "RebootInstances" { json!({"_return": true}) } else { json!({"instancesSet": {"items": answered}}) };
    record("ec2.amazonaws.com", name, caller, &json!({"instancesSet": {"items": asked}}), &answer)
}

fn volume_call(name: &str) -> Value {
    let asked = json!({"volumeId": VOLUME, "instanceId": INSTANCE, "device": "/dev/sdf"});
    record("ec2.amazonaws.com", name, &user(), &asked, &json!({"volumeId": VOLUME, "status": "attaching"}))
}

fn replace_root() -> Value {
    let asked =
        json!({"CreateReplaceRootVolumeTaskRequest": {"InstanceId": INSTANCE, "DeleteReplacedRootVolume": true}});
    record("ec2.amazonaws.com", "CreateReplaceRootVolumeTask", &user(), &asked, &Value::Null)
}

fn scaling_call(name: &str, parameters: &Value) -> Value {
    record("autoscaling.amazonaws.com", name, &user(), parameters, &Value::Null)
}

/// One record of every kind that can be observed.
fn observed_records() -> Vec<Value> {
    let ids = json!({"instanceIds": [INSTANCE], "autoScalingGroupName": GROUP});
    let id = json!({"instanceId": INSTANCE});
    vec![
        sighting(),
        grant(&user()),
        run_instances(),
        create_fleet(&json!({"instanceIds": {"item": INSTANCE}})),
        power("StartInstances", &user(), &[(INSTANCE, "stopped")]),
        power("StopInstances", &user(), &[(INSTANCE, "running")]),
        power("RebootInstances", &user(), &[(INSTANCE, "running")]),
        volume_call("AttachVolume"),
        volume_call("DetachVolume"),
        replace_root(),
        scaling_call("EnterStandby", &ids),
        scaling_call("ExitStandby", &ids),
        scaling_call("AttachInstances", &ids),
        scaling_call("DetachInstances", &ids),
        scaling_call("TerminateInstanceInAutoScalingGroup", &id),
        power("TerminateInstances", &user(), &[(INSTANCE, "running")]),
        scaling_call("CompleteLifecycleAction", &json!({"instanceId": INSTANCE, "lifecycleActionResult": "CONTINUE"})),
    ]
}

// ---- Asking and telling ----

/// `record` with the value at a JSON pointer replaced or added.
fn with(mut record: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    record.pointer_mut(parent).expect(pointer)[key] = value;
    record
}

fn without(mut record: Value, pointer: &str) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let removed = record.pointer_mut(parent).and_then(Value::as_object_mut).expect(pointer).remove(key);
    assert!(removed.is_some(), "nothing at {pointer}");
    record
}

fn meaning(record: &Value) -> Decoded {
    decode(record.to_string().as_bytes())
}

fn observed(record: &Value) -> Observation {
    match meaning(record) {
        Decoded::Observed(observation) => observation,
        other => panic!("not observed but {other:?}: {record}"),
    }
}

/// The cause that a record is, with its targets as text, and whether Auto Scaling did it.
fn cause(record: &Value) -> (Cause, Vec<String>, bool) {
    match observed(record).kind {
        Kind::Cause { cause, targets, by_auto_scaling } => {
            (cause, targets.iter().map(shown).collect(), by_auto_scaling)
        }
        other => panic!("not a cause but {other:?}"),
    }
}

fn shown(target: &Target) -> String {
    let volume = target.volume.as_ref().map(VolumeId::as_str);
    let group = target.group.as_ref().map(AutoScalingGroupName::as_str);
    [Some(target.instance.as_str()), volume, group].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn sighted(instance: &str, volume: &str) -> Kind {
    Kind::Sighting {
        instance: InstanceId::new(instance).expect("an instance"),
        volume: VolumeId::new(volume).expect("a volume"),
    }
}

fn malformed_reason(record: &Value) -> &'static str {
    match meaning(record) {
        Decoded::Malformed { reason, observation: None } => reason,
        other => panic!("not merely malformed but {other:?}: {record}"),
    }
}

/// Every row means nothing here, and is no failed Decrypt.
fn assert_nothing(table: &[(&str, Value)]) {
    assert!(!table.is_empty());
    for (name, record) in table {
        assert_eq!(meaning(record), Decoded::NOTHING, "{name}: {record}");
    }
}

// ---- The sighting ----

#[test]
fn a_sighting_is_told_with_all_that_it_carries() {
    let seen = observed(&sighting());
    assert_eq!(seen.kind, sighted(INSTANCE, VOLUME));
    assert_eq!(seen.time.to_string(), "2026-05-18T06:16:59Z");
    assert_eq!(seen.source.to_string(), "111122223333 eu-central-1");
    assert_eq!(seen.identity.as_str(), "22222222-aaaa-4bbb-8ccc-000000000002");
    assert_eq!(seen.event_id, seen.identity);
    assert_eq!(seen.request_id.expect("a request ID").as_str(), "11111111-aaaa-4bbb-8ccc-000000000001");
    assert!(seen.own_copy);
}

#[test]
fn a_sighting_of_2014_has_short_ids_and_no_user_agent() {
    let mut old = with(sighting(), "/userIdentity", host("aws", "i-81e2f56c"));
    for absent in
        ["/userAgent", "/eventCategory", "/managementEvent", "/userIdentity/invokedBy", "/userIdentity/inScopeOf"]
    {
        old = without(old, absent);
    }
    old["eventVersion"] = json!("1.02");
    old["sourceIPAddress"] = json!("192.0.2.0");
    old["requestParameters"] = json!({"encryptionContext": {"aws:ebs:id": "vol-f67bafb2"}});
    assert_eq!(observed(&old).kind, sighted("i-81e2f56c", "vol-f67bafb2"));
}

#[test]
fn the_partition_varies() {
    for partition in ["aws", "aws-cn", "aws-us-gov", "aws-iso-b"] {
        let record = with(sighting(), "/userIdentity", host(partition, INSTANCE));
        assert_eq!(observed(&record).kind, sighted(INSTANCE, VOLUME), "{partition}");
    }
    for partition in ["", "AWS", "gcp"] {
        let record = with(sighting(), "/userIdentity", host(partition, INSTANCE));
        assert_eq!(meaning(&record), Decoded::NOTHING, "{partition}");
    }
}

#[test]
fn nothing_that_resembles_a_sighting_is_one() {
    let context = |context: Value| with(sighting(), "/requestParameters/encryptionContext", context);
    let identity = |field: &str, value: &str| with(sighting(), &format!("/userIdentity/{field}"), json!(value));
    let instance_role = "aws:ec2-instance";
    let text = sighting().to_string();
    let profile = with(
        with(role("web", None), "/principalId", json!(format!("AROAEXAMPLE000000000:{INSTANCE}"))),
        "/arn",
        json!(format!("arn:aws:sts::{ACCOUNT}:assumed-role/web/{INSTANCE}")),
    );
    assert_nothing(&[
        ("the EBS service", with(sighting(), "/userIdentity", service("ebs.amazonaws.com"))),
        ("the EBS service in the host's clothes", identity("type", "AWSService")),
        ("a user of that type", identity("type", "IAMUser")),
        ("no type", without(sighting(), "/userIdentity/type")),
        (
            "Fargate",
            context(json!({"aws:ebs:id": VOLUME, "aws:ecs:clusterName": "c", "aws:ecs:clusterAccount": ACCOUNT})),
        ),
        ("RDS", context(json!({"aws:rds:db-id": "db-ABCDEFGH", "aws:rds:dbc-id": "x"}))),
        ("RDS of one key", context(json!({"aws:rds:db-id": VOLUME}))),
        ("WorkSpaces", context(json!({"aws:workspaces:sid-directoryid": "x", "aws:ebs:id": VOLUME}))),
        ("another letter case", context(json!({"AWS:EBS:ID": VOLUME}))),
        ("no context", context(Value::Null)),
        ("an empty context", context(json!({}))),
        ("a context that is a list", context(json!([VOLUME]))),
        ("a snapshot", context(json!({"aws:ebs:id": "snap-0123456789abcdef0"}))),
        ("an ID of sixteen digits", context(json!({"aws:ebs:id": "vol-0123456789abcdef"}))),
        ("an ID within a list", context(json!({"aws:ebs:id": [VOLUME]}))),
        ("an instance profile's session", with(sighting(), "/userIdentity", profile)),
        (
            "the instance identity role",
            serde_json::from_str(&text.replace("aws:ec2-infrastructure", instance_role)).expect("JSON"),
        ),
        (
            "the principal of another instance",
            identity("principalId", &format!("{ACCOUNT}:aws:ec2-infrastructure:{SECOND}")),
        ),
        (
            "the principal of another account",
            identity("principalId", &format!("{OTHER_ACCOUNT}:aws:ec2-infrastructure:{INSTANCE}")),
        ),
        ("the principal of a role", identity("principalId", &format!("AROAEXAMPLE000000000:{INSTANCE}"))),
        ("no principal", without(sighting(), "/userIdentity/principalId")),
        (
            "the ARN of a role below a path",
            identity("arn", &format!("arn:aws:sts::{ACCOUNT}:assumed-role/x/aws:ec2-infrastructure/{INSTANCE}")),
        ),
        (
            "the ARN of a longer name",
            identity("arn", &format!("arn:aws:sts::{ACCOUNT}:assumed-role/aws:ec2-infrastructure2/{INSTANCE}")),
        ),
        (
            "the ARN of IAM",
            identity("arn", &format!("arn:aws:iam::{ACCOUNT}:assumed-role/aws:ec2-infrastructure/{INSTANCE}")),
        ),
        ("no ARN", without(sighting(), "/userIdentity/arn")),
        ("another issuer", identity("sessionContext/sessionIssuer/userName", "web")),
        ("no session", without(sighting(), "/userIdentity/sessionContext")),
        ("no identity", without(sighting(), "/userIdentity")),
        ("another service", with(sighting(), "/eventSource", json!("secretsmanager.amazonaws.com"))),
        ("a service of that name", with(sighting(), "/eventSource", json!("kms.amazonaws.com.example"))),
        ("another call", with(sighting(), "/eventName", json!("GenerateDataKeyWithoutPlaintext"))),
        ("a call whose name begins alike", with(sighting(), "/eventName", json!("DecryptAll"))),
        ("a name that is no string", with(sighting(), "/eventName", json!(["Decrypt"]))),
        (
            "its text inside a string",
            record("ssm.amazonaws.com", "PutParameter", &user(), &json!({"value": text}), &Value::Null),
        ),
        (
            "its text inside the parameters of a Decrypt",
            record("kms.amazonaws.com", "Decrypt", &user(), &json!({"note": text, "copy": sighting()}), &Value::Null),
        ),
        (
            "AWS Internal alone",
            record(
                "secretsmanager.amazonaws.com",
                "RotateSecret",
                &service("AWS Internal"),
                &json!({"secretId": "x"}),
                &Value::Null,
            ),
        ),
    ]);
}

#[test]
fn a_failed_decrypt_of_a_host_is_counted_whatever_its_parameters_and_a_dry_run_is_not() {
    let failed = |code: &str, parameters: Value| {
        with(with(sighting(), "/errorCode", json!(code)), "/requestParameters", parameters)
    };
    let context = || json!({"encryptionContext": {"aws:ebs:id": VOLUME}});
    let table = [
        (failed("AccessDenied", context()), true),
        (failed("AccessDenied", Value::Null), true),
        (failed("KMSInvalidStateException", json!({"omitted": true})), true),
        (with(sighting(), "/errorCode", json!(403)), true),
        (failed("DryRunOperationException", context()), false),
        (failed("DryRunOperationException", Value::Null), false),
        (with(failed("AccessDenied", context()), "/userIdentity", user()), false),
    ];
    for (record, failed_decrypt) in table {
        assert_eq!(meaning(&record), Decoded::Irrelevant { failed_decrypt }, "{record}");
    }
    for none in [Value::Null, json!("")] {
        assert_eq!(observed(&with(sighting(), "/errorCode", none)).kind, sighted(INSTANCE, VOLUME));
    }
}

#[test]
fn a_decrypt_of_a_host_without_its_parameters_is_malformed() {
    let table = [
        with(sighting(), "/requestParameters", Value::Null),
        without(sighting(), "/requestParameters"),
        with(sighting(), "/requestParameters", json!({"omitted": true, "originalSize": 102_401, "reason": "too big"})),
    ];
    for record in table {
        assert_eq!(malformed_reason(&record), "an infrastructure Decrypt without requestParameters", "{record}");
    }
    let kept = with(sighting(), "/requestParameters/omitted", json!(false));
    assert_eq!(observed(&kept).kind, sighted(INSTANCE, VOLUME));
}

#[test]
fn what_is_observed_must_have_its_time_its_id_and_its_region() {
    let table = [
        ("/eventTime", json!("yesterday"), "no eventTime"),
        ("/eventTime", json!(1_779_000_000), "no eventTime"),
        ("/eventID", json!(""), "no eventID"),
        ("/eventID", json!("x".repeat(129)), "no eventID"),
        ("/awsRegion", json!("EU (Frankfurt)"), "no awsRegion"),
    ];
    let kinds = [sighting(), grant(&user()), run_instances(), volume_call("AttachVolume"), replace_root()];
    for kind in kinds {
        for (pointer, wrong, reason) in &table {
            assert_eq!(malformed_reason_of_any(&without(kind.clone(), pointer)), *reason, "{kind} without {pointer}");
            let wrong = with(kind.clone(), pointer, wrong.clone());
            assert_eq!(malformed_reason_of_any(&wrong), *reason, "{wrong}");
        }
    }
}

fn malformed_reason_of_any(record: &Value) -> &'static str {
    match meaning(record) {
        Decoded::Malformed { reason, .. } => reason,
        other => panic!("not malformed but {other:?}: {record}"),
    }
}

#[test]
fn what_is_no_object_is_malformed() {
    let table = [
        ("null", "not a JSON object"),
        ("17", "not a JSON object"),
        ("\"eventName\"", "not a JSON object"),
        ("[{}]", "not a JSON object"),
        ("", "not JSON"),
        ("{", "not JSON"),
        ("{\"eventName\":}", "not JSON"),
        ("{} {}", "not JSON"),
        ("{'eventName':'Decrypt'}", "not JSON"),
    ];
    for (text, expected) in table {
        assert_eq!(decode(text.as_bytes()), Decoded::malformed(expected), "{text}");
    }
    assert_eq!(decode(b"\xff\xfe{}"), Decoded::malformed("not JSON"));
    assert_eq!(decode(b"{}"), Decoded::NOTHING);
}

// ---- Identity ----

#[test]
fn the_identity_is_the_shared_event_id_if_there_is_one() {
    let shared = observed(&with(sighting(), "/sharedEventID", json!("33333333-aaaa-4bbb-8ccc-000000000003")));
    assert_eq!(shared.identity.as_str(), "33333333-aaaa-4bbb-8ccc-000000000003");
    assert_eq!(shared.event_id.as_str(), "22222222-aaaa-4bbb-8ccc-000000000002");
    for none in [Value::Null, json!(""), json!(7)] {
        let seen = observed(&with(sighting(), "/sharedEventID", none));
        assert_eq!(seen.identity, seen.event_id);
    }
}

#[test]
fn a_copy_in_another_account_is_of_the_instances_account_and_not_its_own() {
    let copy = observed(&with(sighting(), "/recipientAccountId", json!(OTHER_ACCOUNT)));
    assert_eq!(copy.source.account.as_str(), ACCOUNT);
    assert!(!copy.own_copy);
    let grant = observed(&with(grant(&user()), "/recipientAccountId", json!(OTHER_ACCOUNT)));
    assert_eq!(grant.source.account.as_str(), ACCOUNT);
    assert!(!grant.own_copy);
}

#[test]
fn a_call_is_of_the_account_that_got_its_record_else_of_the_callers() {
    let call = volume_call("AttachVolume");
    let delegated = observed(&with(call.clone(), "/recipientAccountId", json!(OTHER_ACCOUNT)));
    assert_eq!(delegated.source.account.as_str(), OTHER_ACCOUNT);
    assert!(delegated.own_copy);
    let old = without(call, "/recipientAccountId");
    assert_eq!(observed(&old).source.account.as_str(), ACCOUNT);
    assert_eq!(malformed_reason(&without(old, "/userIdentity/accountId")), "no recipientAccountId");
}

#[test]
fn a_request_id_is_no_must() {
    assert_eq!(observed(&without(sighting(), "/requestID")).request_id, None);
    assert_eq!(observed(&with(sighting(), "/requestID", json!(7))).request_id, None);
}

// ---- Rule 2: judged as JSON, not as text ----

/// JSON with the keys of every object in reverse.
fn reversed(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let members: Vec<_> = map.iter().rev().map(|(k, v)| format!("{}:{}", json!(k), reversed(v))).collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(reversed).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// JSON with every character of every key and string escaped.
fn escaped(value: &Value) -> String {
    let string = |text: &str| {
        let escapes: String = text.encode_utf16().fold(String::new(), |text, unit| text + &format!("\\u{unit:04X}"));
        format!("\"{escapes}\"")
    };
    match value {
        Value::Object(map) => {
            let members: Vec<_> = map.iter().map(|(k, v)| format!("{}:{}", string(k), escaped(v))).collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(escaped).collect::<Vec<_>>().join(",")),
        Value::String(text) => string(text),
        other => other.to_string(),
    }
}

#[test]
fn key_order_white_space_escapes_duplicates_and_unknown_fields_change_nothing() {
    let lookalike = with(sighting(), "/userIdentity", service("ebs.amazonaws.com"));
    let failed = with(sighting(), "/errorCode", json!("AccessDenied"));
    let mut records = observed_records();
    records.extend([lookalike, failed, with(sighting(), "/requestParameters", Value::Null)]);
    for record in records {
        let plain = record.to_string();
        let expected = decode(plain.as_bytes());
        let pretty = serde_json::to_string_pretty(&record).expect("JSON");
        // What comes later counts.
        let doubled = plain.replacen(
            '{',
            r#"{"eventName":"DescribeTags","eventSource":"x","userIdentity":{},"errorCode":"x","eventTime":1,
               "requestParameters":null,"responseElements":{},"eventID":"y","awsRegion":"z","recipientAccountId":"1","#,
            1,
        );
        let unknown = ["", "/userIdentity", "/requestParameters"].iter().fold(record.clone(), |record, place| {
            let known = record.pointer(place).is_some_and(Value::is_object);
            let future = json!({"eventName": "Decrypt", "list": [1, "2", null]});
            if known { with(record, &format!("{place}/notYetKnown"), future) } else { record }
        });
        let record_without_error = record.get("errorCode").is_none();
        let rows = [
            ("reversed", reversed(&record)),
            ("pretty", pretty.clone()),
            ("CRLF and tabs", format!("\t{}\r\n", pretty.replace('\n', "\r\n\t"))),
            ("escaped", escaped(&record)),
            ("escaped and reversed", escaped(&serde_json::from_str(&reversed(&record)).expect("JSON"))),
            ("solidus", plain.replace('/', "\\/")),
            ("doubled", if record_without_error { doubled.replace(r#""errorCode":"x","#, "") } else { doubled }),
            ("unknown", unknown.to_string()),
        ];
        for (name, text) in rows {
            assert_eq!(decode(text.as_bytes()), expected, "{name}: {text}");
        }
    }
}

#[test]
fn of_a_key_that_comes_twice_the_last_counts() {
    let text = sighting().to_string();
    let renamed = text.replacen('}', r#"},"eventName":"Decrypt""#, 1);
    assert!(matches!(decode(renamed.as_bytes()), Decoded::Observed(_)));
    let (head, _) = text.rsplit_once('}').expect("an object");
    let last = format!(r#"{head},"eventName":"DescribeKey"}}"#);
    assert_eq!(decode(last.as_bytes()), Decoded::NOTHING);
    let failed_last = format!(r#"{head},"errorCode":"AccessDenied"}}"#);
    assert_eq!(decode(failed_last.as_bytes()), Decoded::Irrelevant { failed_decrypt: true });
}

// ---- Causes ----

#[test]
fn a_launch_names_every_instance_and_its_group() {
    assert_eq!(cause(&run_instances()), (Cause::Launch, vec![format!("{INSTANCE} {GROUP}")], true));

    let only_asked = without(run_instances(), "/responseElements/instancesSet/items/0/tagSet");
    assert_eq!(cause(&only_asked).1, [format!("{INSTANCE} {GROUP}")], "tagSpecificationSet alone");

    let own = json!({"items": [{"key": "aws:autoscaling:groupName", "value": "day-web"}]});
    let differing = with(run_instances(), "/responseElements/instancesSet/items/0/tagSet", own);
    assert_eq!(cause(&differing).1, [format!("{INSTANCE} day-web")], "the instance's own tags come first");

    let untagged = without(only_asked, "/requestParameters/tagSpecificationSet");
    assert_eq!(cause(&untagged).1, [INSTANCE], "no group");

    let items = json!([{"instanceId": INSTANCE}, {"instanceId": SECOND}, {"imageId": "ami-0123"}]);
    let several = with(untagged.clone(), "/responseElements/instancesSet/items", items);
    assert_eq!(cause(&several).1, [INSTANCE, SECOND]);

    let one = with(untagged, "/responseElements/instancesSet/items", json!({"instanceId": INSTANCE}));
    assert_eq!(cause(&one).1, [INSTANCE], "a list of one as an object");
}

#[test]
fn a_launch_without_instance_ids_is_malformed_and_noted_all_the_same() {
    let table = [
        with(run_instances(), "/responseElements", Value::Null),
        with(run_instances(), "/responseElements", json!({"omitted": true})),
        without(run_instances(), "/responseElements"),
        with(run_instances(), "/responseElements/instancesSet", json!({})),
        with(run_instances(), "/responseElements/instancesSet/items", json!([{"imageId": "ami-0123"}])),
    ];
    for record in table {
        let Decoded::Malformed { reason, observation: Some(observation) } = meaning(&record) else {
            panic!("no note of the launch: {record}");
        };
        assert_eq!(reason, "a RunInstances without its instance IDs");
        assert_eq!(observation.kind, Kind::UnnamedLaunch);
        assert_eq!(observation.source.to_string(), "111122223333 eu-central-1");
    }
    let failed = with(with(run_instances(), "/responseElements", Value::Null), "/errorCode", json!("Client.X"));
    assert_eq!(meaning(&failed), Decoded::NOTHING, "a failed launch names none by its nature");
}

#[test]
fn a_fleet_that_names_its_instances_is_a_launch() {
    let table = [
        (json!({"instanceIds": {"item": INSTANCE}}), vec![INSTANCE]),
        (json!({"instanceIds": {"item": [INSTANCE, SECOND]}}), vec![INSTANCE, SECOND]),
        (json!([{"instanceIds": {"item": INSTANCE}}, {"instanceIds": {"item": SECOND}}]), vec![INSTANCE, SECOND]),
    ];
    for (item, instances) in table {
        let expected: Vec<_> = instances.iter().map(|instance| format!("{instance} {GROUP}")).collect();
        assert_eq!(cause(&create_fleet(&item)), (Cause::Launch, expected, true), "{item}");
    }
    let maintain = with(create_fleet(&json!([])), "/responseElements/CreateFleetResponse/fleetInstanceSet", json!(""));
    assert_nothing(&[
        ("a fleet of another type", maintain.clone()),
        ("no answer", with(maintain, "/responseElements", Value::Null)),
    ]);
}

#[test]
fn a_start_moves_only_what_was_not_running() {
    let start = |instances: &[(&str, &str)]| power("StartInstances", &user(), instances);
    assert_eq!(cause(&start(&[(INSTANCE, "stopped")])), (Cause::Start, vec![INSTANCE.to_owned()], false));
    assert_eq!(cause(&start(&[(INSTANCE, "running"), (SECOND, "stopped")])).1, [SECOND]);
    assert_eq!(meaning(&start(&[(INSTANCE, "running")])), Decoded::NOTHING);
    let unanswered = with(start(&[(INSTANCE, "stopped")]), "/responseElements", Value::Null);
    assert_eq!(cause(&unanswered).1, [INSTANCE]);
}

#[test]
fn a_stop_is_one_whatever_the_state_before() {
    for before in ["running", "stopped", "pending"] {
        let stop = power("StopInstances", &user(), &[(INSTANCE, before)]);
        assert_eq!(cause(&stop), (Cause::Stop, vec![INSTANCE.to_owned()], false), "{before}");
    }
}

#[test]
fn the_other_causes_name_instance_and_volume() {
    let both = format!("{INSTANCE} {VOLUME}");
    let instance = INSTANCE.to_owned();
    let table = [
        (power("RebootInstances", &user(), &[(INSTANCE, "")]), Cause::Reboot, &instance),
        (volume_call("AttachVolume"), Cause::Attach, &both),
        (volume_call("DetachVolume"), Cause::Detach, &both),
        (with(volume_call("AttachVolume"), "/responseElements", Value::Null), Cause::Attach, &both),
        (replace_root(), Cause::RootVolumeReplacement, &instance),
        (grant(&user()), Cause::Grant, &both),
    ];
    for (record, expected, target) in table {
        assert_eq!(cause(&record), (expected, vec![target.clone()], false), "{record}");
    }
    // A DetachVolume need not name the instance; its answer does.
    let asked_for_volume = without(volume_call("DetachVolume"), "/requestParameters/instanceId");
    let answered = with(asked_for_volume, "/responseElements/instanceId", json!(INSTANCE));
    assert_eq!(cause(&answered).1, [both]);
    // The answer of a root volume replacement names its instance too.
    let answer = json!({"CreateReplaceRootVolumeTaskResponse": {"replaceRootVolumeTask": {"instanceId": INSTANCE}}});
    let answered = with(with(replace_root(), "/requestParameters", Value::Null), "/responseElements", answer);
    assert_eq!(cause(&answered).1, [INSTANCE]);
}

#[test]
fn a_cause_without_what_it_is_about_is_malformed() {
    let nothing =
        |record: Value| with(with(record, "/requestParameters", Value::Null), "/responseElements", Value::Null);
    let start = power("StartInstances", &user(), &[(INSTANCE, "stopped")]);
    let stop = power("StopInstances", &user(), &[(INSTANCE, "running")]);
    let on_off = "a StartInstances or StopInstances without its instance IDs";
    let attachment = "an AttachVolume or DetachVolume without its volume or instance";
    let table = [
        (nothing(start), on_off),
        (nothing(stop), on_off),
        (nothing(power("RebootInstances", &user(), &[(INSTANCE, "")])), "a RebootInstances without its instance IDs"),
        (without(volume_call("AttachVolume"), "/requestParameters/instanceId"), attachment),
        (nothing(volume_call("DetachVolume")), attachment),
        (nothing(replace_root()), "a CreateReplaceRootVolumeTask without its instance ID"),
    ];
    for (record, reason) in table {
        assert_eq!(malformed_reason(&record), reason, "{record}");
    }
}

#[test]
fn a_grant_explains_if_a_customer_or_auto_scaling_asked_for_it() {
    let linked = |service: &str, name: &str| role(&format!("aws-service-role/{service}/{name}"), Some(service));
    let as_type =
        |kind: &str| json!({"type": kind, "accountId": ACCOUNT, "arn": format!("arn:aws:iam::{ACCOUNT}:root")});
    let table = [
        ("a user", user(), Some(false)),
        ("the root user", as_type("Root"), Some(false)),
        ("a federated user", as_type("FederatedUser"), Some(false)),
        ("another account", as_type("AWSAccount"), Some(false)),
        ("a customer's role through EC2", role("admin", Some("ec2-frontend-api.amazonaws.com")), Some(false)),
        ("a customer's role at a path", role("team/admin", None), Some(false)),
        ("Auto Scaling's service-linked role", auto_scaling(), Some(true)),
        (
            "Auto Scaling's service-linked role with a suffix",
            linked("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling_team"),
            Some(true),
        ),
        (
            "Auto Scaling's role through EC2",
            with(auto_scaling(), "/invokedBy", json!("ec2-frontend-api.amazonaws.com")),
            Some(true),
        ),
        ("Auto Scaling itself", service("autoscaling.amazonaws.com"), Some(true)),
        ("AWS", service("ec2-frontend-api.amazonaws.com"), None),
        ("AWS Internal", service("AWS Internal"), None),
        ("the host itself", host("aws", INSTANCE), None),
        ("Spot", linked("spot.amazonaws.com", "AWSServiceRoleForEC2Spot"), None),
        ("Backup", linked("backup.amazonaws.com", "AWSServiceRoleForBackup"), None),
        ("nobody", json!({}), None),
        ("an unknown type", as_type("Unknown"), None),
    ];
    for (name, caller, expected) in table {
        let record = grant(&caller);
        match expected {
            Some(by_auto_scaling) => {
                let both = vec![format!("{INSTANCE} {VOLUME}")];
                assert_eq!(cause(&record), (Cause::Grant, both, by_auto_scaling), "{name}");
            }
            None => assert_eq!(meaning(&record), Decoded::NOTHING, "{name}"),
        }
    }
}

#[test]
fn a_grant_names_its_instance_in_either_form_and_its_volume_alone() {
    let grantee = |text: String| with(grant(&user()), "/requestParameters/granteePrincipal", json!(text));
    let both = vec![format!("{INSTANCE} {VOLUME}")];
    let old = grantee(format!("{ACCOUNT}:aws:ec2-infrastructure:{INSTANCE}"));
    assert_eq!(cause(&old).1, both);
    let china = grantee(format!("arn:aws-cn:sts::{ACCOUNT}:assumed-role/aws:ec2-infrastructure/{INSTANCE}"));
    assert_eq!(cause(&china).1, both);
    let equals = with(
        grant(&user()),
        "/requestParameters/constraints",
        json!({"encryptionContextEquals": {"aws:ebs:id": VOLUME}}),
    );
    assert_eq!(cause(&equals).1, both);

    let context =
        |context: Value| with(grant(&user()), "/requestParameters/constraints/encryptionContextSubset", context);
    assert_nothing(&[
        ("Fargate", grantee("fargate.eu-central-1.amazonaws.com".to_owned())),
        ("RDS", grantee("rds.eu-central-1.amazonaws.com".to_owned())),
        ("a customer's role", grantee(format!("arn:aws:sts::{ACCOUNT}:assumed-role/web/{INSTANCE}"))),
        ("the instance identity role", grantee(format!("{ACCOUNT}:aws:ec2-instance:{INSTANCE}"))),
        ("no grantee", without(grant(&user()), "/requestParameters/granteePrincipal")),
        ("no constraints", without(grant(&user()), "/requestParameters/constraints")),
        ("further keys", context(json!({"aws:ebs:id": VOLUME, "aws:ecs:clusterName": "c"}))),
        ("a snapshot", context(json!({"aws:ebs:id": "snap-0123456789abcdef0"}))),
        ("no parameters", with(grant(&user()), "/requestParameters", Value::Null)),
    ]);
}

#[test]
fn a_failed_call_explains_nothing() {
    let mut failed = 0;
    for record in observed_records() {
        if record["eventName"] == "Decrypt" {
            continue;
        }
        for code in [json!("Client.UnauthorizedOperation"), json!("DryRunOperation"), json!(17)] {
            let record = with(record.clone(), "/errorCode", code);
            assert_eq!(meaning(&record), Decoded::NOTHING, "{record}");
            failed += 1;
        }
        let record = with(record, "/errorCode", Value::Null);
        assert!(matches!(meaning(&record), Decoded::Observed(_)), "{record}");
    }
    assert!(failed > 40);
}

#[test]
fn whether_auto_scaling_did_it_is_kept() {
    let fleet = role("admin", Some("ec2fleet.amazonaws.com"));
    for name in ["StartInstances", "StopInstances"] {
        assert!(cause(&power(name, &auto_scaling(), &[(INSTANCE, "stopped")])).2, "{name}");
        assert!(!cause(&power(name, &user(), &[(INSTANCE, "stopped")])).2, "{name}");
        assert!(!cause(&power(name, &fleet, &[(INSTANCE, "stopped")])).2, "{name}");
        // A role that is only called so lies at no path of AWS's.
        let namesake = role("team/AWSServiceRoleForAutoScalings", None);
        assert!(!cause(&power(name, &namesake, &[(INSTANCE, "stopped")])).2, "{name}");
    }
}

// ---- Transitions ----

#[test]
fn transitions_name_their_instances() {
    let ids = json!({"instanceIds": [INSTANCE, SECOND], "autoScalingGroupName": GROUP});
    let both = vec![INSTANCE, SECOND];
    let one = vec![INSTANCE];
    let id = json!({"instanceId": INSTANCE, "shouldDecrementDesiredCapacity": true});
    let complete = json!({"instanceId": INSTANCE, "lifecycleHookName": "h", "lifecycleActionToken": "t"});
    let table = [
        (scaling_call("EnterStandby", &ids), Transition::EnterStandby, &both),
        (scaling_call("ExitStandby", &ids), Transition::ExitStandby, &both),
        (scaling_call("AttachInstances", &ids), Transition::AttachInstances, &both),
        (scaling_call("DetachInstances", &ids), Transition::DetachInstances, &both),
        (scaling_call("TerminateInstanceInAutoScalingGroup", &id), Transition::Terminate, &one),
        (power("TerminateInstances", &user(), &[(INSTANCE, ""), (SECOND, "")]), Transition::Terminate, &both),
        (scaling_call("CompleteLifecycleAction", &complete), Transition::CompleteLifecycleAction, &one),
    ];
    for (record, expected, instances) in table {
        let Kind::Transition { transition, instances: found } = observed(&record).kind else {
            panic!("no transition: {record}");
        };
        let found: Vec<_> = found.iter().map(InstanceId::as_str).collect();
        assert_eq!((transition, found), (expected, instances.clone()), "{record}");
    }
}

#[test]
fn a_transition_that_names_no_instance_is_nothing() {
    let token = json!({"lifecycleHookName": "h", "lifecycleActionToken": "t", "autoScalingGroupName": GROUP});
    assert_nothing(&[
        ("a token alone", scaling_call("CompleteLifecycleAction", &token)),
        ("no parameters", scaling_call("EnterStandby", &Value::Null)),
        ("no instances", scaling_call("DetachInstances", &json!({"instanceIds": []}))),
        ("no time", without(scaling_call("EnterStandby", &json!({"instanceIds": [INSTANCE]})), "/eventTime")),
    ]);
}

#[test]
fn a_call_counts_at_the_service_that_it_belongs_to() {
    let mut moved = 0;
    for record in observed_records() {
        let other = match record["eventSource"].as_str() {
            Some("ec2.amazonaws.com") => "autoscaling.amazonaws.com",
            Some("autoscaling.amazonaws.com") => "ec2.amazonaws.com",
            _ => "s3.amazonaws.com",
        };
        assert_eq!(meaning(&with(record.clone(), "/eventSource", json!(other))), Decoded::NOTHING, "{record}");
        moved += 1;
    }
    assert!(moved > 10);
}

// ---- What the filter of a log file may leave out ----

#[test]
fn concern_admits_every_event_name_that_can_be_observed() {
    let mut names = BTreeSet::new();
    for record in observed_records() {
        assert!(matches!(meaning(&record), Decoded::Observed(_)), "{record}");
        let name = record["eventName"].as_str().expect("a name").to_owned();
        match concern(name.as_bytes()) {
            Concern::Always => {}
            Concern::WithRole => assert!(record.to_string().contains(INFRASTRUCTURE_ROLE), "{name}"),
            Concern::None => panic!("{name} is left out"),
        }
        names.insert(name);
    }
    assert_eq!(names.len(), 17, "one fixture for each name that is admitted: {names:?}");
    for name in ["DescribeInstances", "GenerateDataKey", "RetireGrant", "decrypt", "Decrypt2", ""] {
        assert_eq!(concern(name.as_bytes()), Concern::None, "{name}");
    }
}

#[test]
fn tags_without_a_value_or_alone_do_not_spoil_a_launch() {
    let record = |tags: serde_json::Value| {
        let item = serde_json::json!({"instanceId": "i-0123456789abcdef0", "tagSet": {"items": tags}});
        serde_json::json!({
            "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "eventTime": "2026-05-11T08:00:00Z",
            "eventID": "e-1", "awsRegion": "eu-central-1", "recipientAccountId": "111122223333",
            "responseElements": {"instancesSet": {"items": [item]}},
        })
    };
    let group = serde_json::json!({"key": "aws:autoscaling:groupName", "value": "web"});
    let table = [
        (serde_json::json!([{"key": "Name", "value": null}, group]), Some("web")),
        (group.clone(), Some("web")),
        (serde_json::json!(null), None),
        (serde_json::json!([{"key": "aws:autoscaling:groupName"}]), None),
    ];
    assert_eq!(table.len(), 4);
    for (tags, expected) in table {
        let Decoded::Observed(Observation { kind: Kind::Cause { targets, .. }, .. }) =
            decode(record(tags.clone()).to_string().as_bytes())
        else {
            panic!("no launch: {tags}");
        };
        assert_eq!(targets[0].group.as_ref().map(crate::ids::AutoScalingGroupName::as_str), expected, "{tags}");
    }
}

#[test]
fn a_caller_of_any_shape_is_read_on_the_way_as_it_would_be_by_itself() {
    let (usual, identity) = (sighting().to_string(), host("aws", INSTANCE).to_string());
    assert!(usual.contains(&identity));
    let with = |member: &str| identity.replacen('{', &format!("{{{member},"), 1);
    let mut texts = vec![usual.clone(), grant(&host("aws", INSTANCE)).to_string(), run_instances().to_string()];
    for caller in [
        "null".to_owned(),
        "5".to_owned(),
        "1e999".to_owned(),
        "[]".to_owned(),
        r#"["AssumedRole"]"#.to_owned(),
        r#""AssumedRole""#.to_owned(),
        "{}".to_owned(),
        "{".to_owned(),
        with(r#""type":null"#),
        with(r#""other":{"type":[1e999,"\u0041"]}"#),
        with(r#""inScopeOf":5"#),
        identity.replace(r#""AssumedRole""#, "5"),
        identity.replace(r#""AssumedRole""#, r#""Assumed\u0052ole""#),
        identity.replace(r#""type""#, r#""\u0074ype""#),
        identity.replace(r#""sessionContext":"#, r#""sessionContext":null,"other":"#),
        identity.replace(r#""sessionContext":"#, r#""sessionContext":[],"other":"#),
    ] {
        texts.push(usual.replace(&identity, &caller));
        // Of two, the last counts.
        texts.push(usual.replacen('{', &format!(r#"{{"userIdentity":{caller},"#), 1));
        texts.push(format!(r#"{},"userIdentity":{caller}}}"#, &usual[..usual.len() - 1]));
    }
    assert_read_on_the_way_as_by_themselves(&texts);
}

#[test]
fn a_field_of_any_shape_is_read_on_the_way_as_it_would_be_by_itself() {
    let usual = sighting();
    let strings = usual.as_object().expect("an object").iter().filter_map(|(key, value)| Some((key, value.as_str()?)));
    let mut texts = vec![usual.to_string()];
    for (key, value) in strings.chain([(&"sharedEventID".to_owned(), "shared"), (&"errorCode".to_owned(), "Denied")]) {
        for shape in [
            "null",
            "true",
            "-5",
            "1e999",
            "\"\"",
            "[]",
            r#"["Decrypt"]"#,
            r#"{"a":[1e999,null]}"#,
            r#""\ud800""#,
            r#""\u00e9\u0020""#,
            r#""two\nlines""#,
            "\"a tab\t\"",
            "nul",
            r#""open"#,
            value,
            &json!(value).to_string(),
            &format!(r#""\u{:04x}{}""#, u32::from(value.as_bytes()[0]), &value[1..]),
        ] {
            let mut other = usual.clone();
            other[key] = json!("PLACE");
            texts.push(other.to_string().replace("\"PLACE\"", shape));
            // Of two, the last counts.
            texts.push(usual.to_string().replacen('{', &format!(r#"{{"{key}":{shape},"#), 1));
            texts.push(format!(r#"{},"{key}":{shape}}}"#, &usual.to_string()[..usual.to_string().len() - 1]));
        }
    }
    assert!(texts.len() > 300);
    assert_read_on_the_way_as_by_themselves(&texts);
}

/// Records that were sifted out of a file are read on the way; those that come alone, when they are asked for.
fn assert_read_on_the_way_as_by_themselves(texts: &[String]) {
    let known = read(texts[0].as_bytes()).source.expect("a source");
    let mut observed = 0;
    for text in texts {
        let by_itself = read(text.as_bytes());
        assert_eq!(read_from(text.as_bytes(), Some(&known)), by_itself, "{text}");
        observed += usize::from(matches!(by_itself.decoded, Decoded::Observed(_)));
        if serde_json::from_str::<Fields<'_>>(text).is_err() {
            assert!(matches!(by_itself.decoded, Decoded::Malformed { .. }), "{text}");
        }
    }
    assert!((20..texts.len() - 10).contains(&observed), "{observed} of {}", texts.len());
}

#[test]
fn what_a_record_has_in_common_with_others_changes_nothing() {
    let text = sighting().to_string();
    let reading = read(text.as_bytes());
    let known = reading.source.clone().expect("a source");
    let other = Source { region: Region::new("us-east-1").expect("a region"), ..known.clone() };
    for known in [known, other] {
        assert_eq!(read_from(text.as_bytes(), Some(&known)), reading);
    }
}
