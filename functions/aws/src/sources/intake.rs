//! Counting records one by one, with the accounting that files have.

use exposure_core::decode::{Decoded, Reading};
use exposure_core::observation::Observation;
use exposure_core::time::TimeSpan;

use super::Batch;

/// Counts one record and returns what it means, if it means something.
pub(crate) fn take(batch: &mut Batch, reading: Reading) -> Option<Observation> {
    batch.accounting.records += 1;
    if let (Some(time), Some(source)) = (reading.time, reading.source) {
        let span = TimeSpan::at(time);
        batch.spans.entry(source).and_modify(|old| *old = old.join(span)).or_insert(span);
    }
    match reading.decoded {
        Decoded::Observed(observation) => Some(observation),
        Decoded::Irrelevant { failed_decrypt } => {
            batch.accounting.irrelevant += 1;
            batch.accounting.failed_decrypts += u64::from(failed_decrypt);
            None
        }
        Decoded::Malformed { reason, observation } => {
            batch.accounting.malformed += 1;
            problem(batch, format!("malformed record: {reason}"));
            observation.map(|boxed| *boxed)
        }
    }
}

/// Counts a record that cannot be taken for one.
pub(crate) fn refuse(batch: &mut Batch, reason: String) {
    batch.accounting.records += 1;
    batch.accounting.malformed += 1;
    problem(batch, reason);
}

/// Notes something that went wrong.
pub(crate) fn problem(batch: &mut Batch, text: String) {
    *batch.problems.entry(text).or_default() += 1;
}
