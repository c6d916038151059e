//! A template as `CloudFormation` sees it: its short tags written out, its conditions decided.

use std::collections::BTreeMap;

use exposure_tests::root;
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// The templates that this module loads.
pub(crate) const TEMPLATES: [&str; 3] = ["template.yaml", "reader-role.yaml", "event-forwarding.yaml"];

/// The text of a file below `infra/`.
pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(root().join("infra").join(name)).expect("a file below infra/")
}

/// A template as JSON; `!Ref a` is `{"Ref": "a"}` and `!Sub a` is `{"Fn::Sub": "a"}`.
pub(crate) fn load(name: &str) -> Value {
    let text = text(name);
    let documents = Yaml::load_from_str(&text).expect("YAML");
    json_of(documents.first().expect("a document"))
}

fn json_of(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(scalar) => match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(value) => json!(value),
            Scalar::Integer(value) => json!(value),
            Scalar::FloatingPoint(value) => json!(value.into_inner()),
            Scalar::String(value) => json!(value),
        },
        Yaml::Sequence(items) => items.iter().map(json_of).collect(),
        Yaml::Mapping(members) => {
            let name = |key: &Yaml<'_>| match json_of(key) {
                Value::String(name) => name,
                other => other.to_string(),
            };
            Value::Object(members.iter().map(|(key, value)| (name(key), json_of(value))).collect())
        }
        Yaml::Tagged(tag, value) => function(&tag.suffix, json_of(value)),
        other => panic!("not in a template: {other:?}"),
    }
}

fn function(tag: &str, argument: Value) -> Value {
    match (tag, argument) {
        ("Ref" | "Condition", argument) => json!({tag: argument}),
        ("GetAtt", Value::String(path)) => {
            let (resource, attribute) = path.split_once('.').expect("resource.attribute");
            json!({"Fn::GetAtt": [resource, attribute]})
        }
        (_, argument) => json!({format!("Fn::{tag}"): argument}),
    }
}

/// A template with its parameters given: conditions decided, and what they leave out gone.
pub(crate) struct Resolved {
    template: Value,
    parameters: BTreeMap<String, Value>,
}

impl Resolved {
    /// With these parameters, and the defaults of the others.
    pub(crate) fn new(name: &str, given: &[(&str, &str)]) -> Self {
        let template = load(name);
        let members = |name: &str| template[name].as_object().cloned().unwrap_or_default();
        let default = |(name, parameter): (String, Value)| (name, parameter["Default"].clone());
        let mut parameters: BTreeMap<String, Value> = members("Parameters").into_iter().map(default).collect();
        for (name, value) in given {
            assert!(parameters.insert((*name).to_owned(), json!(value)).is_some(), "no parameter {name}");
        }
        Self { template, parameters }
    }

    /// The resources of a type that there are, by name, with what was decided decided.
    pub(crate) fn resources(&self, kind: &str) -> BTreeMap<String, Value> {
        let resources = self.template["Resources"].as_object().expect("resources");
        let there = resources.iter().filter(|(_, resource)| {
            resource["Type"] == kind && resource["Condition"].as_str().is_none_or(|name| self.holds(name))
        });
        there.map(|(name, resource)| (name.clone(), self.decided(resource).expect("a resource"))).collect()
    }

    /// One resource.
    pub(crate) fn resource(&self, kind: &str, name: &str) -> Value {
        self.resources(kind).remove(name).unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    fn holds(&self, condition: &str) -> bool {
        let definition = &self.template["Conditions"][condition];
        assert!(!definition.is_null(), "no condition {condition}");
        self.is_true(definition)
    }

    fn is_true(&self, expression: &Value) -> bool {
        let (name, argument) = expression.as_object().and_then(|o| o.iter().next()).expect("a condition");
        let list = argument.as_array().cloned().unwrap_or_default();
        match name.as_str() {
            "Condition" => self.holds(argument.as_str().expect("a name")),
            "Fn::Not" => !self.is_true(&list[0]),
            "Fn::And" => list.iter().all(|one| self.is_true(one)),
            "Fn::Or" => list.iter().any(|one| self.is_true(one)),
            "Fn::Equals" => self.render(&list[0]) == self.render(&list[1]),
            _ => panic!("not a condition: {expression}"),
        }
    }

    /// A value with every `Fn::If` decided; nothing where it comes to `AWS::NoValue`.
    fn decided(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Object(members) => {
                if let Some(branches) = members.get("Fn::If") {
                    let holds = self.holds(branches[0].as_str().expect("a condition"));
                    return self.decided(&branches[if holds { 1 } else { 2 }]);
                }
                if value == &json!({"Ref": "AWS::NoValue"}) {
                    return None;
                }
                let decided = members.iter().filter_map(|(name, value)| Some((name.clone(), self.decided(value)?)));
                Some(Value::Object(decided.collect::<Map<_, _>>()))
            }
            Value::Array(items) => Some(items.iter().filter_map(|item| self.decided(item)).collect()),
            other => Some(other.clone()),
        }
    }

    /// The text that a value comes to. A resource is rendered as its logical name, and an attribute as `Name.Attribute`.
    pub(crate) fn render(&self, value: &Value) -> String {
        let Some((name, argument)) = value.as_object().and_then(|members| members.iter().next()) else {
            return value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        };
        match name.as_str() {
            "Ref" => self.reference(argument.as_str().expect("a name"), &Value::Null),
            "Fn::GetAtt" => {
                format!("{}.{}", argument[0].as_str().expect("a name"), argument[1].as_str().expect("a name"))
            }
            "Fn::Join" => {
                let parts = match &argument[1] {
                    Value::Array(parts) => parts.iter().map(|part| self.render(part)).collect(),
                    list => vec![self.render(list)],
                };
                parts.join(argument[0].as_str().expect("a separator"))
            }
            "Fn::FindInMap" => {
                let [map, first, second] = [0, 1, 2].map(|at| self.render(&argument[at]));
                let found = &self.template["Mappings"][map][first][second];
                assert!(!found.is_null(), "not in the mapping: {argument}");
                self.render(found)
            }
            "Fn::If" => self.render(&self.decided(value).unwrap_or_default()),
            "Fn::Sub" => {
                let none = Value::Null;
                let (text, own) = match argument {
                    Value::Array(both) => (&both[0], &both[1]),
                    text => (text, &none),
                };
                self.substituted(text.as_str().expect("a text"), own)
            }
            _ => panic!("cannot be rendered: {value}"),
        }
    }

    fn substituted(&self, text: &str, own: &Value) -> String {
        let mut rendered = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').expect("a closing brace");
            rendered += before;
            rendered += &self.reference(name, own);
            rest = after;
        }
        rendered + rest
    }

    fn reference(&self, name: &str, own: &Value) -> String {
        match name {
            "AWS::Partition" => return "aws".to_owned(),
            "AWS::Region" => return "eu-central-1".to_owned(),
            "AWS::AccountId" => return "111122223333".to_owned(),
            "AWS::StackName" => return "exposure".to_owned(),
            _ => {}
        }
        if !own[name].is_null() {
            return self.render(&own[name]);
        }
        let given = self.parameters.get(name).filter(|value| !value.is_null());
        given.map_or_else(|| name.to_owned(), |value| self.render(value))
    }
}
