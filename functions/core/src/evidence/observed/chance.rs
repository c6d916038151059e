//! How often migrations and 404s meet by chance: the migrations are put elsewhere, many times over.

use std::collections::BTreeMap;

use super::join::{Fate, Ground, Joined, Reach};

/// How many pairs of migration and round there are at most; with many migrations fewer rounds tell as much.
const PLACEMENTS: u64 = 20_000_000;
const FEWEST_ROUNDS: u32 = 199;
/// Up to so many alternatives to an instance are listed; of more, one is found by trying.
const LISTED: usize = 256;

/// `SplitMix64` (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): the same
/// numbers everywhere, and good enough to put a few thousand things elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`; 0 where that is 0.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        // The bias of the multiplication is below n / 2^64.
        let product = u128::from(self.bits()) * u128::from(n);
        u64::try_from(product >> 64).unwrap_or(0)
    }
}

/// What chance does.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    /// How many pairs there are on average.
    pub(super) expected: f64,
    /// How likely so many pairs as there are, or more, would be.
    pub(super) p: f64,
}

/// Both permutations of a join.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Permuted {
    pub(super) migrations: u64,
    pub(super) matched: u64,
    pub(super) rounds: u32,
    pub(super) anywhere: Option<Outcome>,
    pub(super) same_times: Option<Outcome>,
    /// How many instances each migration could have been of, on average.
    pub(super) alternatives: Option<f64>,
}

/// The places of the migrations that are judged: the instance's ground, and when.
fn judged(joined: &Joined) -> Vec<(usize, i64)> {
    let places: BTreeMap<_, usize> =
        joined.grounds.iter().enumerate().map(|(at, ground)| (ground.instance, at)).collect();
    let judged =
        joined.moves.iter().filter(|m| m.confidence.counts() && matches!(m.fate, Fate::Followed | Fate::NotFollowed));
    let found = judged.filter_map(|m| {
        let place = *places.get(&m.instance)?;
        let at = super::spans::second(m.at);
        joined.grounds.get(place).is_some_and(|ground| ground.open.holds(at)).then_some((place, at))
    });
    found.collect()
}

/// How many pairs are to be expected if migrations were put anywhere in the time under watch, without drawing lots: each
/// has the same chance.
pub(super) fn expected_anywhere(joined: &Joined) -> Option<f64> {
    let migrations = judged(joined).len();
    let sum = |of: fn(&Ground) -> i64| joined.grounds.iter().map(of).sum::<i64>();
    let (open, hits) = (sum(|ground| ground.open.length()), sum(|ground| ground.hits.length()));
    (open > 0).then(|| number(migrations) * float(hits) / float(open))
}

/// Puts the migrations elsewhere, `rounds` times: onto any instance at any time, and onto another instance at the same
/// time. The second leaves what is common to all instances as it is, such as a night on which both are frequent.
pub(super) fn permuted(joined: &Joined, reach: Reach, rounds: u32, seed: u64) -> Permuted {
    let judged = judged(joined);
    let migrations = u64::try_from(judged.len()).unwrap_or(u64::MAX);
    let most = u32::try_from(PLACEMENTS / migrations.max(1)).unwrap_or(u32::MAX);
    let rounds = rounds.min(most.max(FEWEST_ROUNDS)).max(1);
    let matched = matched(joined, &mut judged.clone(), reach);
    let mut told = Permuted { migrations, matched, rounds, anywhere: None, same_times: None, alternatives: None };
    if judged.is_empty() {
        return told;
    }
    let anywhere = Anywhere::new(&joined.grounds);
    let mut random = Random::new(seed);
    told.anywhere = Some(outcome(rounds, matched, || {
        let mut placed: Vec<(usize, i64)> = judged.iter().map(|_| anywhere.draw(&mut random)).collect();
        self::matched(joined, &mut placed, reach)
    }));
    let others = Others::new(&joined.grounds, &judged);
    told.alternatives = Some(others.counts.iter().map(|count| number(*count)).sum::<f64>() / number(judged.len()));
    let mut random = Random::new(seed ^ 0x5a5a_5a5a_5a5a_5a5a);
    told.same_times = Some(outcome(rounds, matched, || {
        let drawn = judged.iter().enumerate();
        let mut placed: Vec<(usize, i64)> =
            drawn.map(|(nth, (own, at))| (others.draw(nth, *own, *at, &mut random), *at)).collect();
        self::matched(joined, &mut placed, reach)
    }));
    told
}

fn outcome(rounds: u32, matched: u64, mut round: impl FnMut() -> u64) -> Outcome {
    let (mut sum, mut reached) = (0_u64, 0_u32);
    for _ in 0..rounds {
        let pairs = round();
        sum += pairs;
        reached += u32::from(pairs >= matched);
    }
    // What was seen is one of the arrangements that chance could have made, so no p-value is nothing (B. Phipson and
    // G. Smyth, "Permutation p-values should never be zero", 2010).
    let p = f64::from(reached + 1) / f64::from(rounds + 1);
    Outcome { expected: count(sum) / f64::from(rounds), p }
}

/// The pairs of migrations put so.
fn matched(joined: &Joined, placed: &mut [(usize, i64)], reach: Reach) -> u64 {
    placed.sort_unstable();
    let mut pairs = 0;
    for of_one in placed.chunk_by(|(a, _), (b, _)| a == b) {
        let Some(ground) = of_one.first().and_then(|(place, _)| joined.grounds.get(*place)) else { continue };
        if ground.onsets.is_empty() {
            continue;
        }
        let decrypts: Vec<i64> = of_one.iter().map(|(_, at)| *at).collect();
        pairs += reach.pairs(&decrypts, &ground.onsets).len();
    }
    u64::try_from(pairs).unwrap_or(u64::MAX)
}

/// All open time, laid end to end.
struct Anywhere {
    /// Where each stretch begins in that, its ground, and its own beginning.
    stretches: Vec<(i64, usize, i64)>,
    length: u64,
}

impl Anywhere {
    fn new(grounds: &[Ground]) -> Self {
        let (mut stretches, mut laid) = (Vec::new(), 0);
        for (place, ground) in grounds.iter().enumerate() {
            for (from, to) in ground.open.iter() {
                stretches.push((laid, place, from));
                laid += to - from;
            }
        }
        Self { stretches, length: u64::try_from(laid).unwrap_or(0) }
    }

    fn draw(&self, random: &mut Random) -> (usize, i64) {
        let at = i64::try_from(random.below(self.length)).unwrap_or(0);
        let after = self.stretches.partition_point(|(begin, ..)| *begin <= at);
        let stretch = after.checked_sub(1).and_then(|place| self.stretches.get(place));
        stretch.map_or((0, 0), |(begin, place, from)| (*place, from + at - begin))
    }
}

/// The instances that each migration could have been of, at its own time.
struct Others<'a> {
    grounds: &'a [Ground],
    counts: Vec<usize>,
    listed: Vec<Vec<usize>>,
}

impl<'a> Others<'a> {
    fn new(grounds: &'a [Ground], judged: &[(usize, i64)]) -> Self {
        let mut times: Vec<(i64, usize)> = judged.iter().enumerate().map(|(nth, (_, at))| (*at, nth)).collect();
        times.sort_unstable();
        let mut counts = vec![0; judged.len()];
        let mut listed: Vec<Vec<usize>> = vec![Vec::new(); judged.len()];
        for (place, ground) in grounds.iter().enumerate() {
            for (from, to) in ground.open.iter() {
                let begin = times.partition_point(|(at, _)| *at < from);
                for (_, nth) in times.iter().skip(begin).take_while(|(at, _)| *at < to) {
                    if let (Some(count), Some(listed)) = (counts.get_mut(*nth), listed.get_mut(*nth)) {
                        *count += 1;
                        if *count <= LISTED {
                            listed.push(place);
                        }
                    }
                }
            }
        }
        Self { grounds, counts, listed }
    }

    fn draw(&self, nth: usize, own: usize, at: i64, random: &mut Random) -> usize {
        let (Some(count), Some(listed)) = (self.counts.get(nth), self.listed.get(nth)) else { return own };
        let any =
            |random: &mut Random, of: usize| usize::try_from(random.below(u64::try_from(of).unwrap_or(0))).unwrap_or(0);
        if *count <= LISTED {
            return listed.get(any(random, listed.len())).copied().unwrap_or(own);
        }
        loop {
            let place = any(random, self.grounds.len());
            if self.grounds.get(place).is_some_and(|ground| ground.open.holds(at)) {
                return place;
            }
        }
    }
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[expect(clippy::cast_precision_loss, reason = "no watch lasts 2^53 seconds")]
fn float(seconds: i64) -> f64 {
    seconds as f64
}

#[expect(clippy::cast_precision_loss, reason = "no rounds make 2^53 pairs")]
fn count(pairs: u64) -> f64 {
    pairs as f64
}

#[cfg(test)]
mod tests;
