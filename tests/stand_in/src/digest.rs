//! MD5, which SQS and S3 name messages and objects by, and a small generator of reproducible draws.

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The MD5 of some bytes in hexadecimal digits (RFC 1321).
pub(crate) fn md5(bytes: &[u8]) -> String {
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    let length = u64::try_from(bytes.len()).unwrap_or(0).wrapping_mul(8);
    padded.extend_from_slice(&length.to_le_bytes());
    let constants: Vec<u32> = (1..=64_u32).map(sine).collect();
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks_exact(64) {
        let words: Vec<u32> =
            block.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap_or([0; 4]))).collect();
        let added = rounds(state, &words, &constants);
        for (value, more) in state.iter_mut().zip(added) {
            *value = value.wrapping_add(more);
        }
    }
    state.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("{byte:02x}")).collect()
}

fn rounds(state: [u32; 4], words: &[u32], constants: &[u32]) -> [u32; 4] {
    let [mut a, mut b, mut c, mut d] = state;
    for (step, constant) in constants.iter().enumerate() {
        let (mixed, word) = match step / 16 {
            0 => ((b & c) | (!b & d), step),
            1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
            2 => (b ^ c ^ d, (3 * step + 5) % 16),
            _ => (c ^ (b | !d), (7 * step) % 16),
        };
        let shift = SHIFTS.get(step / 16).and_then(|row| row.get(step % 4)).copied().unwrap_or(0);
        let word = words.get(word).copied().unwrap_or(0);
        let sum = a.wrapping_add(mixed).wrapping_add(*constant).wrapping_add(word);
        (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(shift)));
    }
    [a, b, c, d]
}

/// The constant of a step: the whole part of 2³² · |sin(step)|.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the product lies in 0..2^32")]
fn sine(step: u32) -> u32 {
    (f64::from(step).sin().abs() * 4_294_967_296.0) as u32
}

/// A number that follows from a seed and a text, evenly spread.
pub(crate) fn draw(seed: u64, text: &str) -> u64 {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    for byte in text.bytes() {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// The same as a share of one, from 0 to below 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
pub(crate) fn draw_share(seed: u64, text: &str) -> f64 {
    (draw(seed, text) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The same as a number from `low` to `high`.
pub(crate) fn draw_between(seed: u64, text: &str, low: i64, high: i64) -> i64 {
    let span = u64::try_from(high - low + 1).unwrap_or(1).max(1);
    low + i64::try_from(draw(seed, text) % span).unwrap_or(0)
}

/// A UUID that follows from a seed and a text.
pub(crate) fn draw_uuid(seed: u64, text: &str) -> String {
    let (high, low) = (draw(seed, text), draw(seed.wrapping_add(1), text));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        assert_eq!(md5(b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(md5(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(md5(b"message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
        let long = b"12345678901234567890123456789012345678901234567890123456789012345678901234567890";
        assert_eq!(md5(long), "57edf4a22be3c955ac49da2e2107b67a");
        // 55, 56 and 64 bytes: around the edge of a block.
        assert_eq!(md5(&[b'a'; 55]), "ef1772b6dff9a122358552954ad0df65");
        assert_eq!(md5(&[b'a'; 56]), "3b0c8ac703f828b04c6c197006d17218");
        assert_eq!(md5(&[b'a'; 64]), "014842d480b571495a4a0363793f7367");
    }

    #[test]
    fn draws_repeat_and_spread() {
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
        let low = (0..1000).filter(|n| draw_share(7, &n.to_string()) < 0.2).count();
        assert!((150..250).contains(&low), "{low}");
    }
}
