//! Judgement: from what is remembered of an instance to its attachments, migrations and verdict. Pure functions of
//! the ledger, the fleet and the settings.

mod attachments;
mod timeline;
mod verdict;

use jiff::SignedDuration;

pub use attachments::{Attachment, SeenAt};
pub use timeline::{Complete, Confidence, Evidence, Loss, Migration, Placement, Reattachment, Step, Timeline};
pub use verdict::{Judgement, Verdict};

pub(crate) use timeline::timeline;
pub(crate) use verdict::judge;

/// The numbers that the rules of judgement leave to a setting, and those that they fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Sightings of one volume closer together than this, from the first, are one attachment; unexplained
    /// reattachments of one instance likewise one migration.
    pub coalesce: SignedDuration,
    /// How long a cause may arrive after its sighting.
    pub settle: SignedDuration,
}

impl Settings {
    /// How long before the first sighting a cause explains it (rule 3).
    pub const CAUSE_BEFORE: SignedDuration = SignedDuration::from_mins(15);
    /// How long after it.
    pub const CAUSE_AFTER: SignedDuration = SignedDuration::from_mins(5);
    /// How old a launch must be for its records to have been delivered: CloudTrail delivers within about five
    /// minutes on average, not guaranteed (CloudTrail User Guide, "How CloudTrail works").
    pub const DELIVERY: SignedDuration = SignedDuration::from_mins(15);
    /// The default coalescing window.
    pub const COALESCE: SignedDuration = SignedDuration::from_mins(10);
    /// The default time for a migration to settle.
    pub const SETTLE: SignedDuration = SignedDuration::from_mins(15);
}

impl Default for Settings {
    fn default() -> Self {
        Self { coalesce: Self::COALESCE, settle: Self::SETTLE }
    }
}

#[cfg(test)]
mod tests;
