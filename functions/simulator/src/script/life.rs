//! Lives without an unexplained move, and those that end within the window.

use super::{GAP, Script};
use crate::activity::Move;
use crate::calendar::{HOUR, MINUTE};
use crate::event::{Action, Answer, By};
use crate::instance::{Cause, Confidence, Verdict};

impl Script<'_> {
    pub(super) fn clean(&mut self) {
        self.volumes(1, 3);
        self.launch_for(0, &[]);
        self.verdict(Verdict::Clean, "launched and never attached again");
    }

    pub(super) fn unencrypted(&mut self) {
        self.launch_for(0, &[]);
        self.verdict(Verdict::Unseen, "has no encrypted volume");
    }

    pub(super) fn departed(&mut self) {
        self.volumes(1, 2);
        let (from, to) = self.shift();
        self.launch(from, &[]);
        self.terminate(to);
    }

    pub(super) fn departed_migrated(&mut self) {
        self.volumes(1, 3);
        let (from, to) = self.shift();
        self.launch(from, &[]);
        let at = self.calendar.off_peak(from + GAP, to - GAP, &mut self.dice);
        self.migrate(at, &self.all(), Confidence::Confirmed);
        self.terminate(to);
    }

    /// A whole shift of the group's schedule; half a day where the window holds none.
    fn shift(&mut self) -> (i64, i64) {
        let (outs, ins) = self.shifts();
        let end = |out: i64| ins.iter().copied().find(|to| *to > out + 4 * HOUR);
        let shifts: Vec<_> = outs.iter().filter_map(|out| Some((*out, end(*out)?))).collect();
        let (from, to) = match self.dice.pick(&shifts) {
            Some(shift) => *shift,
            None => (self.calendar.first() + HOUR, self.calendar.first() + 13 * HOUR),
        };
        let late = 12 * MINUTE;
        (from + self.dice.between(0, late), (to + self.dice.between(0, late)).min(self.calendar.last()))
    }

    /// Failed Decrypts of a volume in use, a dry run, and two records too broken to be sightings.
    pub(super) fn failed_decrypts(&mut self) {
        self.volumes(2, 3);
        self.launch_for(2, &[]);
        let at = self.off_peak(1);
        for (seconds, volume, answer) in [
            (0, 0, Answer::Denied),
            (2, 1, Answer::InvalidState),
            (30, 0, Answer::Denied),
            (95, 1, Answer::DryRun),
            (140, 0, Answer::Null),
            (171, 1, Answer::Omitted),
        ] {
            self.act(at + seconds, Action::Decrypt(volume, answer));
        }
        self.verdict(Verdict::Clean, "its failed and unreadable Decrypts are no sightings");
    }

    /// Launched into the pool, stopped there, and then started every evening and stopped every morning.
    ///
    /// A start by Auto Scaling is a transition itself, and the hook that the instance completes is one after the Decrypts
    /// on any reading: the start is repaired.
    pub(super) fn warm_pool(&mut self) {
        self.volumes(1, 2);
        let first = self.calendar.first() + 5 * MINUTE;
        let evenings = self.calendar.evenings.clone();
        let latest = evenings.first().map_or(self.calendar.last() - 4 * HOUR, |evening| evening - 2 * HOUR);
        let at = self.dice.between(first, latest.max(first));
        self.launch(at, &[]);
        self.now += 25 * MINUTE;
        self.act(self.now, Action::Stop(By::AutoScaling));
        self.instance.state = Some("Warmed:Stopped");
        self.verdict(Verdict::Clean, "waits in the warm pool");
        // One in three is never needed.
        if self.dice.chance(333) {
            return;
        }
        for evening in evenings {
            if evening < self.now + GAP || self.instance.state != Some("Warmed:Stopped") {
                continue;
            }
            self.leave_warm_pool(evening);
            let morning = self.calendar.mornings.iter().copied().find(|morning| *morning > evening + 2 * HOUR);
            if let Some(morning) = morning {
                self.now = (morning + self.dice.between(0, 9 * MINUTE)).min(self.calendar.last());
                self.act(self.now, Action::Stop(By::AutoScaling));
                self.activity(self.now, Some(self.now + 60), Move::ReturnToWarmPool);
                self.instance.state = Some("Warmed:Stopped");
            }
        }
    }

    fn leave_warm_pool(&mut self, evening: i64) {
        let at = (evening + self.dice.between(0, 9 * MINUTE)).min(self.calendar.last() - 5 * MINUTE);
        self.act(at, Action::Start(By::AutoScaling));
        for volume in self.all() {
            self.act(at + 1, Action::Grant(By::AutoScaling, volume));
        }
        self.reattach(at + 4, &self.all(), Cause::Start);
        self.act(at + 2 * MINUTE, Action::CompleteLifecycle);
        self.activity(at, Some(at + 130), Move::LaunchFromWarmPool);
        self.instance.state = Some("InService");
        self.verdict(Verdict::Clean, "started from the warm pool by Auto Scaling");
    }
}
