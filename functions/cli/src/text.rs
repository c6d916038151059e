//! Text from outside, made safe to show.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `text` with control and direction characters escaped, so that it cannot move the cursor or reorder a line.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unprintable(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether a character would move the cursor or reorder a line.
pub(crate) fn is_unprintable(character: char) -> bool {
    character.is_control() || is_directional(character)
}

/// Marks and overrides of direction, line and paragraph separators, and the byte-order mark.
fn is_directional(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// `text` cut to `width` columns, with an ellipsis where it was cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 1;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > width {
            break;
        }
        cut.push(character);
    }
    cut.push('…');
    cut
}

/// `text` cut to `width` columns and filled up to them.
pub(crate) fn left(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let fill = width.saturating_sub(text.width());
    text + &" ".repeat(fill)
}

/// `text` with spaces before it, up to `width` columns.
pub(crate) fn right(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(text.width())) + text
}

/// `text` in lines of at most `width` columns.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(cut(word, width)),
        }
    }
    lines
}

/// A count with its noun in the right number.
pub(crate) fn counted(count: u64, singular: &str, plural: &str) -> String {
    if count == 1 { format!("1 {singular}") } else { format!("{} {plural}", grouped(count)) }
}

/// A number with its digits in groups of three.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
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
    fn text_from_outside_cannot_move_the_cursor() {
        assert_eq!(shown("a\u{1b}[2J\nb\u{202e}c"), "a\\u{1b}[2J\\u{a}b\\u{202e}c");
        assert_eq!(shown("Größe 夜間 🌙"), "Größe 夜間 🌙");
    }

    #[test]
    fn widths_are_those_of_a_terminal() {
        assert_eq!(left("夜間", 6), "夜間  ");
        assert_eq!(cut("夜間夜間", 5), "夜間…");
        assert_eq!(right("7", 3), "  7");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
    }
}
