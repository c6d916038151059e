//! Volumes attached again for a reason.
//!
//! A possible loss of the IMDS item is an explained host move by start or reboot. The other causes leave the instance
//! clean, also those that are named only because a better one is not on record.

use super::Script;
use crate::calendar::MINUTE;
use crate::event::{Action, By};
use crate::instance::{Cause, Verdict};

impl Script<'_> {
    pub(super) fn stop_start(&mut self) {
        self.volumes(1, 3);
        self.launch_for(1, &[]);
        let at = self.later(0);
        self.stop_and_start(at, &self.all());
        self.reattach(at + 4, &self.all(), Cause::Start);
        self.verdict(Verdict::Undetermined, "started on another host, and no transition since");
    }

    pub(super) fn stop_start_in_standby(&mut self) {
        self.volumes(1, 2);
        self.launch_for(1, &[]);
        let at = self.later(0);
        self.enter_standby(at - 40 * MINUTE);
        self.stop_and_start(at, &self.all());
        self.reattach(at + 4, &self.all(), Cause::Start);
        self.exit_standby(at + 10 * MINUTE);
        self.verdict(Verdict::Clean, "started on another host, and back from Standby since");
    }

    pub(super) fn reboot_moved(&mut self) {
        self.volumes(1, 2);
        self.launch_for(1, &[]);
        let at = self.off_peak(0);
        self.act(at - 95, Action::Reboot);
        self.reattach(at, &self.all(), Cause::Reboot);
        self.verdict(Verdict::Undetermined, "rebooted onto another host, and no transition since");
    }

    pub(super) fn attach_further(&mut self) {
        self.volumes(1, 2);
        self.launch_for(1, &[]);
        let at = self.later(0);
        let further = self.further_volume();
        self.act(at, Action::Attach(further));
        let request = self.act(at + 1, Action::Grant(By::Customer, further));
        self.sight_within(at + 2, further, request);
        self.verdict(Verdict::Clean, "a further volume was attached");
    }

    pub(super) fn detach_reattach(&mut self) {
        self.exact_volumes(2, false);
        self.launch_for(1, &[]);
        let at = self.later(0);
        self.act(at - 7 * MINUTE, Action::Detach(1));
        self.act(at, Action::Attach(1));
        self.act(at + 1, Action::Grant(By::Customer, 1));
        self.reattach(at + 3, &[1], Cause::Attach);
        self.verdict(Verdict::Clean, "a volume was detached and attached again");
    }

    /// The new root volume has a new ID, and its Decrypt is a baseline. The other volume comes again in the course of it.
    pub(super) fn root_replaced(&mut self) {
        self.exact_volumes(2, false);
        self.launch_for(1, &[]);
        let at = self.later(0);
        let root = self.further_volume();
        self.act(at, Action::ReplaceRoot);
        self.act(at + 20, Action::Grant(By::Customer, root));
        self.sight(at + 25, root);
        self.reattach(at + 26, &[1], Cause::RootVolumeReplacement);
        self.verdict(Verdict::Clean, "its root volume was replaced");
    }

    pub(super) fn granted_only(&mut self) {
        self.volumes(1, 2);
        self.launch_for(1, &[]);
        let at = self.later(0);
        for volume in self.all() {
            self.act(at - 1, Action::Grant(By::Customer, volume));
        }
        self.reattach(at, &self.all(), Cause::Grant);
        self.verdict(Verdict::Clean, "attached again under a customer's grants");
    }

    pub(super) fn shared_request(&mut self) {
        self.volumes(2, 3);
        self.launch_for(1, &[]);
        let at = self.later(0);
        let request = self.act(at - 30 * MINUTE, Action::Grant(By::Customer, 1));
        self.sight_within(at, 1, request);
        let volumes = self.instance.volume(1).into_iter().collect();
        let row = crate::instance::Reattachment { at, volumes, cause: Cause::Grant };
        self.instance.reattachments.push(row);
        self.verdict(Verdict::Clean, "attached again by the request of an earlier grant");
    }

    pub(super) fn stop_only(&mut self) {
        self.volumes(1, 2);
        self.launch_for(1, &[]);
        let at = self.later(0);
        self.act(at - 6 * MINUTE, Action::Stop(By::Customer));
        self.reattach(at, &self.all(), Cause::Stop);
        self.verdict(Verdict::Clean, "attached again after a stop; the start is not on record");
    }

    pub(super) fn detach_only(&mut self) {
        self.exact_volumes(2, false);
        self.launch_for(1, &[]);
        let at = self.later(0);
        self.act(at - 4 * MINUTE, Action::Detach(1));
        self.reattach(at, &[1], Cause::Detach);
        self.verdict(Verdict::Clean, "a detached volume came again; the attachment is not on record");
    }

    /// Past the coalescing window of the first Decrypts, and near enough to the launch to be explained by it.
    pub(super) fn launch_repeat(&mut self) {
        self.volumes(1, 2);
        self.launch_for(1, &[]);
        let at = self.now + 12 * MINUTE + 30;
        self.reattach(at, &self.all(), Cause::Launch);
        self.verdict(Verdict::Clean, "attached again by its launch");
    }

    /// A baseline of unknown cause: the other volumes stay put.
    pub(super) fn unknown_attach(&mut self) {
        self.volumes(1, 2);
        self.launch_for(1, &[]);
        let at = self.later(0);
        let further = self.further_volume();
        self.sight(at, further);
        self.verdict(Verdict::Clean, "a further volume came while the others stayed put");
    }
}
