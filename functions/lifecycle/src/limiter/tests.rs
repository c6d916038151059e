//! The schedule in tables, and the promises that hold whatever happens.

use std::future::ready;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn state(name: &str) -> Api {
    Api::Known(LifecycleState::new(name))
}

/// The seconds between questions that get these answers, with the randomness at its least.
fn pauses(answers: &[Api], random: f64) -> Vec<u64> {
    let mut schedule = Schedule::new(Pace::default());
    let mut now = schedule.due(at(1_000), random);
    let mut pauses = vec![now.as_secs() - 1_000];
    for answer in answers {
        schedule.answered(now, now, answer, random);
        let due = schedule.due(now, random);
        pauses.push(due.saturating_sub(now).as_secs());
        now = due;
    }
    pauses
}

#[test]
fn pauses_grow_while_nothing_is_new_and_back_off_from_failures() {
    let same = vec![state("InService"); 5];
    let table = [
        ("nothing new", same.clone(), 0.0, vec![0, 60, 120, 240, 300, 300]),
        ("drawn out", same, 1.0, vec![60, 75, 150, 300, 375, 375]),
        ("no group is an answer", vec![Api::NotInGroup; 4], 0.0, vec![0, 60, 120, 240, 300]),
        (
            "news",
            vec![state("InService"), state("InService"), state("Terminating:Wait"), state("Terminating:Wait")],
            0.0,
            vec![0, 60, 120, 60, 120],
        ),
        ("failures", vec![Api::Failed; 6], 0.0, vec![0, 60, 120, 240, 480, 600, 600]),
        ("throttling", vec![Api::Throttled; 4], 0.0, vec![0, 300, 600, 1_200, 1_800]),
        ("throttling, drawn out", vec![Api::Throttled], 1.0, vec![60, 750]),
        ("back, slowly", vec![Api::Throttled, state("InService"), state("InService")], 0.0, vec![0, 300, 120, 240]),
    ];
    assert!(!table.is_empty());
    for (name, answers, random, expected) in table {
        assert_eq!(pauses(&answers, random), expected, "{name}");
    }
}

#[test]
fn a_rest_draws_a_new_phase_but_neither_undercuts_the_floor_nor_forgets_a_breaker() {
    let mut schedule = Schedule::new(Pace::default());
    assert_eq!(schedule.due(at(100), 0.5), at(130));
    assert_eq!(schedule.due(at(110), 0.9), at(130), "drawn once");
    schedule.answered(at(130), at(131), &state("InService"), 0.0);
    schedule.rest();
    assert_eq!(schedule.due(at(140), 0.0), at(191));
    schedule.rest();
    assert_eq!(schedule.due(at(500), 0.5), at(530));
    schedule.answered(at(530), at(530), &Api::Throttled, 0.0);
    assert!(schedule.is_broken());
    schedule.rest();
    assert_eq!(schedule.due(at(540), 0.0), at(830));
}

/// A client that keeps when it was asked.
struct Clerk {
    asked: Arc<Mutex<Vec<u64>>>,
}

impl AskApi for Clerk {
    fn ask(&mut self, now: Duration) -> impl Future<Output = Option<Api>> + Send {
        self.asked.lock().expect("no panic before").push(now.as_secs());
        ready(Some(state("InService")))
    }
}

/// The value of a future that never waits.
fn value<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn the_decorator_asks_when_it_is_time_and_not_before() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let clerk = Clerk { asked: Arc::clone(&asked) };
    let mut limited = Limited::new(clerk, Schedule::new(Pace::default()), || 0.5);
    let answered: Vec<u64> = (0..600).step_by(2).filter(|now| value(limited.ask(at(*now))).is_some()).collect();
    assert_eq!(answered, [30, 98, 234, 504], "phase 30, then 60, 120 and 240 drawn out by an eighth");
    assert_eq!(*asked.lock().expect("no panic before"), answered);
}

fn outcome() -> impl Strategy<Value = Api> {
    prop_oneof![
        3 => Just(state("InService")),
        1 => Just(state("Standby")),
        1 => Just(Api::NotInGroup),
        2 => Just(Api::Failed),
        2 => Just(Api::Throttled),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_questions_keep_their_distance_and_come_in_bounded_time(
        steps in prop::collection::vec((outcome(), 0.0..=1.0_f64, 0_u64..400, any::<bool>(), 0_u64..5), 1..60),
        floor in 0_u64..600,
    ) {
        let pace = Pace { floor: at(floor), ..Pace::default() };
        let least = at(floor.max(60));
        let mut schedule = Schedule::new(pace);
        let (mut now, mut last): (Duration, Option<Duration>) = (at(0), None);
        for (outcome, random, idle, rests, took) in steps {
            if rests {
                schedule.rest();
                now += at(idle);
            }
            let due = schedule.due(now, random);
            // The longest: a breaker of half an hour, doubled and drawn out.
            prop_assert!(due <= now.max(last.unwrap_or_default()) + at(4_500 + floor));
            now = now.max(due);
            if let Some(last) = last {
                prop_assert!(now.saturating_sub(last) >= least, "{last:?} {now:?}");
            }
            let asked = now;
            now += at(took);
            schedule.answered(asked, now, &outcome, random);
            last = Some(now);
        }
    }
}
