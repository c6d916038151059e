//! What is done with the requests that a run has to spare: measuring streams that may be cheaper, reading the last 24
//! hours again for late events, and filling in the past.

use std::collections::BTreeSet;

use exposure_core::ids::InstanceId;
use exposure_core::time::TimeSpan;

use super::super::covered::{Covered, shifted};
use super::client::LookupClient;
use super::memory::OVERLAP_SECONDS;
use super::past;
use super::reader::Stop;
use super::stream::Stream;
use super::visit::{Visit, calls};

/// How often the last day is read again, and how much that is, in seconds.
const REREAD_EVERY_SECONDS: i64 = 3_600;
const DAY_SECONDS: i64 = 86_400;

/// Spends what is left of the budget.
pub(super) async fn spend<C: LookupClient>(
    visit: &mut Visit<'_, C>,
    streams: &[Stream],
    population: &BTreeSet<InstanceId>,
) {
    let calls: Vec<Stream> = calls().collect();
    measure(visit, streams).await;
    reread(visit, &calls, false).await;
    reread(visit, streams, true).await;
    // A part of it only, so that a run that has little to do is short.
    let limit = visit.narrow((visit.budget / 4).max(1));
    past::fill(visit, population).await;
    visit.reader.limit = limit;
}

/// Reads one page of each stream that the plan might be made of and that was not measured for a day.
pub(super) async fn measure<C: LookupClient>(visit: &mut Visit<'_, C>, streams: &[Stream]) {
    let now = visit.ask.now;
    let keys = visit.reader.memory.keys.keys().map(|arn| Stream::key(arn));
    let others: Vec<Stream> = keys.chain([Stream::decrypts()]).filter(|stream| !streams.contains(stream)).collect();
    // The one that stands for all keys first.
    for stream in others.into_iter().rev() {
        let rate = visit.reader.memory.streams.get(&stream).and_then(|known| known.rate);
        if !visit.goes_on() {
            return;
        }
        if rate.is_some_and(|rate| shifted(rate.at, DAY_SECONDS) > now) {
            continue;
        }
        let window = TimeSpan { from: shifted(now, -REREAD_EVERY_SECONDS), to: now };
        let limit = visit.narrow(1);
        visit.read(&stream, window).await;
        visit.reader.limit = limit;
    }
}

/// Reads the last 24 hours again where that was not done for an hour, the newest first, over as many runs as it takes.
async fn reread<C: LookupClient>(visit: &mut Visit<'_, C>, streams: &[Stream], below_causes: bool) {
    let now = visit.ask.now;
    let floor = below_causes.then(|| visit.depth());
    for stream in streams {
        if !visit.goes_on() {
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
