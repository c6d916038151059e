//! The time under watch. Without it, an instance that tells of no 404 may have had none, or nobody may have looked.

use std::time::Duration;

use crate::observation::{Imds, ImdsOutcome, Trouble};

/// A time in which IMDS was asked. Its ends are of the wall clock, in seconds since 1970, since another machine is to
/// compare them; the silence is of a clock that is never set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// When it began: at the first question, or where the one before ended.
    pub since: i64,
    /// How many answers told whether the item is there.
    pub answered: u64,
    /// The longest time without such an answer, as far as it lies before the end.
    pub longest_silence: Duration,
    /// What became of the last question.
    pub last: ImdsOutcome,
}

/// The first stretch is no longer than this, and each further one twice as long, up to what is asked for: of a short life,
/// too, half is told at least, however it ends.
const FIRST: Duration = Duration::from_mins(1);

/// Counts the answers of a stretch.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    begun: Option<Begun>,
    ended: u32,
}

#[derive(Debug, Clone)]
struct Begun {
    stretch: Stretch,
    /// When the stretch began.
    from: Duration,
    /// When the last answer came.
    answered: Duration,
}

impl Watched {
    /// Takes in what became of a question, at a time of the wall clock and of one that is never set.
    pub fn observe(&mut self, imds: &Imds, wall: i64, now: Duration) {
        let last = imds.outcome();
        let begun = self.begun.get_or_insert_with(|| {
            let stretch = Stretch { since: wall, answered: 0, longest_silence: Duration::ZERO, last };
            Begun { stretch, from: now, answered: now }
        });
        begun.stretch.last = last;
        // A state that is not known yet is a state: the item is there.
        if matches!(imds, Imds::Known(_) | Imds::Absent | Imds::Unreachable(Trouble::UnknownState(_))) {
            begun.stretch.answered = begun.stretch.answered.saturating_add(1);
            begun.stretch.longest_silence = begun.silence(now);
            begun.answered = now;
        }
    }

    /// Whether the stretch is as long as stretches are to be by now.
    #[must_use]
    pub fn is_due(&self, every: Duration, now: Duration) -> bool {
        let every = every.min(FIRST.saturating_mul(1_u32.checked_shl(self.ended).unwrap_or(u32::MAX)));
        self.begun.as_ref().is_some_and(|begun| now.saturating_sub(begun.from) >= every)
    }

    /// Ends the stretch, if one has begun, and begins the next.
    pub fn end(&mut self, wall: i64, now: Duration) -> Option<Stretch> {
        let begun = self.begun.as_mut()?;
        let ended = Stretch { longest_silence: begun.silence(now), ..begun.stretch };
        // A silence that goes on counts whole in the stretch in which it ends.
        begun.stretch = Stretch { since: wall, answered: 0, longest_silence: Duration::ZERO, ..ended };
        begun.from = now;
        self.ended = self.ended.saturating_add(1);
        Some(ended)
    }
}

impl Begun {
    /// The longest silence, if the one that may be under way were over.
    fn silence(&self, now: Duration) -> Duration {
        self.stretch.longest_silence.max(now.saturating_sub(self.answered))
    }
}

#[cfg(test)]
mod tests {
    use exposure_core::lifecycle::LifecycleState;

    use super::*;
    use crate::state::Target;

    #[test]
    fn stretches_follow_each_other_and_tell_of_silence() {
        let (known, silent) = (Imds::Known(Target::InService), Imds::Unreachable(Trouble::TimedOut));
        let mut watched = Watched::default();
        let seconds = Duration::from_secs;
        assert_eq!(watched.end(1_000, seconds(0)), None);
        for at in 0..10 {
            assert!(!watched.is_due(seconds(10), seconds(at)));
            watched.observe(&known, 1_000 + i64::try_from(at).expect("small"), seconds(at));
        }
        assert!(watched.is_due(seconds(10), seconds(10)));
        let first = watched.end(1_010, seconds(10));
        let longest_silence = seconds(1);
        assert_eq!(first, Some(Stretch { since: 1_000, answered: 10, longest_silence, last: ImdsOutcome::Known }));
        watched.observe(&silent, 1_012, seconds(12));
        let second = watched.end(1_020, seconds(20));
        let longest_silence = seconds(11);
        assert_eq!(
            second,
            Some(Stretch { since: 1_010, answered: 0, longest_silence, last: ImdsOutcome::Unreachable })
        );
        watched.observe(&Imds::Absent, 1_039, seconds(39));
        let third = watched.end(1_040, seconds(40));
        let longest_silence = seconds(30);
        assert_eq!(third, Some(Stretch { since: 1_020, answered: 1, longest_silence, last: ImdsOutcome::Absent }));
    }

    #[test]
    fn the_first_stretches_are_short() {
        let mut watched = Watched::default();
        let (every, mut dues) = (Duration::from_hours(1), Vec::new());
        for second in (0..20_000).map(Duration::from_secs) {
            watched.observe(&Imds::Absent, 0, second);
            if watched.is_due(every, second) {
                let _ = watched.end(0, second);
                dues.push(second.as_secs());
            }
        }
        assert_eq!(dues, [60, 180, 420, 900, 1_860, 3_780, 7_380, 10_980, 14_580, 18_180]);
    }

    #[test]
    fn a_state_that_is_new_to_this_program_is_an_answer() {
        let resting = Imds::Unreachable(Trouble::UnknownState(LifecycleState::new("Resting")));
        let mut watched = Watched::default();
        watched.observe(&resting, 1_000, Duration::ZERO);
        assert_eq!(watched.end(1_001, Duration::from_secs(1)).map(|stretch| stretch.answered), Some(1));
    }
}
