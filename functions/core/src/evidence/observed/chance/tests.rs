use serde::Deserialize;

use super::*;
use crate::assess::Confidence;
use crate::evidence::observed::join::Move;
use crate::evidence::observed::spans::Spans;
use crate::ids::InstanceId;
use crate::time::Timestamp;

const REACH: Reach = Reach { within: 600, tolerance: 60 };

/// What `SciPy` says, as `tests/evidence/observed.py` writes it.
#[derive(Deserialize)]
struct Oracle {
    chances: Vec<(u32, i64, i64, u64, [f64; 1])>,
}

fn instance(number: usize) -> InstanceId {
    InstanceId::new(&format!("i-{number:017x}")).unwrap()
}

/// A ground that is open for a while, with 404s at these times.
fn ground(number: usize, open: (i64, i64), onsets: &[i64]) -> Ground {
    let open = Spans::joined(vec![open], 0);
    let reaches = onsets.iter().map(|onset| (onset - REACH.within, onset + REACH.tolerance + 1)).collect();
    let hits = Spans::joined(reaches, 0).and(&open);
    Ground { instance: instance(number), open, hits, onsets: onsets.to_vec() }
}

fn moved(number: usize, at: i64, fate: Fate) -> Move {
    let (instance, at) = (instance(number), Timestamp::from_second(at));
    Move { instance, at, confidence: Confidence::Confirmed, fate, onset: None }
}

#[test]
fn the_numbers_are_those_of_the_paper() {
    let mut random = Random::new(1_234_567);
    let published = [
        6_457_827_717_110_365_317,
        3_203_168_211_198_807_973,
        9_817_491_932_198_370_423,
        4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
    ];
    assert_eq!(published.map(|_| random.bits()), published);
    let mut seen = [0_u32; 7];
    for _ in 0..70_000 {
        seen[usize::try_from(random.below(7)).unwrap()] += 1;
    }
    assert!(seen.iter().all(|count| (9_600..10_400).contains(count)), "{seen:?}");
    assert_eq!(random.below(0), 0);
}

/// Instances with 404s so far apart that no migration can take another's.
fn sparse(migrations: u32, hit: i64, open: i64) -> Joined {
    // One ground whose reaches add up to `hit`, and others without a 404, so that all add up to `open`.
    let within = Reach { within: hit - REACH.tolerance - 1, ..REACH };
    let onset = 10_000_000;
    let mut with = ground(0, (onset - within.within, onset + REACH.tolerance + 1), &[onset]);
    with.hits = with.open.clone();
    let grounds = vec![with, ground(1, (0, open - hit), &[])];
    let moves = (0..migrations).map(|at| moved(1, i64::from(at), Fate::NotFollowed)).collect();
    Joined { moves, grounds, ..Joined::default() }
}

#[test]
fn what_chance_does_anywhere_is_what_the_oracle_says() {
    let oracle: Oracle = serde_json::from_str(include_str!("../oracle.json")).expect("the oracle's answers");
    assert!(oracle.chances.len() > 4);
    for (migrations, hit, open, least, [p]) in oracle.chances {
        let joined = sparse(migrations, hit, open);
        let judged = judged(&joined);
        let anywhere = Anywhere::new(&joined.grounds);
        let mut random = Random::new(9);
        // Pairs without the rule of one with one, of which the oracle knows nothing.
        let outcome = outcome(20_000, least, || {
            let drawn = judged.iter().map(|_| anywhere.draw(&mut random));
            let hits = drawn.filter(|(place, at)| joined.grounds[*place].hits.holds(*at)).count();
            u64::try_from(hits).unwrap()
        });
        let error = 4.0 * (p * (1.0 - p) / 20_000.0).sqrt() + 1e-4;
        assert!((outcome.p - p).abs() < error, "{migrations} {hit}/{open} {least}: {} not {p}", outcome.p);
        let expected = expected_anywhere(&joined).unwrap();
        let exact = f64::from(migrations) * float(hit) / float(open);
        assert!((expected - exact).abs() < 1e-9 && (outcome.expected - exact).abs() < 0.05 * exact.max(0.2));
    }
}

#[test]
fn one_404_is_matched_once_however_many_are_put_there() {
    let mut joined = sparse(10, 600, 1_000);
    joined.moves.push(moved(0, 10_000_000, Fate::Followed));
    let permuted = permuted(&joined, REACH, 500, 1);
    assert_eq!((permuted.migrations, permuted.matched), (11, 1));
    // Nearly every round has a migration there, none has two pairs.
    assert!((0.99..=1.0).contains(&permuted.anywhere.unwrap().expected));
}

#[test]
fn at_the_same_times_a_migration_goes_to_instances_under_watch_then() {
    for others in [3_usize, 400] {
        // One in four is watched by night, when all 404s and migrations are; the others by day.
        let night = (50_000, 60_000);
        let with = others.div_ceil(4);
        let mut grounds: Vec<Ground> = (0..with).map(|number| ground(number, night, &[55_000])).collect();
        grounds.extend((with..others).map(|number| ground(number, night, &[])));
        grounds.extend((others..4 * others).map(|number| ground(number, (0, 40_000), &[])));
        let joined = Joined { moves: vec![moved(0, 54_990, Fate::Followed)], grounds, ..Joined::default() };
        let permuted = permuted(&joined, REACH, 8_000, 3);
        let count = super::number(others);
        let expected = super::number(with) / count;
        let error = 4.0 * (expected / 8_000.0).sqrt();
        let same = permuted.same_times.unwrap();
        assert!((same.expected - expected).abs() < error, "{others}: {}", same.expected);
        assert!((permuted.alternatives.unwrap() - count).abs() < 1e-9);
        // By chance anywhere it would be rarer: most of the time lies elsewhere.
        assert!(permuted.anywhere.unwrap().expected < same.expected);
    }
}

#[test]
fn it_repeats_itself_and_another_seed_does_not() {
    let joined = sparse(20, 600, 6_000);
    assert_eq!(permuted(&joined, REACH, 300, 7), permuted(&joined, REACH, 300, 7));
    assert_ne!(permuted(&joined, REACH, 300, 7), permuted(&joined, REACH, 300, 8));
}

#[test]
fn where_nothing_is_behind_it_a_small_p_is_as_rare_as_it_says() {
    let mut random = Random::new(11);
    let mut small = [0_u32; 2];
    let trials = 300;
    for trial in 0..trials {
        let mut at = |below: u64| i64::try_from(random.below(below)).unwrap();
        let grounds: Vec<Ground> =
            (0..20).map(|number| ground(number, (0, 20_000), &[at(20_000), at(20_000)])).collect();
        let moves = (0..12).map(|_| moved(usize::try_from(at(20)).unwrap(), at(20_000), Fate::NotFollowed)).collect();
        let permuted = permuted(&Joined { moves, grounds, ..Joined::default() }, REACH, 199, trial);
        for (count, outcome) in small.iter_mut().zip([permuted.anywhere, permuted.same_times]) {
            *count += u32::from(outcome.unwrap().p <= 0.1);
        }
    }
    // At most one in ten, within four standard deviations; not far fewer, for the numbers are small but not few.
    assert!(small.iter().all(|count| (6..=50).contains(count)), "{small:?} of {trials}");
}

#[test]
fn no_p_is_nothing() {
    // One watched minute in a month has the 404, and the migration with it.
    let mut joined = Joined { grounds: vec![ground(0, (0, 3_000_000), &[5_000])], ..Joined::default() };
    joined.moves = (0..4).map(|nth| moved(0, 4_990 + nth, Fate::Followed)).collect();
    joined.grounds[0].onsets = vec![4_995, 4_996, 4_997, 4_998];
    let permuted = permuted(&joined, REACH, 99, 1);
    assert_eq!((permuted.matched, permuted.anywhere.unwrap().p), (4, 0.01));
}

#[test]
fn many_migrations_are_put_elsewhere_less_often() {
    let moves: Vec<Move> = (0..150_000).map(|at| moved(0, at, Fate::NotFollowed)).collect();
    let joined = Joined { moves, grounds: vec![ground(0, (0, 200_000), &[])], ..Joined::default() };
    assert_eq!(permuted(&joined, REACH, 1, 1).rounds, 1);
    let most = u32::try_from(PLACEMENTS / 150_000).unwrap();
    assert!(most < FEWEST_ROUNDS, "{most}");
}

#[test]
fn without_migrations_or_ground_chance_says_nothing() {
    let nothing = permuted(&Joined::default(), REACH, 100, 1);
    assert_eq!((nothing.migrations, nothing.anywhere, nothing.same_times), (0, None, None));
    assert_eq!(expected_anywhere(&Joined::default()), None);
    // Another's 404s, or one that is not judged, change nothing.
    let joined = Joined {
        moves: vec![moved(3, 5, Fate::NotFollowed), moved(0, 5, Fate::AlreadyAbsent)],
        grounds: vec![ground(0, (0, 100), &[50])],
        ..Joined::default()
    };
    assert_eq!(permuted(&joined, REACH, 100, 1).migrations, 0);
}
