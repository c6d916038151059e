//! Migrations and 404s of the same instance, one with one.

use std::collections::BTreeMap;

use super::Traced;
use super::lines::Item;
use super::spans::{Spans, second};
use super::watched::{Absence, Watched};
use crate::analysis::Window;
use crate::assess::Confidence;
use crate::ids::InstanceId;
use crate::observation::Cause;
use crate::time::Timestamp;

/// How long after a start or a reboot the check must have looked, in seconds, for what it found to be told of that.
const GUEST_STARTS: i64 = 3_600;
/// A 404 that is over sooner than this, in seconds, is a blip as at boot: the item was not lost until a transition.
pub(super) const BRIEF: i64 = 120;

/// How far apart a Decrypt and a 404 may be, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    pub(super) within: i64,
    pub(super) tolerance: i64,
}

impl Reach {
    /// Where Decrypts may lie that a 404 which begins at `onset` can be of.
    fn of(self, onset: i64) -> (i64, i64) {
        (onset - self.within, onset + self.tolerance + 1)
    }

    /// The most pairs of one instance: each Decrypt in turn takes the first 404 within its reach. Reaches are of one
    /// length, so no other choice makes more pairs.
    pub(super) fn pairs(self, decrypts: &[i64], onsets: &[i64]) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        let mut next = 0;
        for (place, decrypt) in decrypts.iter().enumerate() {
            next += onsets.iter().skip(next).take_while(|onset| **onset < decrypt - self.tolerance).count();
            if onsets.get(next).is_some_and(|onset| *onset <= decrypt + self.within) {
                pairs.push((place, next));
                next += 1;
            }
        }
        pairs
    }
}

/// Whether the guest was started between a Decrypt and the 404 after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guest {
    RanOn,
    Rebooted,
    NotTold,
}

/// What became of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nobody was watching, or not from the beginning.
    NotWatched,
    /// The watch ended before a 404 had its time to begin.
    CutShort,
    /// The item was gone already.
    AlreadyAbsent,
    /// No 404 began.
    NotFollowed,
    /// One did.
    Followed,
}

/// A migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) instance: InstanceId,
    pub(super) at: Timestamp,
    pub(super) confidence: Confidence,
    pub(super) fate: Fate,
    /// The 404 that is taken for its own, and whether the guest was started in between.
    pub(super) onset: Option<(Timestamp, Guest)>,
}

/// What a 404 had before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trace {
    /// The trail cannot show: the instance was never sighted, or its source is blind.
    Untraceable,
    /// The trail does not reach as far.
    OutsideTrail,
    Migration(Confidence),
    Reattachment(Cause),
    Nothing,
}

/// A 404 whose beginning was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Onset {
    pub(super) instance: InstanceId,
    pub(super) absence: Absence,
    pub(super) trace: Trace,
}

/// What came with reattachments of one cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CauseTally {
    pub(super) reattachments: u64,
    pub(super) already_absent: u64,
    pub(super) watched: u64,
    pub(super) followed: u64,
    pub(super) brief: u64,
}

/// Where a migration of one instance could have been: watched, and with the item there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ground {
    pub(super) instance: InstanceId,
    pub(super) open: Spans,
    /// Of it, where a 404 would have been taken for the migration's.
    pub(super) hits: Spans,
    pub(super) onsets: Vec<i64>,
}

/// All of it, joined.
#[derive(Debug, Clone, Default)]
pub(super) struct Joined {
    pub(super) moves: Vec<Move>,
    pub(super) onsets: Vec<Onset>,
    pub(super) causes: BTreeMap<Cause, CauseTally>,
    pub(super) grounds: Vec<Ground>,
}

/// Joins what the trail shows with what was watched.
pub(super) fn join(
    traced: &BTreeMap<InstanceId, Traced>,
    watched: &BTreeMap<InstanceId, Watched>,
    trail: Window,
    reach: Reach,
) -> Joined {
    let mut joined = Joined::default();
    let nobody = Watched::default();
    for (instance, traced) in traced {
        let watched = watched.get(instance).unwrap_or(&nobody);
        OfInstance::new(*instance, Some(traced), watched, trail, reach).join(&mut joined);
    }
    for (instance, watched) in watched.iter().filter(|(instance, _)| !traced.contains_key(instance)) {
        OfInstance::new(*instance, None, watched, trail, reach).join(&mut joined);
    }
    joined
}

/// One instance.
struct OfInstance<'a> {
    instance: InstanceId,
    traced: Option<&'a Traced>,
    watched: &'a Watched,
    trail: Window,
    reach: Reach,
    /// Watched from `tolerance` before to `within` after.
    whole: Spans,
    /// The item was gone already.
    gone: Spans,
    /// A 404 in reach whose beginning nobody saw.
    unclear: Spans,
    /// Those whose beginning was seen.
    begun: Vec<&'a Absence>,
}

impl<'a> OfInstance<'a> {
    fn new(
        instance: InstanceId,
        traced: Option<&'a Traced>,
        watched: &'a Watched,
        trail: Window,
        reach: Reach,
    ) -> Self {
        const EVER: i64 = i64::MAX / 8;
        let Reach { within, tolerance } = reach;
        let gone = watched.absences.iter().map(|absence| {
            (second(absence.onset) + tolerance + 1, absence.end.map_or(EVER, |end| second(end) + tolerance))
        });
        let unclear = watched.absences.iter().filter(|a| !a.begins).map(|a| reach.of(second(a.onset)));
        Self {
            instance,
            traced,
            watched,
            trail,
            reach,
            whole: watched.spans.shrunk(tolerance, within),
            gone: Spans::joined(gone.collect(), 0),
            unclear: Spans::joined(unclear.collect(), 0),
            begun: watched.absences.iter().filter(|absence| absence.begins).collect(),
        }
    }

    fn join(&self, joined: &mut Joined) {
        let onsets: Vec<i64> = self.begun.iter().map(|absence| second(absence.onset)).collect();
        let mut traces = vec![Trace::Nothing; self.begun.len()];
        if let Some(traced) = self.traced {
            joined.moves.extend(self.moves(traced, &onsets, &mut traces));
            self.causes(traced, &onsets, &mut traces, &mut joined.causes);
        }
        joined.grounds.extend(self.ground(&onsets));
        for (absence, trace) in self.begun.iter().zip(traces) {
            let trace = self.judged(absence, trace);
            joined.onsets.push(Onset { instance: self.instance, absence: (*absence).clone(), trace });
        }
    }

    fn moves(&self, shown: &Traced, onsets: &[i64], traces: &mut [Trace]) -> Vec<Move> {
        let mut moves: Vec<Move> = shown
            .migrations
            .iter()
            .map(|(at, confidence)| {
                let fate = self.fate(second(*at));
                Move { instance: self.instance, at: *at, confidence: *confidence, fate, onset: None }
            })
            .collect();
        // Those that count come first: no other may take a 404 from them.
        for counts in [true, false] {
            let mut mine: Vec<&mut Move> = moves.iter_mut().filter(|m| m.confidence.counts() == counts).collect();
            let decrypts: Vec<i64> = mine.iter().map(|m| second(m.at)).collect();
            for (decrypt, place) in self.free_pairs(&decrypts, onsets, traces) {
                let (Some(mine), Some(absence)) = (mine.get_mut(decrypt), self.begun.get(place)) else { continue };
                mine.onset = Some((absence.onset, guest(mine.at, absence, self.reach)));
                if mine.fate == Fate::NotFollowed {
                    mine.fate = Fate::Followed;
                }
                if let Some(trace) = traces.get_mut(place) {
                    *trace = Trace::Migration(mine.confidence);
                }
            }
        }
        for left in moves.iter_mut().filter(|m| m.fate == Fate::NotFollowed) {
            let at = second(left.at);
            // In its reach begins a 404 that is another migration's: the item was gone, or went meanwhile.
            let taken = |onset: &i64| at - self.reach.tolerance <= *onset && *onset <= at + self.reach.within;
            if onsets.iter().any(taken) {
                left.fate = Fate::AlreadyAbsent;
            }
        }
        moves
    }

    /// Pairs with those 404s that have no trace yet, by their places among all.
    fn free_pairs(&self, decrypts: &[i64], onsets: &[i64], traces: &[Trace]) -> Vec<(usize, usize)> {
        let free = onsets.iter().zip(traces).enumerate().filter(|(_, (_, trace))| **trace == Trace::Nothing);
        let (places, free): (Vec<usize>, Vec<i64>) = free.map(|(place, (onset, _))| (place, *onset)).unzip();
        let pairs = self.reach.pairs(decrypts, &free).into_iter();
        pairs.filter_map(|(decrypt, place)| Some((decrypt, *places.get(place)?))).collect()
    }

    /// What can be said of a migration before 404s are looked for.
    fn fate(&self, at: i64) -> Fate {
        let Reach { within, tolerance } = self.reach;
        if !self.watched.spans.holds(at) {
            return Fate::NotWatched;
        }
        if self.gone.holds(at) {
            return Fate::AlreadyAbsent;
        }
        if self.unclear.holds(at) {
            return Fate::NotWatched;
        }
        if self.whole.holds(at) {
            return Fate::NotFollowed;
        }
        match self.watched.spans.around(at) {
            Some((from, to)) if from <= at - tolerance && to <= at + within => Fate::CutShort,
            _ => Fate::NotWatched,
        }
    }

    fn causes(&self, shown: &Traced, onsets: &[i64], traces: &mut [Trace], causes: &mut BTreeMap<Cause, CauseTally>) {
        let decrypts: Vec<i64> = shown.reattachments.iter().map(|(at, _)| second(*at)).collect();
        let pairs: BTreeMap<usize, usize> = self.free_pairs(&decrypts, onsets, traces).into_iter().collect();
        for (place, (at, cause)) in shown.reattachments.iter().enumerate() {
            let tally = causes.entry(*cause).or_default();
            tally.reattachments += 1;
            let matched = pairs.get(&place).and_then(|place| Some((*place, *self.begun.get(*place)?)));
            if let Some(trace) = matched.and_then(|(place, _)| traces.get_mut(place)) {
                *trace = Trace::Reattachment(*cause);
            }
            self.came_with(*at, matched.map(|(_, absence)| absence), tally);
        }
    }

    /// Whether a 404 came with a reattachment: one that was seen to begin, or, where the guest was started, one that the
    /// check found when it was back and that was not there when it last looked.
    fn came_with(&self, at: Timestamp, matched: Option<&Absence>, tally: &mut CauseTally) {
        let second_of = second(at);
        let before = self.watched.looks.iter().rev().find(|(look, _)| *look < at).map(|(_, item)| *item);
        if self.gone.holds(second_of) || before == Some(Item::Absent) {
            tally.already_absent += u64::from(self.watched.spans.holds(second_of) || before.is_some());
            return;
        }
        let (earliest, latest) = (second_of - self.reach.tolerance, second_of + GUEST_STARTS);
        let after = |time: Timestamp| earliest < second(time) && second(time) <= latest;
        let found = self.watched.absences.iter().find(|absence| !absence.begins && after(absence.onset));
        let knew = before == Some(Item::Known);
        let absence = matched.or(found.filter(|_| knew));
        let looked = knew && self.watched.looks.iter().any(|(look, _)| *look > at && after(*look));
        if absence.is_none() && !looked && !self.whole.holds(second_of) {
            return;
        }
        tally.watched += 1;
        match absence.map(Absence::lasted) {
            Some(Some(lasted)) if lasted < BRIEF => tally.brief += 1,
            Some(_) => tally.followed += 1,
            None => {}
        }
    }

    fn ground(&self, onsets: &[i64]) -> Option<Ground> {
        self.traced.filter(|traced| traced.sighted && !traced.blind)?;
        let trail = (second(self.trail.from?), second(self.trail.to?) + 1);
        let open = self.whole.without(&self.gone).without(&self.unclear).and(&Spans::joined(vec![trail], 0));
        let reaches = onsets.iter().map(|onset| self.reach.of(*onset)).collect();
        let hits = Spans::joined(reaches, 0).and(&open);
        let instance = self.instance;
        (!open.is_empty()).then(|| Ground { instance, open, hits, onsets: onsets.to_vec() })
    }

    /// What a 404 had before it, if the trail could show it.
    fn judged(&self, absence: &Absence, trace: Trace) -> Trace {
        if self.traced.is_none_or(|traced| !traced.sighted || traced.blind) {
            return Trace::Untraceable;
        }
        let (first, after) = self.reach.of(second(absence.onset));
        let within = |from: Timestamp, to: Timestamp| second(from) <= first && after <= second(to) + 1;
        match (self.trail.from, self.trail.to) {
            (Some(from), Some(to)) if within(from, to) => trace,
            _ => Trace::OutsideTrail,
        }
    }
}

fn guest(decrypt: Timestamp, absence: &Absence, reach: Reach) -> Guest {
    match absence.boot.at {
        None => Guest::NotTold,
        Some(boot) if second(boot) > second(decrypt) - reach.tolerance => Guest::Rebooted,
        Some(_) => Guest::RanOn,
    }
}

#[cfg(test)]
mod tests;
