//! Instances older than the trail: their launch and their first Decrypts are on no record.

use super::Script;
use crate::calendar::MINUTE;
use crate::instance::{Confidence, Verdict};

impl Script<'_> {
    pub(super) fn pretrail_quiet(&mut self) {
        self.exact_volumes(1, false);
        self.verdict(Verdict::Unseen, "older than the trail, and never attached since");
    }

    /// Neither launched nor sighted on record, and no member at the end: in no list of the truth.
    pub(super) fn pretrail_departed(&mut self) {
        self.exact_volumes(1, false);
        let at = self.shifts().1.first().copied().unwrap_or(self.calendar.last());
        let late = self.dice.between(0, 12 * MINUTE);
        self.terminate((at + late).min(self.calendar.last()));
    }

    /// Its place shows launches and none of it, so it was running before: presumed, and the second move as the first,
    /// since a later sighting does not make a lost baseline seen.
    pub(super) fn pretrail_migrated(&mut self, moves: i64) {
        let count = 1 + self.dice.index(2);
        self.exact_volumes(count, moves > 1);
        self.now = self.calendar.first();
        for more in (0..moves).rev() {
            let at = self.off_peak(more);
            self.migrate(at, &self.all(), Confidence::Presumed);
        }
        self.verdict(Verdict::Exposed, "older than the trail, and moved");
    }

    /// An explained first sighting is the baseline of an instance older than the trail, and no reattachment. The way out
    /// of Standby repairs what the start may have lost; the move after it is confirmed by the baseline.
    pub(super) fn pretrail_restarted_migrated(&mut self) {
        self.volumes(1, 2);
        self.now = self.calendar.first();
        let at = self.later(1);
        self.enter_standby(at - 40 * MINUTE);
        self.stop_and_start(at, &self.all());
        for volume in self.all() {
            self.sight(at + 4, volume);
        }
        self.exit_standby(at + 10 * MINUTE);
        let at = self.off_peak(0);
        self.migrate(at, &self.all(), Confidence::Confirmed);
        self.verdict(Verdict::Exposed, "moved after a start that gave it baselines");
    }

    /// In a place without launches on record nobody can tell the first sighting of an old instance from a launch.
    ///
    /// Two readings of the rules are possible: a baseline of unknown cause, since nothing contradicts one, or a repeated
    /// Decrypt that cannot be placed. The second is taken: a baseline of unknown cause needs other volumes that stay put,
    /// and there are none; and what is left when no evidence of running remains is called undetermined. It happens once
    /// only, because the rules leave open what a second one would be.
    pub(super) fn unplaced(&mut self) {
        self.exact_volumes(1, false);
        self.now = self.calendar.first();
        let at = self.off_peak(0);
        self.migrate(at, &self.all(), Confidence::Undetermined);
        self.verdict(Verdict::Undetermined, "attached again, or launched: its trail shows no launches");
    }
}
