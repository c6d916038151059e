//! From what was joined to the answer.

use std::collections::BTreeMap;

use super::chance::{Outcome, expected_anywhere, permuted};
use super::join::{BRIEF, Fate, Guest, Joined, Move, Onset, Reach, Trace, join};
use super::quantile::percentile;
use super::result::{
    AbsenceLengths, ByCause, ByConfidence, Chance, Delays, Moves, Observed, Onsets, Pair, Permutation, Reboots, SCHEMA,
    Sensitivity, Sentences, Share, Stated, Traces, Verdict, Verification,
};
use super::spans::second;
use super::watched::Watched;
use super::{Observations, Settings, Traced, words};
use crate::analysis::Window;
use crate::assess::Confidence;
use crate::evidence::exact::Level;
use crate::ids::InstanceId;
use crate::observation::Cause;
use crate::time::Timestamp;

/// How many single cases each list holds.
const LISTED: usize = 200;
/// The windows for which the answer is shown beside that of the chosen one, in seconds.
const WINDOWS: [i64; 7] = [30, 60, 120, 300, 600, 1_800, 3_600];

/// Works it all out.
pub(super) fn verification(
    traced: &BTreeMap<InstanceId, Traced>,
    watched: &BTreeMap<InstanceId, Watched>,
    observations: &Observations,
    window: Window,
    settings: &Settings,
) -> Verification {
    let level = settings.level;
    let (within, tolerance) = (settings.within.as_secs(), settings.tolerance.as_secs());
    let reach = Reach { within, tolerance };
    let joined = join(traced, watched, window, reach);
    let counted = |m: &Move| m.confidence.counts();
    let matched: Vec<&Move> = joined.moves.iter().filter(|m| counted(m) && m.onset.is_some()).collect();
    let found_absent = watched.values().flat_map(|watched| &watched.absences).filter(|absence| !absence.begins).count();
    let mut told = Verification {
        schema: SCHEMA,
        window,
        settings: Stated {
            within_seconds: within,
            tolerance_seconds: tolerance,
            level: stated(level),
            seed: settings.seed,
        },
        observed: observed(traced, watched, observations),
        verdict: Verdict::TooFew,
        sentences: Sentences::default(),
        assumptions: Vec::new(),
        migrations: moves(&joined.moves, counted, level),
        by_confidence: by_confidence(&joined.moves, level),
        onsets: onsets(&joined.onsets, found_absent, level),
        delays: delays(&matched, level),
        absences: absences(&joined.onsets, level),
        reboots: reboots(&matched),
        chance: chance(&joined, reach, settings),
        causes: causes(&joined, level),
        sensitivity: sensitivity(traced, watched, window, reach, level),
        pairs: latest(matched.iter().map(|m| pair_of(m)).collect()),
        not_followed: latest(
            joined.moves.iter().filter(|m| counted(m) && m.fate == Fate::NotFollowed).map(pair_of).collect(),
        ),
        without_trace: latest(joined.onsets.iter().filter(|onset| onset.trace == Trace::Nothing).map(alone).collect()),
    };
    told.verdict = words::verdict(&told);
    told.sentences = words::sentences(&told);
    told.assumptions = words::assumptions(&told);
    told
}

/// The level as it was given: twice its tail has lost the last digits.
fn stated(level: Level) -> f64 {
    (1e12 * (1.0 - 2.0 * level.tail())).round() / 1e12
}

const CONFIDENCES: [Confidence; 4] =
    [Confidence::Confirmed, Confidence::Presumed, Confidence::Partial, Confidence::Undetermined];

fn observed(
    traced: &BTreeMap<InstanceId, Traced>,
    watched: &BTreeMap<InstanceId, Watched>,
    observations: &Observations,
) -> Observed {
    let hours = |assumed: Option<bool>| {
        let of = watched.values().filter(|watched| assumed.is_none_or(|assumed| watched.stated != assumed));
        seconds(of.map(|watched| watched.spans.length()).sum()) / 3_600.0
    };
    let ends = || watched.values().flat_map(|watched| watched.spans.iter());
    Observed {
        accounting: observations.accounting(),
        instances: count(watched.len()),
        assumed_instances: count(watched.values().filter(|watched| !watched.stated).count()),
        not_in_trail: count(watched.keys().filter(|instance| !traced.contains_key(instance)).count()),
        hours: hours(None),
        assumed_hours: hours(Some(true)),
        from: ends().map(|(from, _)| from).min().map(Timestamp::from_second),
        to: ends().map(|(_, to)| to).max().map(Timestamp::from_second),
    }
}

fn moves(all: &[Move], which: impl Fn(&Move) -> bool, level: Level) -> Moves {
    let number = |is: &dyn Fn(&Move) -> bool| count(all.iter().filter(|m| which(m) && is(m)).count());
    let of = |fate: Fate| number(&|m| m.fate == fate);
    let followed = of(Fate::Followed);
    Moves {
        migrations: number(&|_| true),
        not_watched: of(Fate::NotWatched),
        cut_short: of(Fate::CutShort),
        cut_short_followed: number(&|m| m.fate == Fate::CutShort && m.onset.is_some()),
        already_absent: of(Fate::AlreadyAbsent),
        followed: Share::new(followed, followed + of(Fate::NotFollowed), level),
    }
}

fn by_confidence(all: &[Move], level: Level) -> Vec<ByConfidence> {
    let of =
        |confidence: Confidence| ByConfidence { confidence, moves: moves(all, |m| m.confidence == confidence, level) };
    CONFIDENCES.map(of).to_vec()
}

fn chance(joined: &Joined, reach: Reach, settings: &Settings) -> Chance {
    let permuted = permuted(joined, reach, settings.rounds, settings.seed);
    let permutation = |outcome: Option<Outcome>| outcome.map(|o| Permutation { expected: o.expected, p: o.p });
    Chance {
        migrations: permuted.migrations,
        matched: permuted.matched,
        rounds: permuted.rounds,
        anywhere: permutation(permuted.anywhere),
        same_times: permutation(permuted.same_times),
        alternatives: permuted.alternatives,
    }
}

fn onsets(all: &[Onset], found_absent: usize, level: Level) -> Onsets {
    let mut told = Onsets {
        onsets: count(all.len()),
        found_absent: count(found_absent),
        untraceable: 0,
        outside_trail: 0,
        preceded: Share::new(0, 0, level),
        traces: Traces::default(),
    };
    for onset in all {
        *match onset.trace {
            Trace::Untraceable => &mut told.untraceable,
            Trace::OutsideTrail => &mut told.outside_trail,
            Trace::Migration(Confidence::Confirmed) => &mut told.traces.confirmed,
            Trace::Migration(Confidence::Presumed) => &mut told.traces.presumed,
            Trace::Migration(Confidence::Partial) => &mut told.traces.partial,
            Trace::Migration(Confidence::Undetermined) => &mut told.traces.undetermined,
            Trace::Reattachment(_) => &mut told.traces.reattachment,
            Trace::Nothing => &mut told.traces.nothing,
        } += 1;
    }
    let judged = told.onsets - told.untraceable - told.outside_trail;
    told.preceded = Share::new(told.traces.confirmed + told.traces.presumed, judged, level);
    told
}

fn delays(matched: &[&Move], level: Level) -> Delays {
    let delay = |m: &&Move| m.onset.map(|(onset, _)| m.at.until(onset).as_secs());
    let mut delays: Vec<i64> = matched.iter().filter_map(delay).collect();
    delays.sort_unstable();
    Delays {
        pairs: count(delays.len()),
        before: count(delays.iter().filter(|delay| **delay < 0).count()),
        shortest: delays.first().copied(),
        longest: delays.last().copied(),
        percentiles: [50, 90, 95].map(|percent| percentile(&delays, percent, level)).to_vec(),
    }
}

fn absences(all: &[Onset], level: Level) -> AbsenceLengths {
    let after = all.iter().filter(|onset| matches!(onset.trace, Trace::Migration(confidence) if confidence.counts()));
    let lengths: Vec<Option<i64>> = after.map(|onset| onset.absence.lasted()).collect();
    let mut over: Vec<i64> = lengths.iter().copied().flatten().collect();
    over.sort_unstable();
    AbsenceLengths {
        over: count(over.len()),
        brief: count(over.iter().filter(|lasted| **lasted < BRIEF).count()),
        without_end: count(lengths.len() - over.len()),
        percentiles: [50, 90].map(|percent| percentile(&over, percent, level)).to_vec(),
    }
}

fn reboots(matched: &[&Move]) -> Reboots {
    let of = |guest: Guest| count(matched.iter().filter(|m| m.onset.is_some_and(|(_, is)| is == guest)).count());
    Reboots { ran_on: of(Guest::RanOn), rebooted: of(Guest::Rebooted), not_told: of(Guest::NotTold) }
}

fn causes(joined: &Joined, level: Level) -> Vec<ByCause> {
    let of = |cause: Cause| {
        let tally = joined.causes.get(&cause)?;
        let followed = Share::new(tally.followed, tally.watched, level);
        let (reattachments, already_absent, brief) = (tally.reattachments, tally.already_absent, tally.brief);
        Some(ByCause { cause, reattachments, already_absent, followed, brief })
    };
    Cause::ALL.into_iter().filter_map(of).collect()
}

fn sensitivity(
    traced: &BTreeMap<InstanceId, Traced>,
    watched: &BTreeMap<InstanceId, Watched>,
    window: Window,
    reach: Reach,
    level: Level,
) -> Vec<Sensitivity> {
    let mut windows = WINDOWS.to_vec();
    windows.push(reach.within);
    windows.sort_unstable();
    windows.dedup();
    let with = |within: i64| {
        let joined = join(traced, watched, window, Reach { within, ..reach });
        Sensitivity {
            within_seconds: within,
            chosen: within == reach.within,
            followed: moves(&joined.moves, |m| m.confidence.counts(), level).followed,
            preceded: onsets(&joined.onsets, 0, level).preceded,
            by_chance: expected_anywhere(&joined),
        }
    };
    windows.into_iter().map(with).collect()
}

fn pair_of(m: &Move) -> Pair {
    let onset = m.onset.map(|(onset, _)| onset);
    Pair {
        instance_id: m.instance,
        migration: Some(m.at),
        confidence: Some(m.confidence),
        onset,
        delay_seconds: onset.map(|onset| m.at.until(onset).as_secs()),
    }
}

fn alone(onset: &Onset) -> Pair {
    let at = Some(onset.absence.onset);
    Pair { instance_id: onset.instance, migration: None, confidence: None, onset: at, delay_seconds: None }
}

fn latest(mut pairs: Vec<Pair>) -> Vec<Pair> {
    pairs.sort_by_key(|pair| std::cmp::Reverse((pair.migration.or(pair.onset).map(second), pair.instance_id)));
    pairs.truncate(LISTED);
    pairs
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "no watch lasts 2^53 seconds")]
fn seconds(sum: i64) -> f64 {
    sum as f64
}
