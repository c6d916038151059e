//! Rules 5 to 7: baselines, gathering, and how sure a migration is.

use super::*;

#[test]
fn sightings_closer_than_one_window_from_the_first_are_one_attachment() {
    let again = || launched("a").sight("a", 7_200);
    tell(&[
        ("one attachment: 599 s from the first", again().sight("a", 7_799), "exposed | confirmed a@7200"),
        ("another: 600 s", again().sight("a", 7_800), "exposed | confirmed a@7200 | confirmed a@7800"),
        (
            "no chaining: 900 s from the first though 400 s from the second",
            again().sight("a", 7_700).sight("a", 8_100),
            "exposed | confirmed a@7200 | confirmed a@8100",
        ),
        ("one baseline: 599 s", launched("a").sight("a", 619), "clean"),
        ("a baseline and a reattachment: 600 s", launched("a").sight("a", 620), "clean | launch a@620"),
        (
            "the window is a setting: 60 s",
            again().sight("a", 7_260).coalesce(60),
            "exposed | confirmed a@7200 | confirmed a@7260",
        ),
        ("the window is a setting: 59 s", again().sight("a", 7_259).coalesce(60), "exposed | confirmed a@7200"),
    ]);
}

#[test]
fn all_sightings_of_a_migration_are_its_events_in_order_of_time_and_the_baselines_are_not() {
    let row = launched("ab").sight("ab", 7_200).sight("a", 7_300).row();
    let events: Vec<&str> = row.migrations[0].event_ids.iter().map(EventId::as_str).collect();
    assert_eq!(events, ["event-003", "event-004", "event-005"]);
}

#[test]
fn a_baseline_is_the_first_attachment_explained_or_while_the_others_stay_put() {
    tell(&[
        ("rule 5: explained by the launch", launched("ab"), "clean"),
        ("rule 5: of unknown cause while the other volume stays put", launched("a").sight("b", 7_200), "clean"),
        (
            "rule 5: such a volume is known from then on",
            launched("a").sight("b", 7_200).sight("a", 20_000),
            "undetermined | partial a@20000",
        ),
        (
            "rule 5: and its baseline is on record",
            launched("a").sight("b", 7_200).detach("a", 8_000).sight("b", 20_000),
            "exposed | confirmed b@20000",
        ),
        (
            "rule 5: several at once are baselines of unknown cause alike",
            launched("a").sight("bc", 7_200).sight("abc", 20_000),
            "exposed | confirmed abc@20000",
        ),
        (
            "rule 5: no baseline where the other volume comes too",
            launched("a").sight("b", 7_200).sight("a", 7_799),
            "exposed | confirmed ab@7200",
        ),
        (
            "rule 5: one window later it came for itself",
            launched("a").sight("b", 7_200).sight("a", 7_800),
            "undetermined | partial a@7800",
        ),
        (
            "rule 5: no baseline where no other volume is known to stay put",
            older_than_the_trail().sight("a", 7_200),
            "exposed | presumed a@7200",
        ),
        (
            "rule 5: volumes stay put though their own baselines were not seen",
            older_than_the_trail().sight("a", 7_200).sight("b", 20_000),
            "exposed | presumed a@7200",
        ),
    ]);
}

#[test]
fn an_explained_first_sighting_of_an_instance_older_than_the_trail_is_its_baseline() {
    let attached = || older_than_the_trail().attach("a", 7_000).sight("a", 7_100);
    tell(&[
        ("rule 5: no reattachment", attached(), "clean"),
        ("rule 5: so the next one is confirmed", attached().sight("a", 20_000), "exposed | confirmed a@20000"),
        (
            "rule 5: by a start",
            older_than_the_trail()
                .cause(Cause::Start, 7_000)
                .sight("ab", 7_100)
                .transition(Transition::ExitStandby, 8_000),
            "clean",
        ),
        (
            "rule 5: whereas a second sighting is a reattachment",
            attached().attach("a", 20_000).sight("a", 20_010),
            "clean | attach a@20010",
        ),
    ]);
}

#[test]
fn later_sightings_never_make_a_lost_baseline_seen() {
    let lost = quiet().cause(Cause::Launch, 0).sight("a", 7_200).sight("a", 20_000).sight("a", 40_000);
    tell(&[("rule 5", lost.clone(), "exposed | presumed a@7200 | presumed a@20000 | presumed a@40000")]);
    let attached = quiet().cause(Cause::Launch, 0).sight("a", 7_200).attach("a", 20_000).sight("a", 20_000);
    tell(&[(
        "rule 5: nor does an explained one",
        attached.sight("a", 40_000),
        "exposed | presumed a@7200 | presumed a@40000 | attach a@20000",
    )]);
    let started = quiet().cause(Cause::Launch, 0).cause(Cause::Start, 7_000).sight("a", 7_100);
    for (story, seen) in [(lost, 0), (started, 0), (launched("a"), 1)] {
        let coverage = story.answer().coverage;
        assert_eq!((coverage.launched, coverage.baseline_seen), (1, seen), "rule 5: {story:?}");
    }
}

#[test]
fn a_migration_gathers_what_starts_within_one_window_of_its_first() {
    let moved = || launched("ab").sight("a", 7_200);
    tell(&[
        ("rule 6: 599 s", moved().sight("b", 7_799), "exposed | confirmed ab@7200"),
        ("rule 6: 600 s", moved().sight("b", 7_800), "undetermined | partial a@7200 | partial b@7800"),
        (
            "rule 6: without chaining",
            launched("abc").sight("a", 7_200).sight("b", 7_700).sight("c", 8_200),
            "undetermined | partial ab@7200 | partial c@8200",
        ),
        (
            "rule 6: an explained one between them does not part them",
            launched("abc").sight("a", 7_200).attach("b", 7_300).sight("b", 7_300).sight("c", 7_400),
            "exposed | confirmed ac@7200 | attach b@7300",
        ),
    ]);
}

#[test]
fn a_migration_is_confirmed_when_every_known_volume_came_and_partial_when_some_did_not() {
    tell(&[
        ("rule 7: all came", launched("ab").sight("ab", 7_200), "exposed | confirmed ab@7200"),
        ("rule 7: one of two", launched("ab").sight("a", 7_200), "undetermined | partial a@7200"),
        ("rule 7: two of three", launched("abc").sight("ac", 7_200), "undetermined | partial ac@7200"),
        (
            "rule 7: a volume sighted later was not known before",
            launched("a").sight("a", 7_200).sight("b", 20_000),
            "exposed | confirmed a@7200",
        ),
        (
            "rule 7: a volume that was granted and never sighted is not known, such as an unencrypted one",
            quiet().cause(Cause::Launch, 0).grant("ab", 5).sight("a", 20).sight("a", 7_200),
            "exposed | confirmed a@7200",
        ),
        (
            "rule 7: in a mixed group the volumes with baselines set the confidence",
            launched("a").sight("ab", 7_200),
            "exposed | confirmed ab@7200",
        ),
        (
            "rule 7: in a mixed group, wherever they come",
            launched("b").sight("a", 7_200).sight("b", 7_300),
            "exposed | confirmed ab@7200",
        ),
        (
            "rule 7: baselines of those that came, none on record",
            quiet().cause(Cause::Launch, 0).sight("ab", 7_200),
            "exposed | presumed ab@7200",
        ),
    ]);
}

#[test]
fn a_presumption_rests_on_one_of_four_kinds_of_evidence() {
    let unplaced = || quiet().sight("a", 7_200);
    let table = [
        (
            "in a snapshot, one window before",
            quiet().snapshot("InService", 6_600).sight("a", 7_200),
            Some(Evidence::Snapshot),
        ),
        ("in a snapshot, in Standby", quiet().snapshot("Standby", 0).sight("a", 7_200), Some(Evidence::Snapshot)),
        ("in a snapshot, warm", quiet().snapshot("Warmed:Running", 0).sight("a", 7_200), Some(Evidence::Snapshot)),
        ("in a snapshot, a second too late", quiet().snapshot("InService", 6_601).sight("a", 7_200), None),
        ("in a snapshot, not steady", quiet().snapshot("Pending:Wait", 0).sight("a", 7_200), None),
        ("in a snapshot, stopped", quiet().snapshot("Warmed:Stopped", 0).sight("a", 7_200), None),
        ("launched on record", quiet().cause(Cause::Launch, 0).sight("a", 7_200), Some(Evidence::Launch)),
        (
            "its region shows launches and none of it",
            older_than_the_trail().sight("a", 7_200),
            Some(Evidence::NoLaunchShown),
        ),
        ("its region shows no launch", unplaced().watched(0, 100_000), None),
        (
            "another region shows launches",
            unplaced().watched(0, 100_000).cause_of_other(Cause::Launch, 0).in_region("eu-west-1"),
            None,
        ),
        ("a launch there lacks its instances", older_than_the_trail().unnamed_launch(100).sight("a", 7_200), None),
        (
            "a later launch there lacks its instances",
            older_than_the_trail().unnamed_launch(90_000).sight("a", 7_200),
            None,
        ),
        (
            "a launch elsewhere lacks its instances",
            older_than_the_trail().unnamed_launch(100).in_region("eu-west-1").sight("a", 7_200),
            Some(Evidence::NoLaunchShown),
        ),
        (
            "the trail begins 15 minutes before",
            unplaced().cause_of_other(Cause::Launch, 6_300).watched(6_300, 90_000),
            Some(Evidence::NoLaunchShown),
        ),
        (
            "the trail begins a second later",
            unplaced().cause_of_other(Cause::Launch, 6_301).watched(6_301, 90_000),
            None,
        ),
        (
            "the trail ends 5 minutes after",
            unplaced().cause_of_other(Cause::Launch, 0).watched(0, 7_500),
            Some(Evidence::NoLaunchShown),
        ),
        ("the trail ends a second earlier", unplaced().cause_of_other(Cause::Launch, 0).watched(0, 7_499), None),
    ];
    assert_eq!(table.len(), 17);
    for (rule, story, evidence) in table {
        assert_eq!(story.evidence(), [evidence], "rule 7: {rule}");
        let told = if evidence.is_some() { "exposed | presumed a@7200" } else { "undetermined | undetermined a@7200" };
        assert_eq!(story.told(), told, "rule 7: {rule}");
    }
}

#[test]
fn another_volumes_baseline_shows_that_the_instance_was_running() {
    // Volume a is seen twice and its baseline never; b was attached, and taken away, between.
    let other = quiet().sight("a", 1_000).attach("b", 5_000).sight("b", 5_010).detach("b", 6_000).sight("a", 9_000);
    assert_eq!(other.evidence(), [None, Some(Evidence::OtherBaseline)], "rule 7");
    tell(&[
        ("rule 7: another volume's baseline", other, "exposed | undetermined a@1000 | presumed a@9000"),
        (
            "rule 7: an earlier sighting that could not be placed is no evidence",
            quiet().sight("a", 1_000).sight("a", 9_000),
            "undetermined | undetermined a@1000 | undetermined a@9000",
        ),
    ]);
}

#[test]
fn a_volume_is_known_until_it_is_detached_or_left_out() {
    let pair = || launched("ab");
    tell(&[
        ("rule 7: detached", pair().detach("b", 5_000).sight("a", 7_200), "exposed | confirmed a@7200"),
        (
            "rule 7: detached only afterwards",
            pair().sight("a", 7_200).detach("b", 8_000),
            "undetermined | partial a@7200",
        ),
        ("rule 7: another one detached", pair().detach("c", 5_000).sight("a", 7_200), "undetermined | partial a@7200"),
        (
            "rule 7: detached and attached again",
            pair().detach("b", 5_000).attach("b", 6_000).sight("b", 6_010).sight("a", 7_200),
            "undetermined | partial a@7200 | attach b@6010",
        ),
        (
            "rule 7: left out by an explained start",
            pair().cause(Cause::Start, 5_000).sight("a", 5_010).sight("a", 20_000),
            "exposed | confirmed a@20000 | start a@5010",
        ),
        (
            "rule 7: not left out by a start that it came with, some minutes later",
            pair().cause(Cause::Start, 5_000).sight("a", 5_010).sight("b", 5_600).sight("a", 20_000),
            "undetermined | partial a@20000 | start ab@5010",
        ),
        (
            "rule 7: not left out by a reattachment of another cause",
            pair().attach("a", 5_000).sight("a", 5_010).sight("a", 20_000),
            "undetermined | partial a@20000 | attach a@5010",
        ),
        (
            "rule 7: left out by a root volume replacement",
            launched("a").cause(Cause::RootVolumeReplacement, 5_000).sight("c", 5_010).sight("c", 20_000),
            "exposed | confirmed c@20000",
        ),
        (
            "rule 7: without the replacement it stays known",
            launched("a").sight("c", 5_010).sight("c", 20_000),
            "undetermined | partial c@20000",
        ),
        (
            "rule 7: not left out by a replacement that it came with",
            pair().cause(Cause::RootVolumeReplacement, 5_000).sight("bc", 5_010).sight("c", 20_000),
            "undetermined | partial c@20000 | root volume replacement b@5010",
        ),
    ]);
}

#[test]
fn a_volume_that_two_partials_in_a_row_miss_is_known_no_more() {
    let pair = || launched("ab").sight("a", 10_000);
    tell(&[
        (
            "rule 7: two in a row, and the second is still partial",
            pair().sight("a", 20_000).sight("a", 30_000),
            "exposed | partial a@10000 | partial a@20000 | confirmed a@30000",
        ),
        (
            "rule 7: a whole migration between them interrupts the row",
            pair().sight("ab", 15_000).sight("a", 20_000).sight("a", 30_000).sight("a", 40_000),
            "exposed | partial a@10000 | confirmed ab@15000 | partial a@20000 | partial a@30000 | confirmed a@40000",
        ),
        (
            "rule 7: so does an explained reattachment of the volume",
            pair().attach("b", 15_000).sight("b", 15_000).sight("a", 20_000).sight("a", 30_000),
            "undetermined | partial a@10000 | partial a@20000 | partial a@30000 | attach b@15000",
        ),
        (
            "rule 7: the row is each volume's own",
            launched("abc").sight("ac", 10_000).sight("ab", 20_000).sight("ac", 30_000).sight("ac", 40_000),
            "undetermined | partial ac@10000 | partial ab@20000 | partial ac@30000 | partial ac@40000",
        ),
        (
            "rule 7: when it comes again it is known again",
            pair().sight("a", 20_000).sight("ab", 30_000).sight("a", 40_000),
            "exposed | partial a@10000 | partial a@20000 | confirmed ab@30000 | partial a@40000",
        ),
    ]);
}
