//! Charts as SVG.

use maud::{Markup, html};

use super::axis::Axis;
use super::ink::{Ink, number, points};

/// Widths of charts in pixels: two or three side by side on a wide screen, one on a phone.
pub(super) const HALF: f64 = 410.0;
pub(super) const THIRD: f64 = 350.0;
/// The radius of a marker, in pixels.
const MARKER: f64 = 4.5;
/// The length of a tick, in pixels.
const TICK: f64 = 4.0;
/// The width of a character of a label, and the height of the title of an axis, in pixels.
const CHARACTER: f64 = 6.6;
const TITLE: f64 = 18.0;

/// Something drawn, in the values of the axes.
pub(super) enum Mark {
    /// A line through points.
    Line(Ink, Vec<(f64, f64)>),
    /// A marker.
    Dot(Ink, (f64, f64)),
    /// The line of a confidence interval.
    Interval(Ink, (f64, f64), (f64, f64)),
    /// A filled rectangle between two corners.
    Block(Ink, (f64, f64), (f64, f64)),
    /// A text that begins or ends at a point.
    Text((f64, f64), String, Anchor),
}

/// Which end of a text is at its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    End,
}

/// Two axes and the marks between them.
pub(super) struct Panel {
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// In pixels, labels included.
    pub(super) height: f64,
    pub(super) marks: Vec<Mark>,
}

/// Draws panels, one below the other, as one image with the accessible name `title`.
pub(super) fn chart(title: &str, width: f64, panels: &[Panel]) -> Markup {
    let tops = panels.iter().scan(0.0, |below, panel| {
        *below += panel.height;
        Some(*below - panel.height)
    });
    let height: f64 = panels.iter().map(|panel| panel.height).sum();
    html! {
        svg.chart xmlns="http://www.w3.org/2000/svg" role="img" aria-label=(title)
            viewBox=(format!("0 0 {} {}", number(width), number(height))) {
            title { (title) }
            @for (panel, top) in panels.iter().zip(tops) { (panel.draw(width, top)) }
        }
    }
}

/// The part of a panel between the axes, in pixels.
struct Area<'a> {
    panel: &'a Panel,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Panel {
    fn draw(&self, width: f64, top: f64) -> Markup {
        let widest = self.y.ticks.iter().map(|(_, label)| label.chars().count()).max();
        let labels = widest.map_or(14.0, |characters| (characters as f64 * CHARACTER + 12.0).max(46.0));
        let left = if self.y.name.is_empty() { labels } else { labels + TITLE };
        let below = if self.x.name.is_empty() { 20.0 } else { 38.0 };
        let (right, bottom) = (width - 14.0, top + self.height - below);
        let area = Area { panel: self, left, right, top: top + 8.0, bottom };
        html! { (area.axes()) @for mark in &self.marks { (area.mark(mark)) } }
    }
}

impl Area<'_> {
    fn x(&self, value: f64) -> f64 {
        self.left + self.panel.x.place(value) * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - self.panel.y.place(value) * (self.bottom - self.top)
    }

    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x(x), self.y(y))
    }

    /// Grid, axes, ticks and their labels.
    fn axes(&self) -> Markup {
        let Self { panel: Panel { x, y, .. }, left, right, top, bottom } = *self;
        let has_y = !y.ticks.is_empty();
        html! {
            @for (value, label) in &x.ticks {
                (line("grid", (self.x(*value), top), (self.x(*value), bottom)))
                (line("axis", (self.x(*value), bottom), (self.x(*value), bottom + TICK)))
                (text("middle", (self.x(*value), bottom + TICK + 12.0), label))
            }
            @for (value, label) in &y.ticks {
                (line("grid", (left, self.y(*value)), (right, self.y(*value))))
                (line("axis", (left - TICK, self.y(*value)), (left, self.y(*value))))
                (text("end", (left - TICK - 4.0, self.y(*value) + 4.5), label))
            }
            (line("axis", (left, bottom), (right, bottom)))
            @if has_y { (line("axis", (left, top), (left, bottom))) }
            @if !x.name.is_empty() { (text("middle", ((left + right) / 2.0, bottom + 34.0), &x.name)) }
            @if !y.name.is_empty() { (upwards((13.0, (top + bottom) / 2.0), &y.name)) }
        }
    }

    fn mark(&self, mark: &Mark) -> Markup {
        match mark {
            Mark::Line(ink, line) => {
                // A value without a place, for example 0 on a logarithmic axis, is left out.
                let placed: Vec<_> = line.iter().map(|point| self.at(*point)).filter(is_finite).collect();
                html! {
                    @if placed.len() > 1 { polyline class=(ink.line()) points=(points(placed.into_iter())) {} }
                }
            }
            Mark::Interval(ink, from, to) => line(&ink.interval(), self.at(*from), self.at(*to)),
            Mark::Dot(ink, point) => ink.marker(self.at(*point), MARKER),
            Mark::Block(ink, from, to) => {
                let ((left, bottom), (right, top)) = (self.at(*from), self.at(*to));
                html! {
                    rect class=(ink.area()) x=(number(left)) y=(number(top)) width=(number(right - left))
                        height=(number(bottom - top)) {}
                }
            }
            Mark::Text(point, words, Anchor::Start) => text("start", self.at(*point), words),
            Mark::Text(point, words, Anchor::End) => text("end", self.at(*point), words),
        }
    }
}

fn is_finite((x, y): &(f64, f64)) -> bool {
    x.is_finite() && y.is_finite()
}

fn line(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> Markup {
    html! { line class=(class) x1=(number(x1)) y1=(number(y1)) x2=(number(x2)) y2=(number(y2)) {} }
}

fn text(anchor: &str, (x, y): (f64, f64), words: &str) -> Markup {
    html! { text x=(number(x)) y=(number(y)) text-anchor=(anchor) { (words) } }
}

/// A text that runs upwards, centred at a point.
fn upwards((x, y): (f64, f64), words: &str) -> Markup {
    let turn = format!("translate({} {}) rotate(-90)", number(x), number(y));
    html! { text transform=(turn) text-anchor="middle" { (words) } }
}
