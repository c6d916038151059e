//! Estimates and their intervals, one below the other on one scale.

use exposure_core::evidence::exact::Estimate;
use maud::Markup;

use super::axis::Scale;
use super::{Anchor, Panel};
use crate::report::number;
use crate::text::{cut, shown};

/// One estimate.
pub(crate) struct Row {
    pub(crate) label: String,
    pub(crate) estimate: Estimate,
    /// The same in words.
    pub(crate) value: String,
    /// Whether it is the one that the figure is about.
    pub(crate) strong: bool,
}

impl Row {
    /// A row that says its estimate in the usual way.
    pub(crate) fn new(label: impl Into<String>, estimate: Estimate) -> Self {
        Self { label: label.into(), estimate, value: number::estimate(&estimate), strong: false }
    }
}

/// What a screen reader says of some rows.
fn told(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{}: {}", row.label, row.value)).collect::<Vec<_>>().join("; ")
}

/// A value to hold them against.
pub(crate) struct Reference {
    pub(crate) at: f64,
    pub(crate) label: String,
}

const ROW: f64 = 46.0;
const TOP: f64 = 20.0;
const AXIS: f64 = 24.0;
/// Tips of lines that go on.
const LEFT: &str = "M0 0L8-5V5Z";
const RIGHT: &str = "M0 0L-8-5V5Z";
/// How many columns of a name fit beside the numbers on a phone.
const NAME: usize = 22;

/// Draws them. `id` is unique on the page.
pub(crate) fn whiskers(id: &str, title: &str, scale: Scale, reference: Option<&Reference>, rows: &[Row]) -> Markup {
    let bottom = rows.iter().fold(TOP, |y, _| y + ROW);
    let mut panel = Panel::new(id, bottom + AXIS, title, &told(rows));
    for (at, mark) in scale.marks() {
        panel.line("grid", (at, TOP), (at, bottom));
        panel.text("tick", (at, bottom + 16.0), beside(at), &mark);
    }
    if let Some(reference) = reference {
        let at = scale.at(reference.at).clamp(0.0, 1.0);
        panel.line("reference", (at, TOP - 4.0), (at, bottom));
        panel.text("tick", (at, TOP - 8.0), beside(at), &reference.label);
    }
    let mut y = TOP;
    for row in rows {
        draw(&mut panel, scale, row, y);
        y += ROW;
    }
    panel.markup()
}

/// A text at the edge is not to stand over it.
fn beside(at: f64) -> Anchor {
    match at {
        _ if at < 0.06 => Anchor::Start,
        _ if at > 0.94 => Anchor::End,
        _ => Anchor::Middle,
    }
}

fn draw(panel: &mut Panel, scale: Scale, row: &Row, top: f64) {
    let (baseline, y) = (top + 16.0, top + 31.0);
    let weight = if row.strong { "label strong" } else { "label" };
    panel.text(weight, (0.0, baseline), Anchor::Start, &cut(&shown(&row.label), NAME));
    panel.text("value", (1.0, baseline), Anchor::End, &row.value);
    let told = format!("{}: {}", row.label, row.value);
    let class = |kind: &str| if row.strong { format!("{kind} strong") } else { kind.to_owned() };
    interval(panel, &class("whisker"), scale, &row.estimate, y);
    if let Some(value) = row.estimate.value.map(|value| scale.at(value)).filter(|at| (0.0..=1.0).contains(at)) {
        let radius = if row.strong { 6.0 } else { 5.0 };
        panel.dot(&class("dot"), (value, y), radius, &told);
    }
}

/// An interval; where it goes on beyond the scale it ends in an arrow.
fn interval(panel: &mut Panel, class: &str, scale: Scale, estimate: &Estimate, y: f64) {
    let (low, high) = (scale.at(estimate.low), scale.at(estimate.high));
    let tip = if class.contains("strong") { "tip strong" } else { "tip" };
    if high < 0.0 {
        panel.shape(tip, (0.0, y), LEFT);
        return;
    }
    if low > 1.0 {
        panel.shape(tip, (1.0, y), RIGHT);
        return;
    }
    let (from, to) = (low.clamp(0.0, 1.0), high.clamp(0.0, 1.0));
    panel.line(class, (from, y), (to, y));
    if low < 0.0 {
        panel.shape(tip, (0.0, y), LEFT);
    } else {
        panel.line(class, (from, y - 5.0), (from, y + 5.0));
    }
    if high > 1.0 {
        panel.shape(tip, (1.0, y), RIGHT);
    } else {
        panel.line(class, (to, y - 5.0), (to, y + 5.0));
    }
}
