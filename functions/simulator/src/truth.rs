//! `truth.json`: what an analysis of the trail and the fleet has to answer, in the schema of its answer.
//!
//! Counted from what was made to happen and from what each record was meant to be when it was written.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::account::Account;
use crate::instance::{Confidence, Instance, Migration, Reattachment, Verdict};
use crate::scribe::time;
use crate::trail::Tally;

/// The truth.
#[derive(Debug, Serialize)]
pub(crate) struct Truth<'a> {
    schema: &'static str,
    /// What an analysis needs to find all of it, beside the trail.
    inputs: [&'static str; 3],
    /// When the fleet was taken. The truth is the same for an analysis that is not told.
    fleet_time: String,
    window: Window,
    accounting: Accounting,
    coverage: Coverage,
    stacks: Vec<Stack>,
    instances: Vec<Row<'a>>,
}

#[derive(Debug, Serialize)]
struct Window {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Debug, Serialize)]
struct Accounting {
    files: u64,
    unreadable_files: u64,
    records: u64,
    sightings: u64,
    causes: u64,
    irrelevant: u64,
    duplicates: u64,
    malformed: u64,
    failed_decrypts: u64,
}

#[derive(Debug, Serialize)]
struct Coverage {
    launched: u64,
    baseline_seen: u64,
    blind: bool,
}

#[derive(Debug, Default, Serialize)]
struct Stack {
    #[serde(rename = "stack")]
    name: &'static str,
    members: u64,
    in_service: u64,
    exposed: u64,
    recovered: u64,
    clean: u64,
    unseen: u64,
    undetermined: u64,
    migrations: u64,
    partial_reattachments: u64,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    kind: &'static str,
    account: &'a str,
    region: &'a str,
    instance_id: String,
    auto_scaling_group: Option<&'static str>,
    stack: Option<&'static str>,
    lifecycle_state: Option<&'static str>,
    verdict: Option<&'static str>,
    reason: Option<&'static str>,
    migrations: Vec<MigrationRow>,
    reattachments: Vec<ReattachmentRow>,
}

#[derive(Debug, Serialize)]
struct MigrationRow {
    at: String,
    volumes: Vec<String>,
    confidence: &'static str,
    event_ids: Vec<String>,
    instance_age_seconds: Option<i64>,
}

#[derive(Debug, Serialize)]
struct ReattachmentRow {
    at: String,
    volumes: Vec<String>,
    cause: &'static str,
}

impl<'a> Truth<'a> {
    /// The truth about these instances at `fleet_time`, seconds of the Unix epoch, with a trail counted so.
    pub(crate) fn of(account: &'a Account, instances: &[Instance], tally: &Tally, fleet_time: i64) -> Self {
        let listed = || instances.iter().filter(|instance| instance.is_listed());
        let mut rows: Vec<_> = listed().map(|instance| Row::of(account, instance)).collect();
        rows.sort_by(|a, b| (a.account, a.region, &a.instance_id).cmp(&(b.account, b.region, &b.instance_id)));
        Self {
            schema: "migration-exposure/analysis/1",
            inputs: ["fleet.json", "activities.json", "warm-pool.json"],
            fleet_time: time(fleet_time),
            window: Window { from: tally.first.map(time), to: tally.last.map(time) },
            accounting: Accounting::of(tally),
            coverage: Coverage::of(instances),
            stacks: stacks(account, instances),
            instances: rows,
        }
    }
}

impl Accounting {
    fn of(tally: &Tally) -> Self {
        Self {
            files: tally.files,
            unreadable_files: 0,
            records: tally.records,
            sightings: tally.sightings,
            causes: tally.causes,
            irrelevant: tally.irrelevant,
            duplicates: tally.duplicates,
            malformed: tally.malformed,
            failed_decrypts: tally.failed_decrypts,
        }
    }
}

impl Coverage {
    /// Of the members launched within the window, those whose baseline is on record. Nowhere so few that it is blind.
    fn of(instances: &[Instance]) -> Self {
        let launched = || instances.iter().filter(|instance| instance.is_member() && instance.launched.is_some());
        Self { launched: count(launched()), baseline_seen: count(launched().filter(|i| i.baseline_seen)), blind: false }
    }
}

impl<'a> Row<'a> {
    fn of(account: &'a Account, instance: &Instance) -> Self {
        let place = account.place(instance.at);
        let group = instance.group.and_then(|index| account.groups.get(index));
        let member = instance.is_member();
        Self {
            kind: instance.kind.name(),
            account: &place.account,
            region: &place.region,
            instance_id: instance.id.to_string(),
            auto_scaling_group: group.map(|group| group.name),
            stack: group.map(crate::account::Group::stack),
            lifecycle_state: instance.state.filter(|_| member),
            verdict: member.then_some(instance.verdict.name()),
            reason: member.then_some(instance.reason),
            migrations: instance.migrations.iter().map(|row| MigrationRow::of(row, instance.launched)).collect(),
            reattachments: instance.reattachments.iter().map(ReattachmentRow::of).collect(),
        }
    }
}

impl MigrationRow {
    fn of(migration: &Migration, launched: Option<i64>) -> Self {
        Self {
            at: time(migration.at),
            volumes: sorted(&migration.volumes),
            confidence: migration.confidence.name(),
            event_ids: migration.events.iter().map(ToString::to_string).collect(),
            instance_age_seconds: launched.map(|launched| migration.at - launched),
        }
    }
}

impl ReattachmentRow {
    fn of(row: &Reattachment) -> Self {
        Self { at: time(row.at), volumes: sorted(&row.volumes), cause: row.cause.name() }
    }
}

/// A row for each stack that has members or migrations, by name.
fn stacks(account: &Account, instances: &[Instance]) -> Vec<Stack> {
    let mut stacks: BTreeMap<&'static str, Stack> = BTreeMap::new();
    for instance in instances {
        let Some(group) = instance.group.and_then(|index| account.groups.get(index)) else { continue };
        if !instance.is_member() && instance.migrations.is_empty() {
            continue;
        }
        let stack = group.stack();
        let row = stacks.entry(stack).or_insert_with(|| Stack { name: stack, ..Stack::default() });
        for migration in &instance.migrations {
            match migration.confidence {
                Confidence::Confirmed | Confidence::Presumed => row.migrations += 1,
                Confidence::Partial => row.partial_reattachments += 1,
                Confidence::Undetermined => {}
            }
        }
        if instance.is_member() {
            row.members += 1;
            row.in_service += u64::from(instance.state == Some("InService"));
            *match instance.verdict {
                Verdict::Exposed => &mut row.exposed,
                Verdict::Recovered => &mut row.recovered,
                Verdict::Clean => &mut row.clean,
                Verdict::Unseen => &mut row.unseen,
                Verdict::Undetermined => &mut row.undetermined,
            } += 1;
        }
    }
    stacks.into_values().collect()
}

fn sorted(volumes: &[crate::ids::VolumeId]) -> Vec<String> {
    let mut texts: Vec<String> = volumes.iter().map(ToString::to_string).collect();
    texts.sort_unstable();
    texts
}

fn count<'a>(instances: impl Iterator<Item = &'a Instance>) -> u64 {
    u64::try_from(instances.count()).unwrap_or(u64::MAX)
}
