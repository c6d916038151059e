//! `infra/dashboard.yaml`, made from the generated body, and resolved as `CloudFormation` does.
//!
//! `CloudFormation` builds no text in a loop, and its conditions look at no item of a list: so each stack is a parameter,
//! and its rows, but those of the first, are a text of their own that is there on a condition.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use exposure_core::dashboard::Dashboard;
use regex::Regex;
use serde_json::{Value, json};

/// How many stacks the template can list: more rows would make it too large to be deployed without a bucket.
const STACKS: usize = 4;
/// A period that stands for the parameter.
const PERIOD: u32 = 7_777_740;

const HEAD: &str = r#"# Made from the catalogue: `UPDATE_DASHBOARD=1 cargo test --workspace --test infra the_template_is` writes it anew, and the
# same test fails where it differs. Change functions/core/src/dashboard/ instead.
AWSTemplateFormatVersion: "2010-09-09"
Description: The dashboard of migration-exposure - exposure by stack, fair rates, coverage and evidence.

Metadata:
  AWS::CloudFormation::Interface:
    ParameterGroups:
      - Label: {default: Dashboard}
        Parameters: [Prefix, Stack1, Stack2, Stack3, Stack4, AlarmArns]
      - Label: {default: The analyzer}
        Parameters: [MetricNamespace, PeriodSeconds, LogGroupName]

Parameters:
  Prefix:
    Type: String
    Default: migration-exposure
    AllowedPattern: ^[A-Za-z0-9_-]{1,200}$
    ConstraintDescription: 1 to 200 letters, digits, _ and -
    Description: What the name of the dashboard begins with; the region follows, since all regions share the names.
  AlarmArns:
    Type: String
    Default: ""
    AllowedPattern: ^(arn:[^"\\]+)?$
    ConstraintDescription: ARNs of alarms, at most 100, with commas between them
    Description: The alarms to show on top, with commas between them; none by default.
  Stack1:
    Type: String
    Default: Nighttime
    AllowedPattern: ^[ !#-&*-\[\]-~]{1,255}$
    ConstraintDescription: printable ASCII without quotes, parentheses and backslashes
    Description: >-
      The first stack with a rate and a colour of its own, as the dimension Stack has it. Stacks that are not named are drawn
      too, without a rate.
  Stack2:
    Type: String
    Default: Daytime
    AllowedPattern: ^[ !#-&*-\[\]-~]{0,255}$
    ConstraintDescription: printable ASCII without quotes, parentheses and backslashes, or nothing
    Description: The second; it may be empty.
  Stack3:
    Type: String
    Default: ""
    AllowedPattern: ^[ !#-&*-\[\]-~]{0,255}$
    ConstraintDescription: printable ASCII without quotes, parentheses and backslashes, or nothing
    Description: The third; it may be empty.
  Stack4:
    Type: String
    Default: ""
    AllowedPattern: ^[ !#-&*-\[\]-~]{0,255}$
    ConstraintDescription: printable ASCII without quotes, parentheses and backslashes, or nothing
    Description: The fourth; it may be empty.
  MetricNamespace:
    Type: String
    Default: MigrationExposure
    AllowedPattern: ^[A-Za-z0-9._/#-][A-Za-z0-9._/#:\- -]{0,254}$
    ConstraintDescription: 1 to 255 letters, digits and ._/#:- and blanks
    Description: METRIC_NAMESPACE of the analyzer.
  PeriodSeconds:
    Type: Number
    Default: 300
    AllowedValues: [60, 120, 180, 240, 300, 600, 900, 1200, 1800, 3600]
    ConstraintDescription: 60 to 3600, as CloudWatch has periods
    Description: PERIOD_SECONDS of the analyzer, which is the interval of its schedule.
  LogGroupName:
    Type: String
    Default: /aws/lambda/migration-exposure
    AllowedPattern: ^[A-Za-z0-9_/.#-]{1,512}$
    ConstraintDescription: 1 to 512 letters, digits and _/.#-
    Description: The log group of the analyzer.
"#;

fn named(number: usize) -> String {
    format!("Stack{number}")
}

/// Text that names one stack, there if the stack is given.
fn of_stack(number: usize, text: &str) -> Value {
    let text = json!({"Fn::Sub": text});
    if number == 1 { text } else { json!({"Fn::If": [format!("Has{}", named(number)), text, ""]}) }
}

/// The whole template as text.
pub(crate) fn template() -> String {
    let mut conditions = String::from("\nConditions:\n");
    let given = |parameter: &str| json!({"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]});
    let _ = writeln!(conditions, "  HasAlarms: {}", given("AlarmArns"));
    for number in 2..=STACKS {
        let _ = writeln!(conditions, "  Has{}: {}", named(number), given(&named(number)));
    }
    let (body, parts) = parts();
    let mut text = format!(
        "{HEAD}{conditions}\nResources:\n  Dashboard:\n    Type: AWS::CloudWatch::Dashboard\n    Properties:\n      \
         DashboardName: {{\"Fn::Sub\": \"${{Prefix}}-${{AWS::Region}}\"}}\n      DashboardBody:\n        Fn::Sub:\n          - |\n"
    );
    for line in body.lines() {
        let _ = writeln!(text, "            {line}");
    }
    for (place, (name, value)) in parts.iter().enumerate() {
        let _ = writeln!(text, "          {} {name}: {value}", if place == 0 { "-" } else { " " });
    }
    let url = "https://${AWS::Region}.console.aws.amazon.com/cloudwatch/home?region=${AWS::Region}#dashboards/dashboard/${Dashboard}";
    let outputs = [
        ("DashboardName", "The name of the dashboard.", json!({"Ref": "Dashboard"})),
        ("DashboardUrl", "Where to look at it (in the partition aws).", json!({"Fn::Sub": url})),
    ];
    text.push_str("\nOutputs:\n");
    for (name, what, value) in outputs {
        let _ = writeln!(text, "  {name}:\n    Description: {what}\n    Value: {value}");
    }
    text
}

/// The body with its holes, and what fills them.
fn parts() -> (String, BTreeMap<String, Value>) {
    let dashboard = Dashboard {
        namespace: "${MetricNamespace}".to_owned(),
        region: "${AWS::Region}".to_owned(),
        period_seconds: PERIOD,
        log_group: Some("${LogGroupName}".to_owned()),
        stacks: (1..=STACKS).map(|number| format!("${{{}}}", named(number))).collect(),
        alarm_arns: vec!["${Alarms}".to_owned()],
    };
    let (mut body, without) = (dashboard.body(), Dashboard { alarm_arns: Vec::new(), ..dashboard.clone() }.body());
    let mut parts = BTreeMap::new();
    let list = json!({"Fn::Join": ["\",\"", {"Fn::Split": [",", {"Ref": "AlarmArns"}]}]});
    let (shown, none) = (body["widgets"][0].to_string(), without["widgets"][0].to_string());
    parts.insert("Top".to_owned(), json!({"Fn::If": ["HasAlarms", {"Fn::Sub": [shown, {"Alarms": list}]}, none]}));
    body["widgets"][0] = json!("@TOP@");
    let text = lines(&body).replace("\"@TOP@\"", "${Top}").replace(&PERIOD.to_string(), "${PeriodSeconds}");
    let text = text.replace("${PROP(", "${!PROP(");
    // What leaves the listed stacks out of a search; JSON in a string, so its quotes are escaped once.
    let not = |number| format!(" NOT Stack=\\\"${{{}}}\\\"", named(number));
    let all: String = (1..=STACKS).map(not).collect();
    assert!(text.contains(&all));
    let terms: Vec<Value> = (1..=STACKS).map(|number| of_stack(number, &not(number))).collect();
    parts.insert("NotListed".to_owned(), json!({"Fn::Join": ["", terms]}));
    (split(&text.replace(&all, "${NotListed}"), &mut parts), parts)
}

/// A body as text: a widget's rows of metrics have a line each, what is before and after them one.
fn lines(body: &Value) -> String {
    let mut text = String::from("{\"periodOverride\":\"inherit\",\"start\":\"-P2W\",\"widgets\":[\n");
    let widgets = body["widgets"].as_array().expect("widgets");
    for (place, widget) in widgets.iter().enumerate() {
        let mut bare = widget.clone();
        let rows = bare.pointer_mut("/properties/metrics").map(|metrics| std::mem::replace(metrics, json!("@ROWS@")));
        let rows = rows.as_ref().and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let rows: Vec<String> = rows.iter().map(|row| format!("  {row}")).collect();
        text.push_str(&bare.to_string().replace("\"@ROWS@\"", &format!("[\n{}\n]", rows.join(",\n"))));
        text.push_str(if place + 1 == widgets.len() { "\n" } else { ",\n" });
    }
    text + "]}"
}

/// Takes the rows of the second stack and of later ones out of the text, each run of them into a part.
fn split(text: &str, parts: &mut BTreeMap<String, Value>) -> String {
    let of_one = Regex::new(r#""id":"[a-z]+([0-9]+)(_[0-9]+)?""#).expect("a pattern");
    let mut kept: Vec<String> = Vec::new();
    let mut block = 0;
    let mut blocks: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for line in text.lines() {
        if line.ends_with("\"metrics\":[") {
            block += 1;
        }
        let is_row = line.trim_start().starts_with('[');
        let number = of_one.captures(line).filter(|_| is_row).and_then(|found| found[1].parse::<usize>().ok());
        match number.filter(|number| *number > 1) {
            Some(number) => {
                let name = format!("Rows{block:02}{}", named(number));
                let part = blocks.entry(name.clone()).or_insert_with(|| {
                    let before = kept.last_mut().expect("the first stack's rows come before");
                    let comma = before.ends_with(',');
                    before.truncate(before.len() - usize::from(comma));
                    let _ = write!(before, "${{{name}}}");
                    if comma {
                        before.push(',');
                    }
                    (number, String::new())
                });
                part.1.push_str(",\n");
                part.1.push_str(line.trim().trim_end_matches(','));
                // The comma that followed the last row before: of an array's end there is none.
                if !line.ends_with(',') {
                    let before = kept.last_mut().expect("a row");
                    *before = before.trim_end_matches(',').to_owned();
                }
            }
            None => kept.push(line.to_owned()),
        }
    }
    for (name, (number, rows)) in blocks {
        parts.insert(name, of_stack(number, &rows));
    }
    kept.join("\n")
}

/// A template with its parameters' values, as far as `CloudFormation` would have to go for this one.
pub(crate) struct Resolver<'a> {
    pub(crate) template: &'a Value,
    pub(crate) parameters: BTreeMap<&'a str, Value>,
}

impl Resolver<'_> {
    /// The value of a node.
    pub(crate) fn resolve(&self, node: &Value) -> Value {
        let Some((name, argument)) = node.as_object().filter(|o| o.len() == 1).and_then(|o| o.iter().next()) else {
            return node.clone();
        };
        let list = |at: usize| self.resolve(&argument[at]);
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match name.as_str() {
            "Ref" => self.parameter(argument.as_str().expect("a name")),
            "Fn::If" => list(if self.holds(argument[0].as_str().expect("a condition")) { 1 } else { 2 }),
            "Fn::Equals" => json!(list(0) == list(1)),
            "Fn::Not" => json!(list(0) != json!(true)),
            "Fn::Join" => {
                let items = list(1);
                let items = items.as_array().expect("a list").iter().map(|item| text(self.resolve(item)));
                json!(items.collect::<Vec<_>>().join(&text(list(0))))
            }
            "Fn::Split" => json!(text(list(1)).split(&text(list(0))).collect::<Vec<_>>()),
            "Fn::Sub" => {
                let (pattern, names) = match argument {
                    Value::String(pattern) => (pattern.as_str(), Value::Null),
                    list => (list[0].as_str().expect("a text"), list[1].clone()),
                };
                json!(self.filled(pattern, &names))
            }
            _ => panic!("{name} is not known"),
        }
    }

    fn holds(&self, condition: &str) -> bool {
        self.resolve(&self.template["Conditions"][condition]) == json!(true)
    }

    fn parameter(&self, name: &str) -> Value {
        self.parameters.get(name).cloned().unwrap_or_else(|| panic!("{name} is not given"))
    }

    /// `${Name}` is replaced, `${!Literal}` loses its mark, and what is put in is not looked at again.
    fn filled(&self, pattern: &str, names: &Value) -> String {
        let hole = Regex::new(r"\$\{(!?)([^}]*)\}").expect("a pattern");
        let fill = |found: &regex::Captures<'_>| {
            if &found[1] == "!" {
                return format!("${{{}}}", &found[2]);
            }
            let value = match names.get(&found[2]) {
                Some(node) => self.resolve(node),
                None => self.parameter(&found[2]),
            };
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        };
        hole.replace_all(pattern, fill).into_owned()
    }
}
