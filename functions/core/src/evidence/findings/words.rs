//! Numbers and names in sentences.

use crate::evidence::exact::Estimate;

/// The longest name in a sentence, in characters.
const LONGEST: usize = 60;

/// A name from outside: in quotation marks unless it is one plain word, cut where it is long, and with control and
/// direction characters escaped, so that no name can pass for a part of the sentence or reorder it.
pub(super) fn name(text: &str) -> String {
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.');
    if !text.is_empty() && text.chars().count() <= LONGEST && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut shown = String::from("\"");
    for character in text.chars().take(LONGEST) {
        if character.is_control() || is_directional(character) || character == '"' {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown + "\""
}

/// Marks and overrides of direction, line and paragraph separators, and the byte-order mark.
fn is_directional(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A number to two or three digits that matter, as people write it.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1e15 {
        format!("{value:.1e}")
    } else if size >= 100.0 {
        grouped(&format!("{value:.0}"))
    } else if size >= 9.95 {
        format!("{value:.0}")
    } else if size >= 0.995 || size == 0.0 {
        format!("{value:.1}")
    } else if size >= 1e-6 {
        let places = if size >= 0.0995 { 2 } else { leading_zeros(size) + 2 };
        format!("{value:.places$}")
    } else {
        format!("{value:.1e}")
    }
}

/// How many zeros stand between the point and the first digit, as rounded to two digits.
fn leading_zeros(size: f64) -> usize {
    let mut zeros = 0;
    let mut bound = 0.0995;
    while size < bound {
        (zeros, bound) = (zeros + 1, bound / 10.0);
    }
    zeros
}

/// A share as a percentage.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 1.0 {
        "under 1 %".to_owned()
    } else if percent > 99.0 && percent < 100.0 {
        "over 99 %".to_owned()
    } else {
        format!("{percent:.0} %")
    }
}

/// A count with its noun in the right number.
pub(super) fn counted(count: u64, singular: &str, plural: &str) -> String {
    if count == 1 { format!("1 {singular}") } else { format!("{} {plural}", grouped(&count.to_string())) }
}

/// The interval of an estimate: `1.4 to 2.6`, or `at least 1.4` where nothing bounds it.
pub(super) fn interval(estimate: &Estimate) -> String {
    match (estimate.low, estimate.high) {
        (low, high) if high.is_finite() => format!("{} to {}", number(low), number(high)),
        (low, _) => format!("at least {}", number(low)),
    }
}

/// An estimate with its interval: `1.9 times (1.4 to 2.6)`. Nothing where the data say nothing.
pub(super) fn times(estimate: &Estimate) -> Option<String> {
    let value = estimate.value?;
    Some(if !value.is_finite() {
        format!("at least {} times", number(estimate.low))
    } else if (estimate.high - estimate.low).abs() <= 1e-9 * value {
        format!("{} times", number(value))
    } else {
        format!("{} times ({})", number(value), interval(estimate))
    })
}

fn grouped(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_stay_names() {
        for (found, expected) in [
            (name("Nighttime"), "Nighttime"),
            (name("夜間"), "夜間"),
            (name(""), "\"\""),
            (name("A is fine. B"), "\"A is fine. B\""),
            (name("a\"b\u{1b}[2J\n\u{202e}c"), "\"a\\u{22}b\\u{1b}[2J\\u{a}\\u{202e}c\""),
            (name("<b>"), "\"<b>\""),
        ] {
            assert_eq!(found, expected);
        }
        assert_eq!(name(&"x".repeat(500)).chars().count(), LONGEST + 3);
    }

    #[test]
    fn numbers_have_the_digits_that_matter() {
        for (value, expected) in [
            (0.0, "0.0"),
            (1.94, "1.9"),
            (9.96, "10"),
            (0.456, "0.46"),
            (0.0321, "0.032"),
            (0.0996, "0.10"),
            (0.05, "0.050"),
            (0.009_96, "0.010"),
            (0.000_012, "0.000012"),
            (0.000_000_012, "1.2e-8"),
            (45_678.4, "45,678"),
            (123.0, "123"),
        ] {
            assert_eq!(number(value), expected);
        }
        let estimate = |value, low, high| Estimate { value, low, high };
        assert_eq!(times(&estimate(Some(1.9), 1.4, 2.6)).as_deref(), Some("1.9 times (1.4 to 2.6)"));
        assert_eq!(times(&estimate(Some(0.5), 0.5, 0.5)).as_deref(), Some("0.50 times"));
        let unbounded = estimate(Some(f64::INFINITY), 1.4, f64::INFINITY);
        assert_eq!(times(&unbounded).as_deref(), Some("at least 1.4 times"));
        assert_eq!(times(&estimate(None, 0.0, f64::INFINITY)), None);
    }

    #[test]
    fn shares_are_not_rounded_to_nothing_or_all() {
        let found = [0.0, 0.004, 0.5, 0.996, 1.0].map(percent);
        assert_eq!(found, ["0 %", "under 1 %", "50 %", "over 99 %", "100 %"]);
        assert_eq!(
            (counted(1, "move", "moves"), counted(1_234, "move", "moves")),
            ("1 move".into(), "1,234 moves".into())
        );
    }
}
