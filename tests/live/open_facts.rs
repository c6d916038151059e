//! What nobody knows of AWS for certain is a switch of the stand-in: whichever way it stands, a run ends with the right
//! numbers or says that it is blind, and never with a wrong one.

use exposure_stand_in::Switches;
use serde_json::Value;

use crate::account::Stage;

const ACCOUNT: [&str; 4] = ["--days", "1", "--instances", "48"];

/// A replay under switches: the last answer, and whether any run called the source blind.
fn replay(source: &str, switches: Switches) -> (Value, bool) {
    let stage = Stage::new(&ACCOUNT);
    stage.stand_in.switches(switches);
    let mut function = Stage::function(&stage.variables(source));
    let (from, to) = stage.window;
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
