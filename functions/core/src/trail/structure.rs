//! Where a JSON object ends, and where its `eventTime` and `eventName` stand: the structural pass, 64 bytes at a time.
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
/// And how many with those behind a block, in which a key that begins in it may end.
const WINDOW: usize = BLOCK + 16;

/// A set of vector instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstructionSet {
    /// None: works everywhere.
    Portable,
    /// AVX2 and carry-less multiplication. (AVX-512 was measured to be no faster.)
    #[cfg(target_arch = "x86_64")]
    Avx2,
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
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "one set alone"))]
        let mut sets = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
        {
            sets.push(Self::Avx2);
        }
        sets
    }
}

/// An object or a list, delimited. Offsets are those of the text that it lies in.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// Behind its last bracket.
    pub end: usize,
    /// Where the value of its last `eventTime` begins, or white space before it.
    pub time: Option<usize>,
    /// Where that of its last `eventName` begins.
    pub name: Option<usize>,
    /// Whether a `u` follows a backslash anywhere in its blocks: an escape that may hide any text.
    pub unicode_escapes: bool,
}

/// Passes over the objects of a text, one after the other.
#[derive(Debug, Clone)]
pub struct Structure {
    set: InstructionSet,
    /// The block that the last object ended in, and how long its text was: the next mostly begins there.
    last: Option<(usize, usize, Block, Carry)>,
    /// Room for marks, so that it need not be cleared for each object.
    marks: Marks,
}

/// What the structure of a block is made of, one bit for each byte.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Block {
    opens: u64,
    closes: u64,
    /// Where strings begin.
    begins: u64,
    /// Whether one of them may be one of the two keys.
    keys: bool,
    unicode_escapes: bool,
}

/// What one block tells the next.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Carry {
    /// All ones inside a string.
    in_string: u64,
    /// One if the next byte is escaped by a backslash before it.
    escaped: u64,
}

impl Structure {
    /// A pass with a set of vector instructions.
    #[must_use]
    pub fn new(set: InstructionSet) -> Self {
        Self { set, last: None, marks: Marks::default() }
    }

    /// Forgets the text of before. To be called before each text.
    pub fn begin(&mut self) {
        self.last = None;
    }

    /// Passes over the object or list whose bracket stands at `start`, if it ends in `text`.
    pub fn pass(&mut self, text: &[u8], start: usize) -> Option<Object> {
        match self.set {
            InstructionSet::Portable => self.pass_with::<Portable>(text, start, skim::<Portable>),
            // SAFETY: the set is only made by `available`, which has detected its features.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { x86::pass_avx2(self, text, start) },
        }
    }

    #[inline(always)]
    fn pass_with<V: Vector>(
        &mut self,
        text: &[u8],
        start: usize,
        skim: impl Fn(&[u8], Place, &mut Marks) -> Place,
    ) -> Option<Object> {
        let first = start % BLOCK;
        let mut at = start - first;
        let mut padded = [b' '; WINDOW];
        let mut window = window(text, at, &mut padded);
        let (mut block, mut carry) = match self.last {
            Some((known, length, block, carry)) if known == at && length == text.len() => (block, carry),
            _ => {
                let mut carry = Carry::default();
                (carry.block::<V>(window, u64::MAX << first), carry)
            }
        };
        // The bracket that the object begins with is counted; what stands before it is not of it.
        let behind = u64::MAX << first << 1;
        let mine = Block {
            opens: block.opens & behind,
            closes: block.closes & behind,
            begins: block.begins & behind,
            ..block
        };
        let (mut depth, mut part) = (1, mine);
        let mut object = Object::default();
        loop {
            object.unicode_escapes |= part.unicode_escapes;
            let closing = ones(part.closes);
            let end = if depth > closing { None } else { end_in(depth, part.opens, part.closes) };
            if part.keys {
                let before_end = end.map_or(u64::MAX, |end| u64::MAX >> (BLOCK - end));
                object.note(text, at, depth, &part, V::keys(window) & part.begins & before_end);
            }
            if let Some(end) = end {
                self.last = Some((at, text.len(), block, carry));
                object.end = at + end;
                return Some(object);
            }
            depth += ones(part.opens) - closing;
            at += BLOCK;
            if carry.escaped == 0 {
                let marks = &mut self.marks;
                Place { at, depth, in_string: carry.in_string } =
                    skim(text, Place { at, depth, in_string: carry.in_string }, marks);
                for mark in marks.places.iter().take(marks.used) {
                    let window = self::window(text, mark.at, &mut padded);
                    let block = Carry { in_string: mark.in_string, escaped: 0 }.block::<V>(window, u64::MAX);
                    object.note(text, mark.at, mark.depth, &block, V::keys(window) & block.begins);
                }
            }
            if at >= text.len() {
                return None;
            }
            window = self::window(text, at, &mut padded);
            block = carry.block::<V>(window, u64::MAX);
            part = block;
        }
    }
}

/// Where a pass stands between two blocks.
#[derive(Debug, Default, Clone, Copy)]
struct Place {
    at: usize,
    depth: i32,
    in_string: u64,
}

/// The blocks to look for keys in.
#[derive(Debug, Default, Clone)]
struct Marks {
    places: [Place; 8],
    used: usize,
}

/// Passes the blocks in which nothing happens: no escape, no end of the object. That is most of them, and with little
/// to keep in mind it is quick. Blocks with a key that may matter are only marked, since a branch on what cannot be
/// foretold costs more than the block itself.
#[inline(always)]
fn skim<V: Vector>(text: &[u8], from: Place, marks: &mut Marks) -> Place {
    let Place { at, mut depth, mut in_string } = from;
    let mut rest = text.get(at..).unwrap_or_default();
    let mut used = 0;
    while let Some(window) = rest.first_chunk::<WINDOW>() {
        let Some(mark) = marks.places.get_mut(used) else { break };
        let found = V::masks(window);
        let strings = V::prefix_xor(found.quote) ^ in_string;
        let closing = ones(found.close & !strings);
        if found.backslashes || depth <= closing {
            break;
        }
        *mark = Place { at: text.len() - rest.len(), depth, in_string };
        used += usize::from(found.keys);
        depth += ones(found.open & !strings) - closing;
        in_string = all_if_last(strings);
        rest = rest.get(BLOCK..).unwrap_or_default();
    }
    marks.used = used;
    Place { at: text.len() - rest.len(), depth, in_string }
}

/// All ones if the last bit is one.
#[inline(always)]
fn all_if_last(bits: u64) -> u64 {
    (bits.cast_signed() >> 63).cast_unsigned()
}

/// The block at `at` and what stands behind it, with white space behind the end of the text.
#[inline(always)]
fn window<'w>(text: &'w [u8], at: usize, padded: &'w mut [u8; WINDOW]) -> &'w [u8; WINDOW] {
    let rest = text.get(at..).unwrap_or_default();
    if let Some(window) = rest.first_chunk() {
        return window;
    }
    *padded = [b' '; WINDOW];
    for (to, from) in padded.iter_mut().zip(rest) {
        *to = *from;
    }
    padded
}

impl Object {
    /// Notes where the values of the keys that may begin at `keys` stand, if they are keys of the object itself.
    fn note(&mut self, text: &[u8], at: usize, depth: i32, block: &Block, mut keys: u64) {
        while keys != 0 {
            let bit = keys.trailing_zeros();
            keys &= keys - 1;
            let behind = text.get(at + bit as usize + 1..).unwrap_or_default();
            let (value, rest) = match behind.split_first_chunk() {
                Some((b"eventTime\"", rest)) => (&mut self.time, rest),
                Some((b"eventName\"", rest)) => (&mut self.name, rest),
                _ => continue,
            };
            // A value that reads like a key has no colon behind it.
            let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            if rest.get(blanks) == Some(&b':') && block.depth_at(bit, depth) == 1 {
                *value = Some(text.len() - rest.len() + blanks + 1);
            }
        }
    }
}

impl Block {
    /// How deep the byte at an offset in the block lies, if its first byte lies at `depth`.
    fn depth_at(&self, bit: u32, depth: i32) -> i32 {
        let before = (1_u64 << bit) - 1;
        depth + ones(self.opens & before) - ones(self.closes & before)
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
    quote: u64,
    open: u64,
    close: u64,
    /// Whether there is any backslash.
    backslashes: bool,
    /// Whether [`Vector::keys`] has anything to find.
    keys: bool,
}

trait Vector {
    fn masks(window: &[u8; WINDOW]) -> Masks;
    fn backslash(window: &[u8; WINDOW]) -> u64;
    /// Where an `u` stands; an escape that is none of Unicode's has another letter.
    fn letter_u(window: &[u8; WINDOW]) -> u64;
    /// Where a quote has another ten bytes behind it and an `m` eight: it may be that of `"eventTime"`, `"eventName"`.
    fn keys(window: &[u8; WINDOW]) -> u64;
    /// Each bit becomes the parity of itself and all below.
    fn prefix_xor(bits: u64) -> u64;
}

impl Carry {
    /// Looks at one block, as far as it is in `mask`, and goes on to the next.
    #[inline(always)]
    fn block<V: Vector>(&mut self, window: &[u8; WINDOW], mask: u64) -> Block {
        let masks = V::masks(window);
        let mut quote = masks.quote & mask;
        let mut unicode_escapes = false;
        if masks.backslashes || self.escaped != 0 {
            let escaped = self.escapes(V::backslash(window) & mask);
            unicode_escapes = escaped & V::letter_u(window) != 0;
            quote &= !escaped;
        }
        let strings = V::prefix_xor(quote) ^ self.in_string;
        self.in_string = all_if_last(strings);
        Block {
            opens: masks.open & !strings,
            closes: masks.close & !strings,
            begins: quote & strings,
            keys: masks.keys,
            unicode_escapes,
        }
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

/// One bit for each byte of the block that begins `behind` bytes into the window and is `byte` once `fold` is added to
/// its bits: eight bytes at a time, as numbers.
#[inline(always)]
fn equal(window: &[u8; WINDOW], behind: usize, fold: u8, byte: u8) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let each = |byte: u8| u64::from_le_bytes([byte; 8]);
    let (words, _) = window.get(behind..).unwrap_or_default().as_chunks();
    words.iter().take(BLOCK / 8).enumerate().fold(0, |mask, (place, word)| {
        let differs = (u64::from_le_bytes(*word) | each(fold)) ^ each(byte);
        // The highest bit of each byte that does not differ at all, and then those eight bits side by side.
        let same = !(((differs & LOW) + LOW) | differs | LOW);
        mask | ((same >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (place * 8)
    })
}

impl Vector for Portable {
    #[inline(always)]
    fn masks(window: &[u8; WINDOW]) -> Masks {
        Masks {
            quote: equal(window, 0, 0, b'"'),
            // Brackets and braces differ in one bit.
            open: equal(window, 0, 0x20, b'{'),
            close: equal(window, 0, 0x20, b'}'),
            backslashes: Self::backslash(window) != 0,
            keys: Self::keys(window) != 0,
        }
    }

    #[inline(always)]
    fn backslash(window: &[u8; WINDOW]) -> u64 {
        equal(window, 0, 0, b'\\')
    }

    #[inline(always)]
    fn letter_u(window: &[u8; WINDOW]) -> u64 {
        equal(window, 0, 0, b'u')
    }

    #[inline(always)]
    fn keys(window: &[u8; WINDOW]) -> u64 {
        equal(window, 0, 0, b'"') & equal(window, 8, 0, b'm') & equal(window, 10, 0, b'"')
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
        __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8, _mm256_and_si256,
        _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
    };

    use super::{Marks, Masks, Object, Place, Structure, Vector, WINDOW, skim};

    #[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1,bmi2")]
    pub(super) fn pass_avx2(structure: &mut Structure, text: &[u8], start: usize) -> Option<Object> {
        structure.pass_with::<Avx2>(text, start, |text, place, marks| skim_avx2(text, place, marks))
    }

    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1,bmi2")]
    fn skim_avx2(text: &[u8], place: Place, marks: &mut Marks) -> Place {
        skim::<Avx2>(text, place, marks)
    }

    struct Avx2;

    /// The two halves of the block that begins `BEHIND` bytes into a window.
    #[inline(always)]
    fn halves<const BEHIND: usize>(window: &[u8; WINDOW]) -> [__m256i; 2] {
        const { assert!(BEHIND + 64 <= WINDOW) };
        // SAFETY: inlined only into `pass_avx2`; both loads lie within the window.
        unsafe {
            let at = window.as_ptr().add(BEHIND);
            [_mm256_loadu_si256(at.cast()), _mm256_loadu_si256(at.add(32).cast())]
        }
    }

    #[inline(always)]
    fn equal(halves: [__m256i; 2], byte: u8) -> [__m256i; 2] {
        // SAFETY: inlined only into `pass_avx2`, which has the feature.
        halves.map(|half| unsafe { _mm256_cmpeq_epi8(half, _mm256_set1_epi8(byte.cast_signed())) })
    }

    #[inline(always)]
    fn both([a0, a1]: [__m256i; 2], [b0, b1]: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_and_si256(a0, b0), _mm256_and_si256(a1, b1)] }
    }

    #[inline(always)]
    fn mask([low, high]: [__m256i; 2]) -> u64 {
        // SAFETY: as above.
        let [low, high] = [low, high].map(|half| unsafe { _mm256_movemask_epi8(half) }.cast_unsigned());
        u64::from(high) << 32 | u64::from(low)
    }

    #[inline(always)]
    fn any([low, high]: [__m256i; 2]) -> bool {
        // SAFETY: as above.
        unsafe { _mm256_movemask_epi8(_mm256_or_si256(low, high)) != 0 }
    }

    #[inline(always)]
    fn key(window: &[u8; WINDOW], quote: [__m256i; 2]) -> [__m256i; 2] {
        both(quote, both(equal(halves::<8>(window), b'm'), equal(halves::<10>(window), b'"')))
    }

    impl Vector for Avx2 {
        #[inline(always)]
        fn masks(window: &[u8; WINDOW]) -> Masks {
            let bytes = halves::<0>(window);
            // Brackets and braces differ in one bit.
            // SAFETY: as above.
            let folded = bytes.map(|half| unsafe { _mm256_or_si256(half, _mm256_set1_epi8(0x20)) });
            let quote = equal(bytes, b'"');
            Masks {
                quote: mask(quote),
                open: mask(equal(folded, b'{')),
                close: mask(equal(folded, b'}')),
                backslashes: any(equal(bytes, b'\\')),
                keys: any(key(window, quote)),
            }
        }

        #[inline(always)]
        fn backslash(window: &[u8; WINDOW]) -> u64 {
            mask(equal(halves::<0>(window), b'\\'))
        }

        #[inline(always)]
        fn letter_u(window: &[u8; WINDOW]) -> u64 {
            mask(equal(halves::<0>(window), b'u'))
        }

        #[inline(always)]
        fn keys(window: &[u8; WINDOW]) -> u64 {
            mask(key(window, equal(halves::<0>(window), b'"')))
        }

        #[inline(always)]
        fn prefix_xor(bits: u64) -> u64 {
            // SAFETY: as above.
            unsafe {
                let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits.cast_signed()), _mm_set1_epi8(-1));
                _mm_cvtsi128_si64(product).cast_unsigned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plainest reading of the object at `start`: one byte after the other. And whether any `u` is escaped.
    fn plain(text: &[u8], start: usize) -> (Option<Object>, bool) {
        let (mut depth, mut in_string, mut escaped, mut unicode) = (0, false, false, false);
        let mut object = Object::default();
        for (place, byte) in text.iter().enumerate().skip(start) {
            unicode |= escaped && *byte == b'u';
            match byte {
                b'"' if !escaped => {
                    in_string = !in_string;
                    for (key, value) in [("\"eventTime\"", &mut object.time), ("\"eventName\"", &mut object.name)] {
                        let behind = text[place..].strip_prefix(key.as_bytes()).unwrap_or_default();
                        let blanks = behind.iter().take_while(|byte| **byte == b' ').count();
                        if in_string && depth == 1 && behind.get(blanks) == Some(&b':') {
                            *value = Some(text.len() - behind.len() + blanks + 1);
                        }
                    }
                }
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => {
                    depth -= 1;
                    if depth <= 0 {
                        object.end = place + 1;
                        return (Some(object), unicode);
                    }
                }
                _ => {}
            }
            escaped = *byte == b'\\' && !escaped;
        }
        (None, unicode)
    }

    /// Checks each object and list of a text, from the first bracket on and then from the next behind its end.
    fn check(text: &[u8]) {
        for set in InstructionSet::available() {
            let mut structure = Structure::new(set);
            let mut start = 0;
            while let Some(bracket) = text[start..].iter().position(|byte| matches!(byte, b'{' | b'[')) {
                start += bracket;
                let shown = || format!("{set:?} from {start}: {}", String::from_utf8_lossy(text));
                let (expected, unicode) = plain(text, start);
                let found = structure.pass(text, start);
                // The blocks that hold its ends are looked at as a whole.
                assert!(found.is_none_or(|object| object.unicode_escapes || !unicode), "{}", shown());
                let found = found.map(|object| Object { unicode_escapes: false, ..object });
                assert_eq!(found, expected, "{}", shown());
                let Some(object) = found else { break };
                // Between objects there is no string: only then is the state known there.
                start = object.end;
                start += text[start..].iter().position(|byte| *byte != b' ' && *byte != b',').unwrap_or(0);
                if !matches!(text.get(start), Some(b'{' | b'[')) {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_key_is_one_of_the_object_itself() {
        for (text, found) in [
            (r#"{"eventTime":1}"#, true),
            (r#"{"b":{"eventTime":1},"eventTime" : 2}"#, true),
            (r#"{"b":{"eventTime":1}}"#, false),
            (r#"{"b":"\"eventTime\":1"}"#, false),
            (r#"{"b":["eventTime"]}"#, false),
            (r#"{"b":"eventTime"}"#, false),
            (r#"{"b":"eventTime","eventTime":1}"#, true),
            (r#"{"b":1},{"eventTime":1}"#, false),
        ] {
            check(text.as_bytes());
            for set in InstructionSet::available() {
                let object = Structure::new(set).pass(text.as_bytes(), 0).expect(text);
                assert_eq!(object.time.is_some(), found, "{set:?}: {text}");
            }
        }
    }

    #[test]
    fn escapes_that_may_hide_text_are_noted() {
        let long = format!(r#"{{"a":"{}\u0041"}}"#, " ".repeat(57));
        let far = format!(r#"{{"a":"\u0041{}"}},{{"a":1}}"#, " ".repeat(100));
        for set in InstructionSet::available() {
            let mut structure = Structure::new(set);
            for (text, expected) in [
                (r#"{"a":"\\u0041"}"#, false),
                (r#"{"a":"\u0041"}"#, true),
                ("{\"a\":\"\\n\nu\"}", false),
                (&*long, true),
            ] {
                structure.begin();
                let object = structure.pass(text.as_bytes(), 0).expect(text);
                assert_eq!(object.unicode_escapes, expected, "{set:?}: {text}");
            }
            structure.begin();
            let first = structure.pass(far.as_bytes(), 0).expect("an object");
            let second = structure.pass(far.as_bytes(), first.end + 1).expect("an object");
            assert_eq!((first.unicode_escapes, second.unicode_escapes), (true, false), "{set:?}");
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
        let alphabet = br#""\{}[]mu:, "#;
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
                    0 => text.extend_from_slice(br#""eventTime":"#),
                    1 => text.extend_from_slice(br#""eventName" :"#),
                    2 => text.extend_from_slice(b"},{"),
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
