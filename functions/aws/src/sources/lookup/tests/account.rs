//! A made-up account that answers as `LookupEvents` is documented to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use exposure_core::fleet::{Fleet, Member};
use exposure_core::ids::InstanceId;
use exposure_core::ledger::Ledger;
use exposure_core::lifecycle::LifecycleState;
use exposure_core::time::Timestamp;
use tokio::time::Instant;

use super::super::client::{Entry, LookupClient, LookupError, OPERATION, Page, Query};
use super::super::stream::{Attribute, Stream};
use crate::failure::{Class, Failure};
use crate::sources::covered::shifted;
use crate::sources::testing::{Dice, KEY, grant, instance, launch, noise, sighting, volume};

#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    Throttle,
    Fail,
    Deny,
    /// The token is refused.
    Expire,
    /// The page names its own token.
    Repeat,
    /// The page holds a part of what it could.
    Short,
}

impl Fault {
    pub(super) fn any(dice: &mut Dice) -> Self {
        let all = [Self::Throttle, Self::Fail, Self::Deny, Self::Expire, Self::Repeat, Self::Short];
        all[usize::try_from(dice.below(6)).unwrap()]
    }
}

#[derive(Debug, Clone)]
struct Event {
    time: Timestamp,
    delivered: Timestamp,
    name: &'static str,
    user: Option<String>,
    resource: Option<String>,
    id: String,
    record: String,
    relevant: bool,
}

#[derive(Debug, Default)]
struct State {
    clock: Option<Timestamp>,
    asked: Vec<Instant>,
    faults: BTreeMap<u64, Fault>,
    requests: u64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    events: Vec<Event>,
    pub(super) members: u64,
    pub(super) users_blind: bool,
    pub(super) resources_blind: bool,
    /// Every second holds a page of other Decrypts, so that to read them all is out of the question.
    pub(super) decrypts_busy: bool,
    state: Arc<Mutex<State>>,
}

impl Account {
    /// Members, each launched at some time with a grant and a sighting, and migrated now and then; one key; noise.
    pub(super) fn busy(members: u64, seed: u64, from: Timestamp, to: Timestamp) -> Self {
        let mut dice = Dice::new(seed);
        let mut account = Self { members, ..Self::default() };
        let length = to.as_second() - from.as_second();
        for number in 0..members {
            let launched = shifted(from, dice.below_i64(length * 3 / 4));
            account.add_launch(launched, number);
            for _ in 0..dice.below(3) {
                let moved = shifted(launched, 600 + dice.below_i64(to.as_second() - launched.as_second()));
                account.add_sighting(moved, shifted(moved, 30), number, KEY);
            }
            for _ in 0..length / 300 {
                let at = shifted(from, dice.below_i64(length));
                account.add_noise(at, number);
            }
        }
        account
    }

    fn add(&mut self, event: Event) {
        self.events.push(event);
    }

    fn next_id(&self) -> String {
        format!("event-{}", self.events.len())
    }

    fn add_launch(&mut self, at: Timestamp, number: u64) {
        let id = self.next_id();
        let record = launch(at, &id, &instance(number));
        let delivered = shifted(at, 60);
        self.add(Event {
            time: at,
            delivered,
            name: "RunInstances",
            user: None,
            resource: None,
            id,
            record,
            relevant: true,
        });
        self.add_grant(shifted(at, 1), shifted(at, 90), number, KEY);
        self.add_sighting(shifted(at, 2), shifted(at, 120), number, KEY);
    }

    pub(super) fn add_grant(&mut self, at: Timestamp, delivered: Timestamp, number: u64, key: &str) {
        let id = self.next_id();
        let record = grant(at, &id, &instance(number), &volume(number), key);
        let resource = Some(key.to_owned());
        self.add(Event { time: at, delivered, name: "CreateGrant", user: None, resource, id, record, relevant: true });
    }

    fn add_sighting(&mut self, at: Timestamp, delivered: Timestamp, number: u64, key: &str) {
        let id = self.next_id();
        let record = sighting(at, &id, &instance(number), &volume(number), key);
        let (user, resource) = (Some(instance(number)), Some(key.to_owned()));
        self.add(Event { time: at, delivered, name: "Decrypt", user, resource, id, record, relevant: true });
    }

    fn add_noise(&mut self, at: Timestamp, number: u64) {
        let id = self.next_id();
        let record = noise(at, &id);
        let user = Some(instance(number));
        self.add(Event {
            time: at,
            delivered: at,
            name: "GetParameter",
            user,
            resource: None,
            id,
            record,
            relevant: false,
        });
    }

    pub(super) fn fleet(&self) -> Fleet {
        let members = (0..self.members).map(|number| Member {
            instance: InstanceId::new(&instance(number)).unwrap(),
            group: None,
            state: LifecycleState::new("InService"),
            region: None,
        });
        Fleet { members: members.collect(), ..Fleet::default() }
    }

    pub(super) fn set_clock(&self, now: Timestamp) {
        let mut state = self.state.lock().unwrap();
        state.clock = Some(now);
        state.requests = 0;
    }

    /// Lets a request of the next run, counted from 0, go wrong.
    pub(super) fn fail(&self, request: u64, fault: Fault) {
        self.state.lock().unwrap().faults.insert(request, fault);
    }

    pub(super) fn heal(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    pub(super) fn asked(&self) -> Vec<Instant> {
        self.state.lock().unwrap().asked.clone()
    }

    /// What was delivered of a time and is not in a ledger.
    pub(super) fn lacking(&self, ledger: &Ledger, from: Timestamp, to: Timestamp) -> BTreeSet<String> {
        let clock = self.state.lock().unwrap().clock.unwrap();
        let mut ledger = ledger.clone();
        let wanted = self
            .events
            .iter()
            .filter(|event| event.relevant && event.delivered <= clock && from <= event.time && event.time <= to);
        wanted
            .filter(|event| {
                let exposure_core::decode::Decoded::Observed(observation) =
                    exposure_core::decode::decode(event.record.as_bytes())
                else {
                    panic!("{}", event.record)
                };
                ledger.absorb(&observation) == exposure_core::ledger::Absorbed::New
            })
            .map(|event| format!("{} {} {}", event.time, event.name, event.id))
            .collect()
    }

    fn matches(&self, event: &Event, query: &Query) -> bool {
        let value = Some(&*query.stream.value);
        let by = match query.stream.attribute {
            Attribute::EventName => Some(event.name) == value,
            Attribute::ResourceName => !self.resources_blind && event.resource.as_deref() == value,
            Attribute::Username if event.name == "Decrypt" => !self.users_blind && event.user.as_deref() == value,
            Attribute::Username => event.user.as_deref() == value,
        };
        by && query.window.holds(event.time)
    }
}

impl LookupClient for Account {
    async fn page(&self, query: &Query) -> Result<Page, LookupError> {
        let (fault, clock) = {
            let mut state = self.state.lock().unwrap();
            state.asked.push(Instant::now());
            let request = state.requests;
            state.requests += 1;
            (state.faults.remove(&request), state.clock.unwrap())
        };
        assert!(query.window.from <= query.window.to && query.window.to <= clock, "{query:?}");
        let failed = |class| Err(LookupError::Failed(Failure::new(OPERATION, class, "made up")));
        match fault {
            Some(Fault::Throttle) => return failed(Class::Throttled),
            Some(Fault::Fail) => return failed(Class::Unavailable),
            Some(Fault::Deny) => return failed(Class::Denied),
            Some(Fault::Expire) if query.token.is_some() => return Err(LookupError::Token),
            _ => {}
        }
        let bound = format!("{}|{:?}|", query.stream, query.window);
        let skip = match &query.token {
            None => 0,
            Some(token) => match token.strip_prefix(&bound).and_then(|rest| rest.parse().ok()) {
                Some(skip) => skip,
                None => return Err(LookupError::Token),
            },
        };
        if self.decrypts_busy && query.stream == Stream::decrypts() {
            let time = shifted(query.window.to, -i64::try_from(skip).unwrap());
            let entry = |n: u32| {
                let id = format!("other-{}-{n}", time.as_second());
                Entry { time: Some(time), record: Some(noise(time, &id)), id: Some(id) }
            };
            let next = (time > query.window.from).then(|| format!("{bound}{}", skip + 1));
            return Ok(Page { entries: (0..50).map(entry).collect(), next });
        }
        let mut events: Vec<&Event> =
            self.events.iter().filter(|event| event.delivered <= clock && self.matches(event, query)).collect();
        events.sort_by(|a, b| (b.time, &b.id).cmp(&(a.time, &a.id)));
        let size = if matches!(fault, Some(Fault::Short)) { 3 } else { 50 };
        let entries: Vec<Entry> = events
            .iter()
            .skip(skip)
            .take(size)
            .map(|event| Entry {
                time: Some(event.time),
                id: Some(event.id.clone()),
                record: Some(event.record.clone()),
            })
            .collect();
        let end = skip + entries.len();
        let next = match (fault, &query.token) {
            (Some(Fault::Repeat), Some(token)) => Some(token.clone()),
            _ => (end < events.len()).then(|| format!("{bound}{end}")),
        };
        Ok(Page { entries, next })
    }
}
