//! When instances were in service, and what had to be assumed of it.

use super::*;

const END: i64 = 100_000;

/// The stays of a world within 0 to 100,000, as `from..to`, each with what was assumed: `?..` up to when, `..?` from when.
fn stays(world: &World) -> (Vec<String>, u64, u64) {
    let found = world.question().in_service(TimeSpan { from: at(0), to: at(END) });
    let second = |time: Timestamp| at(0).until(time).as_secs();
    let told = found.stays.iter().map(|stay| {
        let until = stay.assumed_until.map(|time| format!("?{} ", second(time))).unwrap_or_default();
        let from = stay.assumed_from.map(|time| format!(" {}?", second(time))).unwrap_or_default();
        format!("{until}{}..{}{from}", second(stay.from), second(stay.to))
    });
    (told.collect(), found.launches_unseen, found.departures_unseen)
}

#[test]
fn service_begins_and_ends_with_what_is_on_record_and_says_what_is_not() {
    use Transition::{DetachInstances, EnterStandby, ExitStandby, Terminate, WarmPoolStart, WarmPoolStop};
    type Tell = fn(&mut World) -> &mut World;
    type Row = (&'static str, Tell, Tell, &'static [&'static str], u64, u64);
    let member: Tell = |world| world.holds(group("web", "Nighttime"), &[1]);
    let gone: Tell = |world| world.holds(group("web", "Nighttime"), &[2]);
    let nothing: Tell = |world| world;
    let table: [Row; 13] = [
        (
            "launched and terminated",
            |w| w.launch_into("web", 1, 10).transition(1, Terminate, 5_000),
            nothing,
            &["10..5000"],
            0,
            0,
        ),
        ("launched, a member", |w| w.launch_into("web", 1, 10), member, &["10..100000"], 0, 0),
        ("launched before the window", |w| w.launch_into("web", 1, -900), member, &["0..100000"], 0, 0),
        ("no launch in view", |w| w.sight(1, 500), member, &["?500 0..100000"], 1, 0),
        ("nothing but the fleet", |w| w.watched(0, 50), member, &["?100000 0..100000"], 1, 0),
        ("no departure in view", |w| w.launch_into("web", 1, 10).sight(1, 7_000), gone, &["10..7000"], 0, 1),
        ("no fleet to tell", |w| w.launch_into("web", 1, 10).sight(1, 7_000), nothing, &["10..100000 7000?"], 0, 0),
        (
            "standby",
            |w| w.launch_into("web", 1, 10).transition(1, EnterStandby, 1_000).transition(1, ExitStandby, 2_000),
            member,
            &["10..1000", "2000..100000"],
            0,
            0,
        ),
        (
            "a warm pool",
            |w| w.launch_into("web", 1, 10).transition(1, WarmPoolStop, 300).transition(1, WarmPoolStart, 9_000),
            member,
            &["10..300", "9000..100000"],
            0,
            0,
        ),
        ("out of standby first", |w| w.transition(1, ExitStandby, 900), member, &["900..100000"], 0, 0),
        (
            "detached",
            |w| w.launch_into("web", 1, 10).transition(1, DetachInstances, 400).sight(1, 9_000),
            gone,
            &["10..400"],
            0,
            0,
        ),
        (
            "a fleet snapshot shows it standing",
            |w| w.snapshot(group("web", "Nighttime"), &[1], 600),
            member,
            &["?600 0..100000"],
            1,
            0,
        ),
        (
            "departed after the window",
            |w| w.launch_into("web", 1, 10).transition(1, Terminate, END + 9),
            nothing,
            &["10..100000"],
            0,
            0,
        ),
    ];
    for (story, tell, fleet, expected, launches, departures) in table {
        let mut world = World::default();
        world.rules.add("^web=Nighttime").expect("a rule");
        fleet(tell(&mut world));
        let mut found = stays(&world);
        // The other member that stands for the fleet is none of the story.
        if found.0.len() > expected.len() {
            found = (found.0[..expected.len()].to_vec(), found.1 - 1, found.2);
        }
        assert_eq!(found, (expected.iter().map(ToString::to_string).collect(), launches, departures), "{story}");
    }
}

#[test]
fn an_instance_of_no_stack_is_left_out_and_migrations_count_that_count_elsewhere() {
    let mut world = World::default();
    world.migrated(1, &[7_200]).holds(group("web", "Nighttime"), &[1]).moved_in_part(2);
    world.migrated(3, &[7_200]);
    let found = world.question().in_service(TimeSpan { from: at(0), to: at(END) });
    assert_eq!(found.stays.len(), 1, "{found:?}");
    let moves: Vec<_> = found.moves.iter().map(|moved| (moved.stack.as_str(), moved.at, moved.launched)).collect();
    assert_eq!(moves, [("Nighttime", at(7_200), Some(at(0)))]);
    let early = world.question().in_service(TimeSpan { from: at(0), to: at(7_000) });
    assert!(early.moves.is_empty());
}
