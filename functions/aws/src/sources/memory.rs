//! What a source remembers of one account and region between runs.

use exposure_core::time::Timestamp;
use serde::{Deserialize, Serialize};

pub use super::lookup::memory::LookupMemory;
pub use super::seen::SeenFiles;

/// What a source remembers of one account and region. Two memories can be joined, as two ledgers can.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlaceMemory {
    /// Of `LookupEvents`.
    #[serde(skip_serializing_if = "LookupMemory::is_empty")]
    pub lookup: LookupMemory,
    /// Of the trail's objects in S3.
    #[serde(skip_serializing_if = "SeenFiles::is_empty")]
    pub objects: SeenFiles,
    /// Of the files of a folder.
    #[serde(skip_serializing_if = "SeenFiles::is_empty")]
    pub files: SeenFiles,
}

impl PlaceMemory {
    /// Forgets what was read from a time on, so that it is read again.
    pub fn forget_from(&mut self, time: Timestamp) {
        self.lookup.forget_from(time);
        // A file says little of when its records were: all are read again.
        self.objects = SeenFiles::default();
        self.files = SeenFiles::default();
    }

    /// The union with another memory of the same account and region.
    pub fn merge(&mut self, other: Self) {
        self.lookup.merge(other.lookup);
        self.objects.merge(other.objects);
        self.files.merge(other.files);
    }
}
