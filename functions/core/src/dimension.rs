//! Stack names as values of a dimension.

/// The dimension of a stack.
pub const STACK: &str = "Stack";

/// The longest value of a dimension (CloudWatch API, `Dimension`).
const LONGEST: usize = 1_024;
/// How a name begins that is packed; no percent-encoding does.
const PACKED: &str = "%u";
/// Six bits each (RFC 4648, "base64url").
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// As many characters as fit when they are packed: 21 bits each, six bits a digit.
const PACKED_CHARS: usize = (LONGEST - PACKED.len()) * 6 / 21;

/// The value of the dimension `Stack` for a stack, which CloudWatch wants to be of 1 to 1024 printable ASCII characters
/// and not blank. Names of printable ASCII stay as they are; [`stack_of`] gives each back:
///
/// - `%`, everything that is not printable ASCII, and blanks at either end are percent-encoded, each byte of their UTF-8
///   as `%` and two capital hex digits: `Café` is `Caf%C3%A9`;
/// - the empty name is `%`;
/// - a name that is too long for that is `%u` and its code points, 21 bits each, in base64url without padding. Stacks
///   have at most 256 characters, for which there is always room; of a longer name only the first 292 would be kept.
#[must_use]
pub fn dimension_value(stack: &str) -> String {
    if stack.is_empty() {
        return "%".to_owned();
    }
    let (first, last) = (0, stack.len() - 1);
    let mut value = String::with_capacity(stack.len());
    for (at, byte) in stack.bytes().enumerate() {
        let plain = byte.is_ascii_graphic() && byte != b'%' || byte == b' ' && at != first && at != last;
        if plain {
            value.push(char::from(byte));
        } else {
            value.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    if value.len() > LONGEST { packed(stack) } else { value }
}

/// The stack whose dimension has that value: the inverse of [`dimension_value`]. Nothing for a value that it never gives.
#[must_use]
pub fn stack_of(value: &str) -> Option<String> {
    let stack = match value.strip_prefix(PACKED) {
        Some(digits) => unpacked(digits)?,
        None if value == "%" => String::new(),
        None => decoded(value)?,
    };
    (dimension_value(&stack) == value).then_some(stack)
}

fn decoded(value: &str) -> Option<String> {
    let mut text = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' { unhex(bytes.next()?)? << 4 | unhex(bytes.next()?)? } else { byte };
        text.push(byte);
    }
    String::from_utf8(text).ok()
}

fn packed(stack: &str) -> String {
    let mut value = PACKED.to_owned();
    let (mut bits, mut held) = (0_u64, 0_u32);
    for character in stack.chars().take(PACKED_CHARS) {
        (bits, held) = (bits << 21 | u64::from(u32::from(character)), held + 21);
        while held >= 6 {
            held -= 6;
            value.push(digit(bits >> held & 63));
            bits &= (1 << held) - 1;
        }
    }
    if held > 0 {
        value.push(digit(bits << (6 - held) & 63));
    }
    value
}

fn unpacked(digits: &str) -> Option<String> {
    let mut stack = String::new();
    let (mut bits, mut held) = (0_u64, 0_u32);
    for byte in digits.bytes() {
        let six = u64::try_from(DIGITS.iter().position(|digit| *digit == byte)?).ok()?;
        (bits, held) = (bits << 6 | six, held + 6);
        if held >= 21 {
            held -= 21;
            stack.push(char::from_u32(u32::try_from(bits >> held).ok()?)?);
            bits &= (1 << held) - 1;
        }
    }
    Some(stack)
}

fn digit(six: u64) -> char {
    usize::try_from(six).ok().and_then(|six| DIGITS.get(six)).map_or('A', |digit| char::from(*digit))
}

fn hex(nibble: u8) -> char {
    char::from_digit(nibble.into(), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

fn unhex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|nibble| u8::try_from(nibble).ok())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn fits(value: &str) -> bool {
        (1..=LONGEST).contains(&value.len())
            && value.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
            && !value.trim().is_empty()
    }

    #[test]
    fn names_are_written_as_documented() {
        let table = [
            ("Nighttime", "Nighttime"),
            ("day & night (eu)", "day & night (eu)"),
            ("Café", "Caf%C3%A9"),
            ("100%", "100%25"),
            ("a\tb\n", "a%09b%0A"),
            ("", "%"),
            (" ", "%20"),
            ("   ", "%20 %20"),
            (" x ", "%20x%20"),
            ("%u", "%25u"),
            ("\u{7f}", "%7F"),
        ];
        assert!(table.len() > 10);
        for (stack, value) in table {
            assert_eq!(dimension_value(stack), value, "{stack:?}");
            assert_eq!(stack_of(value).as_deref(), Some(stack), "{value:?}");
            assert!(fits(value), "{value:?}");
        }
    }

    #[test]
    fn the_longest_names_fit_and_are_given_back() {
        for character in ['x', '%', 'é', 'ж', '漢', '🦀', '\u{10ffff}', '\0'] {
            for length in [1, 255, 256, 292] {
                let stack = character.to_string().repeat(length);
                let value = dimension_value(&stack);
                assert!(fits(&value), "{length} of {character:?}: {}", value.len());
                assert_eq!(stack_of(&value), Some(stack), "{length} of {character:?}");
            }
        }
        assert!(fits(&dimension_value(&"🦀".repeat(5_000))), "what is longer than a stack's name can be still fits");
    }

    #[test]
    fn any_name_is_given_back_and_no_two_are_written_alike() {
        // Xorshift: the same names in every run.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for _ in 0..20_000 {
            let length = if random(20) == 0 { random(257) } else { random(12) };
            let stack: String = (0..length)
                .map(|_| match random(5) {
                    0 => ['%', ' ', 'u', 'A', '2', '5'][usize::try_from(random(6)).expect("small")],
                    1 => char::from(u8::try_from(random(128)).expect("ASCII")),
                    2 => char::from_u32(u32::try_from(random(0x11_0000)).expect("21 bits")).unwrap_or('\u{fffd}'),
                    3 => char::from_u32(0x400 + u32::try_from(random(0x100)).expect("8 bits")).expect("Cyrillic"),
                    _ => 'x',
                })
                .collect();
            let value = dimension_value(&stack);
            assert!(fits(&value), "{stack:?}: {value:?}");
            assert_eq!(stack_of(&value).as_deref(), Some(stack.as_str()), "{value:?}");
            if let Some(other) = seen.insert(value, stack.clone()) {
                assert_eq!(other, stack);
            }
        }
        assert!(seen.len() > 10_000);
    }

    #[test]
    fn a_value_that_is_never_given_is_of_no_stack() {
        for value in ["", "%2", "%zz", "%e9", "%C3", "a%62", "é", " x", "%u", "%uAAAA", "%u!", "%c3%a9"] {
            assert_eq!(stack_of(value), None, "{value:?}");
        }
    }
}
