//! Everything that a command reads, made into a ledger and a fleet.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use exposure_core::analysis::{Question, Window};
use exposure_core::assess::Settings;
use exposure_core::fleet::{
    Activity, Fleet, FleetError, WarmPoolMember, parse_activities, parse_groups, parse_warm_pool,
};
use exposure_core::ids::AutoScalingGroupName;
use exposure_core::ledger::Ledger;
use exposure_core::stacks::StackRules;
use exposure_core::time::join_span;

use crate::args::Inputs;
use crate::reading::{self, Read};
use crate::state::State;

/// Flags that cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}; --help tells the flags")]
pub(crate) struct Usage(pub(crate) String);

/// What an analysis is made of.
pub(crate) struct Gathered {
    pub(crate) ledger: Ledger,
    pub(crate) fleet: Option<Fleet>,
    pub(crate) stacks: StackRules,
    pub(crate) settings: Settings,
    pub(crate) read: Read,
    pub(crate) state: Option<State>,
}

/// The question of an analysis on files, which are all that there will be.
pub(crate) fn question<'a>(
    ledger: &'a Ledger,
    fleet: Option<&'a Fleet>,
    stacks: &'a StackRules,
    settings: &'a Settings,
    all: bool,
) -> Question<'a> {
    Question { ledger, fleet, stacks, settings, complete: None, all }
}

/// What a command reads beside log files: the small files, since a wrong one is found at once.
struct Small {
    stacks: StackRules,
    fleet: Option<Fleet>,
    pools: Vec<(Option<AutoScalingGroupName>, Vec<WarmPoolMember>)>,
    activities: Vec<Activity>,
}

/// Reads it all: the small files first.
pub(crate) fn gather(inputs: &Inputs) -> Result<Gathered> {
    if inputs.trail.is_empty() {
        anyhow::bail!(Usage("--trail PATH is required: a CloudTrail log file or a folder of them".to_owned()));
    }
    let small = small(inputs)?;
    let (state, mut ledger) = match &inputs.state {
        Some(path) => State::open(path).map(|(state, ledger)| (Some(state), ledger))?,
        None => (None, Ledger::new()),
    };
    let read = reading::read(inputs, &mut ledger)?;
    Ok(Gathered { read, state, ..small.gathered(ledger, inputs) })
}

/// Reads a state file alone, and leaves it as it is. Its last fleet stands in where no other is given.
pub(crate) fn recall(inputs: &Inputs, state: &Path) -> Result<Gathered> {
    let mut small = small(inputs)?;
    let ledger = State::read(state)?;
    if small.fleet.is_none() {
        for last in ledger.sources().filter_map(|source| ledger.last_fleet(source, &small.stacks)) {
            small.fleet.get_or_insert_default().extend(last);
        }
    }
    let mut span = None;
    for observed in ledger.sources().filter_map(|source| ledger.observed_span(source)) {
        join_span(&mut span, observed);
    }
    let mut read = Read::default();
    read.window = Window::from(span);
    Ok(Gathered { read, ..small.gathered(ledger, inputs) })
}

fn small(inputs: &Inputs) -> Result<Small> {
    let stacks = rules(inputs)?;
    if let (Some(from), Some(to)) = (inputs.from, inputs.to)
        && from > to
    {
        anyhow::bail!(Usage(format!("--from {from} lies after --to {to}")));
    }
    let mut fleet: Option<Fleet> = None;
    for path in &inputs.fleet {
        let described = load("--fleet", path, parse_groups)?;
        fleet.get_or_insert_default().extend(described);
    }
    if let Some(fleet) = &mut fleet {
        fleet.taken = inputs.fleet_time;
    }
    let mut pools = Vec::new();
    for pool in &inputs.warm_pool {
        let (group, path) = match pool.split_once('=') {
            Some((group, path)) if !Path::new(pool).exists() => {
                let name =
                    AutoScalingGroupName::new(group).map_err(|error| Usage(format!("--warm-pool {pool}: {error}")))?;
                (Some(name), path)
            }
            _ => (None, pool.as_str()),
        };
        pools.push((group, load("--warm-pool", Path::new(path), parse_warm_pool)?));
    }
    let mut activities = Vec::new();
    for path in &inputs.activities {
        activities.extend(load("--activities", path, parse_activities)?);
    }
    Ok(Small { stacks, fleet, pools, activities })
}

/// How the flags tell stacks.
pub(crate) fn rules(inputs: &Inputs) -> Result<StackRules> {
    let mut stacks = StackRules::new(&inputs.stack_tag);
    for rule in &inputs.stack_rule {
        stacks.add(rule).map_err(|error| Usage(format!("--stack-rule {error}")))?;
    }
    Ok(stacks)
}

impl Small {
    /// Together with a ledger.
    fn gathered(self, mut ledger: Ledger, inputs: &Inputs) -> Gathered {
        let Self { stacks, mut fleet, pools, activities } = self;
        ledger.absorb_activities(&activities, fleet.as_ref());
        if let Some(fleet) = &mut fleet {
            let known = ledger.group_names();
            for (group, pool) in pools {
                fleet.add_warm_pool(pool, group.as_ref(), |instance| known.get(&instance).cloned());
            }
            ledger.absorb_fleet(fleet, |group| stacks.of_group(group));
        }
        let settings = Settings { coalesce: inputs.coalesce, ..Settings::default() };
        Gathered { ledger, fleet, stacks, settings, read: Read::default(), state: None }
    }
}

fn load<T>(flag: &str, path: &Path, parse: fn(&[u8]) -> Result<T, FleetError>) -> Result<T> {
    let name = || format!("{flag} {}", path.display());
    let text = fs::read(path).with_context(name)?;
    parse(&text).with_context(name)
}
