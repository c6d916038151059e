//! What is new: causes first, then sightings by the cheapest plan, of each stream the oldest first.

use std::collections::BTreeSet;

use exposure_core::ids::InstanceId;
use exposure_core::time::{TimeSpan, Timestamp};

use super::super::covered::{seconds_of, shifted};
use super::super::intake;
use super::client::LookupClient;
use super::memory::{GRANT_SECONDS, OVERLAP_SECONDS};
use super::planner::{Plan, plan};
use super::stream::{Attribute, Stream};
use super::visit::{FIRST_SECONDS, Visit, calls};
use super::{past, spare};

/// One window to read.
struct Task {
    stream: Stream,
    window: TimeSpan,
    pages: u64,
    /// Where the stream's end is moved to, if it begins here: what lies before was shown by others.
    begins: Option<Timestamp>,
}

/// Reads the calls that are causes or transitions, with at most three quarters of the budget.
pub(super) async fn read_calls<C: LookupClient>(visit: &mut Visit<'_, C>) {
    let first = shifted(visit.ask.now, -2 * FIRST_SECONDS);
    let most = (visit.budget - visit.budget / 4).max(1);
    let tasks = calls().flat_map(|stream| tasks(visit, &stream, first)).collect();
    let limit = visit.narrow(most);
    work(visit, tasks).await;
    visit.reader.limit = limit;
}

/// Chooses how to read sightings. Where that does not fit, what may be cheaper is measured first, and then the keys of
/// instances are learnt from their grants, however long ago.
pub(super) async fn choose<C: LookupClient>(visit: &mut Visit<'_, C>, population: &BTreeSet<InstanceId>) -> Plan {
    let mut chosen = cheapest(visit, population);
    if fits(visit, &chosen) {
        return chosen;
    }
    let limit = visit.narrow(visit.reader.left() / 4);
    spare::measure(visit, &chosen.streams()).await;
    visit.reader.limit = limit;
    chosen = cheapest(visit, population);
    if !fits(visit, &chosen) && !chosen.instances.is_empty() {
        let limit = visit.narrow(visit.reader.left() / 2);
        past::fill_calls(visit, &[Stream::event_name("CreateGrant")]).await;
        visit.reader.limit = limit;
        chosen = cheapest(visit, population);
    }
    chosen
}

fn fits<C: LookupClient>(visit: &Visit<'_, C>, plan: &Plan) -> bool {
    plan.complete && plan.requests <= visit.reader.left()
}

/// The cheapest plan: costs are those of the windows that would be read now.
fn cheapest<C: LookupClient>(visit: &Visit<'_, C>, population: &BTreeSet<InstanceId>) -> Plan {
    let first = visit.first();
    let cost = |stream: &Stream| tasks(visit, stream, first).iter().map(|task| task.pages).sum::<u64>().max(1);
    plan(&visit.reader.memory.choices(population, cost))
}

/// Reads sightings by a plan, and notes how far they are complete.
pub(super) async fn read_sightings<C: LookupClient>(
    visit: &mut Visit<'_, C>,
    plan: &Plan,
    population: &BTreeSet<InstanceId>,
) {
    note_plan(visit, plan, population.len());
    let (streams, first) = (plan.streams(), visit.first());
    let tasks = streams.iter().flat_map(|stream| tasks(visit, stream, first)).collect();
    work(visit, tasks).await;
    note_sight(visit, plan);
    note_through(visit, plan, &streams, first);
}

/// The windows of a stream that were not read yet, from the overlap with what was to now. A stream that was not
/// read so far begins at `first`.
fn tasks<C: LookupClient>(visit: &Visit<'_, C>, stream: &Stream, first: Timestamp) -> Vec<Task> {
    let (now, memory) = (visit.ask.now, &visit.reader.memory);
    let known = memory.streams.get(stream).cloned().unwrap_or_default();
    let through = known.through.map_or(first, |through| {
        if stream.attribute == Attribute::EventName && *stream != Stream::decrypts() {
            through
        } else {
            // Until then other streams have shown its sightings.
            through.max(memory.sightings_through.unwrap_or(through))
        }
    });
    let window = TimeSpan { from: shifted(through, -OVERLAP_SECONDS), to: now };
    let mut read = known.covered.settled(OVERLAP_SECONDS);
    if through < now {
        read.forget_before(through);
    }
    let mut begins = Some(through).filter(|_| known.through != Some(through));
    let gaps = read.gaps(window).into_iter();
    gaps.map(|window| {
        let pages = memory.pages(stream, seconds_of(window));
        Task { stream: stream.clone(), window, pages, begins: begins.take() }
    })
    .collect()
}

/// Reads windows: keys and names before instances one by one, and of each the oldest first.
async fn work<C: LookupClient>(visit: &mut Visit<'_, C>, mut tasks: Vec<Task>) {
    tasks.sort_by_key(|task| (task.stream.attribute == Attribute::Username, task.window.from));
    for task in tasks {
        visit.reader.batch.work.planned += task.pages;
        let known = visit.reader.memory.streams.entry(task.stream.clone()).or_default();
        known.through = task.begins.or(known.through);
        if visit.stop.is_some() || visit.broken.contains(&task.stream) {
            continue;
        }
        if visit.read(&task.stream, task.window).await.is_some() {
            visit.reader.batch.work.done += task.pages;
        }
    }
}

/// Says so where no plan is complete, or none fits.
fn note_plan<C: LookupClient>(visit: &mut Visit<'_, C>, plan: &Plan, instances: usize) {
    let left = visit.reader.left();
    let advice = "choose SOURCE=queue or SOURCE=logs";
    if !plan.complete {
        let text = format!("lookups show no sightings of all {instances} instances: {advice}");
        intake::problem(&mut visit.reader.batch, text);
    } else if plan.requests > left {
        let text = format!(
            "no complete plan for the sightings of {instances} instances fits a run: the cheapest takes {} \
             requests of {left} that are left; it takes turns and runs late, or {advice}",
            plan.requests
        );
        intake::problem(&mut visit.reader.batch, text);
    }
}

/// Notes which grants were not followed by the sighting that was due, by each kind of stream that should have
/// shown it.
fn note_sight<C: LookupClient>(visit: &mut Visit<'_, C>, plan: &Plan) {
    let memory = &mut visit.reader.memory;
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

fn note_through<C: LookupClient>(visit: &mut Visit<'_, C>, plan: &Plan, streams: &[Stream], first: Timestamp) {
    // Whose launch was not read yet is not known to be needed.
    let causes = visit.causes_through();
    let now = visit.ask.now;
    let memory = &mut visit.reader.memory;
    let ends = streams.iter().map(|stream| memory.streams.get(stream).and_then(|known| known.through));
    let least = ends.min().unwrap_or(Some(now)).min(causes);
    if plan.complete && least.is_some() {
        memory.sightings_through = memory.sightings_through.max(least);
        // Every window began there or earlier.
        memory.sightings_from.get_or_insert(shifted(first, -OVERLAP_SECONDS));
    }
}
