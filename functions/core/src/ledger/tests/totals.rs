//! Running totals only grow: whatever is repeated, doubled, missed or joined.

use super::*;

fn standing(number: usize, time: i64, pending: bool) -> Standing {
    Standing {
        key: InstanceKey { source: source(0), instance: instance(number) },
        at: at(time),
        partial: false,
        pending,
        stack: Some("Nighttime".to_owned()),
    }
}

/// A ledger that knows two instances.
fn known() -> Ledger {
    ledger_of(&[Input::Record(sighting(1, 0, "one", 0)), Input::Record(sighting(2, 0, "two", 0))])
}

fn of_night(ledger: &Ledger) -> Totals {
    ledger.totals().get("Nighttime").copied().unwrap_or_default()
}

#[test]
fn a_migration_is_counted_once_when_it_has_settled_and_taken_back_openly() {
    let mut ledger = known();
    assert!(ledger.count(vec![standing(1, 100, true)], at(200)).is_empty(), "pending");
    assert_eq!(of_night(&ledger), Totals::default());
    assert_eq!(ledger.count(vec![standing(1, 100, false)], at(200)).len(), 1);
    assert!(ledger.count(vec![standing(1, 100, false)], at(300)).is_empty(), "counted already");
    assert!(ledger.count(vec![standing(1, 100, true)], at(300)).is_empty(), "pending again, since a source failed");
    assert_eq!(of_night(&ledger), Totals { migrations: 1, ..Totals::default() });
    ledger.count(vec![standing(2, 100, false)], at(100 + 86_401));
    assert_eq!(of_night(&ledger), Totals { migrations: 2, retracted: 1, backfilled: 1, ..Totals::default() });
    let kept = Ledger::from_json(&ledger.to_json().expect("JSON")).expect("a ledger");
    assert_eq!(kept, ledger, "what was counted is kept in the file");
}

#[test]
fn a_partial_one_that_becomes_whole_is_counted_as_both() {
    let mut ledger = known();
    ledger.count(vec![Standing { partial: true, ..standing(1, 100, false) }], at(200));
    ledger.count(vec![standing(1, 100, false)], at(300));
    let expected = Totals { migrations: 1, partial_reattachments: 1, ..Totals::default() };
    assert_eq!(of_night(&ledger), expected);
}

#[test]
fn joining_what_two_runs_counted_counts_nothing_twice() {
    let base = known();
    let (mut one, mut two) = (base.clone(), base);
    one.count(vec![standing(1, 100, false)], at(200));
    two.count(vec![standing(1, 100, false), standing(2, 100, false)], at(200));
    two.count(vec![standing(2, 100, false)], at(300));
    let mut joined = one.clone();
    joined.merge(two.clone());
    two.merge(one);
    assert_eq!(joined, two);
    assert_eq!(of_night(&joined), Totals { migrations: 2, retracted: 1, ..Totals::default() });
}

#[test]
fn hours_in_service_are_filled_over_gaps_and_counted_once() {
    let counts = |count| BTreeMap::from([("Nighttime".to_owned(), count)]);
    let seconds = |ledger: &Ledger| of_night(ledger).in_service_seconds;
    let mut ledger = Ledger::new();
    let base = BEGINNING.div_euclid(300) * 300 - BEGINNING;
    ledger.note_service(&source(0), at(base), &counts(4));
    ledger.note_service(&source(0), at(base + 299), &counts(4));
    assert_eq!(seconds(&ledger), 4 * 300, "twice in one cell");
    ledger.note_service(&source(0), at(base + 1_500), &counts(2));
    assert_eq!(seconds(&ledger), 4 * 300 + 4 * 4 * 300 + 2 * 300, "four missed runs");
    let mut other = ledger.clone();
    ledger.note_service(&source(0), at(base + 1_800), &counts(2));
    other.note_service(&source(0), at(base + 1_801), &counts(3));
    let mut joined = ledger.clone();
    joined.merge(other.clone());
    other.merge(ledger.clone());
    assert_eq!(joined, other);
    assert_eq!(seconds(&joined), seconds(&ledger) + 300);
    // A gap of more than a day is not guessed at, and what is folded is folded once.
    joined.note_service(&source(0), at(base + 1_800 + 3 * 86_400), &counts(1));
    assert_eq!(seconds(&joined), seconds(&ledger) + 300 + 300);
    joined.note_service(&source(0), at(base + 600), &counts(99));
    joined.merge(ledger.clone());
    assert_eq!(seconds(&joined), seconds(&ledger) + 300 + 300, "older than what is folded");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: Some(Box::new(FileFailurePersistence::Off)), ..ProptestConfig::default() })]

    /// Runs that begin with what was saved, or with what was saved before that, as two at a time do.
    #[test]
    fn hours_never_go_back(runs in prop::collection::vec((0..3_000_i64, 0..5_u64, any::<bool>()), 1..60)) {
        let (mut saved, mut before) = (Ledger::new(), Ledger::new());
        let mut last = 0;
        for (minutes, count, stale) in runs {
            let mut ours = if stale { before.clone() } else { saved.clone() };
            ours.note_service(&source(0), at(minutes * 60), &BTreeMap::from([("Nighttime".to_owned(), count)]));
            ours.merge(saved.clone());
            before = std::mem::replace(&mut saved, ours);
            let seconds = of_night(&saved).in_service_seconds;
            prop_assert!(seconds >= last, "{} after {}", seconds, last);
            last = seconds;
        }
    }
}

#[test]
fn thinning_keeps_every_change() {
    let states = ["InService", "InService", "InService", "Standby", "InService", "InService", "InService", "InService"];
    let taken = |ledger: &mut Ledger| {
        for (number, state) in states.iter().enumerate() {
            let time = i64::try_from(number).expect("a number") * 300;
            let fleet =
                Fleet { taken: Some(at(time)), groups: vec![group(0, 0, "x")], members: vec![member(1, state)] };
            ledger.absorb_fleet(&fleet, |_| "x".to_owned());
        }
    };
    let mut ledger = Ledger::new();
    taken(&mut ledger);
    ledger.thin(at(6 * 300 + 1));
    let key = InstanceKey { source: source(0), instance: instance(1) };
    let left: Vec<i64> =
        ledger.instances[&key].states.keys().map(|taken| (taken.as_second() - BEGINNING) / 300).collect();
    assert_eq!(left, [0, 2, 3, 4, 6, 7]);
    assert_eq!(ledger.last_fleet(&source(0), &StackRules::default()).map(|fleet| fleet.members.len()), Some(1));
}

#[test]
fn the_fleet_that_stands_in_is_mitigated_as_the_last_snapshot_was() {
    let rules = StackRules::default();
    let take = |ledger: &mut Ledger, minutes: i64, mitigated: bool| {
        let mut group = group(0, 0, "Nighttime");
        group.tags = rules.tags(Some("Nighttime"), mitigated);
        let fleet = Fleet { taken: Some(at(minutes * 60)), groups: vec![group], members: vec![member(1, "InService")] };
        ledger.absorb_fleet(&fleet, |group| rules.of_group(group));
        ledger.note_mitigated(&fleet, |group| rules.is_mitigated(group));
    };
    let mut ledger = Ledger::new();
    for (minutes, mitigated) in [(0, true), (5, false), (10, true)] {
        take(&mut ledger, minutes, mitigated);
        let read = Ledger::from_json(&ledger.to_json().expect("JSON")).expect("a ledger");
        assert_eq!(read, ledger);
        let last = read.last_fleet(&source(0), &rules).expect("a fleet");
        let told = (rules.of_group(&last.groups[0]), rules.is_mitigated(&last.groups[0]));
        assert_eq!(told, ("Nighttime".to_owned(), mitigated), "{minutes}");
    }
    let key = InstanceKey { source: source(0), instance: instance(1) };
    ledger.forget(vec![Departed { key, at: at(86_400), counted: BTreeMap::new() }]);
    assert!(ledger.mitigated.is_empty(), "a group that is gone is forgotten");
}
