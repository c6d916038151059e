//! A trail's log files in S3 (CloudTrail User Guide, "CloudTrail log file name format"), which are delivered about
//! five minutes after the call, and may be delivered late or again.

mod client;

use std::collections::BTreeSet;
use std::io::Cursor;

use exposure_core::ids::Source;
use exposure_core::time::Timestamp;
use futures::StreamExt;
use futures::future::join_all;
use tokio::time::Instant;

pub use client::{Listing, Object, ObjectClient, SdkObjects};

use super::covered::shifted;
use super::seen::{Progress, SeenFiles, hash};
use super::unpacked::{self, Content, day, delivered};
use super::{Ask, Batch, DELIVERY_SECONDS, RecordSource, intake};
use crate::failure::{Class, Failure};

/// How many objects are fetched at once.
const IN_FLIGHT: usize = 8;
/// How far back each run lists over what it listed before, in seconds; once an hour the last day as a whole.
const OVERLAP_SECONDS: i64 = 3_600;
const DAY_SECONDS: i64 = 86_400;
/// How far back a run lists that follows an outage, in seconds.
const OUTAGE_SECONDS: i64 = 30 * DAY_SECONDS;

/// The source that reads a trail's bucket.
#[derive(Debug)]
pub struct LogsSource<C> {
    client: C,
    prefix: String,
}

/// An object that is to be read.
struct Wanted {
    object: Object,
    day: String,
    hash: u64,
    progress: Progress,
}

impl Wanted {
    /// By when its records had happened, if its name tells.
    fn delivered(&self, now: Timestamp) -> Timestamp {
        delivered(&self.object.key).unwrap_or(shifted(now, -DAY_SECONDS))
    }
}

impl<C: ObjectClient + Send + Sync> LogsSource<C> {
    /// A source that reads the objects of `client` below `prefix`, that of the trail: what stands before `AWSLogs/`, or
    /// with it and what follows where it is given.
    pub fn new(client: C, prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        Self { client, prefix: format!("{prefix}{slash}") }
    }

    /// Where accounts' folders lie: below `AWSLogs/`, and below that of each organisation in it.
    async fn roots(&self) -> Result<Vec<String>, Failure> {
        if self.prefix.split('/').any(|part| part == "AWSLogs") {
            return Ok(vec![self.prefix.clone()]);
        }
        let root = format!("{}AWSLogs/", self.prefix);
        let folders = self.client.folders(&root).await?;
        let is_organisation = |folder: &String| folder.strip_prefix(&root).is_some_and(|rest| rest.starts_with("o-"));
        let organisations: Vec<String> = folders.into_iter().filter(is_organisation).collect();
        Ok([vec![root], organisations].concat())
    }

    async fn visit(&self, ask: &Ask<'_>, roots: &[String]) -> Result<Batch, Failure> {
        let mut batch = Batch { memory: ask.memory.clone(), ..Batch::default() };
        let whole_day = ask.memory.objects.relisted.is_none_or(|at| shifted(at, OVERLAP_SECONDS) <= ask.now);
        let since = since(&ask.memory.objects, ask.now, whole_day);
        let Some(wanted) = self.list(ask, roots, since, &mut batch).await? else {
            intake::problem(&mut batch, "listing the trail's objects took too long".to_owned());
            batch.work.planned += 1;
            return Ok(batch);
        };
        batch.work.planned += u64::try_from(wanted.len()).unwrap_or(u64::MAX);
        let unread = self.fetch(ask, wanted, &mut batch).await;

        let seen = &mut batch.memory.objects;
        seen.forget_before(&day(shifted(ask.now, -DAY_SECONDS).min(unread.unwrap_or(ask.now))));
        // What was not read is listed again.
        seen.listed_through = seen.listed_through.max(Some(unread.map_or(ask.now, |at| at.min(ask.now))));
        if whole_day {
            seen.relisted = seen.relisted.max(Some(ask.now));
        }
        let through = unread.map_or(ask.now, |at| at.min(ask.now));
        batch.complete_through = Some(shifted(through, -DELIVERY_SECONDS));
        Ok(batch)
    }

    /// The objects that were delivered since a time and not read, oldest first. Nothing where time ran out.
    async fn list(
        &self,
        ask: &Ask<'_>,
        roots: &[String],
        since: Timestamp,
        batch: &mut Batch,
    ) -> Result<Option<Vec<Wanted>>, Failure> {
        let mut wanted = Vec::new();
        for (root, day) in roots.iter().flat_map(|root| days(since, ask.now).into_iter().map(move |day| (root, day))) {
            let Source { account, region } = ask.place;
            let prefix = format!("{root}{account}/CloudTrail/{region}/{day}/");
            let first = format!("{prefix}{account}_CloudTrail_{region}_{}", stamp(since));
            let after = (day == unpacked::day(since)).then_some(first);
            let mut token = None;
            loop {
                if Instant::now() >= ask.deadline {
                    return Ok(None);
                }
                batch.requests.made += 1;
                let call = self.client.list(&prefix, after.as_deref(), token.as_deref());
                let Ok(answer) = tokio::time::timeout_at(ask.deadline, call).await else { return Ok(None) };
                let listing = answer?;
                // In a replay there are objects of later runs.
                let (due, later): (Vec<Object>, Vec<Object>) = listing
                    .objects
                    .into_iter()
                    .partition(|object| delivered(&object.key).is_none_or(|at| at <= ask.now));
                wanted.extend(due.into_iter().filter_map(|object| want(object, &day, &ask.memory.objects)));
                token = listing.next.filter(|_| later.is_empty());
                if token.is_none() {
                    break;
                }
            }
        }
        wanted.sort_by(|a, b| (a.delivered(ask.now), &a.object.key).cmp(&(b.delivered(ask.now), &b.object.key)));
        Ok(Some(wanted))
    }

    /// Reads objects, and says when the first of those was delivered that could not be.
    async fn fetch(&self, ask: &Ask<'_>, wanted: Vec<Wanted>, batch: &mut Batch) -> Option<Timestamp> {
        let mut unread: Option<Timestamp> = None;
        let read = |wanted: Wanted| async move {
            let content = self.get(&wanted, ask).await;
            (wanted, content)
        };
        let mut reading = futures::stream::iter(wanted).map(read).buffer_unordered(IN_FLIGHT);
        while let Some((wanted, content)) = reading.next().await {
            let content = match content {
                Ok(Some(content)) => content,
                other => {
                    let at = wanted.delivered(ask.now);
                    unread = Some(unread.map_or(at, |unread| unread.min(at)));
                    if let Err(failure) = other {
                        batch.requests.made += 1;
                        batch.requests.throttled += u64::from(failure.class == Class::Throttled);
                        batch.accounting.unreadable_files += 1;
                        intake::problem(batch, failure.to_string());
                    }
                    continue;
                }
            };
            batch.requests.made += 1;
            batch.work.done += 1;
            let through = take(batch, &wanted.object.key, content);
            batch.memory.objects.note(&wanted.day, wanted.hash, through);
        }
        unread
    }

    /// What an object holds. Nothing where there is no time.
    async fn get(&self, wanted: &Wanted, ask: &Ask<'_>) -> Result<Option<Content>, Failure> {
        if Instant::now() >= ask.deadline {
            return Ok(None);
        }
        let Ok(bytes) = tokio::time::timeout_at(ask.deadline, self.client.get(&wanted.object.key)).await else {
            return Ok(None);
        };
        let (bytes, progress, now) = (bytes?, wanted.progress, ask.now);
        let read = tokio::task::spawn_blocking(move || unpacked::read(|| Ok(Cursor::new(&bytes)), progress, now));
        // Whatever the file made the reader do, it spoils no other.
        Ok(Some(read.await.unwrap_or_else(|error| Content::Unreadable(error.to_string()))))
    }
}

/// Counts a file, and says up to when it was read if it holds later records.
pub(super) fn take(batch: &mut Batch, name: &str, content: Content) -> Option<Timestamp> {
    match content {
        Content::Skipped => None,
        Content::Unreadable(reason) => {
            batch.accounting.unreadable_files += 1;
            intake::problem(batch, format!("unreadable: {}: {reason}", name.rsplit('/').next().unwrap_or(name)));
            None
        }
        Content::Taken(reading, through) => {
            if through.is_some() && reading.records == 0 {
                return through;
            }
            reading.count(&mut batch.accounting);
            for (reason, count) in &reading.malformed {
                *batch.problems.entry(format!("malformed record: {reason}")).or_default() += count;
            }
            for (source, span) in reading.spans {
                batch.spans.entry(source).and_modify(|old| *old = old.join(span)).or_insert(span);
            }
            batch.observations.extend(reading.observations);
            through
        }
    }
}

fn want(object: Object, day: &str, seen: &SeenFiles) -> Option<Wanted> {
    let hash = hash(&[object.key.as_bytes(), object.etag.as_bytes()]);
    let progress = seen.progress(day, hash);
    (progress != Progress::Whole).then(|| Wanted { object, day: day.to_owned(), hash, progress })
}

/// Since when objects are listed.
fn since(seen: &SeenFiles, now: Timestamp, whole_day: bool) -> Timestamp {
    let day_before = shifted(now, -DAY_SECONDS);
    let last = seen.listed_through.map_or(day_before, |through| shifted(through.min(now), -OVERLAP_SECONDS));
    let since = if whole_day { last.min(day_before) } else { last };
    since.max(shifted(now, -OUTAGE_SECONDS))
}

/// The folders of the days from a time to another.
fn days(from: Timestamp, to: Timestamp) -> BTreeSet<String> {
    let seconds = (from.as_second()..to.as_second()).step_by(86_400);
    seconds.chain([to.as_second()]).map(|second| day(Timestamp::from_second(second))).collect()
}

/// A time as it is written in the name of an object.
fn stamp(time: Timestamp) -> String {
    time.to_string().chars().take(16).filter(|c| !matches!(c, '-' | ':')).collect::<String>()
}

impl<C: ObjectClient + Send + Sync> RecordSource for LogsSource<C> {
    async fn read<'a>(&'a self, asks: &'a [Ask<'a>]) -> Vec<Result<Batch, Failure>> {
        let roots = match self.roots().await {
            Ok(roots) => roots,
            Err(failure) => return asks.iter().map(|_| Err(failure.clone())).collect(),
        };
        join_all(asks.iter().map(|ask| self.visit(ask, &roots))).await
    }

    async fn confirm(&self, _receipts: &[String]) -> Result<(), Failure> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
