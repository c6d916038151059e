//! Stacks beside each other, in numbers and in words.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::words::{name, number, percent, times};
use super::{ComparisonFindings, Decides, Needed, OFTEN, Sentences};
use crate::evidence::compare::{Comparison, compare};
use crate::evidence::exact::{Level, holm};
use crate::evidence::service::Served;
use crate::time::TimeSpan;

/// Two stacks: the one with more migrations against the other. More: each against all others together.
pub(super) fn comparisons(
    served: &BTreeMap<String, Served>,
    window: TimeSpan,
    zone: &TimeZone,
    level: Level,
) -> Vec<ComparisonFindings> {
    let mut by_moves: Vec<(&String, &Served)> = served.iter().collect();
    by_moves.sort_by_key(|(_, served)| std::cmp::Reverse(served.moves()));
    let pairs: Vec<(String, Option<String>, Comparison)> = match by_moves.as_slice() {
        [] | [_] => return Vec::new(),
        [(first, ours), (second, theirs)] => {
            vec![((*first).clone(), Some((*second).clone()), compare(ours, theirs, zone, level))]
        }
        several => {
            let mut all = Served::default();
            for (_, served) in several {
                all.join(served);
            }
            let against = |(stack, ours): &(&String, &Served)| {
                ((*stack).clone(), None, compare(ours, &all.without(ours), zone, level))
            };
            several.iter().map(against).collect()
        }
    };
    adjusted(pairs, window, level)
}

fn adjusted(
    pairs: Vec<(String, Option<String>, Comparison)>,
    window: TimeSpan,
    level: Level,
) -> Vec<ComparisonFindings> {
    let of = |p: fn(&Comparison) -> f64| holm(&pairs.iter().map(|(_, _, found)| p(found)).collect::<Vec<_>>());
    let (rates, itself) = (of(|found| found.rates_p), of(|found| found.itself_p));
    let together = pairs.len();
    let mut all = Vec::with_capacity(together);
    for (((first, second, found), rates_p_adjusted), itself_p_adjusted) in pairs.into_iter().zip(rates).zip(itself) {
        let decides = decides(&found, itself_p_adjusted, level);
        let words = Words { first: name(&first), second: second.as_deref().map_or("the others".to_owned(), name) };
        all.push(ComparisonFindings {
            sentences: words.sentences(&found, decides),
            needed: words.needed(&found, decides, window, level),
            first,
            second,
            counts: found.counts,
            rates: found.rates,
            rates_p: found.rates_p,
            rates_p_adjusted,
            capacity: found.capacity,
            timing: found.timing,
            itself: found.itself,
            itself_p: found.itself_p,
            itself_p_adjusted,
            dispersion: found.dispersion,
            decides,
        });
    }
    all
}

/// What would be called a stack that is bad.
const TWICE: f64 = 2.0;

fn decides(found: &Comparison, p: f64, level: Level) -> Decides {
    if p < 1.0 - level.share() {
        Decides::StackDiffers
    } else if found.power_of_twice >= OFTEN {
        Decides::NoSign
    } else {
        Decides::TooFew
    }
}

/// The names of a comparison.
struct Words {
    first: String,
    second: String,
}

impl Words {
    fn sentences(&self, found: &Comparison, decides: Decides) -> Sentences {
        let Self { first, second } = self;
        let rates = times(&found.rates)
            .map(|times| format!("For each instance-hour, {first} saw {times} as many migrations as {second}."));
        let capacity = times(&found.capacity).filter(|_| found.capacity.value > Some(0.0));
        let capacity = capacity
            .map(|times| format!("Capacity: {first} had {times} as many instance-hours in service as {second}."));
        let timing = times(&found.timing).map(|times| {
            format!(
                "Timing: by the hours of the day in which they lay, the instance-hours of {first} were {times} as \
                 exposed as those of {second}."
            )
        });
        Sentences { rates, capacity, timing, itself: self.itself(found, decides) }
    }

    fn itself(&self, found: &Comparison, decides: Decides) -> Option<String> {
        let Self { first, second } = self;
        let times = times(&found.itself)?;
        let begin = format!(
            "The stack itself: at the same hours of the day, an instance-hour of {first} saw {times} as many \
                             migrations as one of {second}"
        );
        Some(match decides {
            Decides::StackDiffers => format!("{begin}; capacity and timing alone do not account for that."),
            Decides::NoSign => format!("{begin}: no sign that the stack itself differs."),
            Decides::TooFew => format!(
                "{begin}: too few migrations to tell. A stack twice as bad would be found out in {} of such cases.",
                percent(found.power_of_twice)
            ),
        })
    }

    /// How long the same would have to go on to confirm the factor seen, or else to find out a stack twice as bad.
    fn needed(&self, found: &Comparison, decides: Decides, window: TimeSpan, level: Level) -> Option<Needed> {
        let days = window.from.until(window.to).as_secs_f64() / 86_400.0;
        let seen = found.itself.value.filter(|factor| factor.is_finite() && *factor > 0.0);
        let more = |times: f64| (times - 1.0) * days;
        let of_twice = || found.needed(TWICE, level).map(more).filter(|days| *days > 0.0);
        let (days, what) = match (decides, seen) {
            (Decides::TooFew, _) => (of_twice()?, "find out a stack twice as bad".to_owned()),
            (Decides::NoSign, Some(factor)) if !(0.8..1.25).contains(&factor) => {
                let days = found.needed(factor, level).map(more).filter(|days| *days > 0.0)?;
                (days, format!("tell whether a difference of {} times is real", number(factor)))
            }
            (Decides::NoSign | Decides::StackDiffers, _) => return None,
        };
        let sentence = format!(
            "To {what} between {} and {}, about {} more days at this rate would be needed.",
            self.first,
            self.second,
            number(days.ceil())
        );
        Some(Needed { days, sentence })
    }
}
