//! Looking at 64 bytes at a time: with vector instructions where there are any, and the same without.
#![cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "vector instructions, behind run-time detection; the portable twin is tested to agree"
    )
)]
#![expect(
    clippy::inline_always,
    reason = "vector code is of use only where it is inlined into a function that has its features"
)]

use super::{InstructionSet, Object, Stopped, end_with, records_with, skim};

/// How many bytes are looked at at a time.
pub(super) const BLOCK: usize = 64;
/// And how many with those behind a block, in which a key that begins in it may end.
pub(super) const WINDOW: usize = BLOCK + 16;

/// [`end_with`] a set of instructions.
pub(super) fn end(set: InstructionSet, text: &[u8], start: usize) -> Option<usize> {
    match set {
        InstructionSet::Portable => end_with::<Portable>(text, start),
        // SAFETY: the set is only made by `available`, which has detected its features.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { x86::end(text, start) },
    }
}

/// [`records_with`] a set of instructions.
pub(super) fn records(set: InstructionSet, text: &[u8], start: usize, take: impl FnMut(&Object) -> bool) -> Stopped {
    match set {
        InstructionSet::Portable => records_with::<Portable>(text, start, take, skim::<Portable>),
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { x86::records(text, start, take) },
    }
}

/// What a block's structure is made of: two bits for each byte, since that is as few as tell four things apart.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Masks {
    /// Quotes and opening braces.
    pub(super) quotes_or_opens: u64,
    /// Braces of either kind.
    pub(super) braces: u64,
    /// Each bit is the parity of the quotes up to it, itself included.
    pub(super) parity: u64,
}

pub(super) trait Vector {
    /// A block that was looked at; what is not asked for as a number need not be one.
    type Seen: Copy;

    fn look(window: &[u8; WINDOW]) -> Self::Seen;
    fn masks(seen: Self::Seen) -> Masks;
    /// Whether there is a backslash in either.
    fn backslashes(seen: [Self::Seen; 2]) -> bool;
    /// Whether [`Vector::keys`] has anything to find in either.
    fn any_keys(seen: [Self::Seen; 2]) -> bool;

    /// Where a `byte` stands.
    fn equal(window: &[u8; WINDOW], byte: u8) -> u64;
    /// What has a `t` five bytes behind it and an `m` eight: it may be the quote of `"eventTime"` or `"eventName"`.
    /// Hardly anything else is.
    fn keys(window: &[u8; WINDOW]) -> u64;
    /// Each bit becomes the parity of itself and all below.
    fn prefix_xor(bits: u64) -> u64;
}

pub(super) struct Portable;

/// One bit for each byte of the block that begins `behind` bytes into the window and is `byte`: eight bytes at a time,
/// as numbers.
#[inline(always)]
fn equal(window: &[u8; WINDOW], behind: usize, byte: u8) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let (words, _) = window.get(behind..).unwrap_or_default().as_chunks();
    words.iter().take(BLOCK / 8).enumerate().fold(0, |mask, (place, word)| {
        let differs = u64::from_le_bytes(*word) ^ u64::from_le_bytes([byte; 8]);
        // The highest bit of each byte that does not differ at all, and then those eight bits side by side.
        let same = !(((differs & LOW) + LOW) | differs | LOW);
        mask | ((same >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (place * 8)
    })
}

impl Vector for Portable {
    type Seen = (Masks, bool, bool);

    #[inline(always)]
    fn look(window: &[u8; WINDOW]) -> Self::Seen {
        let [quotes, opens, closes] = [b'"', b'{', b'}'].map(|byte| equal(window, 0, byte));
        let masks = Masks { quotes_or_opens: quotes | opens, braces: opens | closes, parity: Self::prefix_xor(quotes) };
        (masks, equal(window, 0, b'\\') != 0, Self::keys(window) != 0)
    }

    #[inline(always)]
    fn masks((masks, ..): Self::Seen) -> Masks {
        masks
    }

    #[inline(always)]
    fn backslashes([(_, first, _), (_, second, _)]: [Self::Seen; 2]) -> bool {
        first || second
    }

    #[inline(always)]
    fn any_keys([(.., first), (.., second)]: [Self::Seen; 2]) -> bool {
        first || second
    }

    #[inline(always)]
    fn equal(window: &[u8; WINDOW], byte: u8) -> u64 {
        equal(window, 0, byte)
    }

    #[inline(always)]
    fn keys(window: &[u8; WINDOW]) -> u64 {
        equal(window, 5, b't') & equal(window, 8, b'm')
    }

    #[inline(always)]
    fn prefix_xor(mut bits: u64) -> u64 {
        for shift in [1, 2, 4, 8, 16, 32] {
            bits ^= bits << shift;
        }
        bits
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_set1_epi8,
        _mm256_add_epi8, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256,
        _mm256_movemask_epi8, _mm256_set1_epi8, _mm256_shuffle_epi8,
    };

    use super::super::{Marks, Object, Place, Stopped, end_with, records_with, skim};
    use super::{Masks, Vector, WINDOW};

    /// [`records_with`] these instructions.
    ///
    /// # Safety
    /// The processor has them.
    #[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1,bmi2")]
    pub(super) fn records(text: &[u8], start: usize, take: impl FnMut(&Object) -> bool) -> Stopped {
        records_with::<Avx2>(text, start, take, |text, place, marks| skim_avx2(text, place, marks))
    }

    /// [`end_with`] these instructions.
    ///
    /// # Safety
    /// The processor has them.
    #[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1,bmi2")]
    pub(super) fn end(text: &[u8], start: usize) -> Option<usize> {
        end_with::<Avx2>(text, start)
    }

    /// A function of its own, so that the loop has all registers to itself.
    #[inline(never)]
    #[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1,bmi2")]
    fn skim_avx2(text: &[u8], place: Place, marks: &mut Marks) -> Place {
        skim::<Avx2>(text, place, marks)
    }

    struct Avx2;

    #[derive(Clone, Copy)]
    struct Seen {
        quotes_or_opens: u64,
        braces: u64,
        parity: __m128i,
        backslash: __m256i,
        key: __m256i,
    }

    type Halves = [__m256i; 2];

    /// The two halves of the block that begins `BEHIND` bytes into a window.
    #[inline(always)]
    fn halves<const BEHIND: usize>(window: &[u8; WINDOW]) -> Halves {
        const { assert!(BEHIND + 64 <= WINDOW) };
        // SAFETY: inlined only into the functions above; both loads lie within the window.
        unsafe {
            let at = window.as_ptr().add(BEHIND);
            [_mm256_loadu_si256(at.cast()), _mm256_loadu_si256(at.add(32).cast())]
        }
    }

    #[inline(always)]
    fn equal(halves: Halves, byte: u8) -> Halves {
        // SAFETY: inlined only into the functions above, which have the feature.
        halves.map(|half| unsafe { _mm256_cmpeq_epi8(half, _mm256_set1_epi8(byte.cast_signed())) })
    }

    /// Which bytes are one of the two, whose low halves differ: each is compared with the one that has its own.
    #[inline(always)]
    fn either<const A: u8, const B: u8>(halves: Halves) -> Halves {
        #[expect(clippy::indexing_slicing, reason = "worked out when it is compiled")]
        const fn table(a: u8, b: u8) -> [u8; 16] {
            // What has another low half equals nothing: no byte that looks its own up finds itself.
            let mut table = [0xff; 16];
            table[(a & 15) as usize] = a;
            table[(b & 15) as usize] = b;
            table
        }
        const { assert!(A & 15 != B & 15 && A < 0x80 && B < 0x80) };
        let table = const { table(A, B) };
        // SAFETY: as above; the load lies within the table.
        unsafe {
            let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()));
            halves.map(|half| _mm256_cmpeq_epi8(half, _mm256_shuffle_epi8(table, half)))
        }
    }

    #[inline(always)]
    fn mask([low, high]: Halves) -> u64 {
        // SAFETY: as above.
        let [low, high] = [low, high].map(|half| unsafe { _mm256_movemask_epi8(half) }.cast_unsigned());
        u64::from(high) << 32 | u64::from(low)
    }

    /// Has the highest bit of a byte where either has, of bytes of none but ones or zeros. Adding them does as well as
    /// or'ing, which the compiler takes apart into more.
    #[inline(always)]
    fn or(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_add_epi8(a, b) }
    }

    #[inline(always)]
    fn any(bytes: __m256i) -> bool {
        // SAFETY: as above.
        unsafe { _mm256_movemask_epi8(bytes) != 0 }
    }

    #[inline(always)]
    fn key(window: &[u8; WINDOW]) -> Halves {
        let ([t0, t1], [m0, m1]) = (equal(halves::<5>(window), b't'), equal(halves::<8>(window), b'm'));
        // SAFETY: as above.
        unsafe { [_mm256_and_si256(t0, m0), _mm256_and_si256(t1, m1)] }
    }

    #[inline(always)]
    fn parity(bits: u64) -> __m128i {
        // SAFETY: as above.
        unsafe { _mm_clmulepi64_si128::<0>(_mm_cvtsi64_si128(bits.cast_signed()), _mm_set1_epi8(-1)) }
    }

    #[inline(always)]
    fn low(bits: __m128i) -> u64 {
        // SAFETY: as above.
        unsafe { _mm_cvtsi128_si64(bits) }.cast_unsigned()
    }

    impl Vector for Avx2 {
        type Seen = Seen;

        #[inline(always)]
        fn look(window: &[u8; WINDOW]) -> Seen {
            let bytes = halves::<0>(window);
            let quotes_or_opens = mask(either::<b'"', b'{'>(bytes));
            let braces = mask(either::<b'{', b'}'>(bytes));
            let [b0, b1] = equal(bytes, b'\\');
            let [k0, k1] = key(window);
            Seen {
                quotes_or_opens,
                braces,
                parity: parity(quotes_or_opens & !braces),
                backslash: or(b0, b1),
                key: or(k0, k1),
            }
        }

        #[inline(always)]
        fn masks(seen: Seen) -> Masks {
            Masks { quotes_or_opens: seen.quotes_or_opens, braces: seen.braces, parity: low(seen.parity) }
        }

        #[inline(always)]
        fn backslashes([first, second]: [Seen; 2]) -> bool {
            any(or(first.backslash, second.backslash))
        }

        #[inline(always)]
        fn any_keys([first, second]: [Seen; 2]) -> bool {
            any(or(first.key, second.key))
        }

        #[inline(always)]
        fn equal(window: &[u8; WINDOW], byte: u8) -> u64 {
            mask(equal(halves::<0>(window), byte))
        }

        #[inline(always)]
        fn keys(window: &[u8; WINDOW]) -> u64 {
            mask(key(window))
        }

        #[inline(always)]
        fn prefix_xor(bits: u64) -> u64 {
            low(parity(bits))
        }
    }
}
