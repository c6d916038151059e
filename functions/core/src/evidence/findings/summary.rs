//! The findings in three to six sentences.

use super::words::{counted, name, number, percent, times};
use super::{ComparisonFindings, Decides, ENOUGH_DAYS, Findings, days};
use crate::analysis::{Coverage, Sight};
use crate::evidence::exact::{self, Level};
use crate::stacks::UNASSIGNED;

/// How large a share of assumed time is worth a sentence.
const WORTH_SAYING: f64 = 0.05;
/// From how many migrations at a time on they are worth naming.
const WORTH_NAMING: f64 = 2.5;
/// How many stacks one sentence names.
const NAMED: usize = 4;

pub(super) fn summary(findings: &Findings, coverage: Option<&Coverage>) -> Vec<String> {
    let moves: u64 = findings.stacks.iter().map(|stack| stack.migrations).sum();
    let hours: f64 = findings.stacks.iter().map(|stack| stack.hours).sum();
    let mut said = vec![total(findings, moves, hours)];
    let decided = findings.comparisons.iter().any(|one| one.decides != Decides::TooFew);
    match findings.comparisons.as_slice() {
        _ if moves == 0 => said.extend(none(findings, hours)),
        [] => said.extend(
            findings
                .stacks
                .iter()
                .find(|stack| stack.stack != UNASSIGNED)
                .map(|only| format!("There is only the stack {}: nothing to compare it with.", name(&only.stack))),
        ),
        [one] => said.extend(pair(one, days(findings.window))),
        several => said.extend(many(several)),
    }
    // Where the stacks cannot be told apart, a class of age or a part of the day hardly can.
    let age = findings.age_or_clock.as_ref().filter(|_| decided || findings.comparisons.is_empty());
    said.extend(age.map(|found| found.answer.clone()));
    said.extend(assumed(findings));
    said.extend(coverage.and_then(blind));
    said
}

fn total(findings: &Findings, moves: u64, hours: f64) -> String {
    let (from, to) = (findings.window.from, findings.window.to);
    let stacks = counted(findings.stacks.len() as u64, "stack", "stacks");
    let together = findings.comparisons.iter().map(|one| one.dispersion).fold(1.0, f64::max);
    let moves = match counted(moves, "migration", "migrations") {
        _ if moves == 0 => "no migration".to_owned(),
        moves if together >= WORTH_NAMING && days(findings.window) >= ENOUGH_DAYS => {
            format!("{moves}, about {together:.0} at a time,")
        }
        moves => moves,
    };
    if hours <= 0.0 {
        return format!("From {from} to {to} no time in service is on record, so there are no rates ({moves}).");
    }
    format!("From {from} to {to}, {stacks} saw {moves} in {} instance-hours in service.", number(hours))
}

/// What can be told without any migration.
fn none(findings: &Findings, hours: f64) -> Option<String> {
    let rate = exact::rate(0, hours, Level::new(findings.level)?).scaled(1_000.0);
    let (high, sure) = (number(rate.high), percent(findings.level));
    (hours > 0.0).then(|| {
        format!(
            "Nothing can be compared without one; at {sure}, there are at most {high} for each 1,000 instance-hours."
        )
    })
}

fn pair(one: &ComparisonFindings, days: f64) -> Vec<String> {
    let mut said: Vec<String> = one.sentences.whole.iter().chain(&one.sentences.rates).take(1).cloned().collect();
    said.push(match one.decides {
        Decides::StackDiffers => {
            "That is more than chance easily makes: something other than capacity and the hours of the day goes with the stack."
                .to_owned()
        }
        Decides::NoSign => "There is no sign that the stack itself differs.".to_owned(),
        Decides::TooFew if one.itself.value.is_none() => one.sentences.itself.clone(),
        Decides::TooFew if days < ENOUGH_DAYS => {
            "In less than five days clusters cannot be told from chance, so all migrations of a day count as one event: too \
             few to tell whether the stack itself differs."
                .to_owned()
        }
        Decides::TooFew => "These are too few migrations to tell whether the stack itself differs.".to_owned(),
    });
    let needed = one.needed.as_ref().filter(|_| one.decides == Decides::TooFew);
    said.extend(needed.map(|needed| needed.sentence.clone()));
    said
}

fn many(several: &[ComparisonFindings]) -> Vec<String> {
    let differ: Vec<&_> = several.iter().filter(|one| one.decides == Decides::StackDiffers).collect();
    let few = several.iter().filter(|one| one.decides == Decides::TooFew).count();
    let all = several.len();
    let mut said = Vec::new();
    if !differ.is_empty() {
        let told = |one: &&ComparisonFindings| Some(format!("{} {}", name(&one.first), times(&one.itself)?));
        let mut names: Vec<String> = differ.iter().take(NAMED).filter_map(told).collect();
        if differ.len() > NAMED {
            names.push(format!("and {} more", differ.len() - NAMED));
        }
        said.push(format!(
            "At the same hours of the day, the instance-hours of {} of {all} stacks saw other numbers of migrations than \
             those of the other stacks: {}.",
            differ.len(),
            names.join(", ")
        ));
    } else if few < all {
        said.push(format!("There is no sign that any of {} stacks itself differs from the others.", all - few));
    }
    if few > 0 {
        let few = counted(few as u64, "stack", "stacks");
        said.push(format!("Of {few} there are too few migrations to tell."));
    }
    said
}

fn assumed(findings: &Findings) -> Option<String> {
    let assumed = &findings.assumed;
    (assumed.hours_share >= WORTH_SAYING).then(|| {
        let of = |count: u64| counted(count, "instance", "instances");
        let unseen = match (assumed.launches_unseen, assumed.departures_unseen) {
            (0, 0) => "the end of their service is not in view".to_owned(),
            (launches, 0) => format!("the launch of {} is not in view", of(launches)),
            (0, departures) => format!("the departure of {} is not in view", of(departures)),
            (launches, departures) => {
                format!("the launch of {} and the departure of {} are not in view", of(launches), of(departures))
            }
        };
        format!("{} of the instance-hours had to be assumed: {unseen}.", percent(assumed.hours_share))
    })
}

fn blind(coverage: &Coverage) -> Option<String> {
    let blind = coverage.sources.iter().filter(|source| source.sight == Sight::Blind).count() as u64;
    let sources = counted(blind, "account and region", "accounts and regions");
    (coverage.blind || blind > 0).then(|| {
        format!("Migrations may be missing: {sources} showed launches but not the Decrypts that go with them.")
    })
}
