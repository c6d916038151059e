//! Numbers as people read them, with the exact value beside them for programs.

use exposure_core::evidence::exact::Estimate;
use maud::{Markup, html};

use crate::text::grouped;

/// Three digits that mean something.
pub(super) fn short(value: f64) -> String {
    if !value.is_finite() {
        return "no end".to_owned();
    }
    let size = value.abs();
    let decimals = match size {
        _ if size == 0.0 => 0,
        _ if size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ if size >= 0.000_1 => small_decimals(size),
        _ => return format!("{value:.1e}"),
    };
    let text = format!("{value:.decimals$}");
    match text.parse::<u64>() {
        Ok(whole) => grouped(whole),
        Err(_) => text,
    }
}

/// So many decimals that three digits of a value below 1 are shown, and no zeros after them.
fn small_decimals(size: f64) -> usize {
    let places = [(0.099_95, 3), (0.009_995, 4), (0.000_999_5, 5)];
    places.iter().find(|(least, _)| size >= *least).map_or(6, |(_, decimals)| *decimals)
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent > 0.0 && percent < 0.1 { "under 0.1 %".to_owned() } else { format!("{} %", trimmed(percent)) }
}

/// One decimal, or none where it says nothing.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// An estimate with its interval.
pub(super) fn estimate(estimate: &Estimate) -> String {
    let brief = |number: f64| if number >= 1e5 { format!("{number:.0e}") } else { short(number) };
    let (low, high) = (brief(estimate.low), brief(estimate.high));
    let value = estimate.value.filter(|value| value.is_finite());
    match (value, estimate.low > 0.0, estimate.high.is_finite()) {
        (Some(value), _, true) if low == high => brief(value),
        (Some(value), _, true) => format!("{} ({low} to {high})", brief(value)),
        (Some(value), _, false) => format!("{} ({low} or more)", brief(value)),
        (None, true, false) => format!("{low} or more"),
        (None, false, false) => "not known".to_owned(),
        (None, _, true) => format!("{low} to {high}"),
    }
}

/// How likely something is by chance.
pub(super) fn chance(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {}", short(p)) }
}

/// A value as text, and exact in its attribute.
pub(super) fn exact(value: f64) -> Markup {
    html! { data value=(machine(value)) { (short(value)) } }
}

/// A count as text, and without groups of digits in its attribute.
pub(super) fn count(value: u64) -> Markup {
    html! { data value=(value) { (grouped(value)) } }
}

/// An estimate in three cells of a table: value, lower and upper end.
pub(super) fn cells(estimate: &Estimate) -> Markup {
    let ends = [estimate.value.filter(|value| value.is_finite()), Some(estimate.low), Some(estimate.high)];
    html! {
        @for end in ends {
            td.n { @match end { Some(value) => (exact(value)), None => "–" } }
        }
    }
}

/// As JSON writes it; an end that is none is null there.
fn machine(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { "null".to_owned() }
}

/// A count as a number to draw with.
#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_shown() {
        let table = [
            (0.0, "0"),
            (1_234_567.8, "1,234,568"),
            (100.4, "100"),
            (99.96, "100"),
            (12.345, "12.3"),
            (9.999, "10.0"),
            (1.0, "1.00"),
            (0.9996, "1.00"),
            (0.5, "0.500"),
            (0.012_34, "0.0123"),
            (0.000_012, "1.2e-5"),
            (f64::INFINITY, "no end"),
        ];
        assert!(!table.is_empty());
        for (value, text) in table {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn an_estimate_without_an_end_says_so() {
        let told = |value, low, high| estimate(&Estimate { value, low, high });
        assert_eq!(told(Some(1.5), 1.0, 2.0), "1.50 (1.00 to 2.00)");
        assert_eq!(told(Some(1.5), 1.0, f64::INFINITY), "1.50 (1.00 or more)");
        assert_eq!(told(Some(f64::INFINITY), 1.0, f64::INFINITY), "1.00 or more");
        assert_eq!(told(None, 0.0, f64::INFINITY), "not known");
        assert_eq!(percent(0.000_4), "under 0.1 %");
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(chance(0.000_4), "p < 0.001");
    }
}
