//! Any bytes as a log file, and as the text of one in gzip: never a panic, and every record accounted for.

#![no_main]

use exposure_core::analysis::Accounting;
use exposure_core::ledger::Ledger;
use exposure_core::trail::{Asked, Limits, LogFile, LogReader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let limits = Limits { unpacked: 1 << 20, record: 1 << 16 };
    let mut reader = LogReader::new(limits, Asked::default());
    if let LogFile::Read(reading) = reader.read(file) {
        let (mut ledger, mut accounting) = (Ledger::new(), Accounting::default());
        reading.count(&mut accounting);
        for observation in &reading.observations {
            let absorbed = ledger.absorb(observation);
            accounting.count(&observation.kind, absorbed);
        }
        assert!(accounting.balances(), "{accounting:?}");
    }
});
