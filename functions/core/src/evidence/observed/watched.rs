//! One instance's time under watch, and the 404s in it.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::{Boot, Item, Line, Told};
use super::spans::{Spans, second};
use crate::time::Timestamp;

/// A stretch in which IMDS was silent for longer than this, in seconds, is not watched: a 404 may have begun and ended.
const SILENCE: i64 = 60;
/// Stretches closer together than this, in seconds, are one: the check was started anew, and looked again at once.
const RESTART: i64 = 60;

/// A time without the item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Absence {
    /// When it was first seen gone.
    pub(super) onset: Timestamp,
    /// Whether the item was seen before. If not, when it went is not known.
    pub(super) begins: bool,
    /// When it was seen again; nothing where that is not on record.
    pub(super) end: Option<Timestamp>,
    /// The guest's start, as told then.
    pub(super) boot: Boot,
}

impl Absence {
    /// How long it lasted, in seconds.
    pub(super) fn lasted(&self) -> Option<i64> {
        self.end.map(|end| self.onset.until(end).as_secs())
    }
}

/// An instance under watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Watched {
    /// When it was watched.
    pub(super) spans: Spans,
    /// Whether the lines say so themselves. Those of earlier versions of the check do not.
    pub(super) stated: bool,
    /// In order of time.
    pub(super) absences: Vec<Absence>,
    /// Every answer of IMDS that is on record, with its time.
    pub(super) looks: Vec<(Timestamp, Item)>,
}

impl Watched {
    /// Makes it of the lines of an instance; `end` is the last line of any.
    pub(super) fn of(lines: &BTreeSet<Line>, end: Timestamp) -> Self {
        let stated = lines.iter().any(|line| matches!(line.told, Told::Watched { .. }));
        let spans = if stated { stated_spans(lines) } else { assumed_spans(lines, end) };
        let looks = looks(lines);
        let absences = absences(lines, &looks);
        Self { spans, stated, absences, looks }
    }
}

fn stated_spans(lines: &BTreeSet<Line>) -> Spans {
    let stretches = lines.iter().filter_map(|line| match line.told {
        Told::Watched { since, silence, .. } if silence <= SILENCE => Some((second(since), second(line.at))),
        _ => None,
    });
    Spans::joined(stretches.collect(), RESTART)
}

/// From its first line to the last of any instance: that of an instance which is gone, or on which the check was ended,
/// is watched for too long, and a migration in that time counts against the hypothesis.
fn assumed_spans(lines: &BTreeSet<Line>, end: Timestamp) -> Spans {
    let first = lines.first().map(|line| line.at);
    Spans::joined(first.map(|first| (second(first), second(end))).into_iter().collect(), 0)
}

fn looks(lines: &BTreeSet<Line>) -> Vec<(Timestamp, Item)> {
    let looks = lines.iter().filter_map(|line| {
        let item = match &line.told {
            Told::Look(item) => *item,
            Told::Watched { item, .. } => (*item)?,
            Told::Begins { .. } => Item::Absent,
            Told::Ends { .. } => Item::Known,
        };
        (item != Item::Silent).then_some((line.at, item))
    });
    looks.collect()
}

/// The 404s: each told when it begins and when it ends, of which either line may be missing.
fn absences(lines: &BTreeSet<Line>, looks: &[(Timestamp, Item)]) -> Vec<Absence> {
    let mut by_onset: BTreeMap<Timestamp, (Absence, Timestamp)> = BTreeMap::new();
    for line in lines {
        let (onset, begins, end, boot) = match &line.told {
            Told::Begins { onset, seen_before, boot } => (*onset, *seen_before, None, boot),
            Told::Ends { onset, lasted, seen_before, boot } => {
                let end = *onset + jiff::SignedDuration::from_secs(*lasted);
                (*onset, seen_before.unwrap_or(false), Some(end), boot)
            }
            Told::Watched { .. } | Told::Look(_) => continue,
        };
        let new = || (Absence { onset, begins, end: None, boot: boot.clone() }, line.at);
        let (absence, _) = by_onset.entry(onset).or_insert_with(new);
        absence.begins |= begins;
        absence.end = absence.end.or(end);
    }
    let mut absences: Vec<Absence> = Vec::new();
    for (mut absence, told) in by_onset.into_values() {
        let seen =
            |from: Timestamp| looks.iter().find(|(at, item)| *at > from && *item == Item::Known).map(|(at, _)| *at);
        if absence.end.is_none() {
            absence.end = seen(told);
        }
        if let Some(before) = absences.last_mut() {
            let goes_on = before.end.is_none_or(|end| end > absence.onset);
            if goes_on && !absence.begins {
                // The check was started anew within it.
                before.end = absence.end;
                continue;
            }
            if goes_on {
                // It was seen between the two, though no line says when.
                before.end = Some(absence.onset);
            }
        }
        absences.push(absence);
    }
    absences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_778_500_000 + seconds)
    }

    fn line(seconds: i64, told: Told) -> Line {
        Line { at: at(seconds), told }
    }

    fn begins(onset: i64, seen_before: bool) -> Line {
        line(onset + 2, Told::Begins { onset: at(onset), seen_before, boot: Boot::default() })
    }

    fn ends(onset: i64, lasted: i64) -> Line {
        line(onset + lasted, Told::Ends { onset: at(onset), lasted, seen_before: None, boot: Boot::default() })
    }

    fn stretch(since: i64, until: i64, silence: i64, item: Item) -> Line {
        line(until, Told::Watched { since: at(since), silence, item: Some(item) })
    }

    fn of(lines: &[Line]) -> Watched {
        Watched::of(&lines.iter().cloned().collect(), at(100_000))
    }

    fn seconds(spans: &Spans) -> Vec<(i64, i64)> {
        spans.iter().map(|(from, to)| (from - 1_778_500_000, to - 1_778_500_000)).collect()
    }

    #[test]
    fn watched_time_is_what_the_check_says_it_is() {
        let known = Item::Known;
        let watched = of(&[
            stretch(0, 3_600, 2, known),
            stretch(3_600, 7_200, 2, known),
            // Started anew within a minute, then with a long silence, then after a gap.
            stretch(7_250, 9_000, 4, known),
            stretch(9_000, 12_600, 900, known),
            stretch(20_000, 23_600, 2, known),
        ]);
        assert!(watched.stated);
        assert_eq!(seconds(&watched.spans), [(0, 9_000), (20_000, 23_600)]);
    }

    #[test]
    fn without_a_word_on_it_the_time_from_the_first_line_to_the_last_of_any_is_assumed() {
        let watched = of(&[line(50, Told::Look(Item::Known)), begins(500, true)]);
        assert!(!watched.stated);
        assert_eq!(seconds(&watched.spans), [(50, 100_000)]);
    }

    #[test]
    fn a_404_has_an_onset_and_an_end_whichever_line_is_missing() {
        let known = line(9_000, Told::Look(Item::Known));
        let cases: [(&[Line], Option<i64>, bool); 5] = [
            (&[begins(500, true), ends(500, 60)], Some(60), true),
            (&[ends(500, 60)], Some(60), false),
            (&[begins(500, true)], None, true),
            (&[begins(500, true), known], Some(8_500), true),
            (&[begins(500, false), ends(500, 60)], Some(60), false),
        ];
        for (lines, lasted, begins) in cases {
            let absences = of(lines).absences;
            assert_eq!(absences.len(), 1, "{lines:?}");
            assert_eq!((absences[0].lasted(), absences[0].begins), (lasted, begins), "{lines:?}");
        }
    }

    #[test]
    fn a_check_that_is_started_anew_within_a_404_tells_of_no_second_one() {
        let absences = of(&[begins(500, true), begins(2_000, false), ends(2_000, 1_000)]).absences;
        assert_eq!(absences.len(), 1);
        assert_eq!((absences[0].onset, absences[0].begins, absences[0].lasted()), (at(500), true, Some(2_500)));
        let known_between = line(1_000, Told::Look(Item::Known));
        let absences = of(&[begins(500, true), known_between, begins(2_000, false)]).absences;
        assert_eq!(
            absences.iter().map(|a| (a.onset, a.lasted())).collect::<Vec<_>>(),
            [(at(500), Some(500)), (at(2_000), None)]
        );
        let absences = of(&[begins(500, true), begins(2_000, true)]).absences;
        assert_eq!(absences.iter().map(Absence::lasted).collect::<Vec<_>>(), [Some(1_500), None]);
    }
}
