//! Packing and unpacking of gzip, for the stand-in and the tests around it.

use std::io;

use libdeflater::{CompressionLvl, Compressor, DecompressionError, Decompressor};

/// The largest text that is unpacked.
const LARGEST: usize = 512 << 20;

/// Unpacks one member.
///
/// # Errors
/// If it is none, or larger than half a gibibyte.
pub fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let tail = packed.len().checked_sub(4).and_then(|at| packed.get(at..)).and_then(|tail| tail.try_into().ok());
    let said = tail.map_or(0, u32::from_le_bytes);
    let mut size = usize::try_from(said).unwrap_or(0).clamp(64, LARGEST);
    loop {
        let mut text = vec![0; size];
        match Decompressor::new().gzip_decompress(packed, &mut text) {
            Ok(length) => {
                text.truncate(length);
                return Ok(text);
            }
            Err(DecompressionError::InsufficientSpace) if size < LARGEST => size *= 2,
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string())),
        }
    }
}

/// Packs a text.
#[must_use]
pub fn pack(text: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::fastest());
    let mut packed = vec![0; compressor.gzip_compress_bound(text.len())];
    let length = compressor.gzip_compress(text, &mut packed).unwrap_or(0);
    packed.truncate(length);
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let text = b"migration ".repeat(1000);
        assert_eq!(unpack(&pack(&text)).expect("is gzip"), text);
        assert!(unpack(b"not gzip").is_err());
    }
}
