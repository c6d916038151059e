//! The dashboard: what is deployed is what the command prints, is valid, and asks for what the function really sends.

mod expression;
mod structure;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Arc, OnceLock};

use exposure_stand_in::{Account, Clock, Datum, Delivery, Options, Quota, StandIn};
use exposure_tests::{exposure, root, run, sample};
use serde_json::{Value, json};
use tempfile::tempdir;

use template::{Resolver, template};

const FILE: &str = "infra/dashboard.yaml";

/// What the command prints, in a region.
fn printed(format: &str, arguments: &[&str]) -> String {
    let mut command = exposure();
    command.env_remove("AWS_REGION").env_remove("METRIC_NAMESPACE").env_remove("PERIOD_SECONDS");
    let ran = run(command.args(["catalogue", "--format", format]).args(arguments));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.err);
    ran.out
}

fn dashboard(arguments: &[&str]) -> Value {
    let arguments = [&["--region", "eu-central-1", "--log-group", "/aws/lambda/a"], arguments].concat();
    serde_json::from_str(&printed("dashboard", &arguments)).expect("JSON")
}

/// The deployed body with these stacks and alarms.
fn deployed(stacks: &[&str], alarms: &[&str], namespace: &str, period: u32) -> Value {
    let file = crate::template::load("dashboard.yaml");
    let stack = |number: usize| json!(stacks.get(number - 1).copied().unwrap_or_default());
    let parameters = BTreeMap::from([
        ("AWS::Region", json!("eu-central-1")),
        ("Stack1", stack(1)),
        ("Stack2", stack(2)),
        ("Stack3", stack(3)),
        ("Stack4", stack(4)),
        ("AlarmArns", json!(alarms.join(","))),
        ("MetricNamespace", json!(namespace)),
        ("PeriodSeconds", json!(period)),
        ("LogGroupName", json!("/aws/lambda/a")),
    ]);
    let resolver = Resolver { template: &file, parameters };
    let body = resolver.resolve(&file["Resources"]["Dashboard"]["Properties"]["DashboardBody"]);
    serde_json::from_str(body.as_str().expect("a text")).expect("the body is JSON")
}

#[test]
fn the_template_is_the_generated_one() {
    let made = template();
    let path = root().join(FILE);
    if std::env::var_os("UPDATE_DASHBOARD").is_some() {
        fs::write(&path, &made).expect("a file to write");
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    let differs = made.lines().zip(found.lines()).find(|(made, found)| made != found);
    assert!(made == found, "{FILE} is not what the catalogue makes; UPDATE_DASHBOARD=1 writes it anew: {differs:?}");
    assert!(made.len() < 51_200, "{} bytes: too large to be deployed without a bucket", made.len());
}

#[test]
fn what_the_template_deploys_is_what_the_command_prints() {
    let arns = ["arn:aws:cloudwatch:eu-central-1:111122223333:alarm:a", "arn:aws:cloudwatch:eu-central-1:1:alarm:b c"];
    let lists: [&[&str]; 5] =
        [&["Nighttime", "Daytime"], &["one"], &["a b", "c%20", "d"], &["1", "2", "3", "4"], &["x<y>&", "$z"]];
    for (number, stacks) in lists.into_iter().enumerate() {
        let (alarms, namespace, period) =
            if number % 2 == 0 { (&arns[..], "My/Own name", 900) } else { (&[][..], "N", 60) };
        let period_text = period.to_string();
        let mut arguments = vec!["--namespace", namespace, "--period", period_text.as_str()];
        // The template takes the dimension's values; `c%20` is the one of `c `.
        let names: Vec<String> = stacks.iter().map(|stack| stack.replace("%20", " ")).collect();
        arguments.extend(names.iter().flat_map(|stack| ["--stack", stack.as_str()]));
        arguments.extend(alarms.iter().flat_map(|arn| ["--alarm-arn", *arn]));
        let mut expected = dashboard(&arguments);
        // Its legends cannot give a name back.
        let text = expected.to_string().replace("\"c \"", "\"c%20\"").replace("\"c  ", "\"c%20 ");
        expected = serde_json::from_str(&text).expect("JSON");
        let found = deployed(stacks, alarms, namespace, period);
        let pairs =
            found["widgets"].as_array().expect("widgets").iter().zip(expected["widgets"].as_array().expect("widgets"));
        for (found, expected) in pairs {
            assert_eq!(found, expected, "{stacks:?}");
        }
        assert_eq!(found, expected, "{stacks:?}");
    }
}

#[test]
fn every_body_is_valid() {
    let many: Vec<String> = (0..20).map(|number| format!("stack \"{number}\" (it's)")).collect();
    let many: Vec<&str> = many.iter().flat_map(|stack| ["--stack", stack.as_str()]).collect();
    let alarm = ["--alarm-arn", "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:a"];
    for body in [dashboard(&[]), dashboard(&many), dashboard(&alarm), dashboard(&["--stack", "größe 夜間"])] {
        assert_eq!(structure::faults(&body), Vec::<String>::new());
    }
    assert_eq!(
        structure::faults(&deployed(&["Nighttime", "Daytime"], &[], "MigrationExposure", 300)),
        Vec::<String>::new()
    );
}

/// What breaks a body.
type Break = Box<dyn Fn(&mut Value)>;

#[test]
fn each_rule_of_the_structure_can_be_broken() {
    let metric = |row: Value| move |body: &mut Value| body["widgets"][1]["properties"]["metrics"] = json!([row]);
    let set = |path: &'static str, value: Value| {
        move |body: &mut Value| *body.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value.clone()
    };
    let add = |path: &'static str, name: &'static str, value: Value| {
        move |body: &mut Value| body.pointer_mut(path).unwrap_or_else(|| panic!("{path}"))[name] = value.clone()
    };
    let table: Vec<(&str, Break)> = vec![
        ("the body has no member x", Box::new(add("", "x", json!(1)))),
        ("start is no time range", Box::new(set("/start", json!("two weeks")))),
        ("periodOverride is neither", Box::new(set("/periodOverride", json!("never")))),
        ("no list of widgets", Box::new(set("/widgets", json!({})))),
        ("more than 500", Box::new(|body| body["widgets"] = json!(vec![body["widgets"][0].clone(); 501]))),
        ("a widget has no member z", Box::new(add("/widgets/1", "z", json!(1)))),
        ("whole numbers", Box::new(set("/widgets/1/x", json!(0.5)))),
        ("a size of 0", Box::new(set("/widgets/1/width", json!(0)))),
        ("leaves the 24 columns", Box::new(set("/widgets/1/x", json!(1)))),
        ("lies over widget 0", Box::new(set("/widgets/1/y", json!(2)))),
        ("no properties", Box::new(set("/widgets/1/properties", json!([])))),
        ("is no type", Box::new(set("/widgets/1/type", json!("chart")))),
        ("without markdown", Box::new(set("/widgets/2/properties", json!({"markdown": ""})))),
        ("a text has no member", Box::new(add("/widgets/2/properties", "title", json!("x")))),
        ("1 to 100 ARNs", Box::new(set("/widgets/0", json!({"type": "alarm", "properties": {"alarms": []}})))),
        ("1 to 100 ARNs", Box::new(set("/widgets/0", json!({"type": "alarm", "properties": {"alarms": ["a:b:c"]}})))),
        ("sortBy is unknown", Box::new(set("/widgets/0", json!({"type": "alarm", "properties": {"sortBy": "x"}})))),
        ("it has no region", Box::new(set("/widgets/1/properties/region", json!("Frankfurt")))),
        ("a period of 90", Box::new(set("/widgets/1/properties/period", json!(90)))),
        ("Max is no statistic", Box::new(set("/widgets/1/properties/stat", json!("Max")))),
        ("the view is unknown", Box::new(set("/widgets/1/properties/view", json!("lines")))),
        ("a metric widget has no member", Box::new(add("/widgets/1/properties", "markdown", json!("x")))),
        ("the axis left", Box::new(add("/widgets/1/properties", "yAxis", json!({"left": {"min": "0"}})))),
        ("the axis top", Box::new(add("/widgets/1/properties", "yAxis", json!({"top": {}})))),
        ("annotation without", Box::new(add("/widgets/1/properties", "annotations", json!({"horizontal": [{}]})))),
        ("1 to 500 metrics", Box::new(set("/widgets/1/properties/metrics", json!([])))),
        ("is no metric", Box::new(metric(json!(["N"])))),
        ("is no metric", Box::new(metric(json!(["N", "M", "Stack"])))),
        ("stands alone", Box::new(metric(json!(["N", {"expression": "TIME_SERIES(1)"}])))),
        ("unknown is unknown", Box::new(metric(json!([{"expression": "unknown + 1"}])))),
        ("a number in the end", Box::new(metric(json!([{"expression": "1 + 1"}])))),
        ("\"M1\" is no ID", Box::new(metric(json!(["N", "M", {"id": "M1"}])))),
        ("nothing is drawn", Box::new(metric(json!(["N", "M", {"visible": false}])))),
        ("the option color", Box::new(metric(json!(["N", "M", {"color": "red"}])))),
        ("the option period", Box::new(metric(json!(["N", "M", {"period": 30}])))),
        ("the option stat", Box::new(metric(json!(["N", "M", {"stat": "p101"}])))),
        ("the option yAxis", Box::new(metric(json!(["N", "M", {"yAxis": "top"}])))),
        ("the option size", Box::new(metric(json!(["N", "M", {"size": 1}])))),
        (
            "the ID m stands twice",
            Box::new(set("/widgets/1/properties/metrics", json!([["N", "M", {"id": "m"}], ["N", "O", {"id": "m"}]]))),
        ),
        (
            "names its log group first",
            Box::new(set("/widgets/0", json!({"type": "log", "properties": {"query": "fields a"}}))),
        ),
        (
            "a log widget has no member",
            Box::new(set("/widgets/0", json!({"type": "log", "properties": {"stat": "Sum"}}))),
        ),
    ];
    assert!(table.len() > 35);
    let whole = dashboard(&[]);
    for (reason, breaks) in table {
        let mut body = whole.clone();
        breaks(&mut body);
        let faults = structure::faults(&body);
        assert!(faults.iter().any(|fault| fault.contains(reason)), "{reason}: {faults:#?}");
    }
}

/// A metric as `CloudWatch` knows it: namespace, name, and whether it is one stack's.
type Asked = (String, String, bool);

/// What a body asks for, in rows and in searches.
fn asked(body: &Value) -> BTreeSet<Asked> {
    let search = regex::Regex::new(r#"SEARCH\('\{"([^"]*)",Stack\} MetricName="([^"]*)""#).expect("a pattern");
    let mut asked = BTreeSet::new();
    for row in body["widgets"]
        .as_array()
        .expect("widgets")
        .iter()
        .flat_map(|widget| widget["properties"]["metrics"].as_array().cloned().unwrap_or_default())
    {
        if let (Some(namespace), Some(name)) = (row[0].as_str(), row[1].as_str()) {
            asked.insert((namespace.to_owned(), name.to_owned(), row[2].as_str() == Some("Stack")));
        }
        let expression = row[0]["expression"].as_str().unwrap_or_default();
        asked.extend(search.captures_iter(expression).map(|found| (found[1].to_owned(), found[2].to_owned(), true)));
    }
    asked
}

/// What a real run sends to `CloudWatch`, and the migrations that it counted.
fn sent() -> &'static (Vec<Datum>, Value) {
    static SENT: OnceLock<(Vec<Datum>, Value)> = OnceLock::new();
    SENT.get_or_init(|| {
        let folder = tempdir().expect("a folder");
        let shown = Arc::new(Account::load(&sample(), &Delivery::default()).expect("an account"));
        let options = Options { lookup_quota: Quota::none(), clock: Clock::AtEnd, ..Options::default() };
        let stand_in = StandIn::start(shown, options).expect("a stand-in");
        let time = jiff::Timestamp::from_second(stand_in.clock()).expect("a time").to_string();
        let trail = format!("file://{}", sample().join("AWSLogs").display());
        let state = format!("file://{}", folder.path().join("state.json.gz").display());
        let mut command = exposure();
        command.env_clear().env("AWS_ENDPOINT_URL", stand_in.url()).env("AWS_REGION", "eu-central-1");
        command.env("AWS_ACCESS_KEY_ID", "111122223333").env("AWS_SECRET_ACCESS_KEY", "dummy");
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", folder.path());
        command.args([
            "run",
            "--source",
            "directory",
            "--trail-url",
            &trail,
            "--state-url",
            &state,
            "--clock",
            "event",
        ]);
        let ran = run(command.args(["--scheduled-time", &time]));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        (stand_in.metrics(), serde_json::from_str(&ran.out).expect("a record"))
    })
}

#[test]
fn it_asks_for_what_the_function_sends_and_for_all_of_it() {
    let sent: BTreeSet<Asked> = sent()
        .0
        .iter()
        .map(|datum| {
            let dimensions: Vec<&str> = datum.dimensions.iter().map(|(name, _)| name.as_str()).collect();
            assert!(dimensions.is_empty() || dimensions == ["Stack"], "{datum:?}");
            (datum.namespace.clone(), datum.name.clone(), !dimensions.is_empty())
        })
        .collect();
    assert!(sent.len() > 30, "{sent:?}");
    let names = |of: &BTreeSet<Asked>| of.iter().map(|(_, name, _)| name.clone()).collect::<BTreeSet<_>>();
    let catalogue: Value = serde_json::from_str(&printed("json", &[])).expect("JSON");
    let metrics = catalogue["metrics"].as_array().expect("metrics");
    let on_instances: BTreeSet<String> = metrics
        .iter()
        .filter(|metric| metric["dimensions"] == json!([["Stack"]]))
        .map(|metric| metric["name"].as_str().expect("a name").to_owned())
        .collect();
    for (place, body) in [
        ("the template", deployed(&["Nighttime", "Daytime"], &[], "MigrationExposure", 300)),
        ("the command", dashboard(&[])),
    ] {
        let asked = asked(&body);
        let of_function: BTreeSet<Asked> =
            asked.iter().filter(|(_, name, _)| !on_instances.contains(name)).cloned().collect();
        let unsent: Vec<_> = of_function.difference(&sent).collect();
        assert!(unsent.is_empty(), "{place} asks for what nobody sends: {unsent:?}");
        let unasked: Vec<_> = names(&sent).difference(&names(&asked)).cloned().collect();
        assert!(unasked.is_empty(), "{place} does not show {unasked:?}");
    }
    // The documents, and the JSON of the catalogue, say the same of what was sent.
    let table = readme();
    let written: BTreeSet<String> =
        table.lines().filter_map(|line| line.split('`').nth(1)).map(str::to_owned).collect();
    let expected: BTreeSet<String> = names(&sent).union(&on_instances).cloned().collect();
    assert_eq!(written, expected, "the README's table, and what was sent");
    for metric in metrics {
        let name = metric["name"].as_str().expect("a name");
        let known: BTreeSet<bool> = sent.iter().filter(|(_, sent, _)| sent == name).map(|(.., stack)| *stack).collect();
        let told = metric["dimensions"].as_array().expect("sets").iter().map(|set| *set == json!(["Stack"]));
        let told: BTreeSet<bool> = told.filter(|_| !on_instances.contains(name)).collect();
        assert_eq!(told, known, "{name}");
        let line = table.lines().find(|line| line.contains(&format!("`{name}`"))).expect("a row");
        let units: BTreeSet<&str> =
            self::sent().0.iter().filter(|datum| datum.name == name).map(|datum| datum.unit.as_str()).collect();
        assert!(units.iter().all(|unit| line.contains(&format!("| {unit} |"))), "{line}: {units:?}");
    }
}

/// The README's table of metrics.
fn readme() -> String {
    let text = fs::read_to_string(root().join("README.md")).expect("README.md");
    let section = text.split_once("### Metrics").expect("a section").1;
    let table = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    table.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn the_reference_in_the_readme_is_what_the_command_prints() {
    assert_eq!(printed("markdown", &[]), readme());
}

#[test]
fn the_log_tables_ask_for_members_that_the_log_has() {
    let migrations = sent().1["newMigrations"].as_array().expect("migrations").clone();
    assert!(!migrations.is_empty(), "the sample's last run counts migrations");
    let body = dashboard(&[]).to_string();
    let field = regex::Regex::new(r"migration\.([A-Za-z]+)").expect("a pattern");
    let mut fields: BTreeSet<&str> =
        field.captures_iter(&body).filter_map(|found| found.get(1)).map(|m| m.as_str()).collect();
    for list in ["volumes", "eventIds"] {
        assert!(body.contains(&format!("{list}\\\\\\\"")) || body.contains(&format!("\\\"{list}\\\":")), "{list}");
        fields.insert(list);
    }
    assert!(fields.len() > 6, "{fields:?}");
    let missing: Vec<_> = fields.iter().filter(|field| migrations[0].get(field).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?} of {:#}", migrations[0]);
    for member in ["outcome", "scheduledTime", "problems"] {
        assert!(body.contains(&format!("\\\"{member}\\\":")) && sent().1.get(member).is_some(), "{member}");
    }
}

#[test]
fn what_a_dashboard_cannot_be_made_of_is_told() {
    let table: [(&[&str], &str); 5] = [
        (&[], "needs --region"),
        (&["--region", "Frankfurt"], "write it like"),
        (&["--region", "eu-central-1", "--period", "90"], "a multiple of 60"),
        (&["--region", "eu-central-1", "--namespace", "a'b"], "1 to 255"),
        (&["--region", "eu-central-1", "--log-group", "a|b"], "1 to 512"),
    ];
    for (arguments, reason) in table {
        let mut command = exposure();
        command.env_remove("AWS_REGION").args(["catalogue", "--format", "dashboard"]).args(arguments);
        let ran = run(&mut command);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ran.err.contains(reason), "{arguments:?}: {}", ran.err);
    }
}
