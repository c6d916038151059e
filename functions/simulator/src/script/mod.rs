//! What happens to one instance, from its launch to its end, and what the truth about it is.
//!
//! A script acts and notes the truth of it at once: `migrate` writes the Decrypts of a host move and enters the migration
//! in the truth. Nothing here looks at a record to find out what it means.

mod explained;
mod life;
mod migrated;
mod pretrail;

use crate::account::{Account, Group, Mark, Side};
use crate::activity::{Activity, Move};
use crate::calendar::{Calendar, HOUR, MINUTE};
use crate::dice::Dice;
use crate::event::{Action, Answer, By, Event, VolumeIndex};
use crate::ids::Uuid;
use crate::instance::{Cause, Confidence, Instance, Migration, Reattachment, Verdict};
use crate::kind::Kind;

/// Between two things that happen to one instance there is at least this much, so that no cause of one lies near the
/// other.
const GAP: i64 = 65 * MINUTE;
/// What a step of a script may take, its gap and some leeway.
const STEP: i64 = 75 * MINUTE;

/// What scripts write into.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) instances: Vec<Instance>,
    pub(crate) events: Vec<Event>,
    pub(crate) activities: Vec<Activity>,
}

/// The script of one instance.
pub(crate) struct Script<'a> {
    pub(crate) account: &'a Account,
    pub(crate) calendar: &'a Calendar,
    pub(crate) dice: Dice,
    pub(crate) index: u32,
    pub(crate) instance: Instance,
    pub(crate) plan: &'a mut Plan,
    /// The time of the last thing that happened.
    pub(crate) now: i64,
    pub(crate) order: u32,
}

impl Script<'_> {
    /// Makes the kind happen.
    pub(crate) fn play(mut self) {
        match self.instance.kind {
            Kind::Clean => self.clean(),
            Kind::Unencrypted => self.unencrypted(),
            Kind::Departed => self.departed(),
            Kind::DepartedMigrated | Kind::DepartedDeletedGroup => self.departed_migrated(),
            Kind::WarmPool => self.warm_pool(),
            Kind::FailedDecrypts => self.failed_decrypts(),
            Kind::LiveMigrated | Kind::SharedKeyMigrated | Kind::StandaloneMigrated => self.live_migrated(),
            Kind::MigratedTwice => self.migrated_twice(),
            Kind::Burst => self.burst(),
            Kind::MigratedThenStandby => self.migrated_then_standby(),
            Kind::MigratedTerminating => self.migrated_terminating(),
            Kind::MigratedInStandby => self.migrated_in_standby(),
            Kind::MigratedPending => self.migrated_pending(),
            Kind::Partial => self.partial(),
            Kind::LostVolume => self.lost_volume(),
            Kind::DetachedThenMigrated => self.detached_then_migrated(),
            Kind::StartLeavesVolumeOut => self.start_leaves_volume_out(),
            Kind::LostBaselineMigrated => self.lost_baseline_migrated(),
            Kind::MixedBaselines => self.mixed_baselines(),
            Kind::InternalGrantMigrated => self.internal_grant_migrated(),
            Kind::RunningStartMigrated => self.running_start_migrated(),
            Kind::FailedAttachMigrated => self.failed_attach_migrated(),
            Kind::PretrailQuiet => self.pretrail_quiet(),
            Kind::PretrailDeparted => self.pretrail_departed(),
            Kind::PretrailMigrated => self.pretrail_migrated(1),
            Kind::PretrailMigratedTwice => self.pretrail_migrated(2),
            Kind::PretrailRestartedMigrated => self.pretrail_restarted_migrated(),
            Kind::Unplaced => self.unplaced(),
            Kind::StopStart => self.stop_start(),
            Kind::StopStartInStandby => self.stop_start_in_standby(),
            Kind::RebootMoved => self.reboot_moved(),
            Kind::AttachFurther => self.attach_further(),
            Kind::DetachReattach => self.detach_reattach(),
            Kind::RootReplaced => self.root_replaced(),
            Kind::GrantedOnly => self.granted_only(),
            Kind::SharedRequest => self.shared_request(),
            Kind::StopOnly => self.stop_only(),
            Kind::DetachOnly => self.detach_only(),
            Kind::LaunchRepeat => self.launch_repeat(),
            Kind::UnknownAttach => self.unknown_attach(),
        }
        self.plan.instances.push(self.instance);
    }

    fn group(&self) -> Option<&Group> {
        self.instance.group.and_then(|group| self.account.groups.get(group))
    }

    /// The times at which the group scales out, then those at which it scales in.
    fn shifts(&self) -> (&[i64], &[i64]) {
        let Calendar { mornings, evenings, .. } = self.calendar;
        match self.group().map(|group| group.side) {
            Some(Side::Night) => (evenings, mornings),
            _ => (mornings, evenings),
        }
    }

    /// Gives the instance encrypted volumes, this many or a few more.
    fn volumes(&mut self, least: usize, most: usize) {
        let more = self.dice.index(most - least + 1);
        self.exact_volumes(least + more, false);
    }

    fn exact_volumes(&mut self, count: usize, short_ids: bool) {
        for _ in 0..count {
            let id = self.dice.volume_id(short_ids);
            self.instance.volumes.push(id);
        }
    }

    /// A further volume.
    fn further_volume(&mut self) -> VolumeIndex {
        let id = self.dice.volume_id(false);
        self.instance.volumes.push(id);
        VolumeIndex::try_from(self.instance.volumes.len() - 1).unwrap_or(0)
    }

    /// All volumes that the instance was given.
    fn all(&self) -> Vec<VolumeIndex> {
        (0..).take(self.instance.volumes.len()).collect()
    }

    /// Notes what happens, as a call of its own.
    fn act(&mut self, at: i64, action: Action) -> Uuid {
        let request = self.dice.uuid();
        self.act_within(at, action, request);
        request
    }

    /// Notes what happens, as part of a request. Returns the ID of the event.
    fn act_within(&mut self, at: i64, action: Action, request: Uuid) -> Uuid {
        let event = self.dice.uuid();
        self.plan.events.push(Event { at, instance: self.index, order: self.order, action, id: event, request });
        self.order += 1;
        event
    }

    fn activity(&mut self, start: i64, end: Option<i64>, what: Move) {
        self.plan.activities.push(Activity { start, end, what, instance: self.index });
    }

    /// A launch, with the grants of all volumes and the Decrypts of those whose records are not lost.
    fn launch(&mut self, at: i64, lost: &[VolumeIndex]) {
        let by = if self.group().is_none() { By::Customer } else { By::AutoScaling };
        let request = if self.group().is_some_and(|group| group.is(Mark::Mixed)) {
            self.act(at, Action::CreateFleet);
            self.act(at, Action::Run(By::Fleet))
        } else {
            self.act(at, Action::Run(by))
        };
        for volume in self.all() {
            self.act_within(at, Action::VolumeKey(volume), request);
            if !lost.contains(&volume) {
                // The grant belongs to the launch's request, or to that of the Decrypt: both have been seen.
                let request = if self.dice.chance(500) { request } else { self.dice.uuid() };
                self.act_within(at + 1, Action::Grant(by, volume), request);
                let seconds = self.dice.between(2, 6);
                self.act_within(at + seconds, Action::Decrypt(volume, Answer::Done), request);
                self.act(at + seconds + 1, Action::ServiceDecrypt(volume));
                self.instance.baseline_seen = true;
                self.instance.sighted = true;
            }
        }
        self.instance.launched = Some(at);
        self.now = at;
        if by == By::AutoScaling {
            let what = if self.instance.kind == Kind::WarmPool { Move::LaunchIntoWarmPool } else { Move::Launch };
            let pending = self.instance.kind == Kind::MigratedPending;
            let end = at + self.dice.between(40, 150);
            self.activity(at - 2, (!pending).then_some(end), what);
        }
    }

    /// Launches at a time that leaves room for this many steps, the last of them at night if there is one.
    fn launch_for(&mut self, steps: i64, lost: &[VolumeIndex]) {
        let at = self.launch_time(steps);
        self.launch(at, lost);
    }

    fn launch_time(&mut self, steps: i64) -> i64 {
        let earliest = self.calendar.first() + 5 * MINUTE;
        let room = steps * STEP + if steps > 0 { HOUR } else { 0 };
        let by_day = self.calendar.last() - room;
        let by_night = self.calendar.last_night().map(|night| night - room);
        let latest = by_night.filter(|at| steps > 0 && *at > earliest).unwrap_or(by_day).max(earliest);
        let shifts: Vec<i64> = self.shifts().0.iter().copied().filter(|at| (earliest..=latest).contains(at)).collect();
        let scheduled = self.dice.chance(600);
        match self.dice.pick(&shifts) {
            Some(shift) if scheduled => (shift + self.dice.between(0, 12 * MINUTE)).min(latest),
            _ => self.dice.between(earliest, latest),
        }
    }

    /// Goes on to a time in the off-peak hours that leaves room for this many steps more.
    fn off_peak(&mut self, more: i64) -> i64 {
        let (after, before) = (self.now + GAP, self.calendar.last() - more * STEP);
        self.now = self.calendar.off_peak(after, before, &mut self.dice);
        self.now
    }

    /// Goes on to any time within the next hours that leaves room for this many steps more.
    fn later(&mut self, more: i64) -> i64 {
        let (after, before) = (self.now + GAP, self.calendar.last() - more * STEP);
        self.now = self.dice.between(after, before.min(after + 5 * HOUR).max(after));
        self.now
    }

    /// An infrastructure Decrypt of a request of its own. Returns the ID of the event.
    fn sight(&mut self, at: i64, volume: VolumeIndex) -> Uuid {
        let request = self.dice.uuid();
        self.sight_within(at, volume, request)
    }

    fn sight_within(&mut self, at: i64, volume: VolumeIndex, request: Uuid) -> Uuid {
        self.instance.sighted = true;
        self.act_within(at, Action::Decrypt(volume, Answer::Done), request)
    }

    /// A host move that nothing explains: one Decrypt for each of these volumes, within moments.
    fn migrate(&mut self, at: i64, volumes: &[VolumeIndex], confidence: Confidence) {
        self.migrate_in_bursts(at, volumes, confidence, 1);
    }

    /// The same, with this many Decrypts for each volume, the last well within ten minutes of the first.
    fn migrate_in_bursts(&mut self, at: i64, volumes: &[VolumeIndex], confidence: Confidence, decrypts: i64) {
        let mut events = Vec::new();
        let mut seconds = 0;
        for &volume in volumes {
            for repeat in 0..decrypts {
                let at = at + seconds + repeat * 140;
                events.push((at, self.sight(at, volume)));
            }
            seconds += self.dice.between(1, 4);
        }
        events.sort_by_key(|(at, _)| *at);
        let events = events.into_iter().map(|(_, event)| event).collect();
        let volumes = volumes.iter().filter_map(|volume| self.instance.volume(*volume)).collect();
        self.instance.migrations.push(Migration { at, volumes, confidence, events });
        self.now = at;
    }

    /// Volumes attached again for a reason that is on record.
    fn reattach(&mut self, at: i64, volumes: &[VolumeIndex], cause: Cause) {
        let mut seconds = 0;
        for &volume in volumes {
            self.sight(at + seconds, volume);
            seconds += self.dice.between(1, 3);
        }
        let volumes = volumes.iter().filter_map(|volume| self.instance.volume(*volume)).collect();
        self.instance.reattachments.push(Reattachment { at, volumes, cause });
        self.now = at;
    }

    /// A stop and a start by a customer, with the Decrypts of these volumes.
    fn stop_and_start(&mut self, at: i64, volumes: &[VolumeIndex]) {
        let stopped = self.dice.between(20, 30) * MINUTE;
        self.act(at - stopped, Action::Stop(By::Customer));
        self.act(at, Action::Start(By::Customer));
        for &volume in volumes {
            self.act(at + 1, Action::Grant(By::Customer, volume));
        }
    }

    fn enter_standby(&mut self, at: i64) {
        self.act(at, Action::EnterStandby);
        self.activity(at, Some(at + 20), Move::EnterStandby);
        self.now = at;
    }

    fn exit_standby(&mut self, at: i64) {
        self.act(at, Action::ExitStandby);
        self.activity(at, Some(at + 40), Move::ExitStandby);
        self.now = at;
    }

    /// Termination by Auto Scaling: no member any more.
    fn terminate(&mut self, at: i64) {
        self.act(at, Action::Terminate);
        self.activity(at, Some(at + 70), Move::Terminate);
        self.instance.state = None;
        self.now = at;
    }

    fn verdict(&mut self, verdict: Verdict, reason: &'static str) {
        self.instance.verdict = verdict;
        self.instance.reason = reason;
    }
}
