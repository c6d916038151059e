//! What nobody knows of AWS for certain is a switch of the stand-in: whichever way it stands, a run ends with the right
//! numbers or says that it is blind, and never with a wrong one.

use exposure_stand_in::{RequestLine, Switches};
use serde_json::Value;

use crate::account::Stage;

const ACCOUNT: [&str; 4] = ["--days", "1", "--instances", "48"];

/// A replay under switches: the last answer, and whether any run called the source blind.
fn replay(source: &str, switches: Switches) -> (Value, bool) {
    let stage = Stage::new(&ACCOUNT);
    stage.stand_in.switches(switches);
    replay_from(stage.window.0, &stage, source)
}

fn replay_from(from: i64, stage: &Stage, source: &str) -> (Value, bool) {
    let mut function = Stage::function(&stage.variables(source));
    let to = stage.window.1;
    let (mut last, mut blind) = (Value::Null, false);
    for second in (from..to + 3 * 3_600).step_by(1_800) {
        last = stage.run(&mut function, second);
        blind |= last["coverage"]["blind"] == true;
    }
    (last, blind)
}

/// Members by verdict and migrations, by stack.
fn told(answer: &Value) -> Value {
    answer["stacks"].clone()
}

#[test]
fn lookups_survive_either_answer() {
    let (plain, _) = replay("lookup", Switches::default());
    for (what, switches) in [
        ("Username", Switches { username_misses_infrastructure: true, ..Switches::default() }),
        ("ResourceName", Switches { resource_name_misses_keys: true, ..Switches::default() }),
        ("grants", Switches { migrations_bring_internal_grants: true, ..Switches::default() }),
        ("bursts", Switches { launches_make_bursts: true, ..Switches::default() }),
    ] {
        let (answer, _) = replay("lookup", switches);
        assert_eq!(told(&answer), told(&plain), "{what}: {answer:#}");
    }
}

/// How many of the lookups so far were of keys, of instances and of every Decrypt.
fn looked_up(stage: &Stage) -> [usize; 3] {
    let lines = stage.stand_in.requests();
    let attribute = |line: &RequestLine, name: &str, value: &str| {
        let asked = &line.details["LookupAttributes"][0];
        asked["AttributeKey"] == name && asked["AttributeValue"].as_str().is_some_and(|asked| asked.starts_with(value))
    };
    [("ResourceName", "arn:aws:kms:"), ("Username", "i-"), ("EventName", "Decrypt")]
        .map(|(name, value)| lines.iter().filter(|line| attribute(line, name, value)).count())
}

#[test]
fn lookups_survive_either_answer_where_reading_every_decrypt_is_dear() {
    let stage = |users: bool, keys: bool| {
        let stage = Stage::busy(&ACCOUNT, 15);
        stage.stand_in.switches(Switches {
            username_misses_infrastructure: users,
            resource_name_misses_keys: keys,
            ..Switches::default()
        });
        stage
    };
    let busy = |stage: &Stage| replay_from(i64::midpoint(stage.window.0, stage.window.1), stage, "lookup");
    let calm = stage(false, false);
    let (plain, blind) = busy(&calm);
    let [by_key, _, decrypts] = looked_up(&calm);
    assert!(by_key > decrypts && !blind, "{by_key} lookups of keys, {decrypts} of every Decrypt");
    for (what, users, keys) in [("Username", true, false), ("ResourceName", false, true), ("both", true, true)] {
        let stage = stage(users, keys);
        let (answer, _) = busy(&stage);
        assert_eq!(told(&answer), told(&plain), "{what}: {answer:#}");
        // Keys that show nothing are found out, and given up for what shows all.
        let [by_key, _, decrypts] = looked_up(&stage);
        assert_eq!(by_key * 10 < decrypts, keys, "{what}: {by_key} lookups of keys, {decrypts} of all");
    }
}

#[test]
fn lookups_that_can_read_no_stream_that_shows_sightings_never_look_well() {
    let stage = Stage::busy(&ACCOUNT, 15);
    stage.stand_in.switches(Switches {
        username_misses_infrastructure: true,
        resource_name_misses_keys: true,
        ..Switches::default()
    });
    let mut variables = stage.variables("lookup");
    variables.retain(|(name, _)| *name != "LOOKUP_REQUESTS_PER_RUN");
    variables.push(("LOOKUP_REQUESTS_PER_RUN", "22".to_owned()));
    let mut function = Stage::function(&variables);
    let (from, to) = stage.window;
    for second in (from + 14 * 3_600..to + 3 * 3_600).step_by(3_600) {
        let answer = stage.run(&mut function, second);
        assert_eq!(answer["outcome"], "partial", "{answer:#}");
        let latest = stage.latest();
        let metric = |name: &str| latest[&(name.to_owned(), None)];
        assert!(metric("RunCompleted") < 1.0 && metric("WorkCompleted") < 100.0, "{answer:#}");
        assert!(answer["coverage"]["blind"] == true || metric("MembersUnseen") > 0.0, "{answer:#}");
    }
}

#[test]
fn a_source_without_decrypts_says_that_it_is_blind() {
    for (source, switches) in [
        ("lookup", Switches { kms_is_hidden: true, ..Switches::default() }),
        ("logs", Switches { trail_excludes_kms: true, ..Switches::default() }),
        ("logs", Switches { trail_is_write_only: true, ..Switches::default() }),
        ("queue", Switches { bridge_drops_read_only: true, ..Switches::default() }),
        ("queue", Switches { trail_is_off: true, ..Switches::default() }),
    ] {
        let (answer, blind) = replay(source, switches.clone());
        assert!(blind, "{source} {switches:?}: {answer:#}");
        let exposed: i64 =
            answer["stacks"].as_array().expect("stacks").iter().map(|row| row["exposed"].as_i64().unwrap_or(0)).sum();
        assert_eq!(exposed, 0, "nothing can be told of what was not seen");
    }
}
