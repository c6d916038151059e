//! Stacks beside each other, in numbers and in words.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::words::{name, number, percent, times};
use super::{ComparisonFindings, Decides, ENOUGH_DAYS, Needed, OFTEN, Sentences, days};
use crate::evidence::compare::{Comparison, compare, compare_among};
use crate::evidence::exact::{Level, holm};
use crate::evidence::service::Served;
use crate::stacks::UNASSIGNED;
use crate::time::TimeSpan;

/// Two stacks: the one with more migrations against the other. More: each against all others together. What is in no
/// stack is none: it has a rate, and is compared with nothing.
pub(super) fn comparisons(
    served: &BTreeMap<String, Served>,
    window: TimeSpan,
    zone: &TimeZone,
    level: Level,
) -> Vec<ComparisonFindings> {
    let mut by_moves: Vec<(&String, &Served)> = served.iter().filter(|(stack, _)| *stack != UNASSIGNED).collect();
    by_moves.sort_by_key(|(_, served)| std::cmp::Reverse(served.moves()));
    let pairs: Vec<Pair> = match by_moves.as_slice() {
        [] | [_] => return Vec::new(),
        [(first, ours), (second, theirs)] => {
            let found = compare(ours, theirs, zone, level);
            vec![Pair { first: (*first).clone(), second: Some((*second).clone()), found }]
        }
        several => {
            let mut all = Served::default();
            for (_, served) in several {
                all.join(served);
            }
            let against = |(first, ours): &(&String, &Served)| {
                let found = compare_among(ours, &all.without(ours), zone, level, several.len());
                Pair { first: (*first).clone(), second: None, found }
            };
            several.iter().map(against).collect()
        }
    };
    adjusted(pairs, window, level)
}

/// A stack beside another, or beside all others.
struct Pair {
    first: String,
    second: Option<String>,
    found: Comparison,
}

fn adjusted(pairs: Vec<Pair>, window: TimeSpan, level: Level) -> Vec<ComparisonFindings> {
    let of = |p: fn(&Comparison) -> f64| holm(&pairs.iter().map(|pair| p(&pair.found)).collect::<Vec<_>>());
    let (rates, itself) = (of(|found| found.rates_p), of(|found| found.itself_p));
    let comparisons = pairs.len();
    let mut all = Vec::with_capacity(comparisons);
    for ((Pair { first, second, found }, rates_p_adjusted), itself_p_adjusted) in
        pairs.into_iter().zip(rates).zip(itself)
    {
        let decides = decides(&found, itself_p_adjusted, level);
        let words = Words {
            first: name(&first),
            second: second.as_deref().map_or("the other stacks".to_owned(), name),
            found: &found,
            decides,
            comparisons,
            level,
            alone: found.itself_p < 1.0 - level.share(),
        };
        all.push(ComparisonFindings {
            sentences: words.sentences(),
            needed: words.needed(window),
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
            power_of_twice: found.power_of_twice,
            decides,
        });
    }
    all
}

/// What would be called a stack that is bad.
const TWICE: f64 = 2.0;
/// Which factors are so close to one that nobody would wait for more data to confirm them.
const NEXT_TO_NOTHING: std::ops::Range<f64> = 0.8..1.25;

fn decides(found: &Comparison, p: f64, level: Level) -> Decides {
    if p < 1.0 - level.share() {
        Decides::StackDiffers
    } else if found.power_of_twice >= OFTEN {
        Decides::NoSign
    } else {
        Decides::TooFew
    }
}

/// What the sentences of a comparison need to know.
struct Words<'f> {
    first: String,
    second: String,
    found: &'f Comparison,
    decides: Decides,
    /// How many comparisons there are, and at which level each of them is judged.
    comparisons: usize,
    level: Level,
    /// Whether it would be a difference if it were the only comparison.
    alone: bool,
}

impl Words<'_> {
    fn sentences(&self) -> Sentences {
        let Self { first, second, found, .. } = self;
        let rates = times(&found.rates)
            .map(|times| format!("For each instance-hour, {first} saw {times} as many migrations as {second}."));
        let capacity = times(&found.capacity)
            .map(|times| format!("Capacity: {first} had {times} as many instance-hours in service as {second}."));
        let timing = times(&found.timing).map(|times| {
            format!(
                "Timing: by the hours of the day in which they lay, the instance-hours of {first} were {times} as \
                 exposed as those of {second}."
            )
        });
        Sentences { rates, capacity, timing, itself: self.itself(), whole: self.whole() }
    }

    fn itself(&self) -> String {
        let Self { first, second, found, .. } = self;
        let Some(times) = times(&found.itself) else {
            return format!("The stack itself: {}.", self.missing());
        };
        let begin = format!(
            "The stack itself: at the same hours of the day, an instance-hour of {first} saw {times} as many migrations \
             as one of {second}"
        );
        match self.decides {
            Decides::StackDiffers => format!("{begin}; capacity and timing alone do not account for that."),
            Decides::NoSign if self.alone => {
                let all = self.comparisons;
                format!("{begin}: no sign that the stack itself differs, since one of {all} may seem to by chance.")
            }
            Decides::NoSign => format!("{begin}: no sign that the stack itself differs."),
            Decides::TooFew => format!(
                "{begin}: too few migrations to tell. A stack twice as bad would be found out in {} of such cases.",
                percent(found.power_of_twice)
            ),
        }
    }

    /// Why nothing can be told of the stack itself.
    fn missing(&self) -> String {
        let Self { first, second, found, .. } = self;
        match (found.capacity.value, found.rates.value) {
            (None, _) => format!("no time in service of {second} is on record"),
            (Some(0.0), _) => format!("no time in service of {first} is on record"),
            (_, None) => format!("neither {first} nor {second} saw a migration"),
            _ => format!("{first} and {second} were not both in service at any hour of the day that saw a migration"),
        }
    }

    /// What makes up the ratio of counts, in one sentence.
    fn whole(&self) -> Option<String> {
        let Self { first, second, found, .. } = self;
        let counts = found.counts.filter(|counts| *counts > 0.0)?;
        let [capacity, timing, itself] = [&found.capacity, &found.timing, &found.itself].map(times);
        let (capacity, timing, itself) = (capacity?, timing?, itself?);
        Some(format!(
            "{first} saw {} times as many migrations as {second}: {capacity} by capacity, {timing} by the hours of the \
             day, and {itself} by what is left, the stack itself.",
            number(counts)
        ))
    }

    /// How long the same would have to go on to find out a stack twice as bad; or, where that is long enough already,
    /// to confirm a difference that is seen but may be chance.
    fn needed(&self, window: TimeSpan) -> Option<Needed> {
        const TEN_YEARS: f64 = 3_652.0;
        let level = self.level.among(self.comparisons);
        let days = days(window);
        let Self { first, second, .. } = self;
        if days < ENOUGH_DAYS && self.decides == Decides::TooFew {
            // Until then all migrations of a day count as one, which no count of days can be taken from.
            let days = (ENOUGH_DAYS - days).ceil();
            let time = more_days(days);
            let sentence = format!("To tell {first} and {second} apart would take at least {time}.");
            return Some(Needed { days, sentence });
        }
        let more = |factor: f64| {
            let times = self.found.needed(factor, level)?;
            Some(((times - 1.0) * days).ceil().max(1.0))
        };
        let seen = self.found.itself.value.filter(|factor| factor.is_finite() && *factor > 0.0);
        let (days, what) = match (self.decides, seen) {
            (Decides::TooFew, _) => (more(TWICE)?, "find out a stack twice as bad".to_owned()),
            (Decides::NoSign, Some(factor)) if !NEXT_TO_NOTHING.contains(&factor) => {
                (more(factor)?, format!("tell whether a factor of {} is real", number(factor)))
            }
            (Decides::NoSign | Decides::StackDiffers, _) => return None,
        };
        let time = if days > TEN_YEARS { "ten years or more".to_owned() } else { format!("about {}", more_days(days)) };
        let sentence = format!("To {what} ({first} beside {second}) would take {time} at this rate.");
        Some(Needed { days, sentence })
    }
}

fn more_days(days: f64) -> String {
    match days {
        days if days <= 1.0 => "one more day".to_owned(),
        days if days < 100.0 => format!("{days:.0} more days"),
        days => format!("{} more days", number(days)),
    }
}
