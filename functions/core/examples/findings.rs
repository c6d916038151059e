//! The findings of a made-up account, to be timed from outside:
//!
//!     cargo run --release -p exposure-core --example findings -- [INSTANCES [DAYS [STACKS]]]
//!
//! By default 20,000 instances in service at once over 90 days in 50 stacks: half of them all the time, half of them
//! replaced every day.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a program that stands beside the domain")]

use exposure_core::analysis::InService;
use exposure_core::evidence::exact::Level;
use exposure_core::evidence::findings::findings;
use exposure_core::evidence::service::{Moved, Stay};
use exposure_core::time::{TimeSpan, Timestamp};
use jiff::SignedDuration;
use jiff::tz::TimeZone;

const START: i64 = 1_770_000_000;
const DAY: i64 = 86_400;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<i64>());
    let mut next = |usual| arguments.next().unwrap_or(Ok(usual));
    let (instances, days, stacks) = (next(20_000)?, next(90)?, next(50)?);
    let account = account(instances, days, stacks);
    let from = Timestamp::from_second(START);
    let window = TimeSpan { from, to: from + SignedDuration::from_hours(days * 24) };
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3")?;
    let found = findings(&account, window, &zone, Level::USUAL, None);
    println!("{} stays, {} migrations", account.stays.len(), account.moves.len());
    println!("{} stacks, {} bytes of JSON", found.stacks.len(), serde_json::to_vec(&found)?.len());
    println!("{}", found.summary.join("\n"));
    Ok(())
}

fn account(instances: i64, days: i64, stacks: i64) -> InService {
    let at = Timestamp::from_second;
    let mut account = InService::default();
    let mut dice: u64 = 0x9e37_79b9_7f4a_7c15;
    for instance in 0..instances {
        let stack = format!("stack-{:02}", instance % stacks.max(1));
        // Ends are no round times, as in life.
        let begin = START + instance * 7_919 % DAY;
        let (lives, long) = if instance / stacks.max(1) % 2 == 0 { (1, days) } else { (days, 1) };
        for life in 0..lives {
            let (from, to) = (begin + life * DAY, begin + (life + long) * DAY);
            let launched = Some(at(if long > 1 { from - instance * 600 } else { from }));
            let (stack, from, to) = (stack.clone(), at(from), at(to));
            account.stays.push(Stay { stack, from, to, launched, assumed_until: None, assumed_from: None });
            for day in 0..long {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                // One day in thirty, at any time or, twice as often, in four hours of the night.
                let [day_of, night, hour, minute, ..] = dice.to_le_bytes().map(i64::from);
                if day_of % 30 == 0 {
                    let hour = if night % 3 == 0 { hour % 24 } else { hour % 4 };
                    let begin = from.as_second() + day * DAY;
                    let moved = begin + (hour * 3_600 + minute * 14 - begin).rem_euclid(DAY);
                    account.moves.push(Moved {
                        stack: format!("stack-{:02}", instance % stacks.max(1)),
                        at: at(moved),
                        launched,
                    });
                }
            }
        }
    }
    account
}
