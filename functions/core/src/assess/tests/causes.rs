//! Rule 3, and what rules 5 and 6 say of explained reattachments.

use super::*;

/// When the sighting of most of these stories is.
const SEEN: i64 = 10_000;

/// The instance came again at [`SEEN`], with one record of `cause` at `time`, which names the volume as such records do.
fn again_with(cause: Cause, time: i64) -> Story {
    let story = launched("a").sight("a", SEEN);
    match cause {
        Cause::Attach | Cause::Grant | Cause::Detach => story.cause_of(cause, "a", time),
        _ => story.cause(cause, time),
    }
}

fn verdict_after(cause: Cause) -> &'static str {
    if matches!(cause, Cause::Start | Cause::Reboot) { "undetermined" } else { "clean" }
}

#[test]
fn every_cause_explains_from_15_minutes_before_to_5_minutes_after_and_no_second_beyond() {
    let table = [(-901, false), (-900, true), (0, true), (300, true), (301, false)];
    assert_eq!((table.len(), Cause::ALL.len()), (5, 8));
    for cause in Cause::ALL {
        for (offset, explains) in table {
            let told = again_with(cause, SEEN + offset).told();
            let explained = format!("{} | {cause} a@{SEEN}", verdict_after(cause));
            let expected = if explains { explained } else { format!("exposed | confirmed a@{SEEN}") };
            assert_eq!(told, expected, "rule 3: {cause} {offset} s from the sighting");
        }
    }
}

#[test]
fn of_several_causes_the_most_specific_is_named_however_far_it_is() {
    let order = ["launch", "start", "attach", "root volume replacement", "reboot", "grant", "stop", "detach"];
    assert_eq!(Cause::ALL.map(Cause::as_str), order);
    let mut pairs = 0;
    for (place, specific) in Cause::ALL.into_iter().enumerate() {
        for lesser in Cause::ALL.into_iter().skip(place + 1) {
            for (offset, lesser_offset) in [(-900, 0), (300, -10), (0, 300)] {
                let both = again_with(specific, SEEN + offset).cause(lesser, SEEN + lesser_offset);
                let named: Vec<Cause> = both.row().reattachments.iter().map(|r| r.cause).collect();
                assert_eq!(named, [specific], "rule 3: {specific} at {offset} s, {lesser} at {lesser_offset} s");
            }
            pairs += 1;
        }
    }
    assert_eq!(pairs, 28);
}

#[test]
fn a_shared_request_explains_at_any_distance() {
    let long_before = || launched("a").attach("a", 100_000).of_request("r-1");
    tell(&[
        (
            "rule 3: the cause shares the requestID of the sighting",
            long_before().sight("a", 200_000).of_request("r-1"),
            "clean | attach a@200000",
        ),
        (
            "rule 3: of a later sighting of the same attachment",
            long_before().sight("a", 200_000).sight("a", 200_100).of_request("r-1"),
            "clean | attach a@200000",
        ),
        (
            "rule 3: long after it, too",
            launched("a").sight("a", 50_000).of_request("r-1").attach("a", 100_000).of_request("r-1"),
            "clean | attach a@50000",
        ),
        (
            "rule 3: another request joins nothing",
            long_before().sight("a", 200_000).of_request("r-2"),
            "exposed | confirmed a@200000",
        ),
        (
            "rule 3: no request joins nothing",
            launched("a").attach("a", 100_000).sight("a", 200_000),
            "exposed | confirmed a@200000",
        ),
        (
            "rule 3: a request of another volume joins nothing",
            launched("a").grant("b", 100_000).of_request("r-1").sight("a", 200_000).of_request("r-1"),
            "exposed | confirmed a@200000",
        ),
        (
            "rule 3: a request of another instance joins nothing",
            launched("a").cause_of_other(Cause::Start, 100_000).of_request("r-1").sight("a", 200_000).of_request("r-1"),
            "exposed | confirmed a@200000",
        ),
        (
            "rule 3: of several causes of one request the most specific is named",
            long_before().cause(Cause::Stop, 100_000).of_request("r-1").sight("a", 200_000).of_request("r-1"),
            "clean | attach a@200000",
        ),
    ]);
}

#[test]
fn a_cause_that_names_a_volume_explains_that_volume_only() {
    tell(&[
        (
            "rule 3: a grant of another volume",
            launched("ab").grant("b", SEEN).sight("a", SEEN),
            "undetermined | partial a@10000",
        ),
        (
            "rule 3: an attach of another volume",
            launched("a").attach("b", SEEN).sight("a", SEEN),
            "exposed | confirmed a@10000",
        ),
        (
            "rule 3: a detach of another volume",
            launched("a").detach("b", SEEN).sight("a", SEEN),
            "exposed | confirmed a@10000",
        ),
        ("rule 3: a grant of its own volume", launched("a").grant("a", SEEN).sight("a", SEEN), "clean | grant a@10000"),
        (
            "rule 3: a start names no volume, so it explains all",
            launched("ab").cause(Cause::Start, SEEN).sight("ab", SEEN),
            "undetermined | start ab@10000",
        ),
        (
            "rule 3: a cause of another instance",
            launched("a").cause_of_other(Cause::Start, SEEN).sight("a", SEEN),
            "exposed | confirmed a@10000",
        ),
        (
            "rule 3: a cause of the same instance ID in another region",
            launched("a").cause(Cause::Start, SEEN).in_region("eu-west-1").sight("a", SEEN),
            "exposed | confirmed a@10000",
        ),
        (
            "rule 3: the first sighting of an attachment is what counts, not its last",
            launched("a").sight("a", SEEN).sight("a", SEEN + 599).attach("a", SEEN + 301),
            "exposed | confirmed a@10000",
        ),
        (
            "rule 3: nor does a cause near the last sighting of an attachment reach back",
            launched("a").sight("a", SEEN).sight("a", SEEN + 599).attach("a", SEEN + 300),
            "clean | attach a@10000",
        ),
    ]);
}

#[test]
fn reattachments_of_one_cause_gather_within_one_window_of_the_first() {
    let started = || launched("ab").cause(Cause::Start, 7_000).sight("a", 7_100);
    tell(&[
        ("rule 6: 599 s after the first", started().sight("b", 7_699), "undetermined | start ab@7100"),
        ("rule 6: 600 s after the first", started().sight("b", 7_700), "undetermined | start a@7100 | start b@7700"),
        (
            "rule 6: each cause for itself",
            launched("ab").grant("a", SEEN).attach("b", SEEN).sight("ab", SEEN),
            "clean | grant a@10000 | attach b@10000",
        ),
        (
            "rule 6: another cause between them does not part them",
            launched("abc")
                .grant("ac", SEEN)
                .attach("b", SEEN)
                .sight("a", SEEN)
                .sight("b", SEEN + 1)
                .sight("c", SEEN + 2),
            "clean | grant ac@10000 | attach b@10001",
        ),
        (
            "rule 6: from the first, without chaining",
            launched("abc").grant("abc", SEEN).sight("a", SEEN).sight("b", SEEN + 500).sight("c", SEEN + 900),
            "clean | grant ab@10000 | grant c@10900",
        ),
    ]);
}
