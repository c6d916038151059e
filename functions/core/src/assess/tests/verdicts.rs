//! Rule 8: the verdict of a member.

use super::*;
use crate::assess::Verdict;

/// A story with something at a time.
type With = Box<dyn Fn(i64) -> Story>;

/// The whole instance moved at 7200.
fn moved() -> Story {
    launched("a").sight("a", 7_200)
}

#[test]
fn a_migrated_member_is_exposed_where_it_stands_undetermined_where_it_moves_recovered_where_it_leaves() {
    let table = [
        ("InService", "exposed"),
        ("Standby", "exposed"),
        ("Warmed:Running", "exposed"),
        ("Pending", "undetermined"),
        ("Pending:Wait", "undetermined"),
        ("EnteringStandby", "undetermined"),
        ("Warmed:Stopped", "undetermined"),
        ("Warmed:Hibernated", "undetermined"),
        ("Quarantined", "undetermined"),
        ("RootVolumeReplaced", "undetermined"),
        ("SomethingNew", "undetermined"),
        ("", "undetermined"),
        ("Terminating", "recovered"),
        ("Terminating:Wait", "recovered"),
        ("Terminated", "recovered"),
        ("Detaching", "recovered"),
        ("Warmed:Terminating:Wait", "recovered"),
    ];
    assert_eq!(table.len(), 17);
    for (state, verdict) in table {
        let story = moved().state(state);
        assert_eq!(story.told(), format!("{verdict} | confirmed a@7200"), "rule 8: in {state:?}");
        let presumed = quiet().cause(Cause::Launch, 0).sight("a", 7_200).state(state);
        assert_eq!(presumed.told(), format!("{verdict} | presumed a@7200"), "rule 8: presumed, in {state:?}");
    }
}

#[test]
fn a_transition_after_the_migration_repairs_it_and_one_before_does_not() {
    let recorded = [
        Transition::EnterStandby,
        Transition::ExitStandby,
        Transition::DetachInstances,
        Transition::Terminate,
        Transition::CompleteLifecycleAction,
        Transition::WarmPoolStart,
        Transition::WarmPoolStop,
        Transition::ScalingActivity,
    ];
    let mut table: Vec<(String, With)> = Vec::new();
    for transition in recorded {
        table.push((format!("{transition:?}"), Box::new(move |time| moved().transition(transition, time))));
    }
    for departs in [false, true] {
        table.push((format!("activity, departs: {departs}"), Box::new(move |time| moved().activity(departs, time))));
    }
    for cause in [Cause::Start, Cause::Stop] {
        table.push((
            format!("{cause} by Auto Scaling"),
            Box::new(move |time| moved().cause_by_auto_scaling(cause, time)),
        ));
    }
    assert_eq!(table.len(), 12);
    for (transition, story) in table {
        assert_eq!(story(20_000).told(), "recovered | confirmed a@7200", "rule 8: {transition} afterwards");
        assert_eq!(story(5_000).told(), "exposed | confirmed a@7200", "rule 8: {transition} before");
    }
}

#[test]
fn what_is_no_transition_repairs_nothing() {
    tell(&[
        ("rule 8: a stop by a customer", moved().cause(Cause::Stop, 20_000), "exposed | confirmed a@7200"),
        ("rule 8: a start by a customer", moved().cause(Cause::Start, 20_000), "exposed | confirmed a@7200"),
        (
            "rule 8: a launch by Auto Scaling is none of its later ones",
            quiet().cause_by_auto_scaling(Cause::Launch, 0).sight("a", 20).sight("a", 7_200),
            "exposed | confirmed a@7200",
        ),
        (
            "rule 8: a reboot by Auto Scaling",
            moved().cause_by_auto_scaling(Cause::Reboot, 20_000),
            "exposed | confirmed a@7200",
        ),
    ]);
}

#[test]
fn a_change_between_fleet_snapshots_is_a_transition_if_it_came_after_the_migration() {
    let standing = || moved().snapshot("InService", 5_000);
    tell(&[
        ("rule 8: one state ever since", standing().snapshot("InService", 9_000), "exposed | confirmed a@7200"),
        (
            "rule 8: another state afterwards",
            standing().snapshot("InService", 8_000).snapshot("Standby", 9_000).state("Standby"),
            "recovered | confirmed a@7200",
        ),
        (
            "rule 8: there and back",
            standing().snapshot("Standby", 8_000).snapshot("InService", 9_000),
            "recovered | confirmed a@7200",
        ),
        (
            "rule 8: two other states, the first seen only afterwards",
            moved().snapshot("Standby", 8_000).snapshot("InService", 9_000),
            "recovered | confirmed a@7200",
        ),
        (
            "rule 8: a change before the migration",
            moved().snapshot("Pending", 1_000).snapshot("InService", 5_000).snapshot("InService", 9_000),
            "exposed | confirmed a@7200",
        ),
        (
            "rule 8: a change between two snapshots around the migration may lie on either side",
            standing().snapshot("Standby", 9_000).state("Standby"),
            "undetermined | confirmed a@7200",
        ),
        (
            "rule 8: older snapshots of the state of now do not move a change that may lie on either side",
            moved().snapshot("InService", 4_000).snapshot("Standby", 5_000).snapshot("InService", 9_000),
            "undetermined | confirmed a@7200",
        ),
        (
            "rule 8: nor does the change back before it",
            moved().snapshot("Standby", 4_000).snapshot("InService", 5_000).snapshot("Standby", 9_000).state("Standby"),
            "undetermined | confirmed a@7200",
        ),
        (
            "rule 8: the state of now is another than that of a snapshot afterwards",
            moved().snapshot("InService", 9_000).state("Standby"),
            "recovered | confirmed a@7200",
        ),
        (
            "rule 11: a state of now without a time shows no change since an earlier snapshot",
            moved().snapshot("Pending", 1_000),
            "exposed | confirmed a@7200",
        ),
        (
            "rule 8: a first snapshot afterwards shows no change",
            moved().snapshot("InService", 9_000),
            "exposed | confirmed a@7200",
        ),
    ]);
}

#[test]
fn a_possible_loss_is_undetermined_until_a_transition() {
    let after = |story: Story| story.transition(Transition::CompleteLifecycleAction, 50_000);
    let started = || launched("a").cause(Cause::Start, 7_000).sight("a", 7_100);
    let rebooted = || launched("a").cause(Cause::Reboot, 7_000).sight("a", 7_100);
    let partial = || launched("ab").sight("a", 7_200);
    let unplaced = || quiet().sight("a", 7_200);
    tell(&[
        ("rule 8: a start", started(), "undetermined | start a@7100"),
        ("rule 8: a start, repaired", after(started()), "clean | start a@7100"),
        ("rule 8: a reboot that moved the host", rebooted(), "undetermined | reboot a@7100"),
        ("rule 8: a reboot, repaired", after(rebooted()), "clean | reboot a@7100"),
        ("rule 8: a reboot that moved nothing", launched("a").cause(Cause::Reboot, 7_000), "clean"),
        ("rule 8: a partial migration", partial(), "undetermined | partial a@7200"),
        ("rule 8: a partial migration, repaired", after(partial()), "recovered | partial a@7200"),
        ("rule 8: a Decrypt that cannot be placed", unplaced(), "undetermined | undetermined a@7200"),
        ("rule 8: a Decrypt that cannot be placed, repaired", after(unplaced()), "recovered | undetermined a@7200"),
        (
            "rule 8: a start by Auto Scaling out of a warm pool writes the item itself",
            launched("a").cause_by_auto_scaling(Cause::Start, 7_000).sight("a", 7_100),
            "clean | start a@7100",
        ),
        (
            "rule 8: a transition before the start repairs nothing",
            started().transition(Transition::ExitStandby, 5_000),
            "undetermined | start a@7100",
        ),
    ]);
}

#[test]
fn an_explained_reattachment_that_moves_no_host_is_clean() {
    let again = || launched("a").sight("a", 7_200);
    tell(&[
        ("rule 8: stop", again().cause(Cause::Stop, 7_000), "clean | stop a@7200"),
        ("rule 8: grant", again().grant("a", 7_199), "clean | grant a@7200"),
        ("rule 8: attach", again().attach("a", 7_199), "clean | attach a@7200"),
        ("rule 8: detach", again().detach("a", 7_000), "clean | detach a@7200"),
        (
            "rule 8: root volume replacement",
            again().cause(Cause::RootVolumeReplacement, 7_000),
            "clean | root volume replacement a@7200",
        ),
        ("rule 8: launch", launched("a").sight("a", 800), "clean | launch a@800"),
    ]);
}

#[test]
fn the_first_verdict_that_holds_is_the_verdict() {
    tell(&[
        (
            "rule 8: exposed before undetermined, a partial after it",
            launched("ab").sight("ab", 7_200).sight("a", 20_000),
            "exposed | confirmed ab@7200 | partial a@20000",
        ),
        (
            "rule 8: exposed before undetermined, a partial before it",
            launched("ab").sight("a", 7_200).sight("ab", 20_000),
            "exposed | partial a@7200 | confirmed ab@20000",
        ),
        (
            "rule 8: exposed before undetermined, a start after it",
            moved().cause(Cause::Start, 20_000).sight("a", 20_010),
            "exposed | confirmed a@7200 | start a@20010",
        ),
        (
            "rule 8: undetermined before recovered",
            moved().transition(Transition::ExitStandby, 10_000).cause(Cause::Start, 20_000).sight("a", 20_010),
            "undetermined | confirmed a@7200 | start a@20010",
        ),
        (
            "rule 8: exposed again after a recovery",
            moved().transition(Transition::ExitStandby, 10_000).sight("a", 20_000),
            "exposed | confirmed a@7200 | confirmed a@20000",
        ),
        (
            "rule 8: one transition repairs all that came before it",
            moved().sight("a", 20_000).transition(Transition::ExitStandby, 30_000),
            "recovered | confirmed a@7200 | confirmed a@20000",
        ),
        ("rule 8: clean: sighted, none of the above", launched("ab"), "clean"),
        ("rule 8: unseen: never sighted", quiet().cause(Cause::Launch, 0), "unseen"),
        ("rule 8: unseen: nothing on record at all", quiet(), "unseen"),
        ("rule 8: unseen: a start that attached nothing", quiet().cause(Cause::Start, 0), "unseen"),
    ]);
}

#[test]
fn a_member_is_exposed_since_the_first_migration_that_nothing_repaired() {
    let table = [
        (moved(), Some(7_200)),
        (moved().sight("a", 20_000), Some(7_200)),
        (moved().transition(Transition::ExitStandby, 10_000).sight("a", 20_000), Some(20_000)),
        (launched("ab").sight("a", 7_200).sight("ab", 20_000), Some(20_000)),
        (moved().state("Terminating"), None),
        (launched("a"), None),
    ];
    assert_eq!(table.len(), 6);
    for (story, since) in table {
        assert_eq!(story.row().exposed_since, since.map(at), "{story:?}");
    }
}

#[test]
fn a_migration_is_pending_until_every_stream_is_complete_one_settling_after_its_last_sighting() {
    let twice = || moved().sight("a", 7_700);
    let table = [
        ("nothing more will come", moved(), "exposed", 1),
        ("complete 899 s after it", moved().complete_through(8_099), "undetermined", 0),
        ("complete 900 s after it", moved().complete_through(8_100), "exposed", 1),
        ("complete 899 s after the last sighting", twice().complete_through(8_599), "undetermined", 0),
        ("complete 900 s after the last sighting", twice().complete_through(8_600), "exposed", 1),
        ("an earlier one has settled", moved().sight("a", 20_000).complete_through(20_100), "exposed", 1),
    ];
    assert_eq!(table.len(), 6);
    for (when, story, verdict, counted) in table {
        let answer = story.answer();
        assert_eq!(story.row().verdict.map(Verdict::as_str), Some(verdict), "rule 8: {when}");
        assert_eq!(answer.stacks[0].migrations, counted, "counted once settled: {when}");
    }
}

#[test]
fn the_reason_of_an_undetermined_verdict_is_named() {
    let table = [
        (launched("a").cause(Cause::Start, 7_000).sight("a", 7_100), "(start)"),
        (launched("a").cause(Cause::Reboot, 7_000).sight("a", 7_100), "(reboot)"),
        (launched("ab").sight("a", 7_200), "partial"),
        (moved().state("Warmed:Stopped"), "Warmed:Stopped"),
        (moved().complete_through(7_300), "pending"),
        (quiet().sight("a", 7_200), "cannot be placed"),
        (
            moved().snapshot("InService", 5_000).snapshot("Standby", 9_000).state("Standby"),
            "between two fleet snapshots",
        ),
    ];
    assert_eq!(table.len(), 7);
    for (story, named) in table {
        assert_eq!(story.row().verdict.map(Verdict::as_str), Some("undetermined"), "{named}");
        assert!(story.reason().contains(named), "{named}: {}", story.reason());
    }
}
