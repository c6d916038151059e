//! A day of a fleet of 1,000, a tenth of it exposed, on the machine and the schedule themselves: what it asks of the API, and
//! how long any instance is taken for what it is not.

use std::time::Duration;

use exposure_core::lifecycle::LifecycleState;
use exposure_lifecycle::limiter::{Pace, Schedule};
use exposure_lifecycle::machine::{Memory, Rules, step};
use exposure_lifecycle::observation::{Api, Imds, Observation};
use exposure_lifecycle::quota::Fleet;
use exposure_lifecycle::state::{State, Target};

const DAY: u64 = 86_400;
const INTERVAL: u64 = 10;
const INSTANCES: u64 = 1_000;
const EXPOSED: u64 = 100;

/// Numbers from 0 to 1 that are the same in each run (the constants are Knuth's).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 32).expect("32 bits")) / f64::from(u32::MAX)
    }

    fn second(&mut self, from: u64, to: u64) -> u64 {
        from + Duration::from_secs(to - from).mul_f64(self.roll()).as_secs()
    }
}

/// The day of one instance.
struct Life {
    /// From when on IMDS has nothing to say.
    exposed: Option<u64>,
    /// Changes that IMDS does not tell once it is exposed.
    changes: Vec<(u64, &'static str, Target)>,
}

impl Life {
    fn state(&self, at: u64) -> (&'static str, Target) {
        let last = self.changes.iter().rfind(|(from, ..)| *from <= at);
        last.map_or(("InService", Target::InService), |(_, state, target)| (state, *target))
    }
}

/// Times at which the API does not answer, and how.
struct Weather {
    from: u64,
    to: u64,
    outcome: Api,
}

#[derive(Default)]
struct Day {
    /// The second of each call.
    calls: Vec<u64>,
    /// The longest that any decision was wrong, in seconds.
    longest_wrong: u64,
    assumed: u64,
}

fn live(life: &Life, weather: Option<&Weather>, dice: &mut Dice, day: &mut Day) {
    let rules = Rules { hold_api: Duration::from_hours(6), ..Rules::default() };
    let mut memory = Memory::default();
    let mut schedule = Schedule::new(Pace::default());
    let mut wrong_since: Option<u64> = None;
    // Instances do not poll in step either.
    let mut now = dice.second(0, INTERVAL);
    while now < DAY {
        let at = Duration::from_secs(now);
        let (current, truth) = life.state(now);
        let is_exposed = life.exposed.is_some_and(|from| now >= from);
        let imds = if is_exposed { Imds::Absent } else { Imds::Known(truth) };
        let (next, mut decision) = step(&memory, &Observation::Imds(imds), at, &rules);
        memory = next;
        if !is_exposed {
            schedule.rest();
        } else if memory.is_settled_absent() && schedule.due(at, dice.roll()) <= at {
            day.calls.push(now);
            let bad = weather.filter(|weather| (weather.from..weather.to).contains(&now));
            let outcome =
                bad.map_or_else(|| Api::Known(LifecycleState::new(current)), |weather| weather.outcome.clone());
            schedule.answered(at, at, &outcome, dice.roll());
            (memory, decision) = step(&memory, &Observation::Api(outcome), at, &rules);
        }
        day.assumed += u64::from(decision.source.as_str() == "assumed");
        if decision.state == State::Known(truth) {
            wrong_since = None;
        } else {
            let since = *wrong_since.get_or_insert_with(|| now.saturating_sub(INTERVAL));
            day.longest_wrong = day.longest_wrong.max(now - since);
        }
        now += INTERVAL;
    }
}

/// A day on which exposures begin between these seconds.
fn day(seed: u64, exposures: (u64, u64), weather: Option<&Weather>) -> Day {
    let mut dice = Dice(seed);
    let mut day = Day::default();
    for instance in 0..INSTANCES {
        let exposed = (instance < EXPOSED).then(|| dice.second(exposures.0, exposures.1));
        let mut changes = Vec::new();
        // A third of the exposed, and of the others, go to standby and back, and some of them go for good.
        if instance % 3 == 0 {
            let out = dice.second(20_000, 40_000);
            let back = dice.second(out + 1_000, 50_000);
            changes = vec![(out, "EnteringStandby", Target::Standby), (back, "InService", Target::InService)];
            if instance % 2 == 0 {
                changes.push((dice.second(back + 1_000, DAY - 5_000), "Terminating:Wait", Target::Terminated));
            }
        }
        live(&Life { exposed, changes }, weather, &mut dice, &mut day);
    }
    day.calls.sort_unstable();
    day
}

/// Calls in each span of so many seconds.
fn spans(calls: &[u64], from: u64, to: u64, span: u64) -> Vec<u64> {
    let mut counts = vec![0; usize::try_from((to - from) / span).expect("small")];
    for call in calls.iter().filter(|call| (from..to).contains(*call)) {
        if let Some(count) = counts.get_mut(usize::try_from((call - from) / span).expect("small")) {
            *count += 1;
        }
    }
    counts
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn per_second(calls: u64, seconds: u64) -> f64 {
    calls as f64 / seconds as f64
}

fn peak_to_mean(counts: &[u64]) -> f64 {
    let peak = counts.iter().max().copied().unwrap_or(0);
    per_second(peak, 1) / per_second(counts.iter().sum(), counts.len() as u64)
}

fn published() -> Fleet {
    let interval = Duration::from_secs(INTERVAL);
    Fleet { instances: 1_000.0, interval, exposed: 0.1, growth: 1.0, zones: 3.0, pace: Pace::default() }
}

/// The published bound, and the time between two polls, before and after.
fn bound() -> u64 {
    Pace::default().longest_age().as_secs() + 2 * INTERVAL
}

#[test]
fn a_night_of_migrations_stays_under_the_published_figures() {
    let night = day(1, (0, 21_600), None);
    let calls = published().calls();
    // Once all are exposed.
    let during = spans(&night.calls, 25_200, DAY, 60);
    let rate = per_second(during.iter().sum(), DAY - 25_200);
    assert!(rate > 0.0 && rate <= calls.during * 1.05, "{rate} calls per second, published {}", calls.during);
    assert!(peak_to_mean(&during) < 3.0, "{}", peak_to_mean(&during));
    // And while they become so.
    let beginning = spans(&night.calls, 3_600, 25_200, 60);
    let rate = per_second(beginning.iter().max().copied().unwrap_or(0), 60);
    assert!(rate <= calls.onset, "{rate} calls per second, published {}", calls.onset);
    assert!(night.longest_wrong <= bound(), "{} s", night.longest_wrong);
    // Tight enough to mean something.
    assert!(night.longest_wrong > 200, "{} s", night.longest_wrong);
    assert_eq!(night.assumed, 0, "nobody assumes while a source answers");
}

#[test]
fn an_exposure_of_all_at_once_has_the_published_onset_and_no_echo() {
    let at_once = day(2, (30_000, 30_001), None);
    let calls = published().calls();
    let first = spans(&at_once.calls, 30_000, 30_120, 10);
    let rate = per_second(first.iter().take(8).sum(), 60);
    assert!(rate <= calls.onset * 1.1, "{rate} calls per second, published {}", calls.onset);
    assert!(peak_to_mean(&first) < 3.0, "{first:?}");
    // An hour later nothing is left of it.
    let later = spans(&at_once.calls, 33_600, DAY, 60);
    assert!(peak_to_mean(&later) < 3.0, "{later:?}");
    assert!(at_once.longest_wrong <= bound(), "{} s", at_once.longest_wrong);
}

#[test]
fn after_an_outage_or_throttling_the_fleet_comes_back_out_of_step_and_in_bounded_time() {
    let pace = Pace::default();
    let table = [(Api::Failed, pace.failing.mul_f64(1.25)), (Api::Throttled, pace.broken_longest.mul_f64(2.5))];
    for (outcome, longest_pause) in table {
        let (from, to) = (40_000, 43_600);
        let weather = Weather { from, to, outcome: outcome.clone() };
        let day = day(3, (0, 21_600), Some(&weather));
        let during = spans(&day.calls, from, to, 60);
        let rate = per_second(during.iter().sum(), to - from);
        assert!(rate < published().calls().during, "{outcome:?}: {rate} calls per second during it");
        let after = spans(&day.calls, to, to + 10_800, 60);
        let rate = per_second(after.iter().max().copied().unwrap_or(0), 60);
        assert!(rate <= published().calls().onset, "{outcome:?}: {rate} calls per second after it");
        let bound = (to - from) + longest_pause.as_secs() + bound();
        assert!(day.longest_wrong <= bound, "{outcome:?}: {} s, bound {bound}", day.longest_wrong);
    }
}

#[test]
fn without_an_exposure_nobody_asks() {
    let mut dice = Dice(4);
    let mut day = Day::default();
    for _ in 0..10 {
        live(
            &Life { exposed: None, changes: vec![(30_000, "Terminating:Wait", Target::Terminated)] },
            None,
            &mut dice,
            &mut day,
        );
    }
    assert!(day.calls.is_empty() && day.longest_wrong == 0);
}
