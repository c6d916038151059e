use proptest::prelude::*;

use super::*;
use crate::evidence::observed::lines::Boot;

const REACH: Reach = Reach { within: 600, tolerance: 60 };
const DAY: i64 = 86_400;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_778_500_000 + seconds)
}

fn instance() -> InstanceId {
    InstanceId::new("i-0123456789abcdef0").unwrap()
}

/// A 404 from `onset` on, for so long if it ended.
fn absence(onset: i64, begins: bool, lasted: Option<i64>) -> Absence {
    let boot = Boot { id: None, at: Some(at(-DAY)) };
    Absence { onset: at(onset), begins, end: lasted.map(|lasted| at(onset + lasted)), boot }
}

fn watched(spans: &[(i64, i64)], absences: Vec<Absence>, looks: &[(i64, Item)]) -> Watched {
    let spans = spans.iter().map(|(from, to)| (second(at(*from)), second(at(*to)))).collect();
    let looks = looks.iter().map(|(look, item)| (at(*look), *item)).collect();
    Watched { spans: Spans::joined(spans, 0), stated: true, absences, looks }
}

fn traced(migrations: &[(i64, Confidence)], reattachments: &[(i64, Cause)]) -> Traced {
    Traced {
        sighted: true,
        blind: false,
        migrations: migrations.iter().map(|(time, confidence)| (at(*time), *confidence)).collect(),
        reattachments: reattachments.iter().map(|(time, cause)| (at(*time), *cause)).collect(),
    }
}

fn joined(traced: &Traced, watched: Watched) -> Joined {
    let trail = Window { from: Some(at(0)), to: Some(at(DAY)) };
    join(&[(instance(), traced.clone())].into(), &[(instance(), watched)].into(), trail, REACH)
}

fn fates(migrations: &[i64], spans: &[(i64, i64)], absences: Vec<Absence>) -> Vec<Fate> {
    let migrations: Vec<_> = migrations.iter().map(|time| (*time, Confidence::Confirmed)).collect();
    joined(&traced(&migrations, &[]), watched(spans, absences, &[])).moves.iter().map(|m| m.fate).collect()
}

#[test]
fn a_404_within_reach_is_the_migrations() {
    for (onset, fate) in [
        (10_000, Fate::Followed),
        (10_600, Fate::Followed),
        (10_601, Fate::NotFollowed),
        (9_940, Fate::Followed),
        (9_939, Fate::AlreadyAbsent),
    ] {
        let found = fates(&[10_000], &[(0, DAY)], vec![absence(onset, true, Some(3_600))]);
        assert_eq!(found, [fate], "{onset}");
    }
    // It was back before the migration: no 404, and no reason why there could have been none.
    assert_eq!(fates(&[10_000], &[(0, DAY)], vec![absence(9_000, true, Some(500))]), [Fate::NotFollowed]);
}

#[test]
fn what_nobody_watched_is_no_miss() {
    for (spans, fate) in [
        (&[(0, DAY)][..], Fate::NotFollowed),
        (&[], Fate::NotWatched),
        (&[(0, 9_000), (12_000, DAY)], Fate::NotWatched),
        (&[(9_950, DAY)], Fate::NotWatched),
        (&[(9_940, 10_601)], Fate::NotFollowed),
        (&[(9_940, 10_600)], Fate::CutShort),
        (&[(0, 10_300), (10_400, DAY)], Fate::CutShort),
    ] {
        assert_eq!(fates(&[10_000], spans, Vec::new()), [fate], "{spans:?}");
    }
    let cut = joined(
        &traced(&[(10_000, Confidence::Confirmed)], &[]),
        watched(&[(0, 10_300)], vec![absence(10_020, true, None)], &[]),
    );
    assert_eq!((cut.moves[0].fate, cut.moves[0].onset.is_some()), (Fate::CutShort, true));
    assert_eq!(cut.onsets[0].trace, Trace::Migration(Confidence::Confirmed), "though the watch ended soon after");
}

#[test]
fn what_is_gone_cannot_go() {
    // Moved twice: the item is gone since the first time.
    let found = fates(&[10_000, 20_000], &[(0, DAY)], vec![absence(10_010, true, None)]);
    assert_eq!(found, [Fate::Followed, Fate::AlreadyAbsent]);
    // The second Decrypt comes so soon that the one 404 is in reach of both.
    let found = fates(&[10_000, 10_300], &[(0, DAY)], vec![absence(10_320, true, None)]);
    assert_eq!(found, [Fate::Followed, Fate::AlreadyAbsent]);
    // Nobody knows when it went.
    let found = fates(&[10_000, 30_000], &[(0, DAY)], vec![absence(10_010, false, None)]);
    assert_eq!(found, [Fate::NotWatched, Fate::AlreadyAbsent]);
}

#[test]
fn a_404_that_nobody_saw_begin_is_no_onset() {
    let watched = watched(&[(0, DAY)], vec![absence(10_010, false, Some(60)), absence(50_000, true, None)], &[]);
    let joined = joined(&traced(&[(10_000, Confidence::Confirmed)], &[]), watched);
    assert_eq!(joined.onsets.iter().map(|onset| onset.absence.onset).collect::<Vec<_>>(), [at(50_000)]);
    // Nor is it ground on which a migration could be put.
    assert!(!joined.grounds[0].open.holds(second(at(9_800))) && joined.grounds[0].open.holds(second(at(9_000))));
}

#[test]
fn an_onset_has_the_most_telling_trace() {
    let (partial, undetermined) = (Confidence::Partial, Confidence::Undetermined);
    let (confirmed, presumed) = (Confidence::Confirmed, Confidence::Presumed);
    for (migrations, reattachments, trace) in [
        (&[(9_990, confirmed)][..], &[][..], Trace::Migration(confirmed)),
        (&[(9_900, partial), (9_990, presumed)], &[], Trace::Migration(presumed)),
        (&[(9_990, undetermined)], &[(9_980, Cause::Grant)], Trace::Migration(undetermined)),
        (&[], &[(9_980, Cause::Attach)], Trace::Reattachment(Cause::Attach)),
        (&[(9_000, confirmed)], &[(9_000, Cause::Attach)], Trace::Nothing),
    ] {
        let watched = watched(&[(0, DAY)], vec![absence(10_000, true, None)], &[]);
        let found = joined(&traced(migrations, reattachments), watched).onsets[0].trace;
        assert_eq!(found, trace, "{migrations:?} {reattachments:?}");
    }
}

#[test]
fn what_the_trail_cannot_show_is_not_held_against_it() {
    let watch = |onset| watched(&[(-DAY, 3 * DAY)], vec![absence(onset, true, None)], &[]);
    let trace = |traced: &Traced, onset| joined(traced, watch(onset)).onsets[0].trace;
    let seen = traced(&[], &[]);
    assert_eq!(trace(&seen, 10_000), Trace::Nothing);
    assert_eq!(trace(&seen, 600), Trace::Nothing);
    assert_eq!(trace(&seen, 599), Trace::OutsideTrail);
    assert_eq!(trace(&seen, DAY - 60), Trace::Nothing);
    assert_eq!(trace(&seen, DAY - 59), Trace::OutsideTrail);
    let unencrypted = Traced { sighted: false, ..seen.clone() };
    let blind = Traced { blind: true, ..seen };
    for traced in [&unencrypted, &blind] {
        assert_eq!(trace(traced, 10_000), Trace::Untraceable);
        assert!(joined(traced, watch(10_000)).grounds.is_empty(), "no migration could be seen there");
    }
    let trail = Window { from: Some(at(0)), to: Some(at(DAY)) };
    let unknown = join(&BTreeMap::new(), &[(instance(), watch(10_000))].into(), trail, REACH);
    assert_eq!(unknown.onsets[0].trace, Trace::Untraceable);
}

#[test]
fn a_boot_after_the_decrypt_is_no_live_migration() {
    for (boot, guest) in [
        (Some(at(0)), Guest::RanOn),
        (Some(at(9_939)), Guest::RanOn),
        (Some(at(10_010)), Guest::Rebooted),
        (None, Guest::NotTold),
    ] {
        let absence = Absence { boot: Boot { id: None, at: boot }, ..absence(10_030, true, None) };
        let found = joined(&traced(&[(10_000, Confidence::Confirmed)], &[]), watched(&[(0, DAY)], vec![absence], &[]));
        assert_eq!(found.moves[0].onset, Some((at(10_030), guest)), "{boot:?}");
    }
}

#[test]
fn a_start_is_judged_by_the_looks_before_and_after_it() {
    use Item::{Absent, Known};
    let start = &[(10_000, Cause::Start)];
    let none = CauseTally { reattachments: 1, ..CauseTally::default() };
    let off = [(0, 9_000), (10_060, DAY)];
    for (spans, absences, looks, tally) in [
        (
            &off,
            vec![absence(10_060, false, None)],
            &[(9_000, Known), (10_062, Absent)][..],
            CauseTally { watched: 1, followed: 1, ..none },
        ),
        (
            &off,
            vec![absence(10_060, false, Some(30))],
            &[(9_000, Known), (10_062, Absent)],
            CauseTally { watched: 1, brief: 1, ..none },
        ),
        (&off, vec![], &[(9_000, Known), (10_060, Known)], CauseTally { watched: 1, ..none }),
        // Nobody looked before, or soon after; or it was gone before.
        (&off, vec![absence(10_060, false, None)], &[(10_062, Absent)], none),
        (&[(0, 9_000), (80_000, DAY)], vec![], &[(9_000, Known), (80_000, Known)], none),
        (
            &off,
            vec![absence(5_000, true, None)],
            &[(5_002, Absent), (9_000, Absent)],
            CauseTally { already_absent: 1, ..none },
        ),
    ] {
        let found = joined(&traced(&[], start), watched(spans, absences.clone(), looks));
        assert_eq!(found.causes[&Cause::Start], tally, "{spans:?} {absences:?} {looks:?}");
    }
    // The guest ran on: watched all through, as a migration is.
    let attach = traced(&[], &[(10_000, Cause::Attach)]);
    let found = joined(&attach, watched(&[(0, DAY)], vec![absence(10_030, true, None)], &[]));
    assert_eq!(found.causes[&Cause::Attach], CauseTally { watched: 1, followed: 1, ..none });
    assert_eq!(
        joined(&attach, watched(&[(0, DAY)], vec![], &[])).causes[&Cause::Attach],
        CauseTally { watched: 1, ..none }
    );
}

#[test]
fn ground_is_where_a_migration_would_be_judged() {
    let spans = [(0, 30_000), (40_000, 2 * DAY)];
    let absences = || vec![absence(10_000, true, Some(3_600)), absence(60_000, false, Some(600))];
    let ground = joined(&traced(&[], &[]), watched(&spans, absences(), &[])).grounds.remove(0);
    for time in (-1_000..2 * DAY).step_by(13) {
        let found = fates(&[time], &spans, absences());
        let judged = matches!(found[..], [Fate::Followed | Fate::NotFollowed]);
        let in_trail = (0..=DAY).contains(&time);
        assert_eq!(ground.open.holds(second(at(time))), judged && in_trail, "{time}: {found:?}");
        assert_eq!(ground.hits.holds(second(at(time))), found == [Fate::Followed] && in_trail, "{time}");
    }
}

/// The most pairs, by trying all ways.
fn most(decrypts: &[i64], onsets: &[i64]) -> usize {
    let Some((first, rest)) = decrypts.split_first() else { return 0 };
    let mut best = most(rest, onsets);
    for (place, onset) in onsets.iter().enumerate() {
        if first - 60 <= *onset && *onset <= first + 600 {
            let others: Vec<i64> =
                onsets.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, onset)| *onset).collect();
            best = best.max(1 + most(rest, &others));
        }
    }
    best
}

proptest! {
    #[test]
    fn there_are_as_many_pairs_as_there_can_be(
        mut decrypts in prop::collection::vec(0_i64..4_000, 0..6),
        mut onsets in prop::collection::vec(0_i64..4_000, 0..6),
    ) {
        decrypts.sort_unstable();
        onsets.sort_unstable();
        let pairs = REACH.pairs(&decrypts, &onsets);
        prop_assert_eq!(pairs.len(), most(&decrypts, &onsets));
        let mut taken: Vec<usize> = pairs.iter().map(|(_, onset)| *onset).collect();
        taken.dedup();
        prop_assert_eq!(taken.len(), pairs.len(), "one with one");
        for (decrypt, onset) in pairs {
            prop_assert!((decrypts[decrypt] - 60..=decrypts[decrypt] + 600).contains(&onsets[onset]));
        }
    }
}
