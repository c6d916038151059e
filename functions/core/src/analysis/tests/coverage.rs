//! Rule 9: a clean zero from a blind source is none.

use super::*;

/// Instances launched one second after another, from 0, and the end of the observed time.
fn silent(launches: usize, until: i64) -> World {
    let mut world = World::default();
    for number in 0..launches {
        world.launch(number, i64::try_from(number).expect("a few"));
    }
    world.watched(0, until);
    world
}

fn sight_of(world: &World) -> Sight {
    let coverage = world.answer().coverage;
    assert_eq!(coverage.sources.len(), 1, "one account and region");
    assert_eq!(coverage.blind, coverage.sources[0].sight == Sight::Blind);
    coverage.sources[0].sight
}

#[test]
fn three_silent_launches_are_blind_and_fewer_are_unknown() {
    let table = [(1, Sight::Unknown), (2, Sight::Unknown), (3, Sight::Blind), (50, Sight::Blind)];
    assert_eq!(table.len(), 4);
    for (launches, sight) in table {
        assert_eq!(sight_of(&silent(launches, 90_000)), sight, "{launches} launches");
    }
    let mut none = World::default();
    none.sight(1, 0);
    assert_eq!(sight_of(&none), Sight::Unknown, "no launch tells nothing");
}

#[test]
fn launches_younger_than_the_delivery_of_their_records_do_not_count() {
    // The third launch is at 2.
    assert_eq!(sight_of(&silent(3, 902)), Sight::Blind, "900 s old");
    assert_eq!(sight_of(&silent(3, 901)), Sight::Unknown, "899 s old");
}

#[test]
fn one_baseline_shows_that_the_source_sees() {
    let mut world = silent(50, 90_000);
    assert_eq!(sight_of(&world), Sight::Blind);
    world.sight(49, 60);
    assert_eq!(sight_of(&world), Sight::Seeing);
    let mut late = silent(50, 90_000);
    late.sight(49, 50_000);
    assert_eq!(sight_of(&late), Sight::Blind, "a later sighting is no launch's baseline");
}

#[test]
fn grants_of_a_launch_without_any_decrypt_are_blind() {
    let with_grant = |time: i64| {
        let mut world = silent(1, 90_000);
        world.grant(0, time);
        world
    };
    assert_eq!(sight_of(&silent(1, 90_000)), Sight::Unknown, "without a grant");
    assert_eq!(sight_of(&with_grant(2)), Sight::Blind);
    assert_eq!(sight_of(&with_grant(900)), Sight::Blind, "within the launch's time");
    assert_eq!(sight_of(&with_grant(901)), Sight::Unknown, "a grant of some later attach");
    let mut seen = with_grant(2);
    seen.sight(7, 40_000);
    assert_eq!(sight_of(&seen), Sight::Unknown, "Decrypts are seen");
    let mut young = World::default();
    young.launch(0, 0).grant(0, 2).watched(0, 899);
    assert_eq!(sight_of(&young), Sight::Unknown, "its Decrypt may still be delivered");
}

#[test]
fn each_account_and_region_is_judged_for_itself() {
    let mut world = World::default();
    for number in 0..3 {
        world.note_in(source(AWAY), launch(number, None), 0);
        world.note_in(source_of("444455556666", HOME), launch(number, None), 0);
    }
    world.launch(0, 0).sight(0, 20).watched(0, 90_000);
    world.ledger.observed(&source(AWAY), TimeSpan { from: at(0), to: at(90_000) });
    let coverage = world.answer().coverage;
    let told: Vec<(String, Sight)> =
        coverage.sources.iter().map(|s| (format!("{} {}", s.account, s.region), s.sight)).collect();
    let expected = [
        ("111122223333 eu-central-1".to_owned(), Sight::Seeing),
        ("111122223333 us-east-1".to_owned(), Sight::Blind),
        ("444455556666 eu-central-1".to_owned(), Sight::Unknown),
    ];
    assert_eq!(told, expected, "the third is young: nothing later was seen of it");
    assert!(coverage.blind, "one blind source is enough");
}

#[test]
fn coverage_counts_launched_members_with_a_fleet_and_all_without() {
    let mut world = World::default();
    world.launch(1, 0).sight(1, 20).launch(2, 0).launch(3, 0).sight(3, 20).sight(4, 20).watched(0, 90_000);
    let coverage = world.answer().coverage;
    assert_eq!((coverage.launched, coverage.baseline_seen, coverage.percent()), (3, 2, Some(200.0 / 3.0)));

    world.holds(group("web", "Nighttime"), &[1, 2, 4]);
    let coverage = world.answer().coverage;
    assert_eq!((coverage.launched, coverage.baseline_seen, coverage.percent()), (2, 1, Some(50.0)));
    assert_eq!((coverage.sources[0].launched, coverage.sources[0].baseline_seen), (3, 2), "the source's are all");

    assert_eq!(World::default().answer().coverage.percent(), None, "nothing launched is no share");
}
