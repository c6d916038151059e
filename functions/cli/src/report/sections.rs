//! The sections of the page.

pub(super) mod age;
pub(super) mod capacity;
pub(super) mod clock;
pub(super) mod coverage;
pub(super) mod exposed;
pub(super) mod made;
pub(super) mod parts;
pub(super) mod rates;
pub(super) mod summary;
pub(super) mod verified;
