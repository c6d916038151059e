//! Which records can mean something: told by their `eventName`, without parsing them.

use memchr::memmem::Finder;

use crate::decode::{Concern, INFRASTRUCTURE_ROLE, concern, may_concern};

use super::structure::Object;

/// Sifts records. Its answer is that of JSON, not of text: a key counts at depth 1 alone, whatever nested objects or
/// strings hold, and a record with an escape that could hide a key or a name is parsed.
pub(super) struct Filter {
    role: Finder<'static>,
    escaped_ascii: Finder<'static>,
}

/// What became of a record.
pub(super) enum Sifted<'t> {
    /// It is to be parsed.
    Candidate,
    /// It concerns nothing here; its `eventTime`, if it has one.
    Nothing(Option<&'t [u8]>),
}

impl Filter {
    pub(super) fn new() -> Self {
        Self { role: Finder::new(INFRASTRUCTURE_ROLE), escaped_ascii: Finder::new(r"\u00") }
    }

    /// Sifts a record of `text`.
    #[expect(clippy::inline_always, reason = "called for every record; what it seldom comes to is a call of its own")]
    #[inline(always)]
    pub(super) fn sift<'t>(&self, text: &'t [u8], object: &Object) -> Sifted<'t> {
        let named = object.name.is_some_and(|at| may_concern_at(text, at));
        if (named || object.unicode_escapes) && self.matters(text, object) {
            Sifted::Candidate
        } else {
            Sifted::Nothing(object.time.and_then(|at| time_at(text, at)))
        }
    }

    /// Whether a record is to be parsed, whose name begins like one that can mean something, or that has escapes.
    #[inline(never)]
    fn matters(&self, text: &[u8], object: &Object) -> bool {
        let Some(record) = text.get(object.start..object.end) else { return false };
        if object.unicode_escapes && self.hides_a_name(record) {
            return true;
        }
        match object.name.and_then(|at| string_at(text, at)).map_or(Concern::None, concern) {
            Concern::Always => true,
            Concern::WithRole => self.role.find(record).is_some(),
            Concern::None => false,
        }
    }

    /// Whether an escape stands for a character that a key, a name or a time is written with.
    #[cold]
    fn hides_a_name(&self, record: &[u8]) -> bool {
        self.escaped_ascii.find_iter(record).any(|at| {
            let digits = record.get(at + 4..at + 6).and_then(|digits| std::str::from_utf8(digits).ok());
            let character = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            character.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, b':' | b'-' | b'+' | b'.'))
        })
    }
}

/// Whether the name that begins at `at` may be one that can mean something: nearly every name is of another call, which
/// its first letters tell.
#[inline]
fn may_concern_at(text: &[u8], at: usize) -> bool {
    match text.get(at..).and_then(<[u8]>::first_chunk::<5>) {
        Some([b'"', letters @ ..]) => may_concern(*letters),
        // White space stands before it, or it is shorter than all of them.
        _ => true,
    }
}

/// The time that begins at `at`: nearly always twenty characters with quotes around them.
#[inline]
fn time_at(text: &[u8], at: usize) -> Option<&[u8]> {
    match text.get(at..).and_then(<[u8]>::first_chunk::<22>) {
        // An escaped quote may stand at the end, but no time is written with a backslash.
        Some([b'"', time @ .., b'"']) if time.last() == Some(&b'Z') => Some(time),
        _ => string_at(text, at),
    }
}

/// What is between the quotes of the string that begins at `at`, or behind white space there.
fn string_at(text: &[u8], at: usize) -> Option<&[u8]> {
    let quote = skip_blank(text, at);
    text.get(quote).filter(|byte| **byte == b'"')?;
    text.get(quote + 1..string_end(text, quote)? - 1)
}

/// The offset behind the string that begins at `at`.
pub(super) fn string_end(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        match text.get(at) {
            Some(b'"') => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// The first offset from `at` on that is no white space.
pub(super) fn skip_blank(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}
