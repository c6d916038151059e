use std::collections::BTreeSet;
use std::time::Duration;

use exposure_core::fleet::Fleet;
use exposure_core::ledger::Ledger;
use exposure_core::time::Timestamp;
use tokio::time::Instant;

use super::super::covered::shifted;
use super::super::testing::{Dice, KEY, place, time};
use super::super::{Batch, PlaceMemory, RecordSource};
use super::stream::Attribute;
use super::{Ask, LookupSettings, LookupSource};
use crate::failure::{Class, Failure};
use account::{Account, Fault};

mod account;

const START: &str = "2026-05-11T12:00:00Z";

/// What lasts from run to run.
struct Lambda {
    source: LookupSource<Account>,
    account: Account,
    ledger: Ledger,
    fleet: Fleet,
    memory: PlaceMemory,
}

impl Lambda {
    fn new(account: Account, requests_per_run: u64) -> Self {
        let client = account.clone();
        let settings = LookupSettings { requests_per_second: 1.0, requests_per_run };
        let source = LookupSource::new(move |_| Some(client.clone()), settings).seeded(3);
        Self { source, fleet: account.fleet(), account, ledger: Ledger::new(), memory: PlaceMemory::default() }
    }

    async fn try_run(&mut self, now: Timestamp) -> Result<Batch, Failure> {
        self.account.set_clock(now);
        let place = place();
        let ask = Ask {
            place: &place,
            now,
            deadline: Instant::now() + Duration::from_secs(280),
            ledger: &self.ledger,
            fleet: &self.fleet,
            memory: &self.memory,
        };
        let batch = self.source.read(&[ask]).await.pop().unwrap()?;
        for observation in &batch.observations {
            self.ledger.absorb(observation);
        }
        // As it is written and read again.
        let text = serde_json::to_string(&batch.memory).unwrap();
        self.memory = serde_json::from_str(&text).unwrap();
        assert_eq!(self.memory, batch.memory);
        let counted = &batch.accounting;
        let told: BTreeSet<_> = batch.observations.iter().map(|o| o.event_id.clone()).collect();
        assert_eq!(told.len(), batch.observations.len(), "a record was taken twice");
        assert_eq!(counted.records, counted.irrelevant + counted.malformed + told.len() as u64);
        Ok(batch)
    }

    async fn run(&mut self, now: Timestamp) -> Batch {
        self.try_run(now).await.unwrap()
    }
}

fn minutes(minutes: i64) -> Timestamp {
    shifted(time(START), minutes * 60)
}

fn told(batch: &Batch, part: &str) -> bool {
    batch.problems.keys().any(|text| text.contains(part))
}

#[tokio::test(start_paused = true)]
async fn a_quiet_account_is_read_within_a_score_of_requests() {
    let mut lambda = Lambda::new(Account::busy(12, 1, minutes(-180), minutes(120)), 240);
    for run in 0..12 {
        let batch = lambda.run(minutes(run * 5)).await;
        assert_eq!(batch.complete_through, Some(minutes(run * 5)), "{:?}", batch.problems);
        assert_eq!(batch.work.planned, batch.work.done);
        assert!(batch.requests.made <= 240);
        assert!(batch.problems.is_empty(), "{:?}", batch.problems);
    }
    let lacking = lambda.account.lacking(&lambda.ledger, minutes(-60), minutes(55));
    assert!(lacking.is_empty(), "{lacking:?}");
    // Keys are known: sightings take one request.
    let forward = lambda.run(minutes(60)).await.work;
    assert!(forward.planned <= 20, "{forward:?}");
}

#[tokio::test(start_paused = true)]
async fn however_it_is_cut_and_disturbed_the_same_is_found() {
    for seed in 0..25 {
        let mut dice = Dice::new(seed);
        let account = Account::busy(6, seed, minutes(-120), minutes(400));
        let mut lambda = Lambda::new(account.clone(), [30, 60, 240][usize::try_from(seed % 3).unwrap()]);
        let mut now = 0;
        while now < 330 {
            for _ in 0..dice.below(6) {
                account.fail(dice.below(20), Fault::any(&mut dice));
            }
            if let Ok(batch) = lambda.try_run(minutes(now)).await
                && let Some(through) = batch.complete_through
            {
                let lacking = account.lacking(&lambda.ledger, minutes(-60), through);
                assert!(lacking.is_empty(), "seed {seed}, at {now}: complete through {through} without {lacking:?}");
            }
            now += 1 + dice.below_i64(25);
        }
        account.heal();
        let mut through = None;
        for run in 0..6 {
            through = lambda.run(minutes(now + run * 5)).await.complete_through;
        }
        assert_eq!(through, Some(minutes(now + 25)), "seed {seed}");
        let lacking = account.lacking(&lambda.ledger, minutes(-60), minutes(now));
        assert!(lacking.is_empty(), "seed {seed}: {lacking:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_second_holds_more_requests_than_the_pace() {
    let mut lambda = Lambda::new(Account::busy(40, 1, minutes(-600), minutes(60)), 240);
    for run in 0..4 {
        lambda.account.fail(u64::try_from(run).unwrap() * 3, Fault::Throttle);
        lambda.run(minutes(run * 5)).await;
    }
    let asked = lambda.account.asked();
    assert!(asked.len() > 100);
    for (at, first) in asked.iter().enumerate() {
        let within = asked.iter().skip(at).take_while(|other| **other < *first + Duration::from_secs(1)).count();
        assert!(within <= 1, "{within} requests within a second");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_budget_does_not_reach_is_left_and_shown() {
    let mut account = Account::busy(300, 2, minutes(-120), minutes(120));
    (account.resources_blind, account.decrypts_busy) = (true, true);
    let mut lambda = Lambda::new(account, 100);
    let (mut instances, mut incomplete) = (BTreeSet::new(), 0);
    for run in 0..8 {
        let batch = lambda.run(minutes(run * 5)).await;
        assert!(batch.requests.made <= 100, "{:?}", batch.requests);
        incomplete += u32::from(batch.work.done < batch.work.planned);
        if batch.work.done < batch.work.planned {
            assert!(told(&batch, "SOURCE=queue or SOURCE=logs"), "{:?}", batch.problems);
            assert!(batch.complete_through < Some(minutes(run * 5)));
        }
        let read = lambda
            .memory
            .lookup
            .streams
            .iter()
            .filter(|(stream, known)| stream.attribute == Attribute::Username && !known.covered.spans().is_empty());
        instances.extend(read.map(|(stream, _)| stream.clone()));
    }
    assert!(incomplete > 4, "{incomplete}");
    assert_eq!(instances.len(), 300, "all had their turn");
}

#[tokio::test(start_paused = true)]
async fn no_plan_for_two_thousand_unknown_instances_among_other_decrypts() {
    let mut account = Account::default();
    (account.members, account.decrypts_busy) = (2_000, true);
    let mut lambda = Lambda::new(account, 240);
    for run in 0..2 {
        let batch = lambda.run(minutes(run * 5)).await;
        assert!(told(&batch, "no complete plan for the sightings of 2000 instances"), "{:?}", batch.problems);
        assert!(told(&batch, "SOURCE=queue or SOURCE=logs"), "{:?}", batch.problems);
        assert!(batch.work.done < batch.work.planned && batch.requests.made <= 240);
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_instances_are_read_by_every_decrypt_where_that_is_measured_to_fit() {
    let mut account = Account::default();
    account.members = 2_000;
    let mut lambda = Lambda::new(account, 240);
    let batch = lambda.run(minutes(0)).await;
    assert!(batch.problems.is_empty(), "{:?}", batch.problems);
    assert_eq!(batch.complete_through, Some(minutes(0)));
    let batch = lambda.run(minutes(5)).await;
    assert_eq!(batch.work.planned, 17, "one page for each call and one for all Decrypts");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_shows_no_sightings_is_not_believed() {
    for (users_blind, resources_blind) in [(true, false), (false, true), (true, true)] {
        let mut account = Account::busy(5, 4, minutes(-240), minutes(240));
        (account.users_blind, account.resources_blind) = (users_blind, resources_blind);
        let mut lambda = Lambda::new(account, 240);
        let mut blind = false;
        for run in 0..20 {
            let batch = lambda.run(minutes(run * 5)).await;
            if let Some(through) = batch.complete_through
                && through > minutes(60)
            {
                let lacking = lambda.account.lacking(&lambda.ledger, minutes(30), minutes(run * 5 - 25));
                assert!(lacking.is_empty(), "{users_blind} {resources_blind} at {run}: {lacking:?}");
            }
            blind |= told(&batch, "shows no sightings");
        }
        // With a key known the keys are asked first, so only their blindness is found out.
        assert!(blind || !resources_blind, "{users_blind} {resources_blind}");
        if users_blind && resources_blind {
            let decrypts = lambda.memory.lookup.streams.contains_key(&super::stream::Stream::decrypts());
            assert!(decrypts, "the other kind of stream was not tried");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn denied_is_a_failure_and_throttled_is_counted() {
    let mut lambda = Lambda::new(Account::busy(3, 1, minutes(-60), minutes(60)), 240);
    lambda.account.fail(0, Fault::Deny);
    let denied = lambda.try_run(minutes(0)).await.unwrap_err();
    assert_eq!(denied.class, Class::Denied);
    for request in 0..3 {
        lambda.account.fail(request, Fault::Throttle);
    }
    let batch = lambda.run(minutes(5)).await;
    assert_eq!(batch.requests.throttled, 3);
    assert_eq!(batch.complete_through, Some(minutes(5)));
    for request in 0..240 {
        lambda.account.fail(request, Fault::Throttle);
    }
    assert_eq!(lambda.try_run(minutes(10)).await.unwrap_err().class, Class::Throttled);
}

#[tokio::test(start_paused = true)]
async fn late_events_are_found_again() {
    let mut account = Account::busy(4, 1, minutes(-60), minutes(60));
    account.add_grant(minutes(10), minutes(250), 1, KEY);
    let mut lambda = Lambda::new(account, 240);
    for run in 0..68 {
        lambda.run(minutes(run * 5)).await;
    }
    let lacking = lambda.account.lacking(&lambda.ledger, minutes(-60), minutes(300));
    assert!(lacking.is_empty(), "{lacking:?}");
}

#[tokio::test(start_paused = true)]
async fn the_past_is_filled_in() {
    let mut lambda = Lambda::new(Account::busy(10, 1, minutes(-60 * 24 * 40), minutes(60)), 240);
    lambda.run(minutes(0)).await;
    let mut runs = 1;
    while !lambda.account.lacking(&lambda.ledger, minutes(-60 * 24 * 40), minutes(0)).is_empty() {
        lambda.run(minutes(runs * 5)).await;
        runs += 1;
        assert!(runs < 20, "{:?}", lambda.account.lacking(&lambda.ledger, minutes(-60 * 24 * 40), minutes(0)).len());
    }
    for run in runs..runs + 20 {
        lambda.run(minutes(run * 5)).await;
    }
    // Nothing is left to do but what is new.
    let batch = lambda.run(minutes(5 * (runs + 20))).await;
    assert!(batch.requests.made < 30, "{:?}", batch.requests);
}

#[test]
fn a_joined_memory_promises_no_more_than_both() {
    use super::super::covered::Covered;
    use super::memory::{LookupMemory, StreamMemory};
    use super::stream::Stream;
    let memory = |from: i64, to: i64| {
        let mut covered = Covered::default();
        covered.add(exposure_core::time::TimeSpan { from: minutes(from), to: minutes(to) });
        let known = StreamMemory { covered, through: Some(minutes(to)), ..StreamMemory::default() };
        LookupMemory { streams: [(Stream::decrypts(), known)].into(), ..LookupMemory::default() }
    };
    for (one, other, through) in [((0, 10), (5, 20), 20), ((0, 10), (15, 20), 10), ((0, 20), (5, 10), 20)] {
        let (a, b) = (memory(one.0, one.1), memory(other.0, other.1));
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.merge(b);
        ba.merge(a);
        assert_eq!(ab, ba);
        assert_eq!(ab.streams[&Stream::decrypts()].through, Some(minutes(through)));
    }
}
