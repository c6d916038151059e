//! Which files were read, and how far.

use std::collections::BTreeMap;

use exposure_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How many files are remembered of one account and region. Of more, those of the oldest days go, and are read again
/// if they are still looked for, which is harmless.
const MAX_FILES: usize = 100_000;

/// Which files were read, by day of delivery and by a hash of name and version. Joining is a union.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeenFiles {
    /// Up to when everything delivered has been listed.
    pub listed_through: Option<Timestamp>,
    /// When the last 24 hours were last listed as a whole.
    pub relisted: Option<Timestamp>,
    /// By day, each file by its hash: nothing where it was read to its end, else up to which event time.
    pub days: BTreeMap<String, BTreeMap<u64, Option<Timestamp>>>,
}

/// How far a file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Not at all.
    Unread,
    /// Its records up to this event time: it holds later ones.
    Through(Timestamp),
    /// To its end.
    Whole,
}

impl SeenFiles {
    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How far a file was read.
    #[must_use]
    pub fn progress(&self, day: &str, hash: u64) -> Progress {
        match self.days.get(day).and_then(|files| files.get(&hash)) {
            None => Progress::Unread,
            Some(None) => Progress::Whole,
            Some(Some(through)) => Progress::Through(*through),
        }
    }

    /// Notes how far a file was read: to its end, or up to an event time.
    pub fn note(&mut self, day: &str, hash: u64, through: Option<Timestamp>) {
        let files = self.days.entry(day.to_owned()).or_default();
        let further = |old: Option<Timestamp>| old.zip(through).map(|(old, new)| old.max(new));
        files.entry(hash).and_modify(|old| *old = further(*old)).or_insert(through);
    }

    /// Forgets the days before `day`, and the oldest days of too many files.
    pub fn forget_before(&mut self, day: &str) {
        self.days.retain(|kept, _| kept.as_str() >= day);
        while self.days.len() > 1 && self.days.values().map(BTreeMap::len).sum::<usize>() > MAX_FILES {
            self.days.pop_first();
        }
    }

    /// The union with another: what either has read is read.
    pub fn merge(&mut self, other: Self) {
        self.listed_through = self.listed_through.max(other.listed_through);
        self.relisted = self.relisted.max(other.relisted);
        for (day, files) in other.days {
            for (hash, through) in files {
                self.note(&day, hash, through);
            }
        }
    }
}

/// A hash that is the same in every process and build: FNV-1a, 64 bits (draft-eastlake-fnv).
#[must_use]
pub(super) fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_union_keeps_the_furthest() {
        let (early, late) = (Timestamp::from_second(10), Timestamp::from_second(20));
        let (mut one, mut two) = (SeenFiles::default(), SeenFiles::default());
        one.note("2026/05/11", 1, Some(early));
        two.note("2026/05/11", 1, Some(late));
        two.note("2026/05/11", 2, None);
        one.note("2026/05/11", 2, Some(late));
        let mut other_way = two.clone();
        other_way.merge(one.clone());
        one.merge(two);
        assert_eq!(one, other_way);
        assert_eq!(one.progress("2026/05/11", 1), Progress::Through(late));
        assert_eq!(one.progress("2026/05/11", 2), Progress::Whole);
        assert_eq!(one.progress("2026/05/12", 2), Progress::Unread);
    }

    #[test]
    fn closed_days_are_forgotten() {
        let mut seen = SeenFiles::default();
        seen.note("2026/05/10", 1, None);
        seen.note("2026/05/11", 1, None);
        seen.forget_before("2026/05/11");
        assert_eq!(seen.days.len(), 1);
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
    }

    #[test]
    fn it_survives_being_written() {
        let mut seen = SeenFiles::default();
        seen.note("2026/05/10", u64::MAX, Some(Timestamp::from_second(9)));
        let text = serde_json::to_string(&seen).unwrap();
        assert_eq!(serde_json::from_str::<SeenFiles>(&text).unwrap(), seen);
    }
}
