//! The fleet at the end of the window, in the shapes that the AWS CLI prints.

mod activities;
mod groups;
mod warm_pool;

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::account::{Account, Group};
use crate::error::SimulateError;
use crate::instance::Instance;
use crate::script::Plan;

/// The launch template of an instance.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LaunchTemplate<'a> {
    #[serde(rename = "LaunchTemplateId")]
    id: &'a str,
    #[serde(rename = "LaunchTemplateName")]
    name: String,
    version: &'static str,
}

/// A member, of a group or of a warm pool.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Member<'a> {
    instance_id: String,
    instance_type: &'static str,
    availability_zone: String,
    lifecycle_state: &'static str,
    health_status: &'static str,
    launch_template: LaunchTemplate<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protected_from_scale_in: Option<bool>,
}

impl<'a> Member<'a> {
    fn of(account: &Account, group: &'a Group, instance: &Instance) -> Self {
        Self {
            instance_id: instance.id.to_string(),
            instance_type: instance.machine,
            availability_zone: format!("{}{}", account.place(instance.at).region, instance.zone),
            lifecycle_state: instance.state.unwrap_or("InService"),
            health_status: "Healthy",
            launch_template: launch_template(group),
            protected_from_scale_in: (!instance.is_in_warm_pool()).then_some(false),
        }
    }
}

fn launch_template(group: &Group) -> LaunchTemplate<'_> {
    LaunchTemplate { id: &group.launch_template, name: format!("{}-nodes", group.name), version: "7" }
}

/// Writes `fleet.json`, `activities.json` and `warm-pool.json`.
pub(crate) fn write_fleet(out: &Path, account: &Account, plan: &Plan) -> Result<(), SimulateError> {
    write_json(&out.join("fleet.json"), &groups::groups(account, &plan.instances))?;
    write_json(&out.join("activities.json"), &activities::activities(account, plan))?;
    write_json(&out.join("warm-pool.json"), &warm_pool::warm_pool(account, &plan.instances))
}

/// Writes a value as the AWS CLI prints it.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), SimulateError> {
    let write = || -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        let mut serializer = Serializer::with_formatter(&mut file, PrettyFormatter::with_indent(b"    "));
        value.serialize(&mut serializer)?;
        file.write_all(b"\n")?;
        file.flush()
    };
    write().map_err(SimulateError::write(path))
}
