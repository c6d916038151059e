//! How much more migrations vary than independent ones would: a host that dies, or a maintenance event, moves many at
//! once.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::float;
use crate::evidence::service::Served;
use crate::time::Timestamp;

/// How many days it takes to tell clusters from chance, the half ones at either end included.
const ENOUGH_DAYS: usize = 6;

/// How much more the numbers of migrations of some stacks vary, in an hour and in a day, than those of independent
/// ones: about how many come together, at least 1.
///
/// The moment estimate: how many pairs of migrations of one stack fall into the same hour, or the same day, beyond those
/// that pairs from different days let expect. The larger of the two counts. Days begin at noon, so that a night is one.
/// Of few days nobody knows: the migrations of each may be one event, and count as one.
pub(super) fn dispersion(stacks: &[&Served], zone: &TimeZone) -> f64 {
    let [by_hour, by_day] = estimates(stacks, zone);
    by_hour.max(by_day).max(1.0)
}

/// The estimates themselves, of an hour and of a day, which chance may bring below 1.
fn estimates(stacks: &[&Served], zone: &TimeZone) -> [f64; 2] {
    let (mut by_hour, mut by_day, mut moves) = (0.0, 0.0, 0.0);
    for served in stacks {
        let sums = served.by_hour(zone);
        let hazard = |hour: usize| {
            let sum = sums.get(hour).filter(|sum| sum.hours > 0.0);
            sum.map_or(0.0, |sum| float(sum.moves) / sum.hours)
        };
        let mut hours = [Pairs::default(); 24];
        let mut days: BTreeMap<i64, [f64; 2]> = BTreeMap::new();
        for (time, sum) in served.by_time() {
            let Some((day, hour)) = local(time, zone) else { continue };
            if let Some(pairs) = hours.get_mut(hour) {
                pairs.add(float(sum.moves), sum.hours);
            }
            let [count, exposure] = days.entry(day).or_default();
            *count += float(sum.moves);
            *exposure += sum.hours * hazard(hour);
        }
        let mut all = Pairs::default();
        for [count, exposure] in days.values() {
            all.add(*count, *exposure);
        }
        by_day += all.excess().filter(|_| days.len() >= ENOUGH_DAYS).unwrap_or(all.pairs());
        by_hour += hours.iter().filter_map(Pairs::excess).sum::<f64>();
        moves += float(served.moves());
    }
    [by_hour, by_day].map(|excess| if moves > 0.0 { 1.0 + excess / moves } else { 1.0 })
}

/// How many migrations come together where two stacks are compared. The fewer of a stack's migrations there are, the
/// more the ratio hangs on them, and on how they come: `1 / a + 1 / b`, the variance of its logarithm, grows to
/// `together_a / a + together_b / b`.
pub(super) fn between(first: &Served, second: &Served, zone: &TimeZone) -> f64 {
    let (a, b) = (float(first.moves()), float(second.moves()));
    if a.min(b) <= 0.0 {
        // A stack without any tells nothing of how they come.
        return dispersion(&[first, second], zone);
    }
    let [ours, theirs] = [first, second].map(|served| estimates(&[served], zone));
    // The larger is taken only here: if each by itself were, it would err upwards twice.
    let weighed = |(ours, theirs): (f64, f64)| (ours * b + theirs * a) / (a + b);
    ours.into_iter().zip(theirs).map(weighed).fold(1.0, f64::max)
}

/// Sums over cells that would be alike but for their exposure.
#[derive(Debug, Clone, Copy, Default)]
struct Pairs {
    count: f64,
    squares: f64,
    exposure: f64,
    exposure_squares: f64,
}

impl Pairs {
    fn add(&mut self, count: f64, exposure: f64) {
        self.count += count;
        self.squares += count * count;
        self.exposure += exposure;
        self.exposure_squares += exposure * exposure;
    }

    /// How many ordered pairs share a cell.
    fn pairs(&self) -> f64 {
        self.squares - self.count
    }

    /// How many do beyond those that the pairs across cells let expect. A single cell has nothing across.
    fn excess(&self) -> Option<f64> {
        let across = self.exposure.powi(2) - self.exposure_squares;
        let expected = self.exposure_squares * (self.count.powi(2) - self.squares) / across;
        (across > 1e-9 * self.exposure_squares).then(|| self.pairs() - expected)
    }
}

/// The local day, from noon to noon, and the hour that clocks show.
fn local(time: Timestamp, zone: &TimeZone) -> Option<(i64, usize)> {
    let time = jiff::Timestamp::from_second(time.as_second()).ok()?;
    let ahead = i64::from(zone.to_offset(time).seconds());
    let local = time.as_second() + ahead;
    let hour = usize::try_from(local.rem_euclid(86_400) / 3_600).ok()?;
    Some(((local - 43_200).div_euclid(86_400), hour))
}
