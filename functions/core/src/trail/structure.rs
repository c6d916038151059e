//! Where objects end, and where the `eventTime` and `eventName` of records stand: the structural pass, 64 bytes at a
//! time.
//!
//! The pass begins at an opening bracket, where depth and string state are known, and goes forward only, so nothing
//! inside a string can deceive it. Of JSON's two kinds of brackets it counts the kind that it began with: in JSON that
//! is enough, since the kinds nest. The technique is that of Langdale and Lemire, "Parsing Gigabytes of JSON per
//! Second" (2019), §3.1: bit masks of quotes and brackets, with a carry-less product to tell strings.
#![expect(
    clippy::inline_always,
    reason = "vector code is of use only where it is inlined into a function that has its features"
)]

mod vector;

use super::filter::skip_blank;
use vector::{BLOCK, Masks, Vector, WINDOW};

/// How far the loop over uneventful blocks looks: at two blocks, and at the two behind them.
const AHEAD: usize = 3 * BLOCK + WINDOW;
/// How many blocks are marked before they are looked at.
const MARKS: usize = 64;

/// A set of vector instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstructionSet {
    /// None: works everywhere.
    Portable,
    /// AVX2 and carry-less multiplication. (AVX-512 was measured to be no faster.)
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

/// An object of a list, delimited. Offsets are those of the text that it lies in.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// Where its first brace stands.
    pub start: usize,
    /// Behind its last brace.
    pub end: usize,
    /// Where the value of its last `eventTime` begins, or white space before it.
    pub time: Option<usize>,
    /// Where that of its last `eventName` begins.
    pub name: Option<usize>,
    /// Whether a `u` follows a backslash anywhere in its blocks: an escape that may hide any text.
    pub unicode_escapes: bool,
}

/// Where the way along a list stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Behind an object that was the last to be taken, or that no other follows.
    Behind(usize),
    /// Before an object that does not end in the text.
    Before(usize),
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

    /// The offset behind the object or list whose bracket stands at `start`, if it ends in `text`.
    #[must_use]
    pub fn end(self, text: &[u8], start: usize) -> Option<usize> {
        vector::end(self, text, start)
    }

    /// Goes along a list of objects, with commas between them, from the one whose brace stands at `start`, and gives
    /// each to `take` until that says no.
    pub fn records(self, text: &[u8], start: usize, take: impl FnMut(&Object) -> bool) -> Stopped {
        vector::records(self, text, start, take)
    }
}

/// Where a pass stands between two blocks.
#[derive(Debug, Default, Clone, Copy)]
struct Place {
    at: usize,
    depth: i32,
    /// All ones inside a string.
    in_string: u64,
}

/// Blocks in which an object may end or a key stand.
#[derive(Debug)]
struct Marks {
    places: [Mark; MARKS],
    /// How many of them may be used.
    room: usize,
    used: usize,
    /// Which of them have an escape that may hide any text, one bit for each.
    unicode_escapes: u64,
}

const _: () = assert!(MARKS <= 64, "a bit for each mark");

/// Two blocks, of which the second may be empty.
#[derive(Debug, Default, Clone, Copy)]
struct Mark {
    at: usize,
    /// At the beginning.
    depth: i32,
    /// The least that it may lead to.
    lowest: i32,
    /// Their parity is that of strings.
    masks: [Masks; 2],
}

/// A way through a text, block by block.
struct Way<'t> {
    text: &'t [u8],
    place: Place,
    /// One if the next byte is escaped by a backslash before it.
    escaped: u64,
    padded: [u8; BLOCK + WINDOW],
}

#[inline(always)]
fn end_with<V: Vector>(text: &[u8], start: usize) -> Option<usize> {
    let kind = match text.get(start)? {
        b'[' => [b'[', b']'],
        _ => [b'{', b'}'],
    };
    let mut way = Way::new(text, start);
    while way.place.at < text.len() {
        let (mark, _) = way.block::<V>(kind);
        if let Some(end) = mark.ends().next() {
            return Some(mark.at + end);
        }
    }
    None
}

/// Most blocks are passed quickly; those in which something may happen are marked and looked at again, since a branch
/// on what cannot be foretold costs more than several blocks.
#[inline(always)]
fn records_with<V: Vector>(
    text: &[u8],
    start: usize,
    mut take: impl FnMut(&Object) -> bool,
    skim: impl Fn(&[u8], Place, &mut Marks) -> Place,
) -> Stopped {
    // Where the list is short, what lies behind it is passed in vain: at first only a little is passed at once.
    let mut marks = Marks { room: 4, places: [Mark::default(); MARKS], used: 0, unicode_escapes: 0 };
    let mut way = Way::new(text, start);
    let mut object = Object { start, ..Object::default() };
    while way.place.at < text.len() {
        (marks.used, marks.unicode_escapes) = (0, 0);
        if way.escaped == 0 {
            way.place = skim(text, way.place, &mut marks);
        }
        // It stops before the second half of an escape, where there is no more room, and near the end of the text.
        if way.place.at < text.len()
            && let Some(mark) = marks.places.get_mut(marks.used)
        {
            let unicode_escapes;
            (*mark, unicode_escapes) = way.block::<V>([b'{', b'}']);
            marks.unicode_escapes |= u64::from(unicode_escapes) << marks.used;
            marks.used += 1;
        }
        for (mark, place) in marks.places.iter().zip(0..marks.used) {
            let windows = way.windows(mark.at);
            let keys = [V::keys(part::<0, _>(windows)), V::keys(part::<BLOCK, _>(windows))];
            let unicode_escapes = marks.unicode_escapes >> place & 1 == 1;
            if let Some(end) = object.pass(text, mark, keys, unicode_escapes, &mut take) {
                return Stopped::Behind(end);
            }
        }
        marks.room = (2 * marks.room).min(MARKS);
    }
    Stopped::Before(object.start)
}

/// Passes the blocks without an escape, two at a time, and marks the pairs in which an object may end or a key stand.
///
/// Each pair is looked at while the one before is judged: the processor's own window is too short to begin with the
/// next while it waits for the product.
#[inline(always)]
fn skim<V: Vector>(text: &[u8], from: Place, marks: &mut Marks) -> Place {
    let Place { at, mut depth, mut in_string } = from;
    let mut rest = text.get(at..).unwrap_or_default();
    let (mut used, room) = (0, marks.room);
    if let Some(ahead) = rest.first_chunk::<AHEAD>() {
        let mut pair = [V::look(part::<0, _>(ahead)), V::look(part::<BLOCK, _>(ahead))];
        while let Some(ahead) = rest.first_chunk::<AHEAD>() {
            // One place is left for the block that it stops before.
            let Some([mark, _]) = marks.places.get_mut(used..room).and_then(<[Mark]>::first_chunk_mut) else { break };
            let [mut first, mut second] = pair.map(V::masks);
            let mut matters = V::any_keys(pair);
            if V::backslashes(pair) {
                let mut escaped = 0;
                let unicode = first.unescape::<V>(part::<0, _>(ahead), &mut escaped)
                    | second.unescape::<V>(part::<BLOCK, _>(ahead), &mut escaped);
                if escaped != 0 {
                    break;
                }
                marks.unicode_escapes |= u64::from(unicode) << used;
                matters |= unicode;
            }
            mark.at = text.len() - rest.len();
            mark.depth = depth;
            let next = V::look(part::<{ 2 * BLOCK }, _>(ahead));
            let lowest = sink(&mut first, &mut depth, &mut in_string);
            let last = V::look(part::<{ 3 * BLOCK }, _>(ahead));
            let lowest = lowest.min(sink(&mut second, &mut depth, &mut in_string));
            mark.masks = [first, second];
            mark.lowest = lowest;
            used += usize::from((lowest <= 0) | matters);
            rest = rest.get(2 * BLOCK..).unwrap_or_default();
            pair = [next, last];
        }
    }
    marks.used = used;
    Place { at: text.len() - rest.len(), depth, in_string }
}

/// Counts the braces of a block without escapes. Its parity becomes that of strings; and how deep it would lead if all
/// that close came first.
#[inline(always)]
fn sink(masks: &mut Masks, depth: &mut i32, in_string: &mut u64) -> i32 {
    masks.parity ^= *in_string;
    *in_string = all_if_last(masks.parity);
    let outside = masks.braces & !masks.parity;
    let closing = ones(outside & !masks.quotes_or_opens);
    let lowest = *depth - closing;
    *depth = lowest - closing + ones(outside);
    lowest
}

impl Masks {
    /// Takes out the quotes that a backslash escapes, and says whether a `u` is escaped.
    #[inline(always)]
    fn unescape<V: Vector>(&mut self, window: &[u8; WINDOW], escaped: &mut u64) -> bool {
        let hidden = escapes(escaped, V::equal(window, b'\\'));
        let quotes = self.quotes_or_opens & !self.braces;
        self.quotes_or_opens &= !(quotes & hidden);
        self.parity = V::prefix_xor(quotes & !hidden);
        // An escape that is none of Unicode's has another letter.
        hidden & V::equal(window, b'u') != 0
    }
}

/// The window that begins `AT` bytes further on.
#[inline(always)]
fn part<const AT: usize, const N: usize>(ahead: &[u8; N]) -> &[u8; WINDOW] {
    const { assert!(AT + WINDOW <= N) };
    ahead.get(AT..).and_then(<[u8]>::first_chunk).unwrap_or(&[b' '; WINDOW])
}

/// All ones if the last bit is one.
#[inline(always)]
fn all_if_last(bits: u64) -> u64 {
    (bits.cast_signed() >> 63).cast_unsigned()
}

/// The bits below the `count`th; all of them if there are no more.
#[inline(always)]
fn all_below(count: usize) -> u64 {
    u32::try_from(count).ok().and_then(|count| 1_u64.checked_shl(count)).map_or(u64::MAX, |bit| bit - 1)
}

#[inline(always)]
fn ones(bits: u64) -> i32 {
    bits.count_ones().cast_signed()
}

impl<'t> Way<'t> {
    fn new(text: &'t [u8], at: usize) -> Self {
        Self { text, place: Place { at, ..Place::default() }, escaped: 0, padded: [b' '; BLOCK + WINDOW] }
    }

    /// The two blocks from `at` on, with white space behind the end of the text.
    #[inline(always)]
    fn windows(&mut self, at: usize) -> &[u8; BLOCK + WINDOW] {
        let rest = self.text.get(at..).unwrap_or_default();
        if let Some(windows) = rest.first_chunk() {
            return windows;
        }
        self.padded = [b' '; BLOCK + WINDOW];
        for (to, from) in self.padded.iter_mut().zip(rest) {
            *to = *from;
        }
        &self.padded
    }

    /// Looks at one block, with escapes and all, and goes on to the next. And whether a `u` is escaped in it.
    #[inline(always)]
    fn block<V: Vector>(&mut self, [open, close]: [u8; 2]) -> (Mark, bool) {
        let (Place { at, mut depth, mut in_string }, mut escaped) = (self.place, self.escaped);
        let above = depth;
        let window = part::<0, _>(self.windows(at));
        let (quotes, opens, closes) = (V::equal(window, b'"'), V::equal(window, open), V::equal(window, close));
        let mut masks =
            Masks { quotes_or_opens: quotes | opens, braces: opens | closes, parity: V::prefix_xor(quotes) };
        let any = escaped | V::equal(window, b'\\') != 0;
        let unicode_escapes = any && masks.unescape::<V>(window, &mut escaped);
        let lowest = sink(&mut masks, &mut depth, &mut in_string);
        self.escaped = escaped;
        self.place = Place { at: at + BLOCK, depth, in_string };
        (Mark { at, depth: above, lowest, masks: [masks, Masks::default()] }, unicode_escapes)
    }
}

/// The bytes that a backslash escapes: those after an odd run of them.
///
/// Subtracting the backslashes from their successors ripples through each run, which leaves every second byte of it,
/// counted from its start, and the byte behind it if the run is odd.
#[inline(always)]
fn escapes(first_escaped: &mut u64, backslash: u64) -> u64 {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    let free = backslash & !*first_escaped;
    let alternate = ((free << 1) | ODD).wrapping_sub(free) ^ ODD;
    let escaped = alternate ^ (backslash | *first_escaped);
    *first_escaped = (alternate & backslash) >> 63;
    escaped
}

impl Object {
    /// Passes blocks of the object: notes its keys, and where the object ends in them, gives it to `take` and goes on
    /// with the next. Returns the end of the last one.
    #[inline(always)]
    fn pass(
        &mut self,
        text: &[u8],
        mark: &Mark,
        keys: [u64; 2],
        unicode_escapes: bool,
        take: &mut impl FnMut(&Self) -> bool,
    ) -> Option<usize> {
        self.unicode_escapes |= unicode_escapes;
        let [mut first, mut second] = keys;
        if mark.lowest <= 0 {
            for end in mark.ends() {
                let before = [all_below(end), all_below(end.saturating_sub(BLOCK))];
                self.note(text, mark, 0, first & before[0]);
                self.note(text, mark, 1, second & before[1]);
                [first, second] = [first & !before[0], second & !before[1]];
                self.end = mark.at + end;
                let next = if take(self) { next_object(text, self.end) } else { None };
                let Some(start) = next else { return Some(self.end) };
                *self = Self { start, unicode_escapes, ..Self::default() };
            }
        }
        self.note(text, mark, 0, first);
        self.note(text, mark, 1, second);
        None
    }

    /// Notes where the values of these keys of a half stand, as far as they are keys of the object itself.
    #[inline(always)]
    fn note(&mut self, text: &[u8], mark: &Mark, half: usize, mut keys: u64) {
        while keys != 0 {
            let offset = keys.trailing_zeros();
            keys &= keys - 1;
            let behind = text.get(mark.at + half * BLOCK + offset as usize..).unwrap_or_default();
            let Some((&[b'"', v0, v1, v2, v3, v4, v5, v6, v7, b'e', b'"'], rest)) = behind.split_first_chunk() else {
                continue;
            };
            // One number is compared faster than eight bytes.
            let word = u64::from_le_bytes([v0, v1, v2, v3, v4, v5, v6, v7]);
            let value = if word == u64::from_le_bytes(*b"eventTim") {
                &mut self.time
            } else if word == u64::from_le_bytes(*b"eventNam") {
                &mut self.name
            } else {
                continue;
            };
            // A value that reads like a key has no colon behind it.
            let colon = skip_blank(rest, 0);
            if rest.get(colon) == Some(&b':') && mark.begins_at_the_top(half, offset) {
                *value = Some(text.len() - rest.len() + colon + 1);
            }
        }
    }
}

/// Where the object begins that follows behind a comma.
#[inline(always)]
fn next_object(text: &[u8], end: usize) -> Option<usize> {
    if let Some(b",{") = text.get(end..end + 2) {
        return Some(end + 1);
    }
    let comma = skip_blank(text, end);
    text.get(comma).filter(|byte| **byte == b',')?;
    let start = skip_blank(text, comma + 1);
    (text.get(start) == Some(&b'{')).then_some(start)
}

impl Mark {
    /// The offsets behind the brackets that bring the depth to nothing, or keep it there.
    #[inline(always)]
    fn ends(&self) -> impl Iterator<Item = usize> {
        let [first, second] = self.masks.map(|masks| masks.braces & !masks.parity);
        let outside = both([first, second]);
        let [first, second] = self.masks.map(|masks| masks.quotes_or_opens);
        let mut depth = self.depth;
        let mut closes = outside & !both([first, second]);
        let mut opens = outside ^ closes;
        std::iter::from_fn(move || {
            while depth <= closes.count_ones().cast_signed() && closes != 0 {
                let close = closes & closes.wrapping_neg();
                depth += (opens & (close - 1)).count_ones().cast_signed() - 1;
                opens &= !(close - 1);
                closes ^= close;
                if depth <= 0 {
                    return Some(close.trailing_zeros() as usize + 1);
                }
            }
            None
        })
    }

    /// Whether a string begins at a bit of a half, in the object itself and nothing that is in it.
    #[inline(always)]
    fn begins_at_the_top(&self, half: usize, offset: u32) -> bool {
        let [first, second] = self.masks;
        let (masks, above) = if half == 0 { (first, 0) } else { (second, first.deeper()) };
        let bit = 1 << offset;
        let before = Masks { braces: masks.braces & (bit - 1), ..masks };
        masks.quotes_or_opens & masks.parity & bit != 0 && self.depth + above + before.deeper() == 1
    }
}

impl Masks {
    /// By how much it leads deeper.
    #[inline(always)]
    fn deeper(&self) -> i32 {
        let outside = self.braces & !self.parity;
        ones(outside) - 2 * ones(outside & !self.quotes_or_opens)
    }
}

#[inline(always)]
fn both([first, second]: [u64; 2]) -> u128 {
    u128::from(second) << BLOCK | u128::from(first)
}

#[cfg(test)]
mod tests;
