//! The parts that figures are drawn of. Positions across are shares of the width, those down are pixels, so that a
//! figure fills whatever width there is and its letters keep their size. Colours are classes: the page's style has them.

pub(super) mod axis;
pub(super) mod clock;
pub(super) mod time;
pub(super) mod whiskers;

use maud::{Markup, PreEscaped};
use svg::node::Text as Words;
use svg::node::element::{Circle, Description, Line, Path, Rectangle, SVG, Text, Title};

use crate::text::shown;

/// A picture to draw into.
pub(super) struct Panel {
    svg: SVG,
}

/// Where a text stands beside its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Panel {
    /// A panel of some height in pixels. `id` is unique on the page; `title` and `description` are what a screen reader
    /// says of it.
    pub(super) fn new(id: &str, height: f64, title: &str, description: &str) -> Self {
        let mut svg = SVG::new();
        // Within a page an element needs no name space of its own.
        svg.get_attributes_mut().remove("xmlns");
        let svg = svg
            .set("class", "panel")
            .set("role", "img")
            .set("aria-labelledby", format!("{id}-t {id}-d"))
            .set("width", "100%")
            .set("height", pixels(height))
            .add(Title::new(shown(title)).set("id", format!("{id}-t")))
            .add(Description::new().set("id", format!("{id}-d")).add(Words::new(shown(description))));
        Self { svg }
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let line = Line::new()
            .set("class", class)
            .set("x1", share(from.0))
            .set("y1", pixels(from.1))
            .set("x2", share(to.0))
            .set("y2", pixels(to.1));
        self.add(line);
    }

    /// A text. What it says may come from outside.
    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = Text::new(shown(text))
            .set("class", class)
            .set("x", share(at.0))
            .set("y", pixels(at.1))
            .set("text-anchor", anchor);
        self.add(text);
    }

    /// A round mark, with what a pointer that rests on it is told.
    pub(super) fn dot(&mut self, class: &str, at: (f64, f64), radius: f64, told: &str) {
        let dot = Circle::new()
            .set("class", class)
            .set("cx", share(at.0))
            .set("cy", pixels(at.1))
            .set("r", pixels(radius))
            .add(Title::new(shown(told)));
        self.add(dot);
    }

    /// An upright box from `top` down to `bottom`.
    pub(super) fn bar(&mut self, class: &str, across: (f64, f64), down: (f64, f64), told: &str) {
        let bar = Rectangle::new()
            .set("class", class)
            .set("x", share(across.0))
            .set("width", share(across.1 - across.0))
            .set("y", pixels(down.0))
            .set("height", pixels(down.1 - down.0))
            .add(Title::new(shown(told)));
        self.add(bar);
    }

    /// A shape of the same size whatever the width, drawn in pixels around its place.
    pub(super) fn shape(&mut self, class: &str, at: (f64, f64), path: &str) {
        let mut place = SVG::new();
        place.get_attributes_mut().remove("xmlns");
        let place = place.set("class", "place").set("x", share(at.0)).set("y", pixels(at.1));
        self.add(place.set("width", 1).set("height", 1).add(Path::new().set("class", class).set("d", path)));
    }

    /// Shapes that stretch with the width: `paths` are drawn in a box `width` wide, and as high as it is shown.
    pub(super) fn stretched(&mut self, down: (f64, f64), width: u32, paths: &[(&str, String)]) {
        let height = pixels(down.1 - down.0);
        let mut place = SVG::new();
        place.get_attributes_mut().remove("xmlns");
        let mut place = place
            .set("x", 0)
            .set("y", pixels(down.0))
            .set("width", "100%")
            .set("height", height.clone())
            .set("viewBox", format!("0 0 {width} {height}"))
            .set("preserveAspectRatio", "none");
        for (class, path) in paths {
            place = place.add(Path::new().set("class", *class).set("d", path.as_str()));
        }
        self.add(place);
    }

    fn add(&mut self, node: impl Into<Box<dyn svg::Node>>) {
        svg::Node::append(&mut self.svg, node);
    }

    /// As it stands in the page.
    pub(super) fn markup(self) -> Markup {
        PreEscaped(self.svg.to_string())
    }
}

/// A share of the width.
fn share(value: f64) -> String {
    format!("{}%", rounded(100.0 * value, 2))
}

/// Pixels.
pub(super) fn pixels(value: f64) -> String {
    rounded(value, 1)
}

/// As few characters as say it.
fn rounded(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup_or_turns_a_line_around() {
        let hostile = "</text></svg><script>x</script>\"'\u{202e}&amp;";
        let mut panel = Panel::new("p", 100.0, hostile, hostile);
        panel.text("t", (0.5, 20.0), Anchor::Middle, hostile);
        panel.dot("d", (0.5, 20.0), 3.0, hostile);
        panel.bar("b", (0.0, 0.5), (0.0, 9.0), hostile);
        let text = panel.markup().into_string();
        assert!(!text.contains("<script") && !text.contains('\u{202e}') && text.contains("&lt;script&gt;"), "{text}");
        assert!(!text.contains("http"), "{text}");
        assert_eq!(text.matches("</svg>").count(), 1);
    }

    #[test]
    fn positions_are_short() {
        assert_eq!(share(0.5), "50%");
        assert_eq!(share(1.0 / 3.0), "33.33%");
        assert_eq!(pixels(-0.01), "0");
        assert_eq!(pixels(100.0), "100");
    }
}
