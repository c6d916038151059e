//! `observations-truth.json`: what a verification of the observations has to answer, from what was made to happen.
//!
//! Counted with the windows that `exposure verify` has by default: ten minutes after a Decrypt, and one before it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::life::Why;
use super::lines::{Account, Told};
use crate::instance::{Confidence, Instance};
use crate::scribe::time;

const WITHIN: i64 = 600;
const TOLERANCE: i64 = 60;
/// What the check was not asked for so long is not watched.
const RESTART: i64 = 60;
const BRIEF: i64 = 120;

/// An instance, and what each run of the check on it told.
pub(super) struct Subject<'a> {
    pub(super) instance: &'a Instance,
    pub(super) told: Vec<Account>,
    pub(super) skew: i64,
}

/// The truth.
#[derive(Debug, Serialize)]
pub(super) struct Truth {
    schema: &'static str,
    migrations: Moves,
    onsets: Begun,
    /// Of each cause, how often a start of the guest lost the item.
    causes: BTreeMap<&'static str, Lost>,
    /// Migrations that made a 404, by instance and time.
    pairs: Vec<Pair>,
    #[serde(skip)]
    trail: (i64, i64),
}

/// Confirmed and presumed ones.
#[derive(Debug, Default, Serialize)]
struct Moves {
    migrations: u64,
    not_watched: u64,
    cut_short: u64,
    already_absent: u64,
    watched: u64,
    followed: u64,
}

#[derive(Debug, Default, Serialize)]
struct Begun {
    onsets: u64,
    found_absent: u64,
    untraceable: u64,
    outside_trail: u64,
    preceded: u64,
    undetermined: u64,
    nothing: u64,
}

#[derive(Debug, Default, Serialize)]
struct Lost {
    followed: u64,
    brief: u64,
}

#[derive(Debug, Serialize)]
struct Pair {
    instance_id: String,
    migration: String,
    onset: String,
}

/// A time without the item, over all runs of the check, by the guest's clock.
struct Absence {
    why: Why,
    onset: i64,
    begins: bool,
    end: Option<i64>,
}

impl Truth {
    pub(super) fn new(trail: (i64, i64)) -> Self {
        Self {
            schema: "migration-exposure/observations-truth/1",
            migrations: Moves::default(),
            onsets: Begun::default(),
            causes: BTreeMap::new(),
            pairs: Vec::new(),
            trail,
        }
    }

    /// Adds what there is to know of an instance.
    pub(super) fn add(&mut self, subject: &Subject<'_>) {
        let absences = subject.absences();
        let stretches = subject.stretches();
        for (index, migration) in subject.instance.migrations.iter().enumerate() {
            if !matches!(migration.confidence, Confidence::Confirmed | Confidence::Presumed) {
                continue;
            }
            let own = absences.iter().find(|absence| absence.begins && absence.why == Why::Migration(index));
            if let Some(own) = own {
                self.pairs.push(Pair {
                    instance_id: subject.instance.id.to_string(),
                    migration: time(migration.at),
                    onset: time(own.onset),
                });
            }
            self.migrations.count(migration.at, &stretches, &absences, own.is_some());
        }
        for absence in &absences {
            self.onset(subject.instance, absence);
        }
        for absence in absences.iter().filter(|absence| !absence.begins) {
            self.caused(subject, absence);
        }
        self.pairs.sort_by(|a, b| (&a.instance_id, &a.migration).cmp(&(&b.instance_id, &b.migration)));
    }

    fn onset(&mut self, instance: &Instance, absence: &Absence) {
        if !absence.begins {
            self.onsets.found_absent += 1;
            return;
        }
        self.onsets.onsets += 1;
        let (first, last) = (absence.onset - WITHIN, absence.onset + TOLERANCE);
        *if !instance.sighted {
            &mut self.onsets.untraceable
        } else if first < self.trail.0 || last > self.trail.1 {
            &mut self.onsets.outside_trail
        } else {
            match absence.why {
                Why::Migration(index) => match instance.migrations.get(index).map(|row| row.confidence) {
                    Some(Confidence::Undetermined) => &mut self.onsets.undetermined,
                    _ => &mut self.onsets.preceded,
                },
                _ => &mut self.onsets.nothing,
            }
        } += 1;
    }

    /// A start that lost the item, if the check saw it there before.
    fn caused(&mut self, subject: &Subject<'_>, absence: &Absence) {
        let Why::Reattachment(index) = absence.why else { return };
        let Some(row) = subject.instance.reattachments.get(index) else { return };
        let looks = subject.told.iter().flat_map(|told| &told.looks).filter(|(at, _)| at + subject.skew < row.at);
        if looks.max_by_key(|(at, _)| *at).is_none_or(|(_, known)| !known) {
            return;
        }
        let lost = self.causes.entry(row.cause.name()).or_default();
        let brief = absence.end.is_some_and(|end| end - absence.onset < BRIEF);
        *if brief { &mut lost.brief } else { &mut lost.followed } += 1;
    }
}

impl Moves {
    fn count(&mut self, at: i64, stretches: &[(i64, i64)], absences: &[Absence], followed: bool) {
        self.migrations += 1;
        let around = stretches.iter().find(|(from, to)| (*from..*to).contains(&at));
        let gone = absences
            .iter()
            .any(|absence| absence.onset + TOLERANCE < at && absence.end.is_none_or(|end| at < end + TOLERANCE));
        let mut found = absences.iter().filter(|absence| !absence.begins);
        let unclear = found.any(|absence| (at - TOLERANCE..=at + WITHIN).contains(&absence.onset));
        *match around {
            None => &mut self.not_watched,
            Some(_) if gone => &mut self.already_absent,
            Some(_) if unclear => &mut self.not_watched,
            Some((from, _)) if *from > at - TOLERANCE => &mut self.not_watched,
            Some((_, to)) if *to <= at + WITHIN => &mut self.cut_short,
            Some(_) => {
                self.followed += u64::from(followed);
                &mut self.watched
            }
        } += 1;
    }
}

impl Subject<'_> {
    /// Stretches under watch, those joined between which the check was only started anew.
    fn stretches(&self) -> Vec<(i64, i64)> {
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (from, to) in self.told.iter().flat_map(|told| &told.stretches).copied() {
            let (from, to) = (from + self.skew, to + self.skew);
            match joined.last_mut() {
                Some(last) if from - last.1 <= RESTART => last.1 = to,
                _ => joined.push((from, to)),
            }
        }
        joined
    }

    /// Times without the item: what one run of the check left and the next one found, without the item being seen in
    /// between, is one.
    fn absences(&self) -> Vec<Absence> {
        let known: Vec<i64> =
            self.told.iter().flat_map(|told| &told.looks).filter(|(_, known)| *known).map(|(at, _)| *at).collect();
        let mut absences: Vec<Absence> = Vec::new();
        for Told { gone, onset, seen_before, end } in self.told.iter().flat_map(|told| &told.absences).copied() {
            let end = end.or_else(|| known.iter().copied().find(|at| *at > onset)).map(|end| end + self.skew);
            let onset = onset + self.skew;
            let goes_on = absences.last().is_some_and(|last| last.end.is_none_or(|end| end > onset));
            match absences.last_mut() {
                Some(last) if goes_on && !seen_before => last.end = end,
                _ => absences.push(Absence { why: gone.why, onset, begins: seen_before, end }),
            }
        }
        absences
    }
}
