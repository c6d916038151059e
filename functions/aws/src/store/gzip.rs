//! Compression, with a bound on what is unpacked.

use libdeflater::{CompressionLvl, Compressor, DecompressionError, Decompressor};

/// Why a text cannot be had.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It is larger than the bound, by its own account.
    TooLarge {
        found: u64,
    },
    Damaged(&'static str),
}

/// The compressed text, in one member.
pub(super) fn pack(text: &[u8]) -> Option<Vec<u8>> {
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut packed = vec![0; compressor.gzip_compress_bound(text.len())];
    let len = compressor.gzip_compress(text, &mut packed).ok()?;
    packed.truncate(len);
    Some(packed)
}

/// The text of what [`pack`] made, or the text itself where it was never compressed.
pub(super) fn unpack(packed: Vec<u8>, limit: usize) -> Result<Vec<u8>, Unusable> {
    if packed.is_empty() {
        return Err(Unusable::Damaged("it is empty"));
    }
    if !packed.starts_with(&[0x1f, 0x8b]) {
        let found = u64::try_from(packed.len()).unwrap_or(u64::MAX);
        return if packed.len() > limit { Err(Unusable::TooLarge { found }) } else { Ok(packed) };
    }
    // The last four bytes say how long the text is (RFC 1952, "ISIZE"). Of a text that broke off they say anything, so
    // that it is larger than the bound is believed only once so much was unpacked.
    let said = packed.last_chunk().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
    let room = usize::try_from(said).unwrap_or(limit).min(limit);
    let mut text = vec![0; room];
    match Decompressor::new().gzip_decompress(&packed, &mut text) {
        Ok(len) => {
            text.truncate(len);
            Ok(text)
        }
        Err(DecompressionError::InsufficientSpace) if room == limit => Err(Unusable::TooLarge { found: said }),
        Err(_) => Err(Unusable::Damaged("it broke off or was changed: it does not unpack")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text that compresses as a ledger does, about tenfold.
    fn text() -> Vec<u8> {
        (0..20_000)
            .flat_map(|n: u32| format!("{{\"event\":{}}}", n.wrapping_mul(2_654_435_761) % 977).into_bytes())
            .collect()
    }

    #[test]
    fn what_was_packed_is_unpacked_and_plain_text_is_left_alone() {
        for text in [text(), b"{}".to_vec(), Vec::new()] {
            let packed = pack(&text).expect("packed");
            assert_eq!(unpack(packed, text.len()).as_deref(), Ok(text.as_slice()));
        }
        assert_eq!(unpack(b"{\"schema\"".to_vec(), 100).as_deref(), Ok(&b"{\"schema\""[..]));
    }

    #[test]
    fn the_bound_is_kept() {
        let (text, packed) = (text(), pack(&text()).expect("packed"));
        let found = u64::try_from(text.len()).expect("small");
        assert_eq!(unpack(packed, text.len() - 1), Err(Unusable::TooLarge { found }));
        assert_eq!(unpack(text, 10), Err(Unusable::TooLarge { found }));
    }

    #[test]
    fn damage_is_found_wherever_it_is() {
        let packed = pack(&text()).expect("packed");
        assert!(matches!(unpack(Vec::new(), 100), Err(Unusable::Damaged(_))));
        let step = packed.len() / 50;
        for at in (0..packed.len()).step_by(step.max(1)).skip(1) {
            let broken = unpack(packed[..at].to_vec(), 1 << 20);
            assert!(matches!(broken, Err(Unusable::Damaged(_))), "cut at {at}: {:?}", broken.map(|text| text.len()));
            let mut changed = packed.clone();
            changed[at] ^= 0x55;
            assert!(matches!(unpack(changed, 1 << 20), Err(Unusable::Damaged(_))), "changed at {at}");
        }
        // A length that is too small by its own account.
        let mut lying = packed.clone();
        let end = lying.len() - 4;
        lying[end..].copy_from_slice(&[1, 0, 0, 0]);
        assert!(matches!(unpack(lying, 1 << 20), Err(Unusable::Damaged(_))));
    }
}
