//! One run in one account and region: causes first, then sightings by the cheapest plan, then with what is spared
//! late events and the past.

use std::collections::BTreeSet;

use exposure_core::ids::{InstanceId, InstanceKey};
use exposure_core::time::{TimeSpan, Timestamp};
use rand::rngs::SmallRng;

use super::super::covered::{seconds_of, shifted};
use super::super::{Ask, Batch, intake};
use super::client::LookupClient;
use super::memory::{GRANT_SECONDS, Rate};
use super::planner::{Choices, Plan, plan};
use super::reader::{Reader, Readout, Stop};
use super::spare;
use super::stream::{Attribute, CAUSES, Stream, TRANSITIONS};
use crate::failure::Failure;

/// How far each window reaches back over what was read, in seconds, for events that were delivered late.
pub(super) const OVERLAP_SECONDS: i64 = 30 * 60;
/// How far back the first run reads sightings, in seconds; of causes twice that, so that no sighting lacks its cause.
const FIRST_SECONDS: i64 = 3_600;
/// How many events a day an instance's own stream is expected to hold before it was measured: an SSM agent alone makes
/// 288.
const INSTANCE_EVENTS_A_DAY: u64 = 300;

/// One window to read.
struct Task {
    stream: Stream,
    window: TimeSpan,
    pages: u64,
    /// Where the stream's end is moved to, if it begins here: what lies before was shown by others.
    begins: Option<Timestamp>,
}

/// One run in one account and region.
pub(super) struct Visit<'a, C> {
    pub(super) ask: &'a Ask<'a>,
    pub(super) reader: Reader<'a, C>,
    pub(super) budget: u64,
    /// Why nothing more is read.
    pub(super) stop: Option<Stop>,
    /// Streams that cannot be read in this run.
    pub(super) broken: BTreeSet<Stream>,
}

/// The streams of the calls that are causes.
pub(super) fn causes() -> impl Iterator<Item = Stream> {
    CAUSES.iter().map(|name| Stream::event_name(name))
}

/// The streams of the calls that are causes or transitions.
pub(super) fn calls() -> impl Iterator<Item = Stream> {
    CAUSES.iter().chain(&TRANSITIONS).map(|name| Stream::event_name(name))
}

impl<'a, C: LookupClient> Visit<'a, C> {
    pub(super) fn new(ask: &'a Ask<'a>, client: &'a C, budget: u64, chance: SmallRng) -> Self {
        let mut reader = Reader::new(client, ask.deadline, ask.memory.lookup.clone(), chance);
        reader.batch.requests.budget = budget;
        Self { ask, reader, budget, stop: None, broken: BTreeSet::new() }
    }

    /// Reads what is new.
    pub(super) async fn run(mut self) -> Result<Batch, Failure> {
        self.reader.limit = (self.budget - self.budget / 4).max(1);
        let first = shifted(self.ask.now, -2 * FIRST_SECONDS);
        let tasks = calls().flat_map(|stream| self.tasks(&stream, first)).collect();
        self.work(tasks).await;

        self.reader.limit = self.budget;
        let population = self.population();
        self.reader.memory.prune(&population, self.ask.now);
        let mut plan = plan(&self.choices(&population));
        if plan.requests > self.reader.left() && !plan.instances.is_empty() {
            // The keys of instances are learnt from their grants, however long ago.
            self.reader.limit = self.reader.batch.requests.made + self.reader.left() / 2;
            spare::fill(&mut self, &[Stream::event_name("CreateGrant")], None).await;
            self.reader.limit = self.budget;
            plan = super::planner::plan(&self.choices(&population));
        }
        self.note_plan(&plan, population.len());
        let streams = streams_of(&plan);
        let first = self.reader.memory.sightings_through.unwrap_or(shifted(self.ask.now, -FIRST_SECONDS));
        let tasks = streams.iter().flat_map(|stream| self.tasks(stream, first)).collect();
        self.work(tasks).await;
        self.note_sight(&plan);
        self.note_through(&plan, &streams);

        spare::spend(&mut self, &streams).await;
        self.finish(&plan)
    }

    /// Whose sightings are needed: the members, and who was a member on record and has not been gone for long.
    fn population(&self) -> BTreeSet<InstanceId> {
        let ask = self.ask;
        let recent = shifted(ask.now, -2 * FIRST_SECONDS);
        let known = ask.ledger.group_names().into_iter().filter(|(instance, (source, _))| {
            let key = InstanceKey { source: source.clone(), instance: *instance };
            source == ask.place && ask.ledger.departed(&key).is_none_or(|at| at >= recent)
        });
        let members = ask.fleet.members.iter().map(|member| member.instance);
        members.chain(known.map(|(instance, _)| instance)).chain(self.reader.launched.iter().copied()).collect()
    }

    /// What the plan is chosen from: costs are those of the windows that would be read now.
    fn choices(&self, population: &BTreeSet<InstanceId>) -> Choices {
        let memory = &self.reader.memory;
        let first = memory.sightings_through.unwrap_or(shifted(self.ask.now, -FIRST_SECONDS));
        let cost = |stream: &Stream| {
            let tasks = self.tasks(stream, first);
            tasks.iter().map(|task| task.pages).sum::<u64>().max(1)
        };
        let decrypts = Stream::decrypts();
        let measured = memory.streams.get(&decrypts).is_some_and(|known| known.rate.is_some());
        let mut used = memory.keys_used_by(population);
        let mut choices = Choices {
            keys: memory.keys.keys().map(|arn| (arn.clone(), cost(&Stream::key(arn)))).collect(),
            decrypts: measured.then(|| cost(&decrypts)),
            keys_blind: memory.is_blind(Attribute::ResourceName),
            instances_blind: memory.is_blind(Attribute::Username),
            decrypts_blind: memory.is_blind(Attribute::EventName),
            ..Choices::default()
        };
        for instance in population {
            let keys = used.remove(instance).unwrap_or_default();
            choices.instances.entry(keys).or_default().insert(*instance, cost(&Stream::instance(*instance)));
        }
        choices
    }

    /// The windows of a stream that were not read yet, from the overlap with what was to now. A stream that was not
    /// read so far begins at `first`.
    fn tasks(&self, stream: &Stream, first: Timestamp) -> Vec<Task> {
        let now = self.ask.now;
        let known = self.reader.memory.streams.get(stream).cloned().unwrap_or_default();
        let through = known.through.map_or(first, |through| {
            if stream.attribute == Attribute::EventName && *stream != Stream::decrypts() {
                through
            } else {
                // Until then other streams have shown its sightings.
                through.max(self.reader.memory.sightings_through.unwrap_or(through))
            }
        });
        let window = TimeSpan { from: shifted(through, -OVERLAP_SECONDS), to: now };
        let mut read = known.covered.settled(OVERLAP_SECONDS);
        if through < now {
            read.forget_before(through);
        }
        let mut begins = Some(through).filter(|_| known.through != Some(through));
        let unmeasured = if stream.attribute == Attribute::Username { INSTANCE_EVENTS_A_DAY } else { 0 };
        let gaps = read.gaps(window).into_iter();
        gaps.map(|window| {
            let pages = known.pages(seconds_of(window), unmeasured);
            Task { stream: stream.clone(), window, pages, begins: begins.take() }
        })
        .collect()
    }

    /// Reads windows: keys and names before instances one by one, and of each the oldest first.
    async fn work(&mut self, mut tasks: Vec<Task>) {
        tasks.sort_by_key(|task| (task.stream.attribute == Attribute::Username, task.window.from));
        for task in tasks {
            self.reader.batch.work.planned += task.pages;
            let known = self.reader.memory.streams.entry(task.stream.clone()).or_default();
            known.through = task.begins.or(known.through);
            if self.stop.is_some() || self.broken.contains(&task.stream) {
                continue;
            }
            if self.read(&task.stream, task.window).await.is_some() {
                self.reader.batch.work.done += task.pages;
            }
        }
    }

    /// Reads a window and remembers what was read of it. Nothing where it was not read to its end.
    pub(super) async fn read(&mut self, stream: &Stream, window: TimeSpan) -> Option<Readout> {
        let mut known = self.reader.memory.streams.remove(stream).unwrap_or_default();
        let (readout, stop) = self.reader.window(stream, window, &mut known.covered).await;
        known.advance();
        if readout.seconds > 0 || readout.events > 0 {
            let a_day = readout.events.saturating_mul(86_400) / readout.seconds.max(1);
            // A window of a page or less says little about a busy day: half of what was known stays.
            let before = known.rate.map_or(a_day, |rate| rate.events_per_day);
            known.rate = Some(Rate { at: self.ask.now, events_per_day: a_day.midpoint(before) });
        }
        self.reader.memory.streams.insert(stream.clone(), known);
        match stop {
            None => return Some(readout),
            Some(Stop::Stream) => {
                self.broken.insert(stream.clone());
            }
            // What is left may still be enough for others, once there is more of it.
            Some(stop) => self.stop = Some(stop).filter(|stop| *stop != Stop::Budget),
        }
        None
    }

    /// Says so where no plan is complete, or none fits.
    fn note_plan(&mut self, plan: &Plan, instances: usize) {
        let left = self.reader.left();
        let advice = "choose SOURCE=queue or SOURCE=logs";
        if !plan.complete {
            let text = format!("lookups show no sightings of all {instances} instances: {advice}");
            intake::problem(&mut self.reader.batch, text);
        } else if plan.requests > left {
            let text = format!(
                "no complete plan for the sightings of {instances} instances fits a run: the cheapest takes {} \
                 requests of {left} that are left; it takes turns and runs late, or {advice}",
                plan.requests
            );
            intake::problem(&mut self.reader.batch, text);
        }
    }

    /// Notes which grants were not followed by the sighting that was due, by each kind of stream that should have
    /// shown it.
    fn note_sight(&mut self, plan: &Plan) {
        let memory = &mut self.reader.memory;
        let read_to = |stream: &Stream| memory.streams.get(stream).and_then(|known| known.through);
        let mut missed = Vec::new();
        for (instance, awaited) in &memory.awaited {
            let keys = || memory.keys.iter().filter(|(_, used)| used.contains(instance)).map(|(arn, _)| arn);
            let (by, through) = if plan.decrypts {
                (Attribute::EventName, read_to(&Stream::decrypts()))
            } else if plan.instances.contains(instance) {
                (Attribute::Username, read_to(&Stream::instance(*instance)))
            } else if keys().next().is_some() && keys().all(|arn| plan.keys.contains(arn)) {
                (Attribute::ResourceName, keys().map(|arn| read_to(&Stream::key(arn))).min().flatten())
            } else {
                continue;
            };
            let due = shifted(awaited.granted, GRANT_SECONDS);
            if through.is_some_and(|through| through >= due) && !awaited.shown.contains(&by) {
                missed.push((by, *instance, awaited.granted));
            }
        }
        for (by, instance, granted) in missed {
            memory.sight.entry(by).or_default().missed.insert(instance, granted);
        }
    }

    fn note_through(&mut self, plan: &Plan, streams: &[Stream]) {
        // Whose launch was not read yet is not known to be needed.
        let causes = self.causes_through();
        let memory = &mut self.reader.memory;
        let ends = streams.iter().map(|stream| memory.streams.get(stream).and_then(|known| known.through));
        let least = ends.min().unwrap_or(Some(self.ask.now)).min(causes);
        if plan.complete && least.is_some() {
            memory.sightings_through = memory.sightings_through.max(least);
        }
    }

    /// Up to when every call was read that is a cause.
    fn causes_through(&self) -> Option<Timestamp> {
        let streams = &self.reader.memory.streams;
        causes().map(|stream| streams.get(&stream).and_then(|known| known.through)).min().flatten()
    }

    /// The kinds of streams that a plan relies on and that do not show what they should.
    fn blind(&self, plan: &Plan) -> Vec<Attribute> {
        let relied = [
            (Attribute::EventName, plan.decrypts),
            (Attribute::ResourceName, !plan.keys.is_empty()),
            (Attribute::Username, !plan.instances.is_empty()),
        ];
        let kinds = relied.into_iter().filter(|(_, relied)| *relied).map(|(kind, _)| kind);
        kinds.filter(|kind| self.reader.memory.is_blind(*kind)).collect()
    }

    fn finish(mut self, plan: &Plan) -> Result<Batch, Failure> {
        let blind = self.blind(plan);
        for kind in &blind {
            let text = format!("grants are seen without their Decrypts: {} shows no sightings", kind.as_str());
            intake::problem(&mut self.reader.batch, text);
        }
        match self.stop.take() {
            Some(Stop::Place(failure)) => {
                let fatal = matches!(failure.class, crate::failure::Class::Denied | crate::failure::Class::Disabled);
                if fatal || self.reader.batch.requests.made == self.reader.batch.requests.throttled || self.is_idle() {
                    return Err(failure);
                }
                intake::problem(&mut self.reader.batch, failure.to_string());
            }
            Some(Stop::Deadline) => {
                intake::problem(&mut self.reader.batch, "lookups: the time ran out; the next run goes on".to_owned());
            }
            _ => {}
        }
        let causes = self.causes_through();
        let sightings = self.reader.memory.sightings_through.filter(|_| plan.complete && blind.is_empty());
        let mut batch = self.reader.batch;
        batch.complete_through = causes.zip(sightings).map(|(causes, sightings)| causes.min(sightings));
        batch.memory = self.ask.memory.clone();
        batch.memory.lookup = self.reader.memory;
        Ok(batch)
    }

    fn is_idle(&self) -> bool {
        self.reader.batch.work.done == 0 && self.reader.batch.accounting.records == 0
    }
}

/// The streams of a plan.
pub(super) fn streams_of(plan: &Plan) -> Vec<Stream> {
    if plan.decrypts {
        return vec![Stream::decrypts()];
    }
    let keys = plan.keys.iter().map(|arn| Stream::key(arn));
    keys.chain(plan.instances.iter().map(|instance| Stream::instance(*instance))).collect()
}
