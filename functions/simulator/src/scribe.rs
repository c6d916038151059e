//! Writes what happens as records.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::account::{Account, At};
use crate::dice::Dice;
use crate::event::{Action, Answer, By, Event};
use crate::instance::Instance;
use crate::scene::Scene;
use crate::template::{Template, fragments, sections};

/// One noise record in this many is a look-alike, each kind of them in turn.
const LOOKALIKE_EVERY: u64 = 25;
/// One sighting in this many is written with escapes, and as many in the form of older records.
const DIALECT_EVERY: u64 = 23;

/// Writes what happens as records.
pub(crate) struct Scribe<'a> {
    account: &'a Account,
    dice: Dice,
    fleet: BTreeMap<&'static str, Template>,
    /// Templates of ordinary noise.
    noise: Vec<Template>,
    /// Their indices, each as often as its weight.
    tickets: Vec<usize>,
    /// The last drawn.
    ticket: usize,
    lookalikes: Vec<Template>,
    sightings: u64,
    noises: u64,
    clock: Clock,
}

/// The text of a time, kept for the records of the same second.
#[derive(Default)]
struct Clock {
    at: Option<i64>,
    time: String,
    hour: String,
}

impl Clock {
    fn set(&mut self, at: i64) {
        if self.at != Some(at) {
            self.at = Some(at);
            self.time = time(at);
            self.hour = time(at - at.rem_euclid(3600));
        }
    }
}

/// The text of a time, as AWS writes it.
pub(crate) fn time(at: i64) -> String {
    Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

impl<'a> Scribe<'a> {
    pub(crate) fn new(account: &'a Account, dice: Dice) -> Self {
        let fragments = fragments();
        let all = |file| sections(file).map(|(name, text)| (name, Template::parse(text, &fragments)));
        let mut tickets = Vec::new();
        let mut noise = Vec::new();
        for (index, (name, template)) in all(include_str!("../templates/noise.tmpl")).enumerate() {
            let weight = name.rsplit_once(':').and_then(|(_, weight)| weight.parse().ok()).unwrap_or(1);
            tickets.extend(std::iter::repeat_n(index, weight));
            noise.push(template);
        }
        Self {
            account,
            dice,
            fleet: all(include_str!("../templates/fleet.tmpl")).collect(),
            noise,
            tickets,
            ticket: 0,
            lookalikes: all(include_str!("../templates/lookalikes.tmpl")).map(|(_, template)| template).collect(),
            sightings: 0,
            noises: 0,
            clock: Clock::default(),
        }
    }

    /// Appends the record of an event; into `copy`, the record that the account of the key has of it, if it is another.
    pub(crate) fn event(&mut self, event: &Event, instance: &Instance, out: &mut Vec<u8>, copy: &mut Vec<u8>) {
        let name = self.template_of(event.action);
        let Some(template) = self.fleet.get(name) else { return };
        self.clock.set(event.at);
        let copied = instance.shared_key && event.action.is_of_kms();
        let has_shared_id = copied || matches!(event.action, Action::Grant(..) | Action::ServiceDecrypt(_));
        let place = self.account.place(instance.at);
        let volume = event.action.volume().and_then(|index| instance.volume(index));
        let mut scene = Scene {
            account: self.account,
            place,
            recipient: &place.account,
            at: event.at,
            time: &self.clock.time,
            hour: &self.clock.hour,
            event: event.id,
            request: event.request,
            token: self.dice.uuid(),
            shared: has_shared_id.then(|| self.dice.uuid()),
            instance,
            volume: volume.unwrap_or_else(|| self.dice.volume_id(false)),
            action: Some(event.action),
            old_grantee: self.dice.chance(80),
        };
        template.put(&scene, &mut self.dice, out);
        if copied {
            scene.event = self.dice.uuid();
            scene.recipient = &self.account.place(At::KeyAccount).account;
            template.put(&scene, &mut self.dice, copy);
        }
    }

    /// Appends a record that has nothing to do with the fleet, though it may name one of its instances.
    pub(crate) fn noise(&mut self, at: i64, place: At, instance: &Instance, out: &mut Vec<u8>) {
        self.clock.set(at);
        self.noises += 1;
        let round = self.noises / LOOKALIKE_EVERY;
        let template = if self.noises.is_multiple_of(LOOKALIKE_EVERY) && instance.at == place {
            let count = u64::try_from(self.lookalikes.len()).unwrap_or(1).max(1);
            self.lookalikes.get(usize::try_from(round % count).unwrap_or(0))
        } else {
            // Callers repeat themselves: pages, retries, polling.
            if self.dice.chance(400) {
                self.ticket = self.dice.pick(&self.tickets).copied().unwrap_or(0);
            }
            self.noise.get(self.ticket)
        };
        let place = self.account.place(place);
        let volume = self.dice.pick(&instance.volumes).copied();
        let scene = Scene {
            account: self.account,
            place,
            recipient: &place.account,
            at,
            time: &self.clock.time,
            hour: &self.clock.hour,
            event: self.dice.uuid(),
            request: self.dice.uuid(),
            token: self.dice.uuid(),
            shared: None,
            instance,
            volume: volume.unwrap_or_else(|| self.dice.volume_id(false)),
            action: None,
            old_grantee: false,
        };
        if let Some(template) = template {
            template.put(&scene, &mut self.dice, out);
        }
    }

    fn template_of(&mut self, action: Action) -> &'static str {
        match action {
            Action::Run(By::Fleet) => "run.ec2fleet",
            Action::Run(By::Customer) => "run.customer",
            Action::Run(_) => "run.autoscaling",
            Action::CreateFleet => "fleet.autoscaling",
            Action::VolumeKey(_) => "volume-key",
            Action::ServiceDecrypt(_) => "service-decrypt",
            Action::Grant(By::Customer, _) => "grant.customer",
            Action::Grant(By::Internal, _) => "grant.internal",
            Action::Grant(..) => "grant.autoscaling",
            Action::Decrypt(_, Answer::Null) => "decrypt.null",
            Action::Decrypt(_, Answer::Omitted) => "decrypt.omitted",
            Action::Decrypt(_, Answer::Done) => self.dialect(),
            Action::Decrypt(..) => "decrypt.v1.11",
            Action::Start(By::AutoScaling) => "start.autoscaling",
            Action::Start(_) => "start.customer",
            Action::StartOfRunning => "start.running",
            Action::Stop(By::AutoScaling) => "stop.autoscaling",
            Action::Stop(_) => "stop.customer",
            Action::Reboot => "reboot",
            Action::RebootDenied => "reboot.denied",
            Action::Attach(_) => "attach",
            Action::AttachFailed(_) => "attach.failed",
            Action::Detach(_) => "detach",
            Action::ReplaceRoot => "replace-root",
            Action::EnterStandby => "standby.enter",
            Action::ExitStandby => "standby.exit",
            Action::Terminate => "terminate.autoscaling",
            Action::CompleteLifecycle => "complete-lifecycle-action",
        }
    }

    fn dialect(&mut self) -> &'static str {
        self.sightings += 1;
        match self.sightings % DIALECT_EVERY {
            7 => "decrypt.escaped",
            15 => "decrypt.v1.08",
            _ => "decrypt.v1.11",
        }
    }
}
