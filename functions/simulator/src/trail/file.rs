//! A log file being filled.

use crate::dice::Dice;

/// Records that stay together in a large file.
const RUN: usize = 8;

/// A log file being filled.
#[derive(Debug, Default)]
pub(crate) struct OpenFile {
    /// When its first record came.
    pub(super) opened: Option<i64>,
    text: Vec<u8>,
    /// Where each record ends in the text.
    ends: Vec<usize>,
}

impl OpenFile {
    pub(super) fn add(&mut self, at: i64, record: &[u8]) {
        self.opened.get_or_insert(at);
        self.text.extend_from_slice(record);
        self.ends.push(self.text.len());
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The whole file with its records in another order; leaves it empty.
    pub(super) fn take(&mut self, dice: &mut Dice) -> Vec<u8> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let records: Vec<&[u8]> =
            starts.zip(&self.ends).filter_map(|(start, end)| self.text.get(start..*end)).collect();
        // Large files keep short runs together, as real ones do: records of one caller come through one door.
        let run = if records.len() > 8 * RUN { RUN } else { 1 };
        let mut runs: Vec<&[&[u8]]> = records.chunks(run).collect();
        dice.shuffle(&mut runs);
        let mut whole = Vec::with_capacity(self.text.len() + records.len() + 16);
        whole.extend_from_slice(b"{\"Records\":[");
        for (place, record) in runs.into_iter().flatten().enumerate() {
            if place > 0 {
                whole.push(b',');
            }
            whole.extend_from_slice(record);
        }
        whole.extend_from_slice(b"]}");
        self.opened = None;
        self.text.clear();
        self.ends.clear();
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_every_record_and_starts_anew() {
        let mut file = OpenFile::default();
        for record in ["{\"a\":1}", "{}", "{\"b\":2}"] {
            file.add(7, record.as_bytes());
        }
        assert_eq!((file.len(), file.opened), (3, Some(7)));
        let whole: serde_json::Value = serde_json::from_slice(&file.take(&mut Dice::new(1, 1))).expect("is JSON");
        assert_eq!(whole["Records"].as_array().map(Vec::len), Some(3));
        assert_eq!((file.len(), file.opened), (0, None));
    }
}
