//! What nobody knows for certain about AWS, and what a trail may be set to: each a switch.

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::record::{Origin, Record};

/// The switches; all are off by default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Switches {
    /// A lookup by `Username` does not find sessions of the infrastructure role, nor do entries name them.
    pub username_misses_infrastructure: bool,
    /// A lookup by `ResourceName` does not match the ARNs of keys.
    pub resource_name_misses_keys: bool,
    /// A migration's Decrypt comes with a grant by an AWS-internal principal.
    pub migrations_bring_internal_grants: bool,
    /// Launches make several Decrypts for each volume.
    pub launches_make_bursts: bool,
    /// EventBridge drops read-only events.
    pub bridge_drops_read_only: bool,
    /// No source shows any event of KMS.
    pub kms_is_hidden: bool,
    /// The trail excludes KMS: neither log files nor EventBridge have its events.
    pub trail_excludes_kms: bool,
    /// The trail takes writes only.
    pub trail_is_write_only: bool,
    /// The trail is not logging: neither log files nor events on EventBridge.
    pub trail_is_off: bool,
    /// The trail is of its home region only.
    pub trail_is_single_region: bool,
    /// The external ID without which no role can be assumed.
    pub external_id: Option<String>,
}

/// A way on which records reach those who read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    Lookup,
    Bridge,
    Trail,
}

impl Switches {
    /// Whether a channel ever shows a record.
    pub(crate) fn show(&self, account: &Account, record: &Record, channel: Channel) -> bool {
        let is_there = match record.origin {
            Origin::Filed => true,
            Origin::Again => account.repeats || channel == Channel::Trail,
            Origin::InternalGrant => self.migrations_bring_internal_grants,
            Origin::Burst => self.launches_make_bursts,
        };
        let is_read_only = record.read_only == Some(true);
        is_there
            && !(self.kms_is_hidden && record.is_of_kms())
            && (channel == Channel::Lookup || self.trail_takes(record, is_read_only))
            && !(channel == Channel::Bridge && self.bridge_drops_read_only && is_read_only)
    }

    fn trail_takes(&self, record: &Record, is_read_only: bool) -> bool {
        !(self.trail_is_off
            || self.trail_excludes_kms && record.is_of_kms()
            || self.trail_is_write_only && is_read_only)
    }

    /// Whether log files hold other records than the simulator wrote into them.
    pub(crate) fn rewrite_trail(&self) -> bool {
        self.migrations_bring_internal_grants
            || self.launches_make_bursts
            || self.kms_is_hidden
            || self.trail_excludes_kms
            || self.trail_is_write_only
    }
}
