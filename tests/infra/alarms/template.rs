//! A template as `CloudFormation` makes it: loops written out, conditions decided, functions worked out.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A template with its parameters given.
pub(crate) struct Template {
    pub(crate) template: Value,
    parameters: BTreeMap<String, Value>,
}

impl Template {
    /// One below `infra/`, with these parameters, and the defaults of the others.
    pub(crate) fn load(name: &str, given: &BTreeMap<String, String>) -> Self {
        Self::new(crate::template::load(name), given)
    }

    pub(crate) fn new(template: Value, given: &BTreeMap<String, String>) -> Self {
        let declared = template["Parameters"].as_object().expect("parameters");
        let mut parameters = BTreeMap::new();
        for (name, parameter) in declared {
            let value = given.get(name).cloned().unwrap_or_else(|| plain(&parameter["Default"]));
            let list = parameter["Type"] == "CommaDelimitedList";
            parameters
                .insert(name.clone(), if list { value.split(',').map(Value::from).collect() } else { value.into() });
        }
        for name in given.keys() {
            assert!(parameters.contains_key(name), "there is no parameter {name}");
        }
        Self { template, parameters }
    }

    /// The resources that there are, by logical name.
    pub(crate) fn resources(&self) -> BTreeMap<String, Value> {
        let all = self.unrolled(&self.template["Resources"], &BTreeMap::new());
        let all = all.as_object().expect("resources");
        let there =
            all.iter().filter(|(_, resource)| resource["Condition"].as_str().is_none_or(|name| self.holds(name)));
        let made = there.map(|(name, resource)| {
            let mut made = self.made(&resource["Properties"], all).expect("properties");
            made["Type"] = resource["Type"].clone();
            (name.clone(), made)
        });
        made.collect()
    }

    /// A value without loops, and with the values of those around it.
    fn unrolled(&self, value: &Value, around: &BTreeMap<String, String>) -> Value {
        match value {
            Value::String(text) => named(text, around).into(),
            Value::Array(items) => items.iter().map(|item| self.unrolled(item, around)).collect(),
            Value::Object(members) => {
                if let Some(Value::String(name)) = members.get("Ref")
                    && let Some(value) = around.get(name)
                {
                    return value.clone().into();
                }
                let mut unrolled = Map::new();
                for (key, value) in members {
                    if key.starts_with("Fn::ForEach::") {
                        let values = self.made(&value[1], &Map::new()).expect("a list");
                        for item in values.as_array().expect("a list") {
                            let mut within = around.clone();
                            within.insert(plain(&value[0]), plain(item));
                            let inner = self.unrolled(&value[2], &within);
                            for (key, value) in inner.as_object().expect("an object") {
                                assert!(unrolled.insert(key.clone(), value.clone()).is_none(), "{key} twice");
                            }
                        }
                    } else {
                        unrolled.insert(named(key, around), self.unrolled(value, around));
                    }
                }
                Value::Object(unrolled)
            }
            other => other.clone(),
        }
    }

    fn holds(&self, condition: &str) -> bool {
        let definition = &self.template["Conditions"][condition];
        assert!(!definition.is_null(), "there is no condition {condition}");
        self.is_true(definition)
    }

    fn is_true(&self, expression: &Value) -> bool {
        let (name, argument) = only(expression);
        match name {
            "Fn::Not" => !self.is_true(&argument[0]),
            "Fn::Equals" => {
                let of = |place: usize| plain(&self.made(&argument[place], &Map::new()).expect("a value"));
                of(0) == of(1)
            }
            _ => panic!("not a condition: {expression}"),
        }
    }

    /// A value with its functions worked out; nothing where that is `AWS::NoValue`.
    fn made(&self, value: &Value, resources: &Map<String, Value>) -> Option<Value> {
        let Value::Object(members) = value else {
            return match value {
                Value::Array(items) => Some(items.iter().filter_map(|item| self.made(item, resources)).collect()),
                other => Some(other.clone()),
            };
        };
        let function = members
            .keys()
            .next()
            .filter(|name| members.len() == 1 && (name.starts_with("Fn::") || name.as_str() == "Ref"));
        let Some(function) = function else {
            let made = members.iter().filter_map(|(name, value)| Some((name.clone(), self.made(value, resources)?)));
            return Some(Value::Object(made.collect()));
        };
        let argument = &members[function];
        let of = |value: &Value| self.made(value, resources).expect("a value");
        match function.as_str() {
            "Ref" => self.referred(argument.as_str().expect("a name"), resources),
            "Fn::If" => {
                let holds = self.holds(argument[0].as_str().expect("a condition"));
                self.made(&argument[if holds { 1 } else { 2 }], resources)
            }
            "Fn::Sub" => Some(self.filled(argument, resources).into()),
            "Fn::Join" => {
                let items = of(&argument[1]);
                let items: Vec<String> = items.as_array().expect("a list").iter().map(plain).collect();
                Some(items.join(argument[0].as_str().expect("a delimiter")).into())
            }
            "Fn::Split" => {
                let text = plain(&of(&argument[1]));
                Some(text.split(argument[0].as_str().expect("a delimiter")).map(Value::from).collect())
            }
            "Fn::Select" => {
                let place: usize = plain(&of(&argument[0])).parse().expect("a place");
                Some(of(&argument[1]).get(place).expect("as many items").clone())
            }
            "Fn::FindInMap" => {
                let keys: Vec<String> = (0..3).map(|place| plain(&of(&argument[place]))).collect();
                let found = &self.template["Mappings"][&keys[0]][&keys[1]][&keys[2]];
                assert!(!found.is_null(), "no {keys:?}");
                Some(found.clone())
            }
            other => panic!("unknown: {other}"),
        }
    }

    /// What `Ref` gives: a parameter, or the name of an alarm.
    fn referred(&self, name: &str, resources: &Map<String, Value>) -> Option<Value> {
        if name == "AWS::NoValue" {
            return None;
        }
        if let Some(value) = self.parameters.get(name) {
            return Some(value.clone());
        }
        let resource = resources.get(name).unwrap_or_else(|| panic!("{name} is neither a parameter nor a resource"));
        self.made(&resource["Properties"]["AlarmName"], resources)
    }

    fn filled(&self, argument: &Value, resources: &Map<String, Value>) -> String {
        let (text, values) = match argument {
            Value::Array(both) => (&both[0], both[1].as_object().cloned().unwrap_or_default()),
            text => (text, Map::new()),
        };
        // Whatever is in the map is worked out, used or not: its references must be good.
        let values: BTreeMap<&String, String> =
            values.iter().map(|(name, value)| (name, plain(&self.made(value, resources).expect("a value")))).collect();
        let mut filled = String::new();
        let mut rest = text.as_str().expect("a text");
        while let Some((before, after)) = rest.split_once("${") {
            let (name, left) = after.split_once('}').expect("a closing brace");
            let value = values.get(&name.to_owned()).cloned();
            filled.push_str(before);
            filled.push_str(&value.unwrap_or_else(|| plain(&self.referred(name, resources).expect("a value"))));
            rest = left;
        }
        filled + rest
    }
}

/// A text with the values of the loops around it: `${Name}` whole, `&{Name}` without what no logical ID can hold.
fn named(text: &str, around: &BTreeMap<String, String>) -> String {
    around.iter().fold(text.to_owned(), |text, (name, value)| {
        let bare: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
        text.replace(&format!("${{{name}}}"), value).replace(&format!("&{{{name}}}"), &bare)
    })
}

/// A scalar as a parameter has it.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn only(value: &Value) -> (&str, &Value) {
    let (name, argument) = value.as_object().and_then(|members| members.iter().next()).expect("a function");
    (name, argument)
}
