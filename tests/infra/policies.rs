//! The policies against the calls, both ways: every request that the function makes is allowed by a statement, and every
//! action of a statement is needed by a request.

use std::collections::{BTreeMap, BTreeSet};

use exposure_stand_in::RequestLine;
use serde_json::Value;

use crate::account::ACCOUNT;
use crate::calls::{MEMBER, READER, STATE_BUCKET, TRAIL_BUCKET, named_in_code, named_in_preflight, on_the_wire};
use crate::template::{Resolved, TEMPLATES, load, text};

/// What AWS does in the name of the function's role, and no request of the function shows.
const IN_ITS_NAME: [(&str, &str, &str); 3] = [
    ("logs:CreateLogStream", "AnalyzerLog.Arn", "Lambda writes the log"),
    ("logs:PutLogEvents", "AnalyzerLog.Arn", "Lambda writes the log"),
    ("sqs:SendMessage", "ScheduleDeadLetterQueue.Arn", "Lambda reports what failed"),
];
/// And with keys of yours: S3 asks KMS, in the function's name.
const WITH_KEYS: [(&str, &str, &str); 3] = [
    ("kms:Decrypt", TRAIL_KEY, "the trail's objects are read"),
    ("kms:Decrypt", STATE_KEY, "the state is read"),
    ("kms:GenerateDataKey", STATE_KEY, "the state is written"),
];
const STATE_KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/11111111-1111-1111-1111-111111111111";
const TRAIL_KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/22222222-2222-2222-2222-222222222222";
/// Actions without resource-level permissions (Service Authorization Reference): the only ones with `*` for a resource.
const WITHOUT_RESOURCES: [&str; 5] = [
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeScalingActivities",
    "autoscaling:DescribeWarmPool",
    "cloudtrail:LookupEvents",
    "cloudwatch:PutMetricData",
];

/// One action on one resource, with what the conditions may ask.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Need {
    action: String,
    resource: String,
    context: BTreeMap<String, String>,
}

impl Need {
    fn new(action: &str, resource: &str) -> Self {
        Self { action: action.to_owned(), resource: resource.to_owned(), context: BTreeMap::new() }
    }

    fn with(mut self, key: &str, value: &str) -> Self {
        self.context.insert(key.to_owned(), value.to_owned());
        self
    }
}

/// A statement that allows something.
#[derive(Debug)]
struct Statement {
    sid: String,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<(String, String, String)>,
}

impl Statement {
    fn all(resolved: &Resolved, role: &Value) -> Vec<Self> {
        assert!(role["Properties"]["ManagedPolicyArns"].is_null(), "a managed policy allows more than is needed");
        let policies = role["Properties"]["Policies"].as_array().expect("policies").iter();
        let statements = policies.flat_map(|p| p["PolicyDocument"]["Statement"].as_array().expect("statements"));
        statements.map(|statement| Self::read(resolved, statement)).collect()
    }

    fn read(resolved: &Resolved, statement: &Value) -> Self {
        let texts = |value: &Value| match value {
            Value::Array(items) => items.iter().map(|item| resolved.render(item)).collect::<Vec<_>>(),
            one => vec![resolved.render(one)],
        };
        assert_eq!(statement["Effect"], "Allow");
        let mut conditions = Vec::new();
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            for (key, value) in keys.as_object().expect("keys") {
                conditions.push((operator.clone(), key.clone(), resolved.render(value)));
            }
        }
        Self {
            sid: statement["Sid"].as_str().expect("a Sid").to_owned(),
            actions: texts(&statement["Action"]),
            resources: texts(&statement["Resource"]),
            conditions,
        }
    }

    fn allows(&self, action: &str, need: &Need) -> bool {
        let fits = |(operator, key, wanted): &(String, String, String)| {
            let given = need.context.get(key);
            match operator.as_str() {
                "StringEquals" => given == Some(wanted),
                "StringLike" => given.is_some_and(|given| is_like(wanted, given)),
                other => panic!("{}: a condition that this test does not know: {other}", self.sid),
            }
        };
        action == need.action
            && self.resources.iter().any(|pattern| is_like(pattern, &need.resource))
            && self.conditions.iter().all(fits)
    }
}

/// Whether a text is like a pattern, in which `*` stands for anything.
pub(crate) fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|left| {
            (0..=left.len()).filter(|at| left.is_char_boundary(*at)).any(|at| is_like(rest, &left[at..]))
        }),
    }
}

/// What a request needs. Names of actions differ from those of operations at times.
fn needs(request: &RequestLine) -> Vec<Need> {
    let detail = |name: &str| request.details[name].as_str().unwrap_or_default();
    let path = detail("path").trim_start_matches('/').to_owned();
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    let bucket_arn = format!("arn:aws:s3:::{bucket}");
    let object = |key: &str| format!("{bucket_arn}/{key}");
    match (request.service.as_str(), request.operation.as_str()) {
        ("autoscaling" | "cloudtrail", operation) => {
            vec![Need::new(&format!("{}:{operation}", request.service), "*")]
        }
        ("cloudwatch", "PutMetricData") => {
            vec![Need::new("cloudwatch:PutMetricData", "*").with("cloudwatch:namespace", "MigrationExposure")]
        }
        // S3 says that there is no object only to those who may list the bucket.
        ("s3", "GetObject") if request.error == "NoSuchKey" => {
            vec![Need::new("s3:GetObject", &object(key)), Need::new("s3:ListBucket", &bucket_arn)]
        }
        ("s3", "GetObject") => vec![Need::new("s3:GetObject", &object(key))],
        ("s3", "PutObject") => vec![Need::new("s3:PutObject", &object(key))],
        ("s3", "CopyObject") => {
            let from = key.split(".corrupt-").next().unwrap_or_default();
            vec![Need::new("s3:GetObject", &object(from)), Need::new("s3:PutObject", &object(key))]
        }
        ("s3", "ListObjectsV2") => {
            let query = request.details["query"].to_string();
            let asked = query.split("prefix").nth(1).unwrap_or_default().trim_matches(|c| "\"':=,[".contains(c));
            let end = asked.find(['"', '&']).unwrap_or(asked.len());
            vec![Need::new("s3:ListBucket", &bucket_arn).with("s3:prefix", &asked[..end].replace("%2F", "/"))]
        }
        ("sqs", "GetQueueAttributes") => vec![Need::new("sqs:GetQueueAttributes", "RecordQueue.Arn")],
        ("sqs", "ReceiveMessage") => vec![Need::new("sqs:ReceiveMessage", "RecordQueue.Arn")],
        ("sqs", "DeleteMessageBatch") => vec![Need::new("sqs:DeleteMessage", "RecordQueue.Arn")],
        ("sts", "AssumeRole") => vec![Need::new("sts:AssumeRole", detail("RoleArn"))],
        // Anybody may ask who they are.
        ("sts", "GetCallerIdentity") => Vec::new(),
        (service, operation) => panic!("no action is known for {service} {operation}"),
    }
}

/// Needs that no statement allows, and actions of statements that no need asks for.
fn compare(statements: &[Statement], needs: &BTreeSet<Need>) -> (Vec<Need>, Vec<String>) {
    let allowed = |need: &Need| statements.iter().any(|s| s.actions.iter().any(|action| s.allows(action, need)));
    let missing = needs.iter().filter(|need| !allowed(need)).cloned().collect();
    let mut spare = Vec::new();
    for statement in statements {
        for action in &statement.actions {
            if !needs.iter().any(|need| statement.allows(action, need)) {
                spare.push(format!("{} {action}", statement.sid));
            }
        }
    }
    (missing, spare)
}

fn named(table: &[(&str, &str, &str)]) -> Vec<Need> {
    table.iter().map(|(action, resource, _)| Need::new(action, resource)).collect()
}

#[test]
fn the_policies_allow_what_the_function_calls_and_nothing_else() {
    let mut seen = BTreeSet::new();
    for source in ["lookup", "queue", "logs"] {
        let requests = on_the_wire(source);
        seen.extend(requests.iter().map(|request| (request.service.clone(), request.operation.clone())));
        let of = |account: &str| -> BTreeSet<Need> {
            requests.iter().filter(|request| request.account == account).flat_map(needs).collect()
        };
        let mut given = vec![("Source", source), ("Targets", "[]"), ("ReaderRoleName", READER)];
        given.push(("ExistingStateBucket", STATE_BUCKET));
        let mut own = of(ACCOUNT);
        own.extend(named(&IN_ITS_NAME));
        if source == "logs" {
            given.extend([("TrailBucket", TRAIL_BUCKET), ("TrailKmsKeyArn", TRAIL_KEY), ("KmsKeyArn", STATE_KEY)]);
            let by_s3 = |need: Need| need.with("kms:ViaService", "s3.eu-central-1.amazonaws.com");
            own.extend(named(&WITH_KEYS).into_iter().map(by_s3));
        }
        let analyzer = Resolved::new("template.yaml", &given);
        let role = analyzer.resource("AWS::IAM::Role", "AnalyzerRole");
        let (missing, spare) = compare(&Statement::all(&analyzer, &role), &own);
        assert!(missing.is_empty() && spare.is_empty(), "{source}: missing {missing:#?}, to spare {spare:#?}");

        let mut member = of(MEMBER);
        assert!(!member.is_empty(), "{source}: the role of {MEMBER} was not taken on");
        // The same code looks at every place; what it asks of one (a warm pool, say) it may ask of another.
        member.extend(
            own.into_iter()
                .filter(|need| need.action.starts_with("autoscaling:") || need.action.starts_with("cloudtrail:")),
        );
        let reader = Resolved::new("reader-role.yaml", &[("Source", source)]);
        let role = reader.resource("AWS::IAM::Role", "ReaderRole");
        let (missing, spare) = compare(&Statement::all(&reader, &role), &member);
        assert!(missing.is_empty() && spare.is_empty(), "{source}, reader: missing {missing:#?}, to spare {spare:#?}");
    }
    // What the code can call, these runs have called: nothing escapes the comparison.
    assert_eq!(seen, named_in_code());
}

#[test]
fn a_bucket_that_the_stack_makes_is_allowed_like_one_that_exists() {
    let resources = |given: &[(&str, &str)]| -> Vec<String> {
        let resolved = Resolved::new("template.yaml", given);
        let role = resolved.resource("AWS::IAM::Role", "AnalyzerRole");
        Statement::all(&resolved, &role).into_iter().flat_map(|statement| statement.resources).collect()
    };
    let made = resources(&[]);
    let existing = resources(&[("ExistingStateBucket", "StateBucket")]);
    assert!(made.contains(&"arn:aws:s3:::StateBucket/state.json.gz".to_owned()), "{made:?}");
    assert_eq!(made, existing);
}

#[test]
fn without_targets_no_role_can_be_taken_on_and_with_them_the_readers_alone() {
    let roles = |given: &[(&str, &str)]| -> Vec<String> {
        let resolved = Resolved::new("template.yaml", given);
        let role = resolved.resource("AWS::IAM::Role", "AnalyzerRole");
        let statements = Statement::all(&resolved, &role).into_iter();
        let taking = statements.filter(|statement| statement.actions.contains(&"sts:AssumeRole".to_owned()));
        taking.flat_map(|statement| statement.resources).collect()
    };
    assert!(roles(&[]).is_empty());
    assert_eq!(roles(&[("Targets", "[{}]"), ("ReaderRoleName", "x")]), ["arn:aws:iam::*:role/x"]);
}

#[test]
fn the_other_roles_do_one_thing_each() {
    let wide =
        [("Source", "queue"), ("Targets", "[{}]"), ("ForwardingAccounts", MEMBER), ("CreateTicketTopic", "true")];
    let table = [
        (
            "template.yaml",
            &wide[..],
            "ScheduleRole",
            vec![("lambda:InvokeFunction", "Analyzer.Arn"), ("sqs:SendMessage", "ScheduleDeadLetterQueue.Arn")],
        ),
        ("event-forwarding.yaml", &[], "ForwardingRole", vec![("events:PutEvents", "RecordBusArn")]),
    ];
    for (name, given, role, expected) in table {
        let resolved = Resolved::new(name, given);
        let statements = Statement::all(&resolved, &resolved.resource("AWS::IAM::Role", role));
        let needs = expected.iter().map(|(action, resource)| Need::new(action, resource)).collect();
        let (missing, spare) = compare(&statements, &needs);
        assert!(missing.is_empty() && spare.is_empty(), "{role}: missing {missing:?}, to spare {spare:?}");
    }
}

#[test]
fn every_role_is_known_and_every_statement_says_why() {
    let known = ["AnalyzerRole", "ScheduleRole", "ReaderRole", "ForwardingRole"];
    let mut roles = 0;
    for name in TEMPLATES {
        let template = load(name);
        for (resource, definition) in template["Resources"].as_object().expect("resources") {
            let kind = definition["Type"].as_str().expect("a type");
            if kind.starts_with("AWS::IAM::") {
                assert!(kind == "AWS::IAM::Role" && known.contains(&resource.as_str()), "{name}: {resource}");
                roles += 1;
            }
            assert!(definition["Properties"]["Policies"].is_null() || kind == "AWS::IAM::Role", "{name}: {resource}");
        }
        let text = text(name);
        let lines: Vec<&str> = text.lines().collect();
        let policies = text.find("Policies:").map_or(lines.len(), |at| text[..at].lines().count());
        for (at, line) in lines.iter().enumerate().skip(policies).filter(|(_, line)| line.contains("- Sid: ")) {
            let above = lines[..at].iter().rev().find(|line| {
                let line = line.trim();
                line != "- !If" && !line.trim_start_matches("- ").chars().all(char::is_alphanumeric)
            });
            let queue_policy = text[..].contains("QueuePolicy") && !line.starts_with("              ");
            assert!(queue_policy || above.expect("a line").trim().starts_with('#'), "{name}: no reason above {line}");
        }
    }
    assert_eq!(roles, known.len());
}

#[test]
fn only_what_has_no_resources_is_allowed_on_all() {
    let mut found = 0;
    for source in ["lookup", "queue", "logs"] {
        for (name, role) in [("template.yaml", "AnalyzerRole"), ("reader-role.yaml", "ReaderRole")] {
            let resolved = Resolved::new(name, &[("Source", source)]);
            for statement in Statement::all(&resolved, &resolved.resource("AWS::IAM::Role", role)) {
                let all = statement.resources.iter().any(|resource| resource == "*");
                for action in &statement.actions {
                    assert!(!action.contains('*'), "{role} {}: {action}", statement.sid);
                    assert!(!all || WITHOUT_RESOURCES.contains(&action.as_str()), "{role} {}: {action}", statement.sid);
                    found += usize::from(all);
                }
            }
        }
    }
    assert!(found > 10, "{found}");
}

#[test]
fn the_readme_names_what_a_person_needs_for_the_preflight() {
    let readme = text("README.md");
    let asked = named_in_preflight();
    assert!(asked.len() > 8, "{asked:?}");
    for (service, operation) in asked.difference(&named_in_code()) {
        let action = format!("`{service}:{operation}`");
        assert!(readme.contains(&action), "infra/README.md does not name {action}");
    }
}
