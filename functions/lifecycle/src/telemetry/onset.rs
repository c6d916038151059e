//! When a 404 begins and when it ends: what the analyzer's second Decrypt can be held against.

use std::time::Duration;

use crate::machine::SETTLED;
use crate::observation::{Imds, Trouble};

/// A 404 that began or ended. Times are of the wall clock, in seconds since 1970, since another machine is to compare them;
/// the duration is of a clock that is never set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onset {
    /// It is settled that the item is gone.
    Begins {
        /// When it was first seen gone.
        onset: i64,
        /// Whether this process saw it there before: otherwise it may have been gone for long.
        seen_before: bool,
    },
    /// The item is back.
    Ends {
        /// When it was first seen gone.
        onset: i64,
        /// How long it was gone.
        lasted: Duration,
        /// Whether this process saw it there before, as when it began: the line that told it may be lost.
        seen_before: bool,
    },
}

/// Watches for both.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    seen: bool,
    seen_before: bool,
    absences: u8,
    first: Option<(i64, Duration)>,
}

impl Watch {
    /// Takes in an answer, at a time of the wall clock and of one that is never set.
    pub fn observe(&mut self, imds: &Imds, wall: i64, now: Duration) -> Option<Onset> {
        match imds {
            Imds::Absent => {
                if self.first.is_none() {
                    self.seen_before = self.seen;
                }
                let (onset, _) = *self.first.get_or_insert((wall, now));
                self.absences = self.absences.saturating_add(1);
                (self.absences == SETTLED).then_some(Onset::Begins { onset, seen_before: self.seen_before })
            }
            Imds::Known(_) | Imds::Unreachable(Trouble::UnknownState(_)) => {
                self.seen = true;
                let is_told = std::mem::take(&mut self.absences) >= SETTLED;
                let (onset, since) = self.first.take()?;
                let (lasted, seen_before) = (now.saturating_sub(since), self.seen_before);
                is_told.then_some(Onset::Ends { onset, lasted, seen_before })
            }
            // Nothing is known of the item meanwhile.
            Imds::Refused(_) | Imds::Unreachable(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Target;

    #[test]
    fn a_404_is_told_once_when_it_is_settled_and_once_when_it_is_over() {
        let known = Imds::Known(Target::InService);
        let silent = Imds::Unreachable(Trouble::TimedOut);
        let script = [
            (0, known.clone(), None),
            (2, Imds::Absent, None),
            (4, known.clone(), None),
            (6, Imds::Absent, None),
            (8, silent.clone(), None),
            (10, Imds::Absent, Some(Onset::Begins { onset: 1_006, seen_before: true })),
            (12, Imds::Absent, None),
            (14, silent, None),
            (
                21_606,
                known.clone(),
                Some(Onset::Ends { onset: 1_006, lasted: Duration::from_hours(6), seen_before: true }),
            ),
            (21_608, known.clone(), None),
        ];
        let mut watch = Watch::default();
        for (at, imds, expected) in script {
            let seconds = i64::try_from(at).expect("small");
            assert_eq!(watch.observe(&imds, 1_000 + seconds, Duration::from_secs(at)), expected, "{at}");
        }
        let mut blind = Watch::default();
        let _ = blind.observe(&Imds::Absent, 5, Duration::ZERO);
        let told = blind.observe(&Imds::Absent, 7, Duration::ZERO);
        assert_eq!(told, Some(Onset::Begins { onset: 5, seen_before: false }));
        let told = blind.observe(&known, 9, Duration::from_secs(4));
        assert_eq!(told, Some(Onset::Ends { onset: 5, lasted: Duration::from_secs(4), seen_before: false }));
    }
}
