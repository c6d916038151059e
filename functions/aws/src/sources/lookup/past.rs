//! The past, which is filled in backwards so that baselines appear: sightings by a plan of its own, the cheapest for the
//! time that is left to read, and no further back than their causes.

use std::collections::{BTreeSet, BinaryHeap};

use exposure_core::ids::{InstanceId, InstanceKey};
use exposure_core::time::{TimeSpan, Timestamp};

use super::super::covered::{seconds_of, shifted};
use super::client::LookupClient;
use super::planner::{Plan, plan};
use super::stream::Stream;
use super::visit::{Visit, calls};

/// How many pages one window of the past is likely to hold at most. A quiet stream goes back to the horizon in one
/// window, since every window takes a request, however empty; busy ones go back in turns.
const STEP_PAGES: u64 = 20;

/// Fills in the past within 90 days.
pub(super) async fn fill<C: LookupClient>(visit: &mut Visit<'_, C>, population: &BTreeSet<InstanceId>) {
    let calls: Vec<Stream> = calls().collect();
    let Some(end) = visit.reader.memory.sightings_from else { return fill_calls(visit, &calls).await };
    let whole = TimeSpan { from: visit.horizon(), to: end };
    let plan = cheapest(visit, population, whole);
    let streams = plan.streams();
    let mut waiting: BinaryHeap<(Timestamp, &Stream)> =
        streams.iter().filter_map(|stream| Some((last_gap(visit, stream, whole)?.to, stream))).collect();
    while visit.goes_on() {
        // Sightings as far down as their causes have come, then the causes again.
        let floor = visit.depth().max(whole.from);
        let Some((_, stream)) = waiting.peek().copied().filter(|(to, _)| *to > floor) else {
            if step_calls(visit, &calls).await {
                continue;
            }
            break;
        };
        waiting.pop();
        if let Some(gap) = last_gap(visit, stream, TimeSpan { from: floor, to: end }) {
            let window = step(visit, stream, gap);
            visit.read(stream, window).await;
        }
        let rest = last_gap(visit, stream, whole).filter(|_| !visit.broken.contains(stream));
        waiting.extend(rest.map(|gap| (gap.to, stream)));
    }
    note_from(visit, &plan, &streams, end);
}

/// Fills in the past of calls, all of them together.
pub(super) async fn fill_calls<C: LookupClient>(visit: &mut Visit<'_, C>, streams: &[Stream]) {
    while visit.goes_on() && step_calls(visit, streams).await {}
}

/// Reads one more window of the calls that have come back least far. False where nothing is left to read.
async fn step_calls<C: LookupClient>(visit: &mut Visit<'_, C>, streams: &[Stream]) -> bool {
    let horizon = visit.horizon();
    let gaps = streams.iter().filter(|stream| !visit.broken.contains(*stream)).filter_map(|stream| {
        let known = visit.reader.memory.streams.get(stream)?;
        let front = known.covered.around(known.through?)?;
        Some((last_gap(visit, stream, TimeSpan { from: horizon, to: shifted(front.from, -1) })?, stream))
    });
    let Some((gap, stream)) = gaps.max_by_key(|(gap, _)| gap.to) else { return false };
    let window = step(visit, stream, gap);
    visit.read(stream, window).await;
    true
}

/// The cheapest plan for a stretch of the past, of those who were there then.
fn cheapest<C: LookupClient>(visit: &Visit<'_, C>, population: &BTreeSet<InstanceId>, whole: TimeSpan) -> Plan {
    let (memory, place, ledger) = (&visit.reader.memory, visit.ask.place, visit.ask.ledger);
    let was_there = |instance: &InstanceId| {
        let key = InstanceKey { source: place.clone(), instance: *instance };
        ledger.launched(&key).is_none_or(|at| at < whole.to)
    };
    let population = population.iter().copied().filter(was_there).collect();
    let cost = |stream: &Stream| {
        let known = memory.streams.get(stream);
        let gaps = known.map_or_else(|| vec![whole], |known| known.covered.gaps(whole));
        gaps.into_iter().map(|gap| memory.pages(stream, seconds_of(gap))).sum()
    };
    plan(&memory.choices(&population, cost))
}

/// The latest stretch of a stream within a span that was not read.
fn last_gap<C>(visit: &Visit<'_, C>, stream: &Stream, span: TimeSpan) -> Option<TimeSpan> {
    if span.from > span.to {
        return None;
    }
    match visit.reader.memory.streams.get(stream) {
        Some(known) => known.covered.gaps(span).pop(),
        None => Some(span),
    }
}

/// The latest part of a gap that is read at once.
fn step<C>(visit: &Visit<'_, C>, stream: &Stream, gap: TimeSpan) -> TimeSpan {
    let seconds = seconds_of(gap);
    let pages = visit.reader.memory.pages(stream, seconds);
    if pages <= STEP_PAGES {
        return gap;
    }
    let part = i64::try_from(seconds.saturating_mul(STEP_PAGES) / pages).unwrap_or(i64::MAX).max(1);
    TimeSpan { from: shifted(gap.to, -part).max(gap.from), to: gap.to }
}

/// Notes down to when the sightings of all are read.
fn note_from<C: LookupClient>(visit: &mut Visit<'_, C>, plan: &Plan, streams: &[Stream], end: Timestamp) {
    if !plan.complete {
        return;
    }
    let floor = visit.depth().max(visit.horizon());
    let reached = streams.iter().map(|stream| {
        let gap = last_gap(visit, stream, TimeSpan { from: floor, to: end });
        gap.map_or(floor, |gap| shifted(gap.to, 1))
    });
    let reached = reached.max().unwrap_or(floor).min(end);
    visit.reader.memory.sightings_from = Some(reached);
}
