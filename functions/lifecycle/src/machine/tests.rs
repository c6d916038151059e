//! The machine against tables, and against a model that looks at the whole history anew each time.

use exposure_core::lifecycle::LifecycleState;
use proptest::prelude::*;

use super::*;
use crate::observation::Refusal;

const RULES: Rules = Rules { hold_imds: Duration::from_mins(2), hold_api: Duration::from_mins(15) };

fn known(target: Target) -> Observation {
    Observation::Imds(Imds::Known(target))
}

fn api(state: &str) -> Observation {
    Observation::Api(Api::Known(LifecycleState::new(state)))
}

const ABSENT: Observation = Observation::Imds(Imds::Absent);
const SILENT: Observation = Observation::Imds(Imds::Unreachable(Trouble::TimedOut));
const REFUSED: Observation = Observation::Imds(Imds::Refused(Refusal::Forbidden));
const NO_GROUP: Observation = Observation::Api(Api::NotInGroup);
const API_FAILED: Observation = Observation::Api(Api::Failed);

/// Plays observations at their seconds, and says what was decided at the end: state, source, basis, age.
fn play(history: &[(u64, Observation)]) -> (String, &'static str, Basis, u64) {
    let mut memory = Memory::default();
    let mut last = None;
    for (at, observation) in history {
        let (next, decision) = step(&memory, observation, Duration::from_secs(*at), &RULES);
        (memory, last) = (next, Some(decision));
    }
    let decision = last.expect("a history");
    (decision.state.to_string(), decision.source.as_str(), decision.reason.basis(), decision.age.as_secs())
}

#[test]
fn decisions_follow_the_rules() {
    use Target::{InService, Standby, Terminated};
    let unknown = || Observation::Imds(Imds::Unreachable(Trouble::UnknownState(LifecycleState::new("Resting"))));
    let table = [
        ("IMDS is believed", vec![(0, known(Standby))], ("Standby", "imds", Basis::Said, 0)),
        ("one 404 is a blip", vec![(0, ABSENT), (1, api("Standby"))], ("InService", "assumed", Basis::NothingKnown, 1)),
        ("two settle", vec![(0, ABSENT), (2, ABSENT), (3, api("Standby"))], ("Standby", "api", Basis::Said, 0)),
        (
            "a timeout breaks no row of answers",
            vec![(0, ABSENT), (2, SILENT), (4, ABSENT), (5, api("Standby"))],
            ("Standby", "api", Basis::Said, 0),
        ),
        (
            "a refusal does",
            vec![(0, ABSENT), (2, REFUSED), (4, ABSENT), (5, api("Standby"))],
            ("InService", "assumed", Basis::NothingKnown, 5),
        ),
        (
            "the API ages between its turns",
            vec![(0, ABSENT), (2, ABSENT), (3, api("Standby")), (63, ABSENT)],
            ("Standby", "api", Basis::Said, 60),
        ),
        (
            "IMDS that answers again has the say",
            vec![(0, ABSENT), (2, ABSENT), (3, api("Standby")), (5, known(InService)), (6, api("Standby"))],
            ("InService", "imds", Basis::Said, 1),
        ),
        ("held", vec![(0, known(Standby)), (120, SILENT)], ("Standby", "imds", Basis::Held, 120)),
        ("too old", vec![(0, known(Standby)), (121, SILENT)], ("InService", "assumed", Basis::TooOld, 121)),
        (
            "refused is no answer",
            vec![(0, known(Standby)), (121, REFUSED)],
            ("InService", "assumed", Basis::TooOld, 121),
        ),
        (
            "an API that failed is no answer",
            vec![(0, known(Standby)), (1, ABSENT), (3, ABSENT), (200, API_FAILED)],
            ("InService", "assumed", Basis::TooOld, 200),
        ),
        (
            "the end outlives every doubt",
            vec![(0, known(Terminated)), (1, ABSENT), (3, ABSENT), (90_000, API_FAILED)],
            ("Terminated", "imds", Basis::NotTakenBack, 90_000),
        ),
        (
            "and a stale API",
            vec![(0, known(Terminated)), (1, ABSENT), (3, ABSENT), (4, api("InService"))],
            ("Terminated", "imds", Basis::NotTakenBack, 4),
        ),
        (
            "and that the group forgot it",
            vec![(0, ABSENT), (2, ABSENT), (3, api("Terminating:Wait")), (70, NO_GROUP)],
            ("Terminated", "api", Basis::NotTakenBack, 67),
        ),
        (
            "but IMDS may take it back",
            vec![(0, known(Terminated)), (1, known(InService))],
            ("InService", "imds", Basis::Said, 0),
        ),
        (
            "no group is never InService",
            vec![(0, ABSENT), (2, ABSENT), (3, NO_GROUP), (90_000, SILENT)],
            ("NotInGroup", "api", Basis::NotTakenBack, 89_997),
        ),
        (
            "until the API knows it",
            vec![(0, ABSENT), (2, ABSENT), (3, NO_GROUP), (63, api("Pending"))],
            ("InService", "api", Basis::Said, 0),
        ),
        (
            "an unknown state of the API changes nothing",
            vec![(0, known(Standby)), (1, ABSENT), (3, ABSENT), (4, api("Quarantined")), (100, ABSENT)],
            ("Standby", "imds", Basis::UnknownState, 100),
        ),
        ("nor of IMDS", vec![(0, known(Standby)), (5_000, unknown())], ("Standby", "imds", Basis::UnknownState, 5_000)),
        ("unknown alone is unknown", vec![(0, unknown()), (4, unknown())], ("Unknown", "imds", Basis::UnknownState, 0)),
        (
            "and gives way to a doubt that lasts",
            vec![(0, unknown()), (121, SILENT)],
            ("InService", "assumed", Basis::TooOld, 121),
        ),
        (
            "a clock that goes back does no harm",
            vec![(9, known(Standby)), (3, SILENT)],
            ("Standby", "imds", Basis::Held, 0),
        ),
    ];
    assert!(!table.is_empty());
    for (name, history, (state, source, basis, age)) in table {
        assert_eq!(play(&history), (state.to_owned(), source, basis, age), "{name}");
    }
}

#[test]
fn a_reason_says_what_both_sources_did() {
    let memory = Memory::default();
    let at = Duration::from_secs;
    let (memory, _) = step(&memory, &ABSENT, at(0), &RULES);
    let (memory, _) = step(&memory, &ABSENT, at(2), &RULES);
    let (_, decision) = step(&memory, &Observation::Api(Api::Throttled), at(3), &RULES);
    let expected =
        "IMDS has no such item (404); the API is throttled; nothing is known, so it is taken to be in service";
    assert_eq!(decision.reason.to_string(), expected);
}

fn observation() -> impl Strategy<Value = Observation> {
    let target = prop::sample::select(Target::NAMED.to_vec());
    let current = prop::sample::select(vec![
        "Pending",
        "InService",
        "Terminating",
        "Terminating:Wait",
        "Standby",
        "Detached",
        "Warmed:Stopped",
        "Warmed:Terminating:Wait",
        "Quarantined",
        "New",
    ]);
    let trouble = prop::sample::select(vec![
        Trouble::TimedOut,
        Trouble::NoConnection,
        Trouble::Status(503),
        Trouble::NoState,
        Trouble::UnknownState(LifecycleState::new("Resting")),
    ]);
    prop_oneof![
        2 => target.prop_map(known),
        6 => Just(ABSENT),
        1 => Just(REFUSED),
        3 => trouble.prop_map(|trouble| Observation::Imds(Imds::Unreachable(trouble))),
        4 => current.prop_map(api),
        2 => Just(NO_GROUP),
        1 => Just(API_FAILED),
        1 => Just(Observation::Api(Api::Throttled)),
    ]
}

/// What a source says at a place of the history: nothing, an unknown state, or a state.
fn said(history: &[(u64, Observation)], at: usize) -> Option<(State, Source)> {
    match &history[at].1 {
        Observation::Imds(Imds::Known(target)) => Some((State::Known(*target), Source::Imds)),
        Observation::Imds(Imds::Unreachable(Trouble::UnknownState(_))) => Some((State::Unknown, Source::Imds)),
        Observation::Imds(_) => None,
        Observation::Api(answer) => {
            let asked: Vec<&Imds> = history[..at]
                .iter()
                .filter_map(|(_, observation)| match observation {
                    Observation::Imds(imds) => Some(imds),
                    Observation::Api(_) => None,
                })
                .collect();
            let is_silence =
                |imds: &Imds| matches!(imds, Imds::Unreachable(t) if !matches!(t, Trouble::UnknownState(_)));
            let answers: Vec<_> = asked.iter().filter(|imds| !is_silence(imds)).collect();
            let settled = asked.last() == Some(&&Imds::Absent)
                && answers.len() >= 2
                && answers[answers.len() - 2..].iter().all(|imds| ***imds == Imds::Absent);
            match answer {
                _ if !settled => None,
                Api::Known(state) => {
                    Some((Target::of_current(state).map_or(State::Unknown, State::Known), Source::Api))
                }
                Api::NotInGroup => Some((State::NotInGroup, Source::Api)),
                Api::Failed | Api::Throttled => None,
            }
        }
    }
}

/// State and source by the whole history.
fn model(history: &[(u64, Observation)]) -> (State, Source) {
    let told: Vec<(usize, State, Source)> =
        (0..history.len()).filter_map(|at| said(history, at).map(|(state, source)| (at, state, source))).collect();
    let is_state = |(_, state, _): &&(usize, State, Source)| *state != State::Unknown;
    // What IMDS last named counts, and what the API said after it.
    let from = told.iter().rposition(|(_, state, source)| *source == Source::Imds && *state != State::Unknown);
    let recent = &told[from.unwrap_or(0)..];
    let end = recent.iter().rfind(|(_, state, _)| state.is_end());
    let last = end.or_else(|| recent.iter().rfind(is_state)).or(told.last());
    let Some((_, state, source)) = last else { return (State::OPEN, Source::Assumed) };
    let heard = told.last().map_or(0, |(at, ..)| history[*at].0);
    let now = history.last().map_or(0, |(at, _)| *at);
    let hold = if *source == Source::Api { RULES.hold_api } else { RULES.hold_imds };
    let is_lasting = state.is_end() || *state == State::NotInGroup;
    if is_lasting || now - heard <= hold.as_secs() { (state.clone(), *source) } else { (State::OPEN, Source::Assumed) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_machine_is_the_model(moves in prop::collection::vec((0_u64..200, observation()), 1..40)) {
        let mut at = 0;
        let history: Vec<(u64, Observation)> =
            moves.into_iter().map(|(pause, observation)| { at += pause; (at, observation) }).collect();
        let mut memory = Memory::default();
        for (index, (at, observation)) in history.iter().enumerate() {
            let (next, decision) = step(&memory, observation, Duration::from_secs(*at), &RULES);
            let (state, source) = model(&history[..=index]);
            prop_assert_eq!((&decision.state, decision.source), (&state, source), "after {:?}", &history[..=index]);
            // Whoever says it says it now or said it before; an assumption is always InService.
            prop_assert!(decision.source != Source::Assumed || decision.state == State::OPEN);
            // The end is only ever taken back by IMDS.
            if let Some(before) = &memory.learnt && before.state.is_end() && !decision.state.is_end() {
                prop_assert!(matches!(observation, Observation::Imds(Imds::Known(_))));
            }
            memory = next;
        }
    }
}
