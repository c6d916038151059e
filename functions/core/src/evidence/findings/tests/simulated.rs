//! What the findings decide, in made-up accounts whose truth is known.

use std::collections::BTreeMap;

use super::*;
use crate::evidence::service::Served;
use crate::evidence::simulated::{ACCOUNTS, Dice, Fate, chance};

fn decided(stacks: impl IntoIterator<Item = Served>) -> Vec<Decides> {
    let served: BTreeMap<String, Served> =
        stacks.into_iter().enumerate().map(|(number, served)| (number.to_string(), served)).collect();
    let found = comparisons::comparisons(&served, window(14), &TimeZone::UTC, Level::USUAL);
    found.iter().map(|one| one.decides).collect()
}

#[test]
fn equal_stacks_show_no_sign_and_a_bad_one_differs() {
    let of = |factor, expected| {
        Fate::plain(factor, expected).shares(|stacks| {
            let decided = decided(stacks);
            [Decides::NoSign, Decides::StackDiffers].map(|what| decided == [what])
        })
    };
    let [no_sign, differs] = of(1.0, 400.0);
    assert!(no_sign >= 0.95 - chance(0.05) && differs <= 0.05 + chance(0.05), "{no_sign} {differs}");
    let [_, differs] = of(2.0, 400.0);
    assert!(differs > 0.99, "{differs}");
    let [no_sign, differs] = of(1.0, 20.0);
    assert!(no_sign < 0.01 && differs < 0.05 + chance(0.05), "few moves decide nothing: {no_sign} {differs}");
}

#[test]
fn of_many_equal_stacks_none_differs() {
    let fates = [Fate::plain(1.0, 300.0); 3];
    let (mut wolf, few) = (0_u32, ACCOUNTS / 5);
    let mut accounts = fates.map(|fate| fate.accounts(u32::MAX));
    for _ in 0..few {
        // One after the other from the same dice would be the same account thrice.
        let stacks = accounts.iter_mut().enumerate().flat_map(|(skip, fate)| {
            let stacks = fate.nth(skip).expect("an account");
            for _ in skip..3 {
                fate.next();
            }
            stacks
        });
        wolf += u32::from(decided(stacks).contains(&Decides::StackDiffers));
    }
    let wolf = f64::from(wolf) / f64::from(few);
    assert!(wolf <= 0.05 + 2.0 * chance(0.05), "{wolf}");
}

/// Old instances that serve all day, and young ones of six hours in the night, when a move is likelier; `factor` times
/// as likely of the young ones.
fn ages(dice: &mut Dice, factor: f64, rate: f64) -> InService {
    let TimeSpan { from, .. } = window(14);
    let mut account = InService::default();
    let hour = SignedDuration::from_hours(1);
    let mut serve = |launched: Timestamp, from: Timestamp, hours: i32, factor: f64| {
        let stack = "Nighttime".to_owned();
        let to = from + hour * hours;
        account.stays.push(Stay { stack, from, to, launched: Some(launched), assumed_until: None, assumed_from: None });
        for at in (0..hours).map(|passed| from + hour * passed) {
            let night = at.as_second().rem_euclid(86_400) < 6 * 3_600;
            for _ in 0..dice.poisson(rate * factor * if night { 6.0 } else { 1.0 }) {
                account.moves.push(Moved { stack: "Nighttime".to_owned(), at, launched: Some(launched) });
            }
        }
    };
    for _ in 0..20 {
        serve(from - hour * 2_000, from, 14 * 24, 1.0);
    }
    for day in 0..14 {
        for _ in 0..30 {
            serve(from + hour * (day * 24), from + hour * (day * 24), 6, factor);
        }
    }
    account
}

#[test]
fn the_clock_does_not_pass_for_age() {
    for (factor, rate) in [(1.0, 0.02), (3.0, 0.01)] {
        let mut dice = Dice(77);
        let accounts = ACCOUNTS / 4;
        let (mut young, mut clock, mut held, mut no_sign) = (0_u32, 0_u32, 0_u32, 0_u32);
        for _ in 0..accounts {
            let account = ages(&mut dice, factor, rate);
            let served = crate::evidence::service::served(&account.stays, &account.moves);
            let found = super::ages::age_or_clock(&account, &served, &TimeZone::UTC, Level::USUAL).expect("ages");
            let class = found.ages.iter().find(|class| class.class == "1 to 6 h").expect("the young");
            young += u32::from(found.ages.iter().any(|class| class.decides == Sign::Differs));
            no_sign += u32::from(found.answer == "Migrations go with the clock; no sign that they go with age.");
            clock += u32::from(found.clock.iter().any(|part| part.decides == Sign::Differs));
            held += u32::from(class.factor.holds(factor));
            let expected: f64 = found.ages.iter().map(|class| class.expected).sum();
            let moves = f64::from(u32::try_from(account.moves.len()).expect("few"));
            assert!((expected - moves).abs() < 1e-6, "all moves are expected somewhere: {expected}");
        }
        let share = |count: u32| f64::from(count) / f64::from(accounts);
        let wide = 2.0 * chance(0.05);
        assert!(share(held) >= 0.95 - wide, "{factor}: {}", share(held));
        assert!(share(clock) > 0.95, "{factor}: the nights are worse: {}", share(clock));
        if factor > 1.0 {
            assert!(share(young) > 0.95, "{}", share(young));
        } else {
            assert!(
                share(young) <= 0.05 + wide && share(no_sign) >= 0.95 - wide,
                "{} {}",
                share(young),
                share(no_sign)
            );
        }
    }
}
