//! EC2 and Auto Scaling calls: what explains a sighting, and what is a lifecycle transition.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::ids::{AccountId, AutoScalingGroupName, InstanceId, VolumeId};
use crate::observation::{Cause, Kind, Target, Transition};

use super::Decoded;
use super::caller::UserIdentity;
use super::record::{Fields, Text, read};

const GROUP_TAG: &str = "aws:autoscaling:groupName";

/// Decodes a call to EC2 or Auto Scaling.
pub(super) fn decode(source: &str, name: &str, fields: &Fields<'_>) -> Decoded {
    let call: fn(&Fields<'_>) -> Decoded = match (source, name) {
        ("ec2.amazonaws.com", "RunInstances") => run_instances,
        ("ec2.amazonaws.com", "CreateFleet") => create_fleet,
        ("ec2.amazonaws.com", "StartInstances") => |f| start_or_stop(f, Cause::Start),
        ("ec2.amazonaws.com", "StopInstances") => |f| start_or_stop(f, Cause::Stop),
        ("ec2.amazonaws.com", "RebootInstances") => reboot_instances,
        ("ec2.amazonaws.com", "AttachVolume") => |f| attach_or_detach(f, Cause::Attach),
        ("ec2.amazonaws.com", "DetachVolume") => |f| attach_or_detach(f, Cause::Detach),
        ("ec2.amazonaws.com", "CreateReplaceRootVolumeTask") => replace_root_volume,
        ("ec2.amazonaws.com", "TerminateInstances")
        | ("autoscaling.amazonaws.com", "TerminateInstanceInAutoScalingGroup") => {
            |f| transition(f, Transition::Terminate)
        }
        ("autoscaling.amazonaws.com", "EnterStandby") => |f| transition(f, Transition::EnterStandby),
        ("autoscaling.amazonaws.com", "ExitStandby") => |f| transition(f, Transition::ExitStandby),
        ("autoscaling.amazonaws.com", "AttachInstances") => |f| transition(f, Transition::AttachInstances),
        ("autoscaling.amazonaws.com", "DetachInstances") => |f| transition(f, Transition::DetachInstances),
        ("autoscaling.amazonaws.com", "CompleteLifecycleAction") => {
            |f| transition(f, Transition::CompleteLifecycleAction)
        }
        _ => return Decoded::NOTHING,
    };
    if fields.failure().is_some() {
        return Decoded::NOTHING;
    }
    call(fields)
}

/// One or many: the XML behind EC2's records makes a list of one an object.
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

/// By hand, since serde's own way for either of two shapes keeps a copy of the text first.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or a list of objects")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMany::Many)
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(object)).map(OneOrMany::One)
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}

impl<T> OneOrMany<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::Many(many) => many,
            Self::One(one) => std::slice::from_ref(one),
        }
    }

    fn into_vec(self) -> Vec<T> {
        match self {
            Self::Many(many) => many,
            Self::One(one) => vec![one],
        }
    }
}

#[derive(Deserialize)]
struct Items<T> {
    items: Option<OneOrMany<T>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InstancesSet<'a> {
    #[serde(borrow)]
    instances_set: Items<Instance<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Instance<'a> {
    #[serde(borrow, default, rename = "instanceId")]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    previous_state: Option<State<'a>>,
    #[serde(borrow, default)]
    tag_set: Option<Tags<'a>>,
}

#[derive(Deserialize)]
struct State<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Tags<'a> {
    #[serde(borrow, default)]
    items: Option<OneOrMany<Tag<'a>>>,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow, default)]
    key: Option<Text<'a>>,
    #[serde(borrow, default)]
    value: Option<Text<'a>>,
}

impl Instance<'_> {
    fn id(&self) -> Option<InstanceId> {
        InstanceId::new(self.id.as_deref()?).ok()
    }

    fn was_running(&self) -> bool {
        self.previous_state.as_ref().and_then(|s| s.name.as_deref()) == Some("running")
    }
}

impl Tags<'_> {
    fn group(&self) -> Option<AutoScalingGroupName> {
        let tags = self.items.as_ref().map(OneOrMany::as_slice).unwrap_or_default();
        let tag = tags.iter().find(|tag| tag.key.as_deref() == Some(GROUP_TAG))?;
        AutoScalingGroupName::new(tag.value.as_deref()?).ok()
    }
}

fn instances_of(raw: Option<&serde_json::value::RawValue>) -> Vec<Instance<'_>> {
    let items = read::<InstancesSet<'_>>(raw).and_then(|set| set.instances_set.items);
    items.map(OneOrMany::into_vec).unwrap_or_default()
}

fn run_instances(fields: &Fields<'_>) -> Decoded {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Request<'a> {
        #[serde(borrow)]
        tag_specification_set: Items<TagSpecification<'a>>,
    }
    #[derive(Deserialize)]
    struct TagSpecification<'a> {
        #[serde(borrow, default)]
        tags: Option<OneOrMany<Tag<'a>>>,
    }

    let launched = instances_of(fields.answer());
    let asked = read::<Request<'_>>(fields.parameters()).and_then(|r| r.tag_specification_set.items);
    let asked = asked.map(OneOrMany::into_vec).unwrap_or_default();
    let asked = asked.into_iter().find_map(|s| Tags { items: s.tags }.group());
    let targets: Vec<Target> = launched
        .iter()
        .filter_map(|instance| {
            let group = instance.tag_set.as_ref().and_then(Tags::group).or_else(|| asked.clone());
            Some(Target { instance: instance.id()?, volume: None, group })
        })
        .collect();
    if targets.is_empty() {
        let observation = fields.observe(owner(fields), Kind::UnnamedLaunch).ok().map(Box::new);
        return Decoded::Malformed { reason: "a RunInstances without its instance IDs", observation };
    }
    cause(fields, Cause::Launch, targets)
}

/// A fleet of type `instant` names its instances; the other types name none and are no launch.
fn create_fleet(fields: &Fields<'_>) -> Decoded {
    let mut instances = Vec::new();
    if let Some(answer) = read::<Value>(fields.answer()) {
        collect_instances(&answer, &mut instances);
    }
    if instances.is_empty() {
        return Decoded::NOTHING;
    }
    let group = read::<Value>(fields.parameters()).and_then(|v| find_group_tag(&v));
    let target = |instance| Target { instance, volume: None, group: group.clone() };
    cause(fields, Cause::Launch, instances.into_iter().map(target).collect())
}

fn start_or_stop(fields: &Fields<'_>, which: Cause) -> Decoded {
    let answered = instances_of(fields.answer());
    let asked = instances_of(fields.parameters());
    let named = if answered.iter().any(|i| i.id().is_some()) { answered } else { asked };
    let ids = || named.iter().filter_map(Instance::id);
    if ids().next().is_none() {
        return Decoded::malformed("a StartInstances or StopInstances without its instance IDs");
    }
    // An instance that was running already was not moved by it.
    let moved = named.iter().filter(|i| which == Cause::Stop || !i.was_running());
    let targets: Vec<Target> = moved.filter_map(Instance::id).map(Target::instance).collect();
    if targets.is_empty() {
        return Decoded::NOTHING;
    }
    cause(fields, which, targets)
}

fn reboot_instances(fields: &Fields<'_>) -> Decoded {
    let named = instances_of(fields.parameters());
    let targets: Vec<Target> = named.iter().filter_map(Instance::id).map(Target::instance).collect();
    if targets.is_empty() {
        return Decoded::malformed("a RebootInstances without its instance IDs");
    }
    cause(fields, Cause::Reboot, targets)
}

fn attach_or_detach(fields: &Fields<'_>, which: Cause) -> Decoded {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Attachment<'a> {
        #[serde(borrow)]
        volume_id: Option<Text<'a>>,
        #[serde(borrow)]
        instance_id: Option<Text<'a>>,
    }

    let asked: Attachment<'_> = read(fields.parameters()).unwrap_or_default();
    let answered: Attachment<'_> = read(fields.answer()).unwrap_or_default();
    let volume = [asked.volume_id, answered.volume_id].into_iter().flatten().find_map(|t| VolumeId::new(&t).ok());
    let instance =
        [asked.instance_id, answered.instance_id].into_iter().flatten().find_map(|t| InstanceId::new(&t).ok());
    match (instance, volume) {
        (Some(instance), Some(_)) => cause(fields, which, vec![Target { instance, volume, group: None }]),
        _ => Decoded::malformed("an AttachVolume or DetachVolume without its volume or instance"),
    }
}

/// The newer EC2 calls wrap their parameters: `{"CreateReplaceRootVolumeTaskRequest": {"InstanceId": "i-…"}}`.
fn replace_root_volume(fields: &Fields<'_>) -> Decoded {
    let mut instances = Vec::new();
    for raw in [fields.parameters(), fields.answer()] {
        if let Some(value) = read::<Value>(raw) {
            collect_instances(&value, &mut instances);
        }
    }
    match instances.first() {
        Some(instance) => cause(fields, Cause::RootVolumeReplacement, vec![Target::instance(*instance)]),
        None => Decoded::malformed("a CreateReplaceRootVolumeTask without its instance ID"),
    }
}

/// A transition that names no instance (a lifecycle action completed by its token) tells nothing here.
fn transition(fields: &Fields<'_>, transition: Transition) -> Decoded {
    let mut instances = Vec::new();
    if let Some(value) = read::<Value>(fields.parameters()) {
        collect_instances(&value, &mut instances);
    }
    if instances.is_empty() {
        return Decoded::NOTHING;
    }
    fields
        .observe(owner(fields), Kind::Transition { transition, instances })
        .map_or(Decoded::NOTHING, Decoded::Observed)
}

fn cause(fields: &Fields<'_>, cause: Cause, targets: Vec<Target>) -> Decoded {
    let by_auto_scaling = UserIdentity::of(fields).is_auto_scaling();
    Decoded::of(fields.observe(owner(fields), Kind::Cause { cause, targets, by_auto_scaling }))
}

/// The account whose instances a call to EC2 or Auto Scaling is about: the one that got the record.
fn owner(fields: &Fields<'_>) -> Option<AccountId> {
    fields.recipient().or_else(|| UserIdentity::of(fields).account())
}

/// Every instance ID that stands as a value of its own in `value`, once, in order.
fn collect_instances(value: &Value, into: &mut Vec<InstanceId>) {
    match value {
        Value::String(text) => {
            if let Ok(instance) = InstanceId::new(text)
                && !into.contains(&instance)
            {
                into.push(instance);
            }
        }
        Value::Array(values) => values.iter().for_each(|v| collect_instances(v, into)),
        Value::Object(map) => map.values().for_each(|v| collect_instances(v, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn find_group_tag(value: &Value) -> Option<AutoScalingGroupName> {
    match value {
        Value::Array(values) => values.iter().find_map(find_group_tag),
        Value::Object(map) => {
            let field = |name: &str, other: &str| map.get(name).or_else(|| map.get(other)).and_then(Value::as_str);
            if field("key", "Key") == Some(GROUP_TAG) {
                return AutoScalingGroupName::new(field("value", "Value")?).ok();
            }
            map.values().find_map(find_group_tag)
        }
        _ => None,
    }
}
