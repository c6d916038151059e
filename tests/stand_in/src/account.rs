//! The made-up account: its records, its log files and its fleet.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use walkdir::WalkDir;

use crate::delivery::{Delivery, Draws};
use crate::digest::{draw, draw_between};
use crate::extras;
use crate::fleet::Fleet;
use crate::gzip;
use crate::record::{LogFile, Names, Origin, Record};
use crate::time;

/// Records in no log file.
pub(crate) const NO_FILE: usize = usize::MAX;

/// An account as the simulator writes it. Made once, it can serve many stand-ins.
#[derive(Debug, Default)]
pub struct Account {
    pub(crate) records: Vec<Record>,
    pub(crate) places: Vec<Place>,
    pub(crate) files: Vec<TrailFile>,
    pub(crate) fleet: Fleet,
    /// Indices of the records by delivery.
    pub(crate) by_delivery: Vec<usize>,
    /// Indices of the records by the log file that holds them.
    pub(crate) by_file: Vec<Vec<usize>>,
    /// Lookups and the queue show second deliveries.
    pub(crate) repeats: bool,
    own: String,
    home: String,
}

/// Where records are logged.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub(crate) account: String,
    pub(crate) region: String,
    /// Indices of the records, the newest first.
    pub(crate) newest: Vec<usize>,
    /// The same by lookup attribute and value.
    pub(crate) index: HashMap<(Attribute, Box<str>), Vec<usize>>,
}

/// What records are looked up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Attribute {
    EventId,
    EventName,
    ReadOnly,
    Username,
    ResourceType,
    ResourceName,
    EventSource,
    AccessKeyId,
}

impl Attribute {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "EventId" => Self::EventId,
            "EventName" => Self::EventName,
            "ReadOnly" => Self::ReadOnly,
            "Username" => Self::Username,
            "ResourceType" => Self::ResourceType,
            "ResourceName" => Self::ResourceName,
            "EventSource" => Self::EventSource,
            "AccessKeyId" => Self::AccessKeyId,
            _ => return None,
        })
    }
}

/// A file of the trail's bucket.
#[derive(Debug)]
pub(crate) struct TrailFile {
    pub(crate) key: String,
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) delivered: i64,
    pub(crate) region: String,
    /// The file whose records it holds; none holds those of a digest.
    pub(crate) records_of: Option<usize>,
}

impl Account {
    /// Reads the folder that `exposure simulate` wrote.
    ///
    /// # Errors
    ///
    /// A file that is missing, unreadable or not what the simulator writes, by name.
    pub fn load(folder: &Path, delivery: &Delivery) -> io::Result<Self> {
        let mut account = Self::default();
        let mut names = Names::default();
        account.read_trail(folder, &mut names)?;
        let fleet = read_json(&folder.join("fleet.json"))?;
        let activities = read_json(&folder.join("activities.json"))?;
        let warm_pool = read_json(&folder.join("warm-pool.json"))?;
        let truth = read_json(&folder.join("truth.json"))?;
        account.fleet = Fleet::derive(&fleet, &activities, &warm_pool, &account.records, &account.places);
        account.find_own();
        let extras = extras::make(&account, &truth, &mut names);
        account.records.extend(extras);
        account.deliver(delivery);
        account.order();
        Ok(account)
    }

    /// The ID of the account that has the fleet.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.own
    }

    /// The region that has most of the fleet.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.home
    }

    /// Every account and region that has records or groups.
    #[must_use]
    pub fn places(&self) -> Vec<(String, String)> {
        let records = self.places.iter().map(|place| (place.account.clone(), place.region.clone()));
        let groups = self.fleet.groups.iter().map(|group| (group.account.clone(), group.region.clone()));
        records.chain(groups).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The first and the last event time, in seconds of the Unix epoch.
    #[must_use]
    pub fn window(&self) -> (i64, i64) {
        let times = || self.records.iter().filter(|record| record.origin == Origin::Filed).map(|record| record.at);
        (times().min().unwrap_or(0), times().max().unwrap_or(0))
    }

    /// The members at a time, of groups and warm pools: the group, the instance and its state.
    #[must_use]
    pub fn members_at(&self, at: i64) -> Vec<(String, String, String)> {
        self.fleet.members_at(at)
    }

    /// When sources begin to show an event, in seconds of the Unix epoch; of several copies the first.
    #[must_use]
    pub fn delivered_at(&self, event_id: &str) -> Option<i64> {
        let copies = self.records.iter().filter(|record| &*record.event_id == event_id);
        copies.map(|record| record.delivered).min()
    }

    /// When an event happened, in seconds of the Unix epoch.
    #[must_use]
    pub fn happened_at(&self, event_id: &str) -> Option<i64> {
        self.records.iter().find(|record| &*record.event_id == event_id).map(|record| record.at)
    }

    /// When all that the log files hold of an instance, of event times from `from` to `to`, has been delivered once.
    #[must_use]
    pub fn told_by(&self, instance: &str, (from, to): (i64, i64)) -> Option<i64> {
        let filed = self.records.iter().filter(|record| record.origin == Origin::Filed);
        let told = filed.filter(|record| (from..=to).contains(&record.at) && record.text.contains(instance));
        told.map(|record| record.delivered).max()
    }

    /// The lifecycle states of an instance, each from a second on; no state is no member.
    #[must_use]
    pub fn states_of(&self, instance: &str) -> &[(i64, Option<String>)] {
        let mut lives = self.fleet.groups.iter().flat_map(|group| &group.lives);
        lives.find(|life| life.instance == instance).map_or(&[], |life| &life.stages)
    }

    pub(crate) fn place(&self, account: &str, region: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.account == account && place.region == region)
    }

    fn read_trail(&mut self, folder: &Path, names: &mut Names) -> io::Result<()> {
        let mut found = Vec::new();
        for entry in WalkDir::new(folder.join("AWSLogs")) {
            let entry = entry.map_err(io::Error::other)?;
            if !entry.file_type().is_file() {
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let key = entry.path().strip_prefix(folder).map_err(io::Error::other)?;
            let key = key.to_string_lossy().replace('\\', "/");
            let Some(delivered) = time::of_file_name(&name) else { continue };
            let size = entry.metadata().map_err(io::Error::other)?.len();
            found.push((delivered, key, entry.into_path(), size));
        }
        found.sort();
        for (delivered, key, path, size) in found {
            let mut parts = key.split('/').skip(1);
            let (Some(account), Some(tree), Some(region)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let (account, region, is_log) = (account.to_owned(), region.to_owned(), tree == "CloudTrail");
            let file = self.files.len();
            if is_log {
                let place = self.place_index(&account, &region);
                self.read_log(&path, place, file, delivered, names)?;
            }
            let records_of = is_log.then_some(file);
            self.files.push(TrailFile { key, path, size, delivered, region, records_of });
        }
        Ok(())
    }

    fn place_index(&mut self, account: &str, region: &str) -> usize {
        let known = self.places.iter().position(|place| place.account == account && place.region == region);
        known.unwrap_or_else(|| {
            self.places.push(Place { account: account.to_owned(), region: region.to_owned(), ..Place::default() });
            self.places.len() - 1
        })
    }

    fn read_log(
        &mut self,
        path: &Path,
        place: usize,
        file: usize,
        delivered: i64,
        names: &mut Names,
    ) -> io::Result<()> {
        let with_path = |source: io::Error| io::Error::new(source.kind(), format!("{}: {source}", path.display()));
        let text = gzip::unpack(&fs::read(path).map_err(with_path)?).map_err(with_path)?;
        let log: LogFile<'_> = serde_json::from_slice(&text).map_err(|error| with_path(error.into()))?;
        for record in log.records {
            if let Some(mut record) = Record::read(record.get(), place, file, names) {
                record.delivered = delivered.max(record.at);
                self.records.push(record);
            }
        }
        Ok(())
    }

    fn find_own(&mut self) {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for group in &self.fleet.groups {
            *counts.entry((&group.account, &group.region)).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count).map(|(place, _)| place);
        let first = self.places.first().map(|place| (place.account.as_str(), place.region.as_str()));
        let (own, home) = most.or(first).unwrap_or(("111122223333", "eu-central-1"));
        (self.own, self.home) = (own.to_owned(), home.to_owned());
    }

    fn deliver(&mut self, delivery: &Delivery) {
        let mut seen = HashSet::new();
        for record in &mut self.records {
            if record.origin == Origin::Filed && !seen.insert((record.place, record.event_id.clone())) {
                record.origin = Origin::Again;
            }
        }
        let Delivery::Drawn(draws) = delivery else { return };
        self.repeats = draws.duplicate_share > 0.0;
        let mut copies = Vec::new();
        for record in &mut self.records {
            let late_share = draws.late_share_of(&record.name);
            record.delivered = record.at + draws.delay(&record.event_id, late_share);
            if record.origin == Origin::Again {
                record.delivered += draws.max_delay;
            } else if record.origin == Origin::Filed
                && let Some(delay) = draws.second_delay(&record.event_id, late_share)
            {
                let (origin, delivered) = (Origin::Again, record.at + delay);
                copies.push(Record { origin, delivered, file: NO_FILE, ..record.clone() });
            }
        }
        self.records.extend(copies);
        self.deliver_files(draws);
    }

    /// Late files keep the names of their minute; files delivered again have names of their own.
    fn deliver_files(&mut self, draws: &Draws) {
        let mut again = Vec::new();
        for file in self.files.iter_mut().filter(|file| file.records_of.is_some()) {
            let filed = file.delivered;
            if crate::digest::draw_share(draws.seed, &format!("{} late", file.key)) < draws.late_share {
                file.delivered += draw_between(draws.seed, &file.key, 300.min(draws.late_max), draws.late_max);
            }
            if let Some(delay) = draws.second_delay(&file.key, draws.late_share) {
                let delivered = filed + delay;
                again.push(TrailFile {
                    key: renamed(&file.key, delivered, draws.seed),
                    path: file.path.clone(),
                    region: file.region.clone(),
                    delivered,
                    ..*file
                });
            }
        }
        self.files.extend(again);
    }

    fn order(&mut self) {
        self.by_file = self.files.iter().map(|_| Vec::new()).collect();
        for (index, record) in self.records.iter().enumerate() {
            if let Some(records) = self.by_file.get_mut(record.file) {
                records.push(index);
            }
        }
        self.files.sort_by(|a, b| a.key.cmp(&b.key));
        let mut newest: Vec<usize> = (0..self.records.len()).collect();
        let at = |index: &usize| self.records.get(*index).map(|record| record.at);
        newest.sort_by_key(|index| (std::cmp::Reverse(at(index)), *index));
        for index in newest {
            let Some(record) = self.records.get(index) else { continue };
            let Some(place) = self.places.get_mut(record.place) else { continue };
            place.newest.push(index);
            for key in keys(record) {
                place.index.entry(key).or_default().push(index);
            }
        }
        self.by_delivery = (0..self.records.len()).collect();
        let due = |index: &usize| self.records.get(*index).map(|record| (record.delivered, &record.event_id));
        self.by_delivery.sort_by(|a, b| due(a).cmp(&due(b)));
    }
}

/// What a record is found by, each once.
fn keys(record: &Record) -> BTreeSet<(Attribute, Box<str>)> {
    let mut keys = BTreeSet::new();
    let mut put = |attribute, value: &str| {
        keys.insert((attribute, value.into()));
    };
    put(Attribute::EventId, &record.event_id);
    put(Attribute::EventName, &record.name);
    put(Attribute::EventSource, &record.source);
    if let Some(read_only) = record.read_only {
        put(Attribute::ReadOnly, if read_only { "true" } else { "false" });
    }
    if let Some(user) = &record.user {
        put(Attribute::Username, user);
    }
    if let Some(key) = &record.access_key {
        put(Attribute::AccessKeyId, key);
    }
    for (kind, name) in &record.resources {
        put(Attribute::ResourceType, kind);
        put(Attribute::ResourceName, name);
    }
    keys
}

/// The key of a log file that is delivered once more, at another time.
fn renamed(key: &str, delivered: i64, seed: u64) -> String {
    let (day, minute) = time::file_parts(delivered);
    let folder: Vec<&str> = key.split('/').take(4).collect();
    let name = key.rsplit('/').next().unwrap_or_default();
    let front: Vec<&str> = name.split('_').take(3).collect();
    format!("{}/{day}/{}_{minute}_{:016X}.json.gz", folder.join("/"), front.join("_"), draw(seed, key))
}

fn read_json(path: &Path) -> io::Result<Value> {
    let named = |source: io::Error| io::Error::new(source.kind(), format!("{}: {source}", path.display()));
    let text = fs::read(path).map_err(named)?;
    serde_json::from_slice(&text).map_err(|error| named(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_delivery_has_a_name_of_its_own() {
        let key =
            "AWSLogs/1/CloudTrail/eu-west-1/2026/05/11/1_CloudTrail_eu-west-1_20260511T1000Z_IOcR84LaET42dSu6.json.gz";
        let other = renamed(key, 1_778_493_600 + 86_400, 3);
        assert!(other.starts_with("AWSLogs/1/CloudTrail/eu-west-1/2026/05/12/1_CloudTrail_eu-west-1_20260512T1000Z_"));
        assert_eq!(other.len(), key.len());
    }
}
