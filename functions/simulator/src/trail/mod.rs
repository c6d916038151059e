//! The trail: log files as CloudTrail delivers them, with all that goes with it.
//!
//! Records come in the order of their event times and go into one of several files being filled, at random; so a file is
//! unordered, and so are the files. Some records are held back and delivered late, and a few are delivered once more.
//! Only those wait in memory, beside the files being filled and those being compressed.
//!
//! AWS CloudTrail User Guide, "CloudTrail log file name format", "How CloudTrail works" (delivery times, duplicates).

mod extras;
mod file;
mod path;
mod press;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

use crate::account::{Account, At};
use crate::calendar::{HOUR, MINUTE};
use crate::dice::Dice;
use crate::error::SimulateError;
use crate::event::Class;

pub(crate) use extras::write_extras;
use file::OpenFile;
pub(crate) use press::{Job, Press, pressing};

/// Records of a file that is large enough.
const RECORDS_PER_FILE: usize = 350;
/// The longest that a file is filled, in seconds.
const FILL: i64 = 5 * MINUTE;
/// In a thousand records this many are late.
const LATE_PER_MILLE: u64 = 4;
/// One sighting or cause in this many is delivered twice.
const TWICE_EVERY: u64 = 40;
/// One irrelevant record in this many.
const NOISE_TWICE_EVERY: u64 = 1500;

/// What was written, counted as it was meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) files: u64,
    pub(crate) records: u64,
    pub(crate) sightings: u64,
    pub(crate) causes: u64,
    pub(crate) irrelevant: u64,
    pub(crate) duplicates: u64,
    pub(crate) malformed: u64,
    pub(crate) failed_decrypts: u64,
    /// The earliest event time.
    pub(crate) first: Option<i64>,
    /// The latest.
    pub(crate) last: Option<i64>,
}

impl Tally {
    /// Counts a record. `again` says that it was counted before, in another delivery or another account.
    fn count(&mut self, at: i64, class: Class, again: bool) {
        self.records += 1;
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        let counter = match class {
            Class::Sighting | Class::Cause if again => &mut self.duplicates,
            Class::Sighting => &mut self.sightings,
            Class::Cause => &mut self.causes,
            Class::Malformed => &mut self.malformed,
            Class::Irrelevant | Class::FailedDecrypt => &mut self.irrelevant,
        };
        *counter += 1;
        if class == Class::FailedDecrypt {
            self.failed_decrypts += 1;
        }
    }
}

/// A record that is delivered later than others.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Late {
    due: i64,
    order: u64,
    place: At,
    text: Vec<u8>,
}

/// The trail being written.
pub(crate) struct Trail<'a> {
    account: &'a Account,
    out: &'a Path,
    press: Press,
    dice: Dice,
    racks: [(At, Vec<OpenFile>); 3],
    /// Which of the files gets the next records.
    slot: usize,
    late: BinaryHeap<Reverse<Late>>,
    order: u64,
    relevant: u64,
    irrelevant: u64,
    pub(crate) tally: Tally,
}

impl<'a> Trail<'a> {
    /// A trail that is to hold about this many records in this many seconds.
    pub(crate) fn new(account: &'a Account, out: &'a Path, press: Press, dice: Dice, records: u64, span: i64) -> Self {
        // As many files at a time as fill up in one delivery period.
        let span = u64::try_from(span).unwrap_or(1).max(1);
        let per_fill = records.saturating_mul(u64::try_from(FILL).unwrap_or(1)) / span;
        let width = usize::try_from(per_fill).unwrap_or(usize::MAX) / RECORDS_PER_FILE;
        let rack = |at, width: usize| (at, (0..width.clamp(1, 8)).map(|_| OpenFile::default()).collect());
        Self {
            account,
            out,
            press,
            dice,
            racks: [rack(At::Home, width), rack(At::Second, width / 16), rack(At::KeyAccount, width / 16)],
            slot: 0,
            late: BinaryHeap::new(),
            order: 0,
            relevant: 0,
            irrelevant: 0,
            tally: Tally::default(),
        }
    }

    /// Takes a record. Records come in the order of their times.
    pub(crate) fn record(
        &mut self,
        at: i64,
        place: At,
        class: Class,
        again: bool,
        text: &[u8],
    ) -> Result<(), SimulateError> {
        while self.late.peek().is_some_and(|Reverse(late)| late.due <= at) {
            if let Some(Reverse(late)) = self.late.pop() {
                self.deliver(late.due, late.place, &late.text)?;
            }
        }
        self.tally.count(at, class, again);
        if self.dice.chance(LATE_PER_MILLE) {
            let delay = self.delay();
            self.hold(at + delay, place, text);
        } else {
            self.deliver(at, place, text)?;
        }
        if self.is_delivered_twice(class) {
            let delay = self.delay();
            self.tally.count(at, class, true);
            self.hold(at + delay, place, text);
        }
        Ok(())
    }

    /// Delivers all that is left.
    pub(crate) fn finish(mut self) -> Result<Tally, SimulateError> {
        while let Some(Reverse(late)) = self.late.pop() {
            self.deliver(late.due, late.place, &late.text)?;
        }
        for rack in 0..self.racks.len() {
            for slot in 0..self.racks.get(rack).map_or(0, |(_, files)| files.len()) {
                self.close(rack, slot, i64::MAX)?;
            }
        }
        Ok(self.tally)
    }

    /// How late a late record is: mostly minutes, now and then hours.
    fn delay(&mut self) -> i64 {
        if self.dice.chance(150) {
            self.dice.between(2 * HOUR, 9 * HOUR)
        } else {
            self.dice.between(12 * MINUTE, 2 * HOUR)
        }
    }

    fn is_delivered_twice(&mut self, class: Class) -> bool {
        match class {
            Class::Sighting | Class::Cause => {
                self.relevant += 1;
                self.relevant % TWICE_EVERY == 11
            }
            Class::Irrelevant => {
                self.irrelevant += 1;
                self.irrelevant % NOISE_TWICE_EVERY == 400
            }
            // How often such a one counts when it is repeated, the rules leave open.
            Class::FailedDecrypt | Class::Malformed => false,
        }
    }

    fn hold(&mut self, due: i64, place: At, text: &[u8]) {
        self.order += 1;
        self.late.push(Reverse(Late { due, order: self.order, place, text: text.to_owned() }));
    }

    fn deliver(&mut self, at: i64, place: At, text: &[u8]) -> Result<(), SimulateError> {
        let rack = match place {
            At::Home => 0,
            At::Second => 1,
            At::KeyAccount => 2,
        };
        let width = self.racks.get(rack).map_or(0, |(_, files)| files.len());
        for slot in 0..width {
            let due = self.file(rack, slot).and_then(|file| file.opened).is_some_and(|opened| opened + FILL <= at);
            if due {
                self.close(rack, slot, at)?;
            }
        }
        if self.dice.chance(80) {
            self.slot = self.dice.index(8);
        }
        let slot = self.slot % width.max(1);
        let full = self.file(rack, slot).is_some_and(|file| {
            file.add(at, text);
            file.len() >= RECORDS_PER_FILE
        });
        if full { self.close(rack, slot, at) } else { Ok(()) }
    }

    fn file(&mut self, rack: usize, slot: usize) -> Option<&mut OpenFile> {
        self.racks.get_mut(rack)?.1.get_mut(slot)
    }

    /// Sends a file to be compressed and written. It is delivered a little after its last record could come.
    fn close(&mut self, rack: usize, slot: usize, now: i64) -> Result<(), SimulateError> {
        let Some((place, files)) = self.racks.get_mut(rack) else { return Ok(()) };
        let Some(file) = files.get_mut(slot) else { return Ok(()) };
        let Some(opened) = file.opened else { return Ok(()) };
        let delivered = now.min(opened + FILL) + self.dice.between(MINUTE, 6 * MINUTE);
        let text = file.take(&mut self.dice);
        let path = path::log_file(self.out, self.account.place(*place), delivered, &mut self.dice);
        self.tally.files += 1;
        self.press.send(Job { path, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_one_thing() {
        let mut tally = Tally::default();
        for (class, again) in [
            (Class::Sighting, false),
            (Class::Sighting, true),
            (Class::Cause, false),
            (Class::Irrelevant, true),
            (Class::FailedDecrypt, false),
            (Class::Malformed, false),
        ] {
            tally.count(5, class, again);
        }
        let Tally { records, sightings, causes, irrelevant, duplicates, malformed, failed_decrypts, .. } = tally;
        assert_eq!((sightings, causes, irrelevant, duplicates, malformed, failed_decrypts), (1, 1, 2, 1, 1, 1));
        assert_eq!(records, sightings + causes + irrelevant + duplicates + malformed);
    }
}
