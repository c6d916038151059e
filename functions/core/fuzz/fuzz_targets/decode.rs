//! Any bytes as a record: never a panic, and white space around them changes nothing.

#![no_main]

use exposure_core::decode::read;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|record: &[u8]| {
    let plain = read(record);
    let wide = [b" \n", record, b"\t "].concat();
    assert_eq!(read(&wide), plain);
});
