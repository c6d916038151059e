//! Objects in memory, and the bucket that shows the account's log files.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Bound;

use crate::account::{Account, TrailFile};
use crate::digest::{draw, md5};
use crate::gzip;
use crate::hub::{Hub, Live};
use crate::switches::Channel;

/// An object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object {
    pub(crate) body: Vec<u8>,
    /// Without quotes.
    pub(crate) etag: String,
    /// Seconds of the Unix epoch.
    pub(crate) modified: i64,
    pub(crate) content_type: String,
    /// Headers `x-amz-meta-…` and their values.
    pub(crate) metadata: Vec<(String, String)>,
}

/// An object in a list.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) modified: i64,
}

/// Objects by bucket and key.
#[derive(Debug, Default)]
pub(crate) struct Buckets(BTreeMap<String, BTreeMap<String, Object>>);

impl Buckets {
    pub(crate) fn get(&self, bucket: &str, key: &str) -> Option<&Object> {
        self.0.get(bucket)?.get(key)
    }

    /// Puts an object; its entity tag follows from its body.
    pub(crate) fn put(&mut self, bucket: &str, key: &str, object: Object) -> String {
        let etag = md5(&object.body);
        let object = Object { etag: etag.clone(), ..object };
        self.0.entry(bucket.to_owned()).or_default().insert(key.to_owned(), object);
        etag
    }

    pub(crate) fn remove(&mut self, bucket: &str, key: &str) {
        if let Some(objects) = self.0.get_mut(bucket) {
            objects.remove(key);
        }
    }

    /// The objects from a key on, in the order of their keys.
    pub(crate) fn from(&self, bucket: &str, key: Bound<&str>) -> impl Iterator<Item = Row> {
        let from = (key.map(str::to_owned), Bound::Unbounded);
        self.0.get(bucket).into_iter().flat_map(move |objects| objects.range(from.clone())).map(|(key, object)| Row {
            key: key.clone(),
            size: u64::try_from(object.body.len()).unwrap_or(0),
            etag: object.etag.clone(),
            modified: object.modified,
        })
    }
}

fn is_shown(hub: &Hub, live: &Live, file: &TrailFile) -> bool {
    let is_of_home = file.region == hub.account.region();
    let is_taken = is_of_home || !live.switches.trail_is_single_region;
    file.delivered <= live.now() && is_taken && !live.switches.trail_is_off
}

/// The log files from a key on that have been delivered.
pub(crate) fn trail_from(hub: &Hub, live: &Live, key: Bound<&str>) -> Vec<Row> {
    let start = hub.account.files.partition_point(|file| match key {
        Bound::Included(key) => file.key.as_str() < key,
        Bound::Excluded(key) => file.key.as_str() <= key,
        Bound::Unbounded => false,
    });
    let files = hub.account.files.get(start..).unwrap_or_default();
    let shown = files.iter().filter(|file| is_shown(hub, live, file));
    shown
        .map(|file| Row { key: file.key.clone(), size: file.size, etag: etag(file), modified: file.delivered })
        .collect()
}

/// A log file, if it has been delivered.
pub(crate) fn trail_object(hub: &Hub, live: &Live, key: &str) -> Option<Object> {
    let index = hub.account.files.binary_search_by(|file| file.key.as_str().cmp(key)).ok()?;
    let file = hub.account.files.get(index).filter(|file| is_shown(hub, live, file))?;
    let body = match file.records_of.filter(|_| live.switches.rewrite_trail()) {
        Some(records) => rewritten(&hub.account, live, records),
        None => fs::read(&file.path).ok()?,
    };
    Some(Object {
        body,
        etag: etag(file),
        modified: file.delivered,
        content_type: "application/json".into(),
        metadata: Vec::new(),
    })
}

fn etag(file: &TrailFile) -> String {
    format!("{:016x}{:016x}", draw(1, &file.key), draw(2, &file.key))
}

/// A log file as the switches make it.
fn rewritten(account: &Account, live: &Live, file: usize) -> Vec<u8> {
    let records = account.by_file.get(file).into_iter().flatten().filter_map(|index| account.records.get(*index));
    let shown = records.filter(|record| live.switches.show(account, record, Channel::Trail));
    let texts: Vec<&str> = shown.map(|record| &*record.text).collect();
    gzip::pack(format!("{{\"Records\":[{}]}}", texts.join(",")).as_bytes())
}
