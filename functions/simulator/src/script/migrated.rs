//! Moves that nothing explains, of instances whose launch is on record.

use super::{GAP, Script};
use crate::activity::Move;
use crate::calendar::MINUTE;
use crate::event::{Action, Answer, By};
use crate::instance::{Cause, Confidence, Verdict};

impl Script<'_> {
    pub(super) fn live_migrated(&mut self) {
        self.volumes(1, 3);
        self.launch_for(1, &[]);
        let at = self.off_peak(0);
        self.migrate(at, &self.all(), Confidence::Confirmed);
        self.verdict(Verdict::Exposed, "moved, and no transition since");
    }

    pub(super) fn migrated_twice(&mut self) {
        self.volumes(1, 3);
        self.launch_for(2, &[]);
        for more in [1, 0] {
            let at = self.off_peak(more);
            self.migrate(at, &self.all(), Confidence::Confirmed);
        }
        self.verdict(Verdict::Exposed, "moved twice, and no transition since");
    }

    pub(super) fn burst(&mut self) {
        self.volumes(1, 2);
        self.launch_for(1, &[]);
        // More Decrypts of the launch, within the coalescing window: still the one attachment.
        for volume in self.all() {
            self.sight(self.now + 90, volume);
            self.sight(self.now + 6 * MINUTE, volume);
        }
        let at = self.off_peak(0);
        self.migrate_in_bursts(at, &self.all(), Confidence::Confirmed, 3);
        self.verdict(Verdict::Exposed, "moved once, with several Decrypts for each volume");
    }

    pub(super) fn migrated_then_standby(&mut self) {
        self.volumes(1, 2);
        self.launch_for(2, &[]);
        let at = self.off_peak(1);
        self.migrate(at, &self.all(), Confidence::Confirmed);
        let at = self.later(0);
        self.enter_standby(at);
        self.exit_standby(at + 20 * MINUTE);
        self.verdict(Verdict::Recovered, "moved, then into Standby and back");
    }

    pub(super) fn migrated_terminating(&mut self) {
        self.volumes(1, 2);
        self.launch_for(2, &[]);
        let at = self.off_peak(1);
        self.migrate(at, &self.all(), Confidence::Confirmed);
        let at = self.later(0);
        self.activity(at, None, Move::Terminate);
        self.instance.state = Some("Terminating:Wait");
        self.verdict(Verdict::Recovered, "moved, and is terminating");
    }

    pub(super) fn migrated_in_standby(&mut self) {
        self.volumes(1, 2);
        self.launch_for(2, &[]);
        let at = self.later(1);
        self.enter_standby(at);
        let at = self.off_peak(0);
        self.migrate(at, &self.all(), Confidence::Confirmed);
        self.instance.state = Some("Standby");
        self.verdict(Verdict::Exposed, "moved while in Standby, and still there");
    }

    pub(super) fn migrated_pending(&mut self) {
        self.volumes(1, 2);
        self.launch_for(1, &[]);
        let at = self.off_peak(0);
        self.migrate(at, &self.all(), Confidence::Confirmed);
        self.instance.state = Some("Pending:Wait");
        self.verdict(Verdict::Undetermined, "moved in a state that is neither steady nor leaving");
    }

    pub(super) fn partial(&mut self) {
        self.volumes(2, 3);
        self.launch_for(1, &[]);
        let at = self.off_peak(0);
        self.migrate(at, &[0], Confidence::Partial);
        self.verdict(Verdict::Undetermined, "only some of its volumes came again");
    }

    /// The second volume is gone without a record. Two moves in a row miss it, and with the second of them it stops being
    /// known: the third is complete.
    pub(super) fn lost_volume(&mut self) {
        self.exact_volumes(2, false);
        self.launch_for(3, &[]);
        for (more, confidence) in [(2, Confidence::Partial), (1, Confidence::Partial), (0, Confidence::Confirmed)] {
            let at = self.off_peak(more);
            self.migrate(at, &[0], confidence);
        }
        self.verdict(Verdict::Exposed, "moved with all the volumes that it still has");
    }

    pub(super) fn detached_then_migrated(&mut self) {
        self.exact_volumes(3, false);
        self.launch_for(2, &[]);
        let at = self.later(1);
        self.act(at, Action::Detach(1));
        let at = self.off_peak(0);
        self.migrate(at, &[0, 2], Confidence::Confirmed);
        self.verdict(Verdict::Exposed, "moved with all the volumes that were not detached");
    }

    pub(super) fn start_leaves_volume_out(&mut self) {
        self.exact_volumes(2, false);
        self.launch_for(2, &[]);
        let at = self.later(1);
        self.stop_and_start(at, &[0]);
        self.reattach(at + 4, &[0], Cause::Start);
        let at = self.off_peak(0);
        self.migrate(at, &[0], Confidence::Confirmed);
        self.verdict(Verdict::Exposed, "moved with all the volumes that its last start attached");
    }

    /// Neither the grants nor the Decrypts of the launch are on record. It was launched, so it was running: presumed.
    pub(super) fn lost_baseline_migrated(&mut self) {
        self.volumes(1, 2);
        self.launch_for(1, &self.all());
        let at = self.off_peak(0);
        self.migrate(at, &self.all(), Confidence::Presumed);
        self.verdict(Verdict::Exposed, "launched on record without a baseline, then moved");
    }

    /// Of two volumes the Decrypt of one is lost. The other one's baseline sets the confidence.
    pub(super) fn mixed_baselines(&mut self) {
        self.exact_volumes(2, false);
        self.launch_for(1, &[1]);
        let at = self.off_peak(0);
        self.migrate(at, &[0, 1], Confidence::Confirmed);
        self.verdict(Verdict::Exposed, "moved; the volume with a baseline shows it");
    }

    pub(super) fn internal_grant_migrated(&mut self) {
        self.volumes(1, 2);
        self.launch_for(1, &[]);
        let at = self.off_peak(0);
        for volume in self.all() {
            self.act(at - 1, Action::Grant(By::Internal, volume));
        }
        self.migrate(at, &self.all(), Confidence::Confirmed);
        self.verdict(Verdict::Exposed, "moved; the grants are of a principal within AWS");
    }

    pub(super) fn running_start_migrated(&mut self) {
        self.volumes(1, 2);
        self.launch_for(1, &[]);
        let at = self.off_peak(0);
        self.act(at - 2 * MINUTE, Action::StartOfRunning);
        self.migrate(at, &self.all(), Confidence::Confirmed);
        self.verdict(Verdict::Exposed, "moved; the start found it running");
    }

    pub(super) fn failed_attach_migrated(&mut self) {
        self.volumes(1, 2);
        self.launch_for(1, &[]);
        let at = self.off_peak(0);
        for volume in self.all() {
            self.act(at - 3 * MINUTE, Action::AttachFailed(volume));
        }
        self.act(at - MINUTE, Action::RebootDenied);
        self.migrate(at, &self.all(), Confidence::Confirmed);
        // A failed Decrypt of a later attempt changes nothing either.
        self.act((at + GAP).min(self.calendar.end - MINUTE), Action::Decrypt(0, Answer::Denied));
        self.verdict(Verdict::Exposed, "moved; the attachment and the reboot failed");
    }
}
