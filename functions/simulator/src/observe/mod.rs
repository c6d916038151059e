//! What `lifecycle-check` observed on the instances of the account, and the truth about it.
//!
//! Live migrations lose the IMDS item, most of them within seconds; so do some starts and reboots. The check runs on most
//! instances, is deployed anew on some and killed on others; clocks are off; boots are quicker than the item; a few 404s
//! have nothing to do with any of it.

mod life;
mod lines;
mod truth;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use crate::account::Account;
use crate::calendar::{Calendar, HOUR};
use crate::config::Config;
use crate::dice::Dice;
use crate::error::SimulateError;
use crate::fleet::write_json;
use crate::script::Plan;
use life::Life;
use lines::{Printed, Printer};
use truth::{Subject, Truth};

/// So many instances are observed at most, however large the account is.
const OBSERVED: usize = 2_000;
/// Streams of chance of their own: nothing else in the account depends on whether it is observed.
const STREAMS: u64 = 1 << 40;

/// Writes `observations.jsonl` and `observations-truth.json`. `trail` is the time of the first record and of the last.
pub(crate) fn write_observations(
    config: &Config,
    out: &Path,
    account: &Account,
    calendar: &Calendar,
    plan: &Plan,
    trail: (i64, i64),
) -> Result<(), SimulateError> {
    let mut observed = lives(config, calendar, plan);
    let mut lines: Vec<Printed> = Vec::new();
    let mut truth = Truth::new(trail);
    for life in observed.values_mut() {
        let sessions = life.sessions();
        let gone = life.gone(&sessions, config.unrelated_absences);
        let instance = life.instance;
        let skew = if life.dice.chance(50) { -20 } else { life.dice.between(-2, 2) };
        let mut printer = Printer {
            instance_id: &instance.id.to_string(),
            region: &account.place(instance.at).region,
            skew,
            every: every(calendar),
            dice: &mut life.dice,
            lines: Vec::new(),
        };
        let told = sessions.iter().map(|session| printer.session(session, &gone)).collect();
        lines.append(&mut printer.lines);
        truth.add(&Subject { instance, told, skew });
    }
    for (_, instance) in (0_u32..).zip(&plan.instances).filter(|(index, _)| !observed.contains_key(index)) {
        truth.add(&Subject { instance, told: Vec::new(), skew: 0 });
    }
    lines.sort_by_key(|line| line.at);
    write_lines(&out.join("observations.jsonl"), &lines)?;
    write_json(&out.join("observations-truth.json"), &truth)
}

/// The instances that are observed, with what happened to them.
fn lives<'a>(config: &Config, calendar: &'a Calendar, plan: &'a Plan) -> BTreeMap<u32, Life<'a>> {
    let mut lives = BTreeMap::new();
    for (index, instance) in (0_u32..).zip(&plan.instances) {
        let mut dice = Dice::new(config.seed, STREAMS + u64::from(index));
        if lives.len() < OBSERVED && dice.chance(850) {
            let (events, activities) = (Vec::new(), Vec::new());
            lives.insert(index, Life { instance, calendar, events, activities, dice });
        }
    }
    for event in &plan.events {
        if let Some(life) = lives.get_mut(&event.instance) {
            life.events.push(event);
        }
    }
    for activity in &plan.activities {
        if let Some(life) = lives.get_mut(&activity.instance) {
            life.activities.push(activity);
        }
    }
    lives
}

/// How often the check tells that it watches: every hour, and in long windows less often, so that the file stays small.
fn every(calendar: &Calendar) -> i64 {
    ((calendar.end - calendar.start) / 12).max(HOUR)
}

fn write_lines(path: &Path, lines: &[Printed]) -> Result<(), SimulateError> {
    let write = || -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        for line in lines {
            writeln!(file, "{}", line.text)?;
        }
        file.flush()
    };
    write().map_err(SimulateError::write(path))
}
