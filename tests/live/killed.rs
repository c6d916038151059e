//! Runs that are killed where it hurts most, each exactly there: the stand-in holds a call while the function dies. The
//! end is that of a day on which nothing was killed.

use std::time::Duration;

use exposure_stand_in::{Fault, FaultKind};
use serde_json::Value;

use crate::account::{Stage, Values};
use crate::replay::never_back;
use crate::state::{facts, remembered, variables};

const ACCOUNT: [&str; 6] = ["--days", "1", "--instances", "48", "--seed", "11"];
const SAVE: &str = "s3:PutObject";
const PUBLISH: &str = "cloudwatch:PutMetricData";
/// The schedule from the end of the records on, in hours; the run in the middle of the night is killed.
const HOURS: [i64; 7] = [-14, -10, -6, -2, 1, 6, 11];
const KILLED: i64 = -6;

/// How much of a run's metrics went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Out {
    Nothing,
    Part,
    All,
}

/// Where a run is killed.
struct Point {
    name: &'static str,
    faults: Vec<Fault>,
    /// Whether the state was replaced.
    saved: bool,
    /// Whether messages were deleted from the queue.
    confirmed: bool,
    out: Out,
}

/// A call that never arrives, since its sender dies.
fn before(call: &str, skip: u64) -> Vec<Fault> {
    vec![Fault::of(call, FaultKind::Hold).after(skip), Fault::of(call, FaultKind::Drop).after(skip)]
}

/// A call that is carried out, and whose sender dies before the answer.
fn after(call: &str) -> Vec<Fault> {
    vec![Fault::of(call, FaultKind::HoldAnswer), Fault::of(call, FaultKind::DropAnswer)]
}

fn points() -> Vec<Point> {
    // Data that CloudWatch refuses is sent again in halves, so that there are several requests.
    let refused = FaultKind::Error { status: 400, code: "InvalidParameterValue".to_owned() };
    let halved = vec![Fault::of(PUBLISH, refused).times(1)];
    let point = |name, faults, saved, confirmed, out| Point { name, faults, saved, confirmed, out };
    vec![
        point("before saving", before(SAVE, 0), false, false, Out::Nothing),
        point("while saving", after(SAVE), true, false, Out::Nothing),
        point("between saving and publishing", before(PUBLISH, 0), true, true, Out::Nothing),
        point("half-way through publishing", [halved, before(PUBLISH, 2)].concat(), true, true, Out::Part),
        point("after publishing", after(PUBLISH), true, true, Out::All),
    ]
}

/// A day of runs, one of which may be killed and tried again: what is remembered in the end, and the last metrics.
fn day(point: Option<&Point>) -> (Value, Values) {
    let stage = Stage::new(&ACCOUNT);
    let mut function = Stage::function(&variables(&stage, "queue"));
    let mut totals = Values::new();
    for hour in HOURS {
        let second = stage.window.1 + hour * 3_600;
        if let Some(point) = point.filter(|_| hour == KILLED) {
            kill(&stage, &mut function, point, second, &mut totals);
        } else {
            let answer = stage.run(&mut function, second);
            assert_eq!(answer["outcome"], "complete", "{answer:#}");
        }
        never_back(&mut totals, stage.latest(), second);
    }
    let domain = |name: &str| name.starts_with("Members") || name.ends_with("Total") || name.ends_with("Percent");
    let latest = stage.latest().into_iter().filter(|((name, _), _)| domain(name));
    (remembered(&stage), latest.collect())
}

/// Begins a run, kills it at the point, and makes sure that it was the point.
fn kill(stage: &Stage, function: &mut crate::runtime::Function, point: &Point, second: i64, totals: &mut Values) {
    let stand_in = &stage.stand_in;
    let saved = || stand_in.object("state", "state.json.gz");
    let known = saved();
    let whole = stand_in.requests().iter().filter(|request| request.operation == "PutMetricData").count();
    assert!(known.is_some() && whole > 0, "runs before it have saved and published");
    stand_in.clear_requests();
    stand_in.faults(1, point.faults.clone());
    let event = stage.event(second);
    function.begin(&event);
    assert!(stand_in.held(1, Duration::from_mins(1)), "{}: the call never came", point.name);
    function.kill();
    stand_in.faults(1, Vec::new());
    stand_in.release();

    let calls = |operation: &str| stand_in.requests().iter().filter(|request| request.operation == operation).count();
    assert_eq!(saved() != known, point.saved, "{}: the state", point.name);
    assert_eq!(calls("DeleteMessageBatch") > 0, point.confirmed, "{}: the queue", point.name);
    let data = stand_in.metrics().len();
    never_back(totals, stage.latest(), second);
    *function = Stage::function(&variables(stage, "queue"));
    // As Lambda does with an event whose run has died. What that had received and not deleted is still hidden, and says
    // so: a migration is not settled meanwhile.
    let answer = stage.run(function, second);
    let outcome = if point.confirmed { "complete" } else { "partial" };
    assert_eq!(answer["outcome"], outcome, "{}: {answer:#}", point.name);
    let again = stand_in.metrics().len();
    let out = match data {
        0 => Out::Nothing,
        some if some < again => Out::Part,
        _ => Out::All,
    };
    assert_eq!(out, point.out, "{}: {data} of {again} data points", point.name);
    never_back(totals, stage.latest(), second);
}

#[test]
fn a_run_killed_at_any_point_leaves_the_end_of_a_calm_day() {
    let (state, metrics) = day(None);
    assert!(metrics[&("MigrationsTotal".to_owned(), None)] > 15.0, "{metrics:#?}");
    let points = points();
    assert_eq!(points.len(), 5);
    for point in &points {
        let (found, shown) = day(Some(point));
        let both = |a, b| exposure_tests::differences(a, b, "state");
        let differences = [both(&state, &found), both(&found, &state)].concat();
        assert_eq!(differences, Vec::<String>::new(), "{}", point.name);
        assert_eq!(shown, metrics, "{}", point.name);
    }
}

/// A run is held as it saves, a later one overtakes it, and only then it goes on: it joins what the other saved.
#[test]
fn a_run_that_is_overtaken_while_it_saves_joins_the_other() {
    let (calm, wild) = (Stage::new(&ACCOUNT), Stage::new(&ACCOUNT));
    let hours = |hour: i64| wild.window.1 + hour * 3_600;
    let start = |stage: &Stage| Stage::function(&variables(stage, "queue"));
    let (mut one, mut other, mut alone) = (start(&wild), start(&wild), start(&calm));
    let mut totals = Values::new();
    for hour in HOURS {
        calm.run(&mut alone, hours(hour));
    }
    wild.run(&mut one, hours(HOURS[0]));
    for pair in HOURS[1..].chunks(2) {
        wild.stand_in.faults(1, vec![Fault::of(SAVE, FaultKind::Hold).times(1)]);
        wild.stand_in.clear_requests();
        one.begin(&wild.event(hours(pair[0])));
        assert!(wild.stand_in.held(1, Duration::from_mins(1)), "the first saves");
        let second = wild.run(&mut other, hours(pair[1]));
        assert_eq!(second["outcome"], "complete", "{second:#}");
        never_back(&mut totals, wild.latest(), hours(pair[1]));
        wild.stand_in.release();
        let first = one.end().expect("a run");
        assert_eq!(first["outcome"], "complete", "{first:#}");
        let saves = wild.stand_in.requests().into_iter().filter(|request| request.operation == "PutObject");
        assert_eq!(saves.map(|save| save.status).collect::<Vec<_>>(), [200, 412, 200], "saved, refused, joined");
        never_back(&mut totals, wild.latest(), hours(pair[1]));
    }
    assert_eq!(facts(&wild), facts(&calm));
}
