//! Rule 10: to which stack a member and a migration belong.

use super::*;

#[test]
fn a_members_stack_is_its_groups_tag_else_a_rule_on_its_name_else_unassigned() {
    let mut world = World::default();
    world.rules.add("^night-=By name").expect("a rule");
    let groups =
        [("night-a", "=By tag\u{e9}", "=By tag\u{e9}"), ("night-b", "", "By name"), ("other", "", "unassigned")];
    for (number, (name, tag, _)) in groups.iter().enumerate() {
        world.migrated(number, &[7_200]).holds(group(name, tag), &[number]);
    }
    for (number, (name, _, stack)) in groups.iter().enumerate() {
        let row = world.row(number);
        let told = (row.auto_scaling_group.as_ref().map(AutoScalingGroupName::as_str), row.stack.as_deref());
        assert_eq!(told, (Some(*name), Some(*stack)));
    }
    assert_eq!(world.rows(), ["=By tag\u{e9}: 1/1, 1, 0", "By name: 1/1, 1, 0", "unassigned: 1/1, 1, 0"]);
}

#[test]
fn an_instance_of_no_group_is_in_no_stack() {
    let mut world = World::default();
    world.migrated(1, &[7_200]).holds(group("web", "Nighttime"), &[]);
    let row = world.row(1);
    assert_eq!((row.auto_scaling_group, row.stack, row.verdict), (None, None, None));
    assert_eq!(world.rows(), ["Nighttime: 0/0, 0, 0"]);
}

#[test]
fn a_departed_instance_keeps_its_migrations_under_its_groups_stack() {
    let mut world = World::default();
    world.launch_into("web", 1, 0).sight(1, 20).sight(1, 7_200).holds(group("web", "Nighttime"), &[2]);
    let row = world.row(1);
    assert_eq!((row.stack.as_deref(), row.verdict, row.lifecycle_state), (Some("Nighttime"), None, None));
    assert_eq!(world.rows(), ["Nighttime: 1/0, 1, 0"]);
}

#[test]
fn of_a_group_that_the_fleet_does_not_have_the_name_decides() {
    let mut world = World::default();
    world.launch_into("night-web", 1, 0).sight(1, 20).sight(1, 7_200).holds(group("web", "Nighttime"), &[2]);
    assert_eq!(world.rows(), ["Nighttime: 1/0, 0, 0", "unassigned: 0/0, 1, 0"]);
    world.rules.add("^night-=By name").expect("a rule");
    assert_eq!(world.rows(), ["By name: 0/0, 1, 0", "Nighttime: 1/0, 0, 0"]);
    assert_eq!(world.row(1).stack.as_deref(), Some("By name"));
}

#[test]
fn a_group_of_the_same_name_elsewhere_is_another_group() {
    let mut world = World::default();
    let away = Group { source: Some(source(AWAY)), ..group("web", "Elsewhere") };
    world.launch_into("web", 1, 0).sight(1, 20).sight(1, 7_200).holds(away, &[]);
    assert_eq!(world.rows(), ["Elsewhere: 0/0, 0, 0", "unassigned: 0/0, 1, 0"]);
}

#[test]
fn a_group_made_again_under_its_name_is_another_group() {
    let again = || Group { arn: Some(arn("web", 2)), ..group("web", "Made again") };
    let mut world = World::default();
    world.launch_into("web", 1, 0).sight(1, 20).sight(1, 7_200).holds(again(), &[2]);
    assert_eq!(world.rows(), ["Made again: 1/0, 1, 0"], "by its name, while no ARN is known");
    world.activity("web", 1, 1, 5_000);
    assert_eq!(world.rows(), ["Made again: 1/0, 0, 0", "unassigned: 0/0, 1, 0"], "by its ARN");
    assert_eq!(world.row(1).stack.as_deref(), Some("unassigned"));

    let mut same = World::default();
    same.launch_into("web", 1, 0).sight(1, 20).sight(1, 7_200).activity("web", 2, 1, 5_000).holds(again(), &[2]);
    assert_eq!(same.rows(), ["Made again: 1/0, 1, 0"]);
}

#[test]
fn a_verdict_has_the_stack_of_now_and_a_migration_the_one_that_it_was_counted_under() {
    let mut world = World::default();
    world.migrated(1, &[7_200]).snapshot(group("web", "Nighttime"), &[1], 8_000);
    world.holds(group("web", "Daytime"), &[1]);
    assert_eq!(world.rows(), ["Daytime: 1/1, 0, 0", "Nighttime: 0/0, 1, 0"]);
    assert_eq!(world.row(1).stack.as_deref(), Some("Daytime"));

    world.snapshot(group("web", "Daytime"), &[1], 9_000);
    assert_eq!(world.rows(), ["Daytime: 1/1, 0, 0", "Nighttime: 0/0, 1, 0"], "whatever its stack is seen to be later");

    world.sight(1, 20_000).snapshot(group("web", "Daytime"), &[1], 30_000);
    assert_eq!(world.rows(), ["Daytime: 1/1, 1, 0", "Nighttime: 0/0, 1, 0"], "each under its own");

    let mut untimed = World::default();
    untimed.migrated(1, &[7_200]).holds(group("web", "Daytime"), &[1]);
    assert_eq!(untimed.rows(), ["Daytime: 1/1, 1, 0"], "where no timed snapshot says otherwise");
}

#[test]
fn the_stack_of_a_group_that_is_gone_is_the_one_it_was_last_seen_with() {
    let mut world = World::default();
    world.migrated(1, &[7_200]).snapshot(group("web", "Nighttime"), &[1], 8_000).holds(group("api", "Daytime"), &[2]);
    assert_eq!(world.rows(), ["Daytime: 1/0, 0, 0", "Nighttime: 0/0, 1, 0"]);
}

#[test]
fn every_member_has_one_verdict_and_partial_migrations_are_counted_apart() {
    let mut world = World::default();
    world.migrated(1, &[7_200]).migrated(2, &[7_200, 20_000]).transition(2, Transition::ExitStandby, 30_000);
    world.migrated(3, &[]).moved_in_part(4).migrated(6, &[7_200]);
    world.holds(group("web", "Nighttime"), &[1, 2, 3, 4, 5]).holds_in(6, "Pending");
    let stacks = world.answer().stacks;
    let expected = StackRow {
        stack: "Nighttime".to_owned(),
        members: 6,
        in_service: 5,
        exposed: 1,
        exposed_mitigated: 0,
        recovered: 1,
        clean: 1,
        unseen: 1,
        undetermined: 2,
        migrations: 4,
        partial_reattachments: 1,
    };
    assert_eq!(stacks, std::slice::from_ref(&expected));
    let StackRow { exposed, recovered, clean, unseen, undetermined, .. } = expected;
    assert_eq!(expected.members, exposed + recovered + clean + unseen + undetermined);
    assert_eq!(expected.exposed_percent(), Some(100.0 / 3.0));
    assert_eq!(StackRow::default().exposed_percent(), None);
}

#[test]
fn of_a_stack_with_a_mitigated_group_only_the_other_groups_count_as_unmitigated() {
    let mut world = World::default();
    for number in 1..=6 {
        world.migrated(number, if number == 4 { &[] } else { &[7_200] });
    }
    let mut checked = group("checked", "Nighttime");
    checked.tags.extend(StackRules::default().tags(None, true));
    world.holds(checked, &[1, 2, 3]).holds(group("web", "Nighttime"), &[4, 5]).holds(group("day", "Daytime"), &[6]);
    let stacks = world.answer().stacks;
    let told: Vec<_> = stacks.iter().map(|row| (row.stack.as_str(), row.exposed, row.exposed_mitigated)).collect();
    assert_eq!(told, [("Daytime", 1, 0), ("Nighttime", 4, 3)]);
    assert_eq!(stacks[1].exposed_percent(), Some(80.0));
    assert_eq!(stacks[1].unmitigated_percent(), Some(20.0), "of all that could be judged, mitigated or not");
    assert_eq!(StackRow::default().unmitigated_percent(), None);
    let sum = StackRow::sum("", &stacks);
    assert_eq!((sum.exposed, sum.exposed_mitigated), (5, 3));
}

#[test]
fn a_migration_that_cannot_be_placed_is_listed_and_counts_as_none() {
    let mut world = World::default();
    world.sight(1, 7_200).holds(group("web", "Nighttime"), &[1]);
    assert_eq!(world.row(1).migrations[0].confidence, Confidence::Undetermined);
    assert_eq!(world.rows(), ["Nighttime: 1/0, 0, 0"]);
}

#[test]
fn stacks_are_bounded_in_number_and_nobody_is_lost() {
    let mut world = World::default();
    let groups = StackRules::MAX_STACKS + 5;
    for number in 0..groups {
        world.holds(group(&format!("group-{number}"), &format!("stack-{number:05}")), &[number]);
    }
    let stacks = world.answer().stacks;
    assert_eq!(stacks.len(), StackRules::MAX_STACKS + 1);
    let further: Vec<u64> = stacks.iter().filter(|row| row.stack == OVERFLOW).map(|row| row.members).collect();
    assert_eq!(further, [5]);
    assert_eq!(stacks.iter().map(|row| row.members).sum::<u64>(), u64::try_from(groups).expect("a count"));
}
