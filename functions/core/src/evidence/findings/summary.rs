//! The findings in a few sentences.

use super::words::{counted, name, number, percent};
use super::{Decides, Findings};
use crate::analysis::{Coverage, Sight};

/// How large a share of assumed time is worth a sentence.
const WORTH_SAYING: f64 = 0.05;

pub(super) fn summary(findings: &Findings, coverage: Option<&Coverage>) -> Vec<String> {
    let mut said = vec![total(findings)];
    said.extend(compared(findings));
    said.extend(findings.age_or_clock.as_ref().map(|found| found.sentence.clone()));
    said.extend(assumed(findings));
    said.extend(coverage.and_then(blind));
    said
}

fn total(findings: &Findings) -> String {
    let moves: u64 = findings.stacks.iter().map(|stack| stack.migrations).sum();
    let hours: f64 = findings.stacks.iter().map(|stack| stack.hours).sum();
    let (from, to) = (findings.window.from, findings.window.to);
    let stacks = counted(findings.stacks.len() as u64, "stack", "stacks");
    if hours <= 0.0 {
        return format!("From {from} to {to} no instance of a known stack was in service, so there are no rates.");
    }
    let moves = if moves == 0 { "no migration".to_owned() } else { counted(moves, "migration", "migrations") };
    let hours = number(hours);
    format!("From {from} to {to}, {stacks} saw {moves} in {hours} instance-hours in service.")
}

fn compared(findings: &Findings) -> Vec<String> {
    let moves: u64 = findings.stacks.iter().map(|stack| stack.migrations).sum();
    if moves == 0 {
        return Vec::new();
    }
    match findings.comparisons.as_slice() {
        [] => match findings.stacks.as_slice() {
            [only] => vec![format!("There is only the stack {}: nothing to compare it with.", name(&only.stack))],
            _ => Vec::new(),
        },
        [one] => {
            let sentences = &one.sentences;
            let all = [&sentences.rates, &sentences.timing, &sentences.itself];
            let mut said: Vec<String> = all.into_iter().flatten().cloned().collect();
            said.extend(one.needed.as_ref().map(|needed| needed.sentence.clone()));
            said
        }
        several => {
            let differ: Vec<&_> = several.iter().filter(|one| one.decides == Decides::StackDiffers).collect();
            let few = several.iter().filter(|one| one.decides == Decides::TooFew).count() as u64;
            let mut said: Vec<String> = differ.iter().take(2).filter_map(|one| one.sentences.itself.clone()).collect();
            if differ.is_empty() {
                said.push("No stack differs from the others by itself, as far as these data tell.".to_owned());
            } else if differ.len() > 2 {
                said.push(format!("{} stacks differ from the others by themselves.", differ.len()));
            }
            if few > 0 {
                let few = counted(few, "stack", "stacks");
                said.push(format!("Of {few} there are too few migrations to tell."));
            }
            said
        }
    }
}

fn assumed(findings: &Findings) -> Option<String> {
    let assumed = &findings.assumed;
    (assumed.hours_share >= WORTH_SAYING).then(|| {
        format!(
            "{} of the instance-hours had to be assumed: the launch of {} and the departure of {} are not in view.",
            percent(assumed.hours_share),
            counted(assumed.launches_unseen, "instance", "instances"),
            counted(assumed.departures_unseen, "instance", "instances"),
        )
    })
}

fn blind(coverage: &Coverage) -> Option<String> {
    let blind = coverage.sources.iter().filter(|source| source.sight == Sight::Blind).count() as u64;
    let sources = counted(blind, "account and region", "accounts and regions");
    (coverage.blind || blind > 0).then(|| {
        format!("Migrations may be missing: {sources} showed launches but not the Decrypts that go with them.")
    })
}
