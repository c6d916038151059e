//! Identifiers, small enough to keep one for each of millions of events, and their text.

use std::fmt;

/// A UUID: event IDs, request IDs, client tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) struct Uuid(u128);

impl Uuid {
    /// The version 4 UUID of these bits.
    pub(crate) fn random(bits: u128) -> Self {
        let version = !(0xf_u128 << 76);
        let variant = !(0x3_u128 << 62);
        Self((bits & version & variant) | (0x4 << 76) | (0x2 << 62))
    }

    /// Appends the text.
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        for (place, byte) in self.0.to_be_bytes().into_iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                out.push(b'-');
            }
            put_byte(byte, out);
        }
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(36);
        self.put(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// Defines an EC2 resource ID: a prefix and 17 hexadecimal digits, or 8 for those made before 2016.
macro_rules! resource_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        pub(crate) struct $name {
            bits: u64,
            short: bool,
        }

        impl $name {
            pub(crate) fn new(bits: u64, short: bool) -> Self {
                Self { bits, short }
            }

            /// Appends the text.
            pub(crate) fn put(self, out: &mut Vec<u8>) {
                out.extend_from_slice($prefix);
                let bytes = self.bits.to_be_bytes();
                if self.short {
                    for byte in bytes.iter().take(4) {
                        put_byte(*byte, out);
                    }
                } else {
                    out.push(b'0');
                    for byte in bytes {
                        put_byte(byte, out);
                    }
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = Vec::with_capacity(22);
                self.put(&mut text);
                f.write_str(&String::from_utf8_lossy(&text))
            }
        }
    };
}

resource_id!(
    /// An EC2 instance.
    InstanceId,
    b"i-"
);
resource_id!(
    /// An EBS volume.
    VolumeId,
    b"vol-"
);

/// Appends two hexadecimal digits.
pub(crate) fn put_byte(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
}

/// The hexadecimal digit of a number below 16.
pub(crate) fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_forms_of_aws() {
        assert_eq!(InstanceId::new(0x0123_4567_89ab_cdef, false).to_string(), "i-00123456789abcdef");
        assert_eq!(VolumeId::new(0x0123_4567_89ab_cdef, true).to_string(), "vol-01234567");
        assert_eq!(Uuid::random(u128::MAX).to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
