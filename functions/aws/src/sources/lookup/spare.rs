//! What is done with the requests that a run has to spare: measuring streams that may be cheaper, reading the last 24
//! hours again for late events, and filling in the past, so that baselines appear.

use exposure_core::time::{TimeSpan, Timestamp};

use super::super::covered::{Covered, shifted};
use super::client::LookupClient;
use super::memory::HORIZON_SECONDS;
use super::reader::Stop;
use super::stream::Stream;
use super::visit::{OVERLAP_SECONDS, Visit, calls, causes};

/// How often the last day is read again, and how much that is, in seconds.
const REREAD_EVERY_SECONDS: i64 = 3_600;
const DAY_SECONDS: i64 = 86_400;
/// How much of the past one window holds, in seconds: streams go back together.
const CHUNK_SECONDS: i64 = 10 * DAY_SECONDS;
/// Sightings are read no further back than their causes, and this much later, in seconds (rule 3).
const CAUSE_SECONDS: i64 = 15 * 60;

/// Spends what is left of the budget.
pub(super) async fn spend<C: LookupClient>(visit: &mut Visit<'_, C>, streams: &[Stream]) {
    let calls: Vec<Stream> = calls().collect();
    measure(visit, streams).await;
    reread(visit, &calls, false).await;
    reread(visit, streams, true).await;
    // A part of it only, so that a run that has little to do is short.
    let part = visit.reader.batch.requests.made + (visit.budget / 4).max(1);
    visit.reader.limit = visit.budget.min(part);
    fill(visit, &calls, None).await;
    fill(visit, streams, Some(depth(visit))).await;
    visit.reader.limit = visit.budget;
}

/// Reads one page of each stream that the plan might be made of and that was not measured for a day.
async fn measure<C: LookupClient>(visit: &mut Visit<'_, C>, streams: &[Stream]) {
    let now = visit.ask.now;
    let keys = visit.reader.memory.keys.keys().map(|arn| Stream::key(arn));
    let others: Vec<Stream> = keys.chain([Stream::decrypts()]).filter(|stream| !streams.contains(stream)).collect();
    for stream in others {
        let rate = visit.reader.memory.streams.get(&stream).and_then(|known| known.rate);
        if visit.stop.is_some() || visit.reader.left() == 0 {
            return;
        }
        if rate.is_some_and(|rate| shifted(rate.at, DAY_SECONDS) > now) {
            continue;
        }
        visit.reader.limit = visit.reader.batch.requests.made + 1;
        visit.read(&stream, TimeSpan { from: shifted(now, -REREAD_EVERY_SECONDS), to: now }).await;
        visit.reader.limit = visit.budget;
    }
}

/// Down to when every call is read that explains a sighting.
fn depth<C>(visit: &Visit<'_, C>) -> Timestamp {
    let streams = &visit.reader.memory.streams;
    let begins = causes().map(|stream| {
        let known = streams.get(&stream)?;
        Some(known.covered.around(known.through?)?.from)
    });
    let begins: Option<Vec<Timestamp>> = begins.collect();
    // Where one is not read at all, nothing is.
    let latest = begins.and_then(|begins| begins.into_iter().max()).unwrap_or(visit.ask.now);
    shifted(latest, CAUSE_SECONDS)
}

/// Reads the last 24 hours again where that was not done for an hour, the newest first, over as many runs as it takes.
async fn reread<C: LookupClient>(visit: &mut Visit<'_, C>, streams: &[Stream], below_causes: bool) {
    let now = visit.ask.now;
    let floor = below_causes.then(|| depth(visit));
    for stream in streams {
        if visit.stop.is_some() || visit.reader.left() == 0 {
            return;
        }
        let Some(known) = visit.reader.memory.streams.get(stream) else { continue };
        let due = known.reread.is_none_or(|at| shifted(at, REREAD_EVERY_SECONDS) <= now);
        if visit.broken.contains(stream) || (!due && known.rereading.is_none()) {
            continue;
        }
        let (began, reached) = known.rereading.unwrap_or((now, shifted(now, -OVERLAP_SECONDS)));
        let from = shifted(began, -DAY_SECONDS);
        let window = TimeSpan { from: floor.map_or(from, |floor| floor.max(from)), to: reached };
        let mut read = Covered::default();
        if window.from <= window.to {
            let (_, stop) = visit.reader.window(stream, window, &mut read).await;
            visit.stop = stop.filter(|stop| !matches!(stop, Stop::Budget | Stop::Stream));
        }
        let rest = read.gaps(window).last().map(|gap| gap.to).filter(|_| window.from <= window.to);
        if let Some(known) = visit.reader.memory.streams.get_mut(stream) {
            known.covered.join(&read);
            known.advance();
            known.rereading = rest.map(|rest| (began, rest));
            known.reread = if rest.is_none() { Some(began) } else { known.reread };
        }
    }
}

/// Fills in the past of streams, all of them together and no further back than `floor`, within 90 days.
pub(super) async fn fill<C: LookupClient>(visit: &mut Visit<'_, C>, streams: &[Stream], floor: Option<Timestamp>) {
    let horizon = shifted(visit.ask.now, -HORIZON_SECONDS);
    let floor = floor.map_or(horizon, |floor| floor.max(horizon));
    while visit.stop.is_none() {
        let left = visit.reader.left();
        let gaps = streams.iter().filter(|stream| !visit.broken.contains(*stream)).filter_map(|stream| {
            let known = visit.reader.memory.streams.get(stream)?;
            let front = known.covered.around(known.through?)?;
            let gap = known.covered.gaps(TimeSpan { from: floor, to: shifted(front.from, -1) }).pop()?;
            Some((gap, stream))
        });
        let Some((gap, stream)) = gaps.max_by_key(|(gap, _)| gap.to) else { return };
        let from = gap.from.max(shifted(gap.to, -CHUNK_SECONDS));
        visit.read(stream, TimeSpan { from, to: gap.to }).await;
        if visit.reader.left() == 0 || visit.reader.left() == left {
            return;
        }
    }
}
