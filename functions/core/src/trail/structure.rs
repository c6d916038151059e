//! Where a JSON object ends: the structural pass, 64 bytes at a time.
//!
//! The pass begins at the object's opening brace, where depth and string state are known, and goes forward only, so
//! nothing inside a string can deceive it. The technique is that of Langdale and Lemire, "Parsing Gigabytes of JSON
//! per Second" (2019), §3.1: bit masks of quotes and brackets, with a carry-less product to tell strings.
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

/// How many bytes are looked at at a time.
const BLOCK: usize = 64;

/// A set of vector instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstructionSet {
    /// None: works everywhere.
    Portable,
    /// AVX2 and carry-less multiplication.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 with byte masks.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl InstructionSet {
    /// The best that this processor has.
    #[must_use]
    pub fn detect() -> Self {
        *Self::available().last().unwrap_or(&Self::Portable)
    }

    /// All that this processor has, best last.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut sets = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            let clmul = is_x86_feature_detected!("pclmulqdq")
                && is_x86_feature_detected!("popcnt")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2");
            if clmul && is_x86_feature_detected!("avx2") {
                sets.push(Self::Avx2);
            }
            if clmul && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512f") {
                sets.push(Self::Avx512);
            }
        }
        sets
    }
}

/// The structure of one object or array, found by [`Structure::pass`].
#[derive(Debug, Default, Clone)]
pub struct Structure {
    /// Those that count are the first [`Structure::used`].
    shallow: Vec<Shallow>,
    used: usize,
    unicode_escapes: bool,
}

/// A block in which text of depth 1 may stand: the keys of the object itself. Most blocks lie deeper throughout.
#[derive(Debug, Default, Clone, Copy)]
struct Shallow {
    /// Where it begins.
    at: usize,
    /// How deep its first byte lies.
    depth: i32,
    opens: u64,
    closes: u64,
    /// Where strings begin.
    begins: u64,
    /// Those of them that begin with an `e` (or may, at the block's end).
    begins_with_e: u64,
}

/// A key to look for, with the quote behind it; of eight bytes at least.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    head: u64,
    text: &'static [u8],
}

impl Key {
    /// The key that `text` is.
    #[must_use]
    pub const fn new(text: &'static [u8]) -> Self {
        let head = match text.first_chunk() {
            Some(head) => u64::from_le_bytes(*head),
            None => 0,
        };
        Self { head, text }
    }

    /// Where the colon is behind the key that begins at `at`, if it is this one: a value that reads like a key has none.
    fn colon(&self, text: &[u8], at: usize) -> Option<usize> {
        let behind = text.get(at..)?.strip_prefix(self.text)?;
        let blanks = behind.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        (behind.get(blanks) == Some(&b':')).then_some(at + self.text.len() + blanks)
    }
}

impl Structure {
    /// Passes over the object or array that begins at the start of `text`: the offset behind it, if it ends in there.
    pub fn pass(&mut self, set: InstructionSet, text: &[u8]) -> Option<usize> {
        self.used = 0;
        self.unicode_escapes = false;
        match set {
            InstructionSet::Portable => self.pass_with::<Portable>(text),
            // SAFETY: both sets are only made by `available`, which has detected their features.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { x86::pass_avx2(self, text) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { x86::pass_avx512(self, text) },
        }
    }

    /// Where the values of some keys of the object itself begin, or white space before them.
    #[must_use]
    pub fn keys<const N: usize>(&self, text: &[u8], keys: [Key; N]) -> [Option<usize>; N] {
        let mut found = [None; N];
        let mut missing = N;
        let all_with_e = keys.iter().all(|key| key.text.first() == Some(&b'e'));
        for block in self.shallow.iter().take(self.used) {
            let mut begins = if all_with_e { block.begins_with_e } else { block.begins };
            while begins != 0 {
                let bit = begins.trailing_zeros();
                begins &= begins - 1;
                let at = block.at + bit as usize + 1;
                let Some(head) = text.get(at..).and_then(<[u8]>::first_chunk) else { continue };
                // Comparing eight bytes as one number spares nearly every look at the rest.
                let head = u64::from_le_bytes(*head);
                for (key, found) in keys.iter().zip(&mut found) {
                    if head == key.head
                        && found.is_none()
                        && block.depth_at(bit) == 1
                        && let Some(colon) = key.colon(text, at)
                    {
                        *found = Some(colon + 1);
                        missing -= 1;
                    }
                }
                if missing == 0 {
                    return found;
                }
            }
        }
        found
    }

    /// Whether a `u` follows a backslash anywhere: an escape that may hide any text.
    #[must_use]
    pub fn has_unicode_escapes(&self) -> bool {
        self.unicode_escapes
    }

    #[inline(always)]
    fn pass_with<V: Vector>(&mut self, text: &[u8]) -> Option<usize> {
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        // Room for every block, so that the pass need not look after it; what is not used is not touched.
        if self.shallow.len() <= blocks.len() {
            self.shallow.resize(blocks.len() + 1, Shallow::default());
        }
        let mut state = State::default();
        let mut end = None;
        for (place, block) in blocks.iter().enumerate() {
            end = state.block::<V>(&mut self.shallow, place * BLOCK, block);
            if end.is_some() {
                break;
            }
        }
        if end.is_none() {
            let mut last = [b' '; BLOCK];
            for (to, from) in last.iter_mut().zip(rest) {
                *to = *from;
            }
            end = state.block::<V>(&mut self.shallow, blocks.len() * BLOCK, &last);
        }
        (self.used, self.unicode_escapes) = (state.used, state.unicode_escapes != 0);
        end
    }
}

impl Shallow {
    /// How deep the byte at an offset in the block lies.
    fn depth_at(&self, bit: u32) -> i32 {
        let before = (1_u64 << bit) - 1;
        self.depth + ones(self.opens & before) - ones(self.closes & before)
    }
}

/// The offset behind the bracket that brings `depth` to nothing.
#[inline(never)]
fn end_in(mut depth: i32, opens: u64, closes: u64) -> Option<usize> {
    let mut brackets = opens | closes;
    while brackets != 0 {
        let lowest = brackets & brackets.wrapping_neg();
        depth += if opens & lowest == 0 { -1 } else { 1 };
        if depth <= 0 {
            return Some(lowest.trailing_zeros() as usize + 1);
        }
        brackets ^= lowest;
    }
    None
}

/// The bytes of a block that structure is made of, one bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Masks {
    /// Most keys that matter begin with it, and few others do.
    letter_e: u64,
    quote: u64,
    backslash: u64,
    open: u64,
    close: u64,
}

trait Vector {
    fn masks(block: &[u8; BLOCK]) -> Masks;
    /// Where an `u` stands; an escape that is none of Unicode's has another letter.
    fn letter_u(block: &[u8; BLOCK]) -> u64;
    /// Each bit becomes the parity of itself and all below.
    fn prefix_xor(bits: u64) -> u64;
}

/// The state of the pass between two blocks.
#[derive(Default)]
struct State {
    depth: i32,
    /// All ones inside a string.
    in_string: u64,
    /// One if the first byte is escaped by a backslash before it.
    escaped: u64,
    /// How many blocks were shallow.
    used: usize,
    /// Not nothing if a `u` was escaped.
    unicode_escapes: u64,
}

impl State {
    /// Passes one block: the offset behind the bracket that brings the depth to nothing, if it is in there.
    #[inline(always)]
    fn block<V: Vector>(&mut self, shallow: &mut [Shallow], at: usize, block: &[u8; BLOCK]) -> Option<usize> {
        let masks = V::masks(block);
        let mut quote = masks.quote;
        if masks.backslash | self.escaped != 0 {
            let escaped = self.escapes(masks.backslash);
            self.unicode_escapes |= escaped & V::letter_u(block);
            quote &= !escaped;
        }
        let strings = V::prefix_xor(quote) ^ self.in_string;
        self.in_string = (strings.cast_signed() >> 63).cast_unsigned();
        let (opens, closes, depth) = (masks.open & !strings, masks.close & !strings, self.depth);
        let closing = ones(closes);
        self.depth += ones(opens) - closing;
        // Whether a block is shallow is hard to foretell, so it is written down in any case and counted if it is.
        if let Some(next) = shallow.get_mut(self.used) {
            let begins = quote & strings;
            *next =
                Shallow { at, depth, opens, closes, begins, begins_with_e: begins & (masks.letter_e >> 1 | 1 << 63) };
        }
        self.used += usize::from(depth <= closing + 1);
        if depth > closing { None } else { end_in(depth, opens, closes).map(|end| at + end) }
    }

    /// The bytes that a backslash escapes: those after an odd run of them.
    ///
    /// Subtracting the backslashes from their successors ripples through each run, which leaves every second byte
    /// of it, counted from its start, and the byte behind it if the run is odd.
    #[inline(always)]
    fn escapes(&mut self, backslash: u64) -> u64 {
        const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
        let free = backslash & !self.escaped;
        let alternate = ((free << 1) | ODD).wrapping_sub(free) ^ ODD;
        let escaped = alternate ^ (backslash | self.escaped);
        self.escaped = (alternate & backslash) >> 63;
        escaped
    }
}

#[inline(always)]
fn ones(bits: u64) -> i32 {
    bits.count_ones().cast_signed()
}

struct Portable;

impl Vector for Portable {
    #[inline(always)]
    fn masks(block: &[u8; BLOCK]) -> Masks {
        let mut masks = Masks { letter_e: 0, quote: 0, backslash: 0, open: 0, close: 0 };
        for (place, byte) in block.iter().enumerate() {
            let bit = |is: bool| u64::from(is) << place;
            masks.letter_e |= bit(*byte == b'e');
            masks.quote |= bit(*byte == b'"');
            masks.backslash |= bit(*byte == b'\\');
            // Brackets and braces differ in one bit.
            masks.open |= bit(byte | 0x20 == b'{');
            masks.close |= bit(byte | 0x20 == b'}');
        }
        masks
    }

    #[inline(always)]
    fn letter_u(block: &[u8; BLOCK]) -> u64 {
        block.iter().enumerate().fold(0, |mask, (place, byte)| mask | (u64::from(*byte == b'u') << place))
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
        __m256i, __m512i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8, _mm256_cmpeq_epi8,
        _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm512_cmpeq_epi8_mask,
        _mm512_loadu_si512, _mm512_or_si512, _mm512_set1_epi8,
    };

    use super::{BLOCK, Masks, Portable, Structure, Vector};

    #[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1,bmi2")]
    pub(super) fn pass_avx2(structure: &mut Structure, text: &[u8]) -> Option<usize> {
        structure.pass_with::<Avx2>(text)
    }

    #[target_feature(enable = "avx512f,avx512bw,pclmulqdq,popcnt,bmi1,bmi2")]
    pub(super) fn pass_avx512(structure: &mut Structure, text: &[u8]) -> Option<usize> {
        structure.pass_with::<Avx512>(text)
    }

    struct Avx2;
    struct Avx512;

    #[inline(always)]
    fn prefix_xor(bits: u64) -> u64 {
        // SAFETY: inlined only into the functions above, which have the feature.
        unsafe {
            let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits.cast_signed()), _mm_set1_epi8(-1));
            _mm_cvtsi128_si64(product).cast_unsigned()
        }
    }

    impl Vector for Avx2 {
        #[inline(always)]
        fn masks(block: &[u8; BLOCK]) -> Masks {
            // SAFETY: inlined only into `pass_avx2`; both loads lie within the block.
            unsafe {
                let low: __m256i = _mm256_loadu_si256(block.as_ptr().cast());
                let high: __m256i = _mm256_loadu_si256(block.as_ptr().add(32).cast());
                let case = _mm256_set1_epi8(0x20);
                let find = |low, high, byte: u8| {
                    let byte = _mm256_set1_epi8(byte.cast_signed());
                    let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, byte)).cast_unsigned();
                    let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, byte)).cast_unsigned();
                    u64::from(high) << 32 | u64::from(low)
                };
                let (folded_low, folded_high) = (_mm256_or_si256(low, case), _mm256_or_si256(high, case));
                Masks {
                    letter_e: find(low, high, b'e'),
                    quote: find(low, high, b'"'),
                    backslash: find(low, high, b'\\'),
                    open: find(folded_low, folded_high, b'{'),
                    close: find(folded_low, folded_high, b'}'),
                }
            }
        }

        #[inline(always)]
        fn letter_u(block: &[u8; BLOCK]) -> u64 {
            Portable::letter_u(block)
        }

        #[inline(always)]
        fn prefix_xor(bits: u64) -> u64 {
            prefix_xor(bits)
        }
    }

    impl Vector for Avx512 {
        #[inline(always)]
        fn masks(block: &[u8; BLOCK]) -> Masks {
            // SAFETY: inlined only into `pass_avx512`; the load is the block.
            unsafe {
                let bytes: __m512i = _mm512_loadu_si512(block.as_ptr().cast());
                let folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
                let find = |bytes, byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte.cast_signed()));
                Masks {
                    letter_e: find(bytes, b'e'),
                    quote: find(bytes, b'"'),
                    backslash: find(bytes, b'\\'),
                    open: find(folded, b'{'),
                    close: find(folded, b'}'),
                }
            }
        }

        #[inline(always)]
        fn letter_u(block: &[u8; BLOCK]) -> u64 {
            // SAFETY: inlined only into `pass_avx512`; the load is the block.
            unsafe {
                _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(block.as_ptr().cast()), _mm512_set1_epi8(b'u'.cast_signed()))
            }
        }

        #[inline(always)]
        fn prefix_xor(bits: u64) -> u64 {
            prefix_xor(bits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Plain {
        end: Option<usize>,
        depths: Vec<i32>,
        unicode: bool,
        begins: Vec<usize>,
    }

    /// The plainest reading: one byte after the other.
    fn plain(text: &[u8]) -> Plain {
        let (mut depth, mut in_string, mut escaped, mut unicode) = (0, false, false, false);
        let (mut depths, mut begins) = (Vec::new(), Vec::new());
        for (place, byte) in text.iter().enumerate() {
            depths.push(depth);
            unicode |= escaped && *byte == b'u';
            match byte {
                b'"' if !escaped => {
                    in_string = !in_string;
                    if in_string {
                        begins.push(place);
                    }
                }
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => {
                    depth -= 1;
                    if depth <= 0 {
                        return Plain { end: Some(place + 1), depths, unicode, begins };
                    }
                }
                _ => {}
            }
            escaped = *byte == b'\\' && !escaped;
        }
        Plain { end: None, depths, unicode, begins }
    }

    /// Checks a text, and the same with another letter, since keys are looked for by their first.
    fn check(text: &[u8]) {
        check_with(text, br#""aaaaaaa""#, Key::new(br#"aaaaaaa""#));
        let with_e: Vec<u8> = text.iter().map(|byte| if *byte == b'a' { b'e' } else { *byte }).collect();
        check_with(&with_e, br#""eeeeeee""#, Key::new(br#"eeeeeee""#));
    }

    fn check_with(text: &[u8], quoted: &[u8], key: Key) {
        let Plain { end, depths, unicode, begins } = plain(text);
        for set in InstructionSet::available() {
            let mut structure = Structure::default();
            let shown = String::from_utf8_lossy(text);
            assert_eq!(structure.pass(set, text), end, "{set:?}: {shown}");
            // The block that holds the end is looked at to its own end.
            assert!(structure.has_unicode_escapes() || !unicode, "{set:?}: {shown}");
            let value_of = |at: &usize| {
                let behind = text[*at..].strip_prefix(quoted).filter(|_| depths[*at] == 1)?;
                let colon = behind.iter().position(|byte| *byte != b' ').filter(|colon| behind[*colon] == b':')?;
                Some(at + 10 + colon)
            };
            let expected = begins.iter().find_map(value_of);
            let object = &text[..end.unwrap_or(text.len())];
            let [found] = structure.keys(object, [key]);
            assert_eq!(found, expected, "{set:?}: {shown}");
        }
    }

    #[test]
    fn a_key_is_one_of_the_object_itself() {
        for (text, found) in [
            (r#"{"aaaaaaa":1}"#, true),
            (r#"{"b":{"aaaaaaa":1},"aaaaaaa" : 2}"#, true),
            (r#"{"b":{"aaaaaaa":1}}"#, false),
            (r#"{"b":"\"aaaaaaa\":1"}"#, false),
            (r#"{"b":["aaaaaaa"]}"#, false),
            (r#"{"b":"aaaaaaa"}"#, false),
            (r#"{"b":"aaaaaaa","aaaaaaa":1}"#, true),
        ] {
            check(text.as_bytes());
            for set in InstructionSet::available() {
                let mut structure = Structure::default();
                structure.pass(set, text.as_bytes());
                let [at] = structure.keys(text.as_bytes(), [Key::new(br#"aaaaaaa""#)]);
                assert_eq!(at.is_some(), found, "{set:?}: {text}");
            }
        }
    }

    #[test]
    fn escapes_that_may_hide_text_are_noted() {
        for set in InstructionSet::available() {
            let mut structure = Structure::default();
            let long = format!(r#"{{"a":"{}\u0041"}}"#, " ".repeat(57));
            for (text, expected) in [
                (r#"{"a":"\\u0041"}"#, false),
                (r#"{"a":"\u0041"}"#, true),
                (
                    r#"{"a":"
"}"#,
                    false,
                ),
                (&*long, true),
            ] {
                structure.pass(set, text.as_bytes());
                assert_eq!(structure.has_unicode_escapes(), expected, "{set:?}: {text}");
            }
        }
    }

    #[test]
    fn strings_escapes_and_nesting_do_not_deceive() {
        for text in [
            "{}",
            r#"{"a":[1,{"b":"}"}],"c":"\"}"} {"#,
            r#"{"a":"\\"}"#,
            r#"{"a":"\\\"}{\\"}"#,
            r#"{"a":"{\"eventName\":\"Decrypt\"}"}x"#,
            r#"{"unclosed": "}"#,
            "{",
            "",
        ] {
            check(text.as_bytes());
        }
    }

    #[test]
    fn every_instruction_set_agrees_on_any_text() {
        let alphabet = br#""\{}[]au:, "#;
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        for round in 0..4_000_usize {
            let mut text = vec![b'{'];
            for _ in 0..round % 400 {
                match next() % 40 {
                    0 => text.extend_from_slice(br#""aaaaaaa":"#),
                    random => text.push(alphabet[usize::try_from(random).unwrap() % alphabet.len()]),
                }
            }
            check(&text);
            // Long runs of backslashes across blocks.
            let mut text = br#"{"a":""#.to_vec();
            text.extend(std::iter::repeat_n(b'\\', usize::try_from(next() % 140).unwrap()));
            text.extend_from_slice(br#""}"}]}"#);
            check(&text);
        }
    }

    #[test]
    fn this_machine_has_more_than_the_portable_way_or_says_so() {
        assert!(InstructionSet::available().contains(&InstructionSet::detect()));
    }
}
