//! Forgetting: after a retention from a departure that was observed, and never by age alone.

use jiff::SignedDuration;

use super::*;

const DAY: i64 = 86_400;
const RETENTION: SignedDuration = SignedDuration::from_hours(45 * 24);

fn record(kind: Kind, identity: &str, time: i64) -> Input {
    Input::Record(Observation { kind, ..sighting(0, 0, identity, time) })
}

fn launch(number: usize, time: i64) -> Input {
    let target = Target { group: AutoScalingGroupName::new("web").ok(), ..Target::instance(instance(number)) };
    let kind = Kind::Cause { cause: Cause::Launch, targets: vec![target], by_auto_scaling: true };
    record(kind, &format!("launch-{number}"), time)
}

fn sight(number: usize, volume: usize, time: i64) -> Input {
    Input::Record(sighting(number, volume, &format!("sighting-{number}-{volume}-{time}"), time))
}

fn transition(transition: Transition, number: usize, time: i64) -> Input {
    let kind = Kind::Transition { transition, instances: vec![instance(number)] };
    record(kind, &format!("{transition:?}-{number}-{time}"), time)
}

/// A snapshot of the region's one group with these members.
fn snapshot(numbers: &[usize], time: i64) -> Input {
    let members = numbers.iter().map(|number| member(*number, "InService")).collect();
    Input::Snapshot(Fleet { taken: Some(at(time)), groups: vec![group(0, 0, "Nighttime")], members })
}

/// Something that happens elsewhere, so that time goes on.
fn later(time: i64) -> Input {
    Input::Record(Observation { source: source(1), ..sighting(99, 0, &format!("later-{time}"), time) })
}

fn forgettable(ledger: &Ledger) -> Vec<(InstanceId, Timestamp)> {
    ledger.forgettable(RETENTION).into_iter().map(|departed| (departed.key.instance, departed.at)).collect()
}

/// Forgets what may be forgotten, as the shells do: tallied first.
fn forget(ledger: &mut Ledger) {
    let mut departed = ledger.forgettable(RETENTION);
    let (stacks, settings) = (StackRules::default(), Settings::default());
    let question = Question { ledger, fleet: None, stacks: &stacks, settings: &settings, complete: None, all: false };
    question.tally(&mut departed);
    ledger.forget(departed);
}

/// Migrations and partial ones by stack, as they are reported of a fleet of none.
fn totals(ledger: &Ledger) -> BTreeMap<String, (u64, u64)> {
    let (stacks, settings) = (StackRules::default(), Settings::default());
    let question = Question { ledger, fleet: None, stacks: &stacks, settings: &settings, complete: None, all: false };
    let rows = question.answer(Window::default(), Accounting::default()).stacks;
    rows.into_iter().map(|row| (row.stack, (row.migrations, row.partial_reattachments))).collect()
}

/// Launched, migrated wholly, then in part, and seen in a snapshot.
fn eventful(number: usize, from: i64) -> Vec<Input> {
    vec![
        launch(number, from),
        sight(number, 0, from + 10),
        sight(number, 1, from + 10),
        snapshot(&[number], from + 100),
        sight(number, 0, from + 7_200),
        sight(number, 1, from + 7_200),
        sight(number, 0, from + 20_000),
        snapshot(&[number], from + 30_000),
    ]
}

#[test]
fn an_instance_goes_one_retention_after_its_departure_and_never_by_its_age() {
    let life = || vec![launch(1, 0), sight(1, 0, 10)];
    let with = |more: &[Input]| [life(), more.to_vec()].concat();
    let left = Transition::Terminate;
    let table = [
        ("a terminate record", with(&[transition(left, 1, 100), later(46 * DAY)]), Some(100)),
        (
            "a terminate record, a second before it may go",
            with(&[transition(left, 1, 100), later(100 + 45 * DAY)]),
            None,
        ),
        ("a terminate record, a second later", with(&[transition(left, 1, 100), later(101 + 45 * DAY)]), Some(100)),
        ("a detach record", with(&[transition(Transition::DetachInstances, 1, 100), later(46 * DAY)]), Some(100)),
        (
            "detached, and attached again",
            with(&[
                transition(Transition::DetachInstances, 1, 100),
                transition(Transition::AttachInstances, 1, 200),
                later(400 * DAY),
            ]),
            None,
        ),
        (
            "attached, and detached again",
            with(&[
                transition(Transition::AttachInstances, 1, 100),
                transition(Transition::DetachInstances, 1, 200),
                later(400 * DAY),
            ]),
            Some(200),
        ),
        ("another transition", with(&[transition(Transition::EnterStandby, 1, 100), later(400 * DAY)]), None),
        ("no departure on record, however old", with(&[later(4_000 * DAY)]), None),
        ("absent from a later snapshot", with(&[snapshot(&[2], 200), later(46 * DAY)]), Some(10)),
        ("absent from a snapshot before its last trace", with(&[snapshot(&[2], 5), later(46 * DAY)]), None),
        ("shown once and absent since", with(&[snapshot(&[1], 50), snapshot(&[], 90), later(46 * DAY)]), Some(50)),
        ("in the last snapshot", with(&[snapshot(&[], 50), snapshot(&[1], 90), later(4_000 * DAY)]), None),
        (
            "in the last snapshot in spite of a terminate record",
            with(&[transition(left, 1, 60), snapshot(&[1], 90), later(4_000 * DAY)]),
            None,
        ),
    ];
    assert_eq!(table.len(), 13);
    for (how, inputs, departure) in table {
        let gone: Vec<(InstanceId, Timestamp)> = departure.map(|time| (instance(1), at(time))).into_iter().collect();
        let ledger = ledger_of(&inputs);
        let found: Vec<_> = forgettable(&ledger).into_iter().filter(|(found, _)| *found == instance(1)).collect();
        assert_eq!(found, gone, "{how}");
    }
}

#[test]
fn a_snapshot_of_another_region_says_nothing_of_absence() {
    let elsewhere = Fleet { taken: Some(at(200)), groups: vec![group(1, 0, "Nighttime")], members: Vec::new() };
    let inputs = [launch(1, 0), Input::Snapshot(elsewhere), later(46 * DAY)];
    assert_eq!(forgettable(&ledger_of(&inputs)), []);
    assert_eq!(forgettable(&ledger_of(&[launch(1, 0), snapshot(&[], 200), later(46 * DAY)])), [(instance(1), at(0))]);
}

#[test]
fn the_totals_survive_the_forgetting() {
    let inputs =
        [eventful(1, 0), eventful(2, DAY), vec![transition(Transition::Terminate, 1, 2 * DAY), later(60 * DAY)]];
    let mut ledger = ledger_of(&inputs.concat());
    assert_eq!(totals(&ledger), BTreeMap::from([("Nighttime".to_owned(), (2, 2))]));
    assert_eq!(forgettable(&ledger), [(instance(1), at(2 * DAY))]);

    forget(&mut ledger);
    assert_eq!((ledger.len(), ledger.forgotten().instances, ledger.forgotten().through), (2, 1, Some(at(2 * DAY))));
    let tally = Tally { migrations: 1, partial_reattachments: 1 };
    assert_eq!(ledger.forgotten().stacks, BTreeMap::from([("Nighttime".to_owned(), tally)]));
    assert_eq!(totals(&ledger), totals(&ledger_of(&inputs.concat())));
    let kept = Ledger::from_json(&ledger.to_json().expect("JSON")).expect("a ledger");
    assert_eq!(kept, ledger, "what was forgotten is kept in the file");

    let once = ledger.clone();
    forget(&mut ledger);
    assert_eq!(ledger, once, "there is nothing more to forget");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn forgetting_changes_no_total(inputs in inputs()) {
        let mut ledger = ledger_of(&inputs);
        let before: BTreeMap<_, _> = totals(&ledger).into_iter().filter(|(_, counted)| *counted != (0, 0)).collect();
        let mut departed = ledger.forgettable(SignedDuration::from_secs(10));
        let (stacks, settings) = (StackRules::default(), Settings::default());
        let question = Question { ledger: &ledger, fleet: None, stacks: &stacks, settings: &settings, complete: None, all: false };
        question.tally(&mut departed);
        ledger.forget(departed);
        let after: BTreeMap<_, _> = totals(&ledger).into_iter().filter(|(_, counted)| *counted != (0, 0)).collect();
        prop_assert_eq!(before, after);
    }
}

#[test]
fn a_presumption_stays_when_the_launches_that_it_rests_on_are_forgotten() {
    // Instance 1 is older than the trail; instance 2 is the only one that was launched in it.
    let gone = [launch(2, 0), transition(Transition::Terminate, 2, 100)];
    let inputs =
        [gone.to_vec(), vec![sight(1, 0, 7_200), sight(1, 0, 7_500), snapshot(&[1], 2 * DAY), later(60 * DAY)]]
            .concat();
    let mut ledger = ledger_of(&inputs);
    let before = totals(&ledger);
    assert_eq!(before, BTreeMap::from([("Nighttime".to_owned(), (1, 0))]));
    forget(&mut ledger);
    assert_eq!((ledger.forgotten().instances, totals(&ledger)), (1, before.clone()));
    let kept = Ledger::from_json(&ledger.to_json().expect("JSON")).expect("a ledger");
    let mut merged = Ledger::new();
    merged.merge(kept.clone());
    assert_eq!((totals(&kept), totals(&merged)), (before.clone(), before));
}

#[test]
fn records_older_than_what_was_forgotten_are_refused_of_strangers_only() {
    let ended = vec![launch(2, 0), transition(Transition::Terminate, 1, 2 * DAY), snapshot(&[2], 3 * DAY)];
    let mut ledger = ledger_of(&[eventful(1, 0), ended, vec![later(60 * DAY)]].concat());
    let old = sighting(1, 0, "of the forgotten one", 2 * DAY);
    let own = sighting(2, 0, "of one that is known", 100);
    let new = sighting(3, 0, "of one that came later", 2 * DAY + 1);
    assert_eq!(ledger.clone().absorb(&old), Absorbed::New, "before anything is forgotten");

    forget(&mut ledger);
    let before = ledger.clone();
    assert_eq!(ledger.absorb(&old), Absorbed::TooOld);
    assert_eq!(ledger, before, "a refused record leaves no trace");
    assert_eq!(ledger.absorb(&own), Absorbed::New);
    assert_eq!(ledger.absorb(&new), Absorbed::New);
}

#[test]
fn merging_descendants_takes_the_larger_totals() {
    let mut older = ledger_of(&[eventful(1, 0), vec![transition(Transition::Terminate, 1, 2 * DAY)]].concat());
    take_in(&mut older, [&later(60 * DAY)]);
    forget(&mut older);
    let mut newer = older.clone();
    take_in(&mut newer, &[eventful(2, DAY), vec![transition(Transition::Terminate, 2, 3 * DAY)]].concat());
    // The second one's records are older than what was forgotten, all but its end.
    take_in(&mut newer, &eventful(3, 61 * DAY));
    take_in(&mut newer, &[transition(Transition::Terminate, 3, 62 * DAY), later(120 * DAY)]);
    forget(&mut newer);
    assert_eq!(newer.forgotten().stacks["Nighttime"], Tally { migrations: 2, partial_reattachments: 2 });
    for (mut one, other) in [(older.clone(), newer.clone()), (newer.clone(), older)] {
        one.merge(other);
        assert_eq!(one.forgotten(), newer.forgotten());
    }
}

#[test]
fn the_size_stays_bounded_however_long_it_runs() {
    const A_DAY: usize = 4;
    let mut ledger = Ledger::new();
    let (mut largest, mut largest_text) = (0, 0);
    for day in 0..400_usize {
        let from = i64::try_from(day).expect("a few days") * DAY;
        let today: Vec<usize> = (day * A_DAY..(day + 1) * A_DAY).collect();
        for (place, number) in today.iter().enumerate() {
            take_in(&mut ledger, &eventful(*number, from));
            // Half of them leave a record; the others are merely absent tomorrow.
            if place % 2 == 0 {
                take_in(&mut ledger, [&transition(Transition::Terminate, *number, from + 40_000)]);
            }
        }
        // A group for each day, which is deleted with its instances.
        let members = today.iter().map(|number| member(*number, "InService")).collect();
        let fleet = Fleet { taken: Some(at(from + 35_000)), groups: vec![group(0, 1_000 + day, "Daily")], members };
        take_in(&mut ledger, [&Input::Snapshot(fleet)]);
        forget(&mut ledger);
        largest = largest.max(ledger.len());
        if (90..100).contains(&day) {
            largest_text = largest_text.max(ledger.to_json().expect("JSON").len());
        }
    }
    assert!(largest > 45 * A_DAY, "nothing goes before its time: {largest}");
    assert!(largest <= 48 * A_DAY, "the ledger grows: {largest} instances");
    let text = ledger.to_json().expect("JSON").len();
    assert!(text <= largest_text + largest_text / 10, "the file grows: {text} bytes after {largest_text}");
    let gone = u64::try_from(400 * A_DAY - ledger.len()).expect("a count");
    assert_eq!(ledger.forgotten().instances, gone);
    let total: u64 = answer(&ledger).stacks.iter().map(|row| row.migrations).sum();
    assert_eq!(total, 400 * 4, "every migration is still counted");
}
