//! Absorbing is a union, forgetting keeps the totals, and what is written is what is read.

mod forgetting;
mod totals;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::*;
use crate::analysis::{Accounting, Analysis, Question, Window};
use crate::assess::Settings;
use crate::fleet::{Group, Member};
use crate::observation::Target;

const BEGINNING: i64 = 1_778_457_600;
const REGIONS: [&str; 2] = ["eu-central-1", "us-east-1"];
const STATES: [&str; 4] = ["InService", "Standby", "Pending", "Terminating"];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(BEGINNING + seconds)
}

fn instance(number: usize) -> InstanceId {
    InstanceId::new(&format!("i-{number:017x}")).expect("an instance")
}

fn source(region: usize) -> Source {
    let account = crate::ids::AccountId::new("111122223333").expect("an account");
    Source { account, region: crate::ids::Region::new(REGIONS[region]).expect("a region") }
}

fn event(text: &str) -> EventId {
    EventId::new(text).expect(text)
}

fn group(region: usize, number: usize, stack: &str) -> Group {
    let arn = format!("arn:aws:autoscaling:{}:111122223333:autoScalingGroup:{number}:x/web", REGIONS[region]);
    Group {
        name: AutoScalingGroupName::new("web").expect("a name"),
        arn: Some(AutoScalingGroupArn::new(&arn).expect("an ARN")),
        source: Some(source(region)),
        tags: vec![("Stack".to_owned(), stack.to_owned())],
        has_warm_pool: false,
    }
}

fn member(number: usize, state: &str) -> Member {
    Member { instance: instance(number), group: Some(0), state: LifecycleState::new(state), region: None }
}

/// One thing that a ledger takes in.
#[derive(Debug, Clone)]
enum Input {
    Record(Observation),
    Snapshot(Fleet),
    Activity(Activity),
}

fn take_in<'a>(ledger: &mut Ledger, inputs: impl IntoIterator<Item = &'a Input>) {
    for input in inputs {
        match input {
            Input::Record(observation) => {
                ledger.absorb(observation);
            }
            Input::Snapshot(fleet) => {
                let stack = |group: &Group| StackRules::default().of_group(group);
                ledger.absorb_fleet(fleet, stack);
                ledger.note_mitigated(fleet, |group| stack(group) == "Nighttime");
            }
            Input::Activity(activity) => ledger.absorb_activities(std::slice::from_ref(activity), None),
        }
    }
}

fn ledger_of<'a>(inputs: impl IntoIterator<Item = &'a Input>) -> Ledger {
    let mut ledger = Ledger::new();
    take_in(&mut ledger, inputs);
    ledger
}

fn answer(ledger: &Ledger) -> Analysis {
    let members = STATES.iter().enumerate().map(|(number, state)| member(number, state)).collect();
    let fleet = Fleet { taken: None, groups: vec![group(0, 0, "Nighttime")], members };
    let (stacks, settings) = (StackRules::default(), Settings::default());
    let question =
        Question { ledger, fleet: Some(&fleet), stacks: &stacks, settings: &settings, complete: None, all: true };
    question.answer(Window::default(), Accounting::default())
}

/// A time within the reach of all windows, often the same or a boundary apart.
fn times() -> impl Strategy<Value = i64> {
    prop_oneof![0..40_i64, 0..3_000_i64, 0..200_000_i64, (0..60_i64).prop_map(|n| n * 300)]
}

fn targets() -> impl Strategy<Value = Target> {
    (0..3_usize, prop::option::of(0..3_usize), prop::option::of(Just("web"))).prop_map(|(number, volume, group)| {
        Target {
            instance: instance(number),
            volume: volume.map(volume_of),
            group: group.map(|name| AutoScalingGroupName::new(name).expect(name)),
        }
    })
}

fn volume_of(number: usize) -> VolumeId {
    VolumeId::new(&format!("vol-{number:017x}")).expect("a volume")
}

fn kinds() -> impl Strategy<Value = Kind> {
    let transitions = [
        Transition::EnterStandby,
        Transition::Terminate,
        Transition::DetachInstances,
        Transition::CompleteLifecycleAction,
    ];
    let numbers = prop::collection::vec(0..3_usize, 0..3);
    prop_oneof![
        6 => (0..3_usize, 0..3_usize)
            .prop_map(|(number, volume)| Kind::Sighting { instance: instance(number), volume: volume_of(volume) }),
        4 => (prop::sample::select(Cause::ALL.to_vec()), prop::collection::vec(targets(), 0..3), any::<bool>())
            .prop_map(|(cause, targets, by_auto_scaling)| Kind::Cause { cause, targets, by_auto_scaling }),
        2 => (prop::sample::select(transitions.to_vec()), numbers).prop_map(|(transition, numbers)| Kind::Transition {
            transition,
            instances: numbers.into_iter().map(instance).collect(),
        }),
        1 => Just(Kind::UnnamedLaunch),
    ]
}

/// Records of few identities, so that copies of one collide and contradict each other, as no real ones would.
fn records() -> impl Strategy<Value = Observation> {
    (kinds(), 0..12_u8, any::<bool>(), times(), 0..2_usize, prop::option::of(0..3_u8)).prop_map(
        |(kind, identity, own_copy, time, region, request)| Observation {
            identity: event(&format!("event-{identity}")),
            event_id: event(&format!("event-{identity}{}", if own_copy { "" } else { "-copy" })),
            own_copy,
            time: at(time),
            source: source(region),
            request_id: request.map(|r| RequestId::new(&format!("request-{r}")).expect("a request")),
            kind,
        },
    )
}

fn snapshots() -> impl Strategy<Value = Fleet> {
    let members = prop::collection::vec((0..3_usize, prop::sample::select(STATES.to_vec())), 0..3);
    let stacks = prop::sample::select(vec!["Nighttime", "Daytime", ""]);
    (prop::option::weighted(0.9, times()), 0..2_usize, 0..2_usize, stacks, members).prop_map(
        |(taken, region, number, stack, members)| Fleet {
            taken: taken.map(at),
            groups: vec![group(region, number, stack)],
            members: members.into_iter().map(|(number, state)| member(number, state)).collect(),
        },
    )
}

fn activities() -> impl Strategy<Value = Activity> {
    (0..4_u8, 0..3_usize, times(), prop::option::of(0..900_i64), any::<bool>(), 0..2_usize, 0..2_usize).prop_map(
        |(id, number, started, lasted, departs, region, group_number)| {
            let group = group(region, group_number, "");
            Activity {
                id: format!("activity-{id}"),
                instance: instance(number),
                group: group.name,
                group_arn: group.arn,
                started: at(started),
                ended: lasted.map(|lasted| at(started + lasted)),
                departs,
            }
        },
    )
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let input = prop_oneof![
        8 => records().prop_map(Input::Record),
        1 => snapshots().prop_map(Input::Snapshot),
        1 => activities().prop_map(Input::Activity),
    ];
    prop::collection::vec(input, 0..40)
}

/// Inputs, and the same in another order with some of them repeated.
fn inputs_and_another_order() -> impl Strategy<Value = (Vec<Input>, Vec<Input>)> {
    inputs().prop_flat_map(|inputs| {
        let repeated = prop::sample::subsequence(inputs.clone(), 0..=inputs.len());
        let shuffled = repeated
            .prop_map({
                let inputs = inputs.clone();
                move |repeated| [inputs.clone(), repeated].concat()
            })
            .prop_shuffle();
        (Just(inputs), shuffled)
    })
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: Some(Box::new(FileFailurePersistence::Off)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn order_and_repetition_make_no_difference((inputs, shuffled) in inputs_and_another_order()) {
        let (once, again) = (ledger_of(&inputs), ledger_of(&shuffled));
        prop_assert_eq!(&once, &again);
        prop_assert_eq!(once.to_json().expect("JSON"), again.to_json().expect("JSON"));
        prop_assert_eq!(answer(&once), answer(&again));
    }

    #[test]
    fn cutting_into_runs_makes_no_difference((inputs, shuffled) in inputs_and_another_order(), size in 1..12_usize) {
        let mut kept = Ledger::new().to_json().expect("JSON");
        for run in shuffled.chunks(size) {
            let mut ledger = Ledger::from_json(&kept).expect("a ledger");
            take_in(&mut ledger, run);
            kept = ledger.to_json().expect("JSON");
        }
        let (whole, pieced) = (ledger_of(&inputs), Ledger::from_json(&kept).expect("a ledger"));
        prop_assert_eq!(&whole, &pieced);
        prop_assert_eq!(whole.to_json().expect("JSON"), kept);
        prop_assert_eq!(answer(&whole), answer(&pieced));
    }

    #[test]
    fn merging_parts_is_absorbing_all((inputs, shuffled) in inputs_and_another_order(), size in 1..12_usize) {
        let parts: Vec<Ledger> = shuffled.chunks(size).map(ledger_of).collect();
        let whole = ledger_of(&inputs);
        for order in [parts.clone(), parts.into_iter().rev().collect()] {
            let mut merged = Ledger::new();
            for part in order {
                merged.merge(part);
            }
            prop_assert_eq!(&whole, &merged);
            prop_assert_eq!(answer(&whole), answer(&merged));
        }
        let mut doubled = whole.clone();
        doubled.merge(whole.clone());
        prop_assert_eq!(whole, doubled);
    }

    #[test]
    fn what_is_written_is_what_is_read(inputs in inputs()) {
        let ledger = ledger_of(&inputs);
        let text = ledger.to_json().expect("JSON");
        let read = Ledger::from_json(&text).expect("a ledger");
        prop_assert_eq!(&ledger, &read);
        prop_assert_eq!(text, read.to_json().expect("JSON"));
    }

    #[test]
    fn a_repeated_record_is_no_news(inputs in inputs()) {
        let mut ledger = ledger_of(&inputs);
        let before = ledger.clone();
        for input in &inputs {
            if let Input::Record(observation) = input {
                prop_assert_eq!(ledger.absorb(observation), Absorbed::Known);
            }
        }
        prop_assert_eq!(before, ledger);
    }
}

fn sighting(number: usize, volume: usize, identity: &str, time: i64) -> Observation {
    Observation {
        identity: event(identity),
        event_id: event(identity),
        own_copy: true,
        time: at(time),
        source: source(0),
        request_id: None,
        kind: Kind::Sighting { instance: instance(number), volume: volume_of(volume) },
    }
}

#[test]
fn what_is_new_is_told_from_what_is_known() {
    let mut ledger = Ledger::new();
    let first = sighting(1, 1, "e-1", 100);
    assert_eq!(ledger.absorb(&first), Absorbed::New);
    assert_eq!(ledger.absorb(&first), Absorbed::Known);
    let copy = Observation { event_id: event("e-2"), own_copy: false, ..first.clone() };
    assert_eq!(ledger.absorb(&copy), Absorbed::Known, "the copy of another account is the same event");
    assert_eq!(ledger.absorb(&sighting(1, 1, "e-3", 100)), Absorbed::New);
    assert_eq!(ledger.absorb(&sighting(1, 2, "e-1", 100)), Absorbed::New, "another volume is another sighting");
    let launch = |numbers: &[usize]| Observation {
        identity: event("e-4"),
        kind: Kind::Cause {
            cause: Cause::Launch,
            targets: numbers.iter().map(|n| Target::instance(instance(*n))).collect(),
            by_auto_scaling: true,
        },
        ..first.clone()
    };
    assert_eq!(ledger.absorb(&launch(&[1])), Absorbed::New);
    assert_eq!(ledger.absorb(&launch(&[1, 2])), Absorbed::New, "one part of it is news");
    assert_eq!(ledger.absorb(&launch(&[1, 2])), Absorbed::Known);
    assert_eq!((ledger.len(), ledger.is_empty()), (2, false));
}

#[test]
fn a_snapshot_without_its_time_is_not_remembered() {
    let mut fleet =
        Fleet { taken: None, groups: vec![group(0, 0, "Nighttime")], members: vec![member(1, "InService")] };
    let mut ledger = Ledger::new();
    take_in(&mut ledger, [&Input::Snapshot(fleet.clone())]);
    assert_eq!(ledger, Ledger::new());
    fleet.taken = Some(at(0));
    take_in(&mut ledger, [&Input::Snapshot(fleet)]);
    assert_eq!(ledger.len(), 1, "whereas one with its time is");
}

#[test]
fn a_ledger_of_another_schema_is_refused() {
    let text = |schema: &str| {
        let written = String::from_utf8(Ledger::new().to_json().expect("JSON")).expect("UTF-8");
        written.replace("migration-exposure/ledger/1", schema)
    };
    assert!(Ledger::from_json(text("migration-exposure/ledger/1").as_bytes()).is_ok());
    for (schema, version) in
        [("migration-exposure/ledger/2", 2), ("migration-exposure/ledger/4000000000", 4_000_000_000)]
    {
        let refused = Ledger::from_json(text(schema).as_bytes());
        assert!(matches!(refused, Err(LedgerError::TooNew { found }) if found == version), "{schema}: {refused:?}");
    }
    let newer_and_otherwise = br#"{"schema": "migration-exposure/ledger/2", "instances": {}}"#;
    assert!(matches!(Ledger::from_json(newer_and_otherwise), Err(LedgerError::TooNew { found: 2 })));
}

#[test]
fn what_is_no_ledger_is_refused_as_such() {
    let whole = ledger_of(&[Input::Record(sighting(1, 1, "e-1", 100))]).to_json().expect("JSON");
    let text = String::from_utf8(whole.clone()).expect("UTF-8");
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("no JSON", b"junk".to_vec()),
        ("no text", vec![0xff, 0xfe, 0]),
        ("broken off", whole[..whole.len() - 2].to_vec()),
        ("another JSON object", br#"{"AutoScalingGroups": []}"#.to_vec()),
        ("a list", b"[]".to_vec()),
        ("a number", b"1".to_vec()),
        ("an analysis", br#"{"schema": "migration-exposure/analysis/1"}"#.to_vec()),
        ("version 0", text.replace("ledger/1", "ledger/0").into_bytes()),
        ("no version", text.replace("ledger/1", "ledger/").into_bytes()),
        ("a schema and nothing else", br#"{"schema": "migration-exposure/ledger/1"}"#.to_vec()),
        ("an instance that is none", text.replace("i-0000", "j-0000").into_bytes()),
        ("a time that is none", text.replace("2026-", "20 6-").into_bytes()),
    ];
    assert_eq!(table.len(), 13);
    assert!(Ledger::from_json(&whole).is_ok());
    for (what, text) in table {
        let refused = Ledger::from_json(&text);
        assert!(matches!(refused, Err(LedgerError::NotALedger(_))), "{what}: {refused:?}");
    }
}
