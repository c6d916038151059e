//! `activities.json`: `aws autoscaling describe-scaling-activities`.

use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};

use crate::account::{Account, Group};
use crate::activity::Activity;
use crate::dice::Dice;
use crate::instance::Instance;
use crate::scribe::time;
use crate::script::Plan;

/// The output of `describe-scaling-activities`, made row by row as it is written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Activities<'a> {
    activities: Rows<'a>,
}

#[derive(Debug)]
struct Rows<'a> {
    account: &'a Account,
    plan: &'a Plan,
}

/// An activity.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row<'a> {
    activity_id: String,
    auto_scaling_group_name: &'a str,
    description: String,
    cause: String,
    start_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    status_code: &'static str,
    progress: u8,
    details: String,
    #[serde(rename = "AutoScalingGroupARN")]
    auto_scaling_group_arn: String,
}

/// What Auto Scaling did within the window, the latest first.
pub(super) fn activities<'a>(account: &'a Account, plan: &'a Plan) -> Activities<'a> {
    Activities { activities: Rows { account, plan } }
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(None)?;
        let mut dice = Dice::new(0, 0);
        for activity in &self.plan.activities {
            let instance = usize::try_from(activity.instance).ok().and_then(|index| self.plan.instances.get(index));
            let Some(instance) = instance else { continue };
            let Some(group) = instance.group.and_then(|index| self.account.groups.get(index)) else { continue };
            rows.serialize_element(&row(self.account, group, instance, activity, &mut dice))?;
        }
        rows.end()
    }
}

fn row<'a>(account: &Account, group: &'a Group, instance: &Instance, activity: &Activity, dice: &mut Dice) -> Row<'a> {
    let place = account.place(instance.at);
    let start = time(activity.start);
    Row {
        activity_id: dice.uuid().to_string(),
        auto_scaling_group_name: group.name,
        description: activity.what.description(instance.id),
        cause: activity.what.cause(&start, instance.id),
        // The CLI prints the fraction of the start only.
        start_time: start.replace('Z', ".342000+00:00"),
        end_time: activity.end.map(|end| time(end).replace('Z', "+00:00")),
        status_code: if activity.end.is_some() { "Successful" } else { "MidLifecycleAction" },
        progress: if activity.end.is_some() { 100 } else { 60 },
        details: format!(
            "{{\"Subnet ID\":\"subnet-0d7be2513fa04c986\",\"Availability Zone\":\"{}{}\"}}",
            place.region, instance.zone
        ),
        auto_scaling_group_arn: format!(
            "arn:{}:autoscaling:{}:{}:autoScalingGroup:{}:autoScalingGroupName/{}",
            account.partition, place.region, place.account, group.uuid, group.name
        ),
    }
}
