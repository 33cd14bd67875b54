//! What the colours, dashes and markers of charts stand for. The style sheet knows the classes, so that one drawing serves the
//! light theme, the dark theme and print.

use maud::{Markup, html};

/// Colours in the style sheet. Later series start again with the first colour and another dash.
const COLOURS: usize = 6;
const DASHES: usize = 4;

/// What a mark stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// A reference: the baseline of that index, or the diagonal of chance.
    Reference(usize),
    /// The approach of that index.
    Series(usize),
    /// A run of the approach, behind the mean.
    Faint(usize),
}

impl Ink {
    /// Classes of a line.
    pub(super) fn line(self) -> String {
        match self {
            Ink::Reference(index) => format!("line reference d{}", (index + 1) % DASHES),
            Ink::Series(index) => format!("line c{} d{}", index % COLOURS, dash(index)),
            Ink::Faint(index) => format!("faint c{}", index % COLOURS),
        }
    }

    /// Classes of the line of a confidence interval, which has no dash.
    pub(super) fn interval(self) -> String {
        match self {
            Ink::Reference(_) => "line reference".into(),
            Ink::Series(index) | Ink::Faint(index) => format!("line c{}", index % COLOURS),
        }
    }

    /// Classes of an area.
    pub(super) fn area(self) -> String {
        match self {
            Ink::Reference(_) => "area reference".into(),
            Ink::Series(index) | Ink::Faint(index) => format!("area c{}", index % COLOURS),
        }
    }

    /// A marker around a point.
    pub(super) fn marker(self, (x, y): (f64, f64), radius: f64) -> Markup {
        let corners: &[(f64, f64)] = match self {
            Ink::Series(index) => SHAPES[dash(index)],
            _ => &BAR,
        };
        if corners.is_empty() {
            return html! { circle class=(self.area()) cx=(number(x)) cy=(number(y)) r=(number(radius)) {} };
        }
        let corners = corners.iter().map(|(right, down)| (x + radius * right, y + radius * down));
        html! { polygon class=(self.area()) points=(points(corners)) {} }
    }
}

/// Neighbours differ in colour, marker and dash, so that they can be told from each other without colour.
fn dash(index: usize) -> usize {
    (index + index / COLOURS) % DASHES
}

/// Corners of the markers, in radii from the centre: circle, square, triangle, diamond.
const SHAPES: [&[(f64, f64)]; DASHES] = [
    &[],
    &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    &[(0.0, -1.2), (1.15, 0.9), (-1.15, 0.9)],
    &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
];
/// The marker of a reference.
const BAR: [(f64, f64); 4] = [(-0.3, -1.2), (0.3, -1.2), (0.3, 1.2), (-0.3, 1.2)];

/// Explains the colours and markers of a chart.
pub(super) fn legend(entries: &[(Ink, Markup)]) -> Markup {
    html! {
        ul.legend {
            @for (ink, meaning) in entries {
                li { (swatch(*ink)) span { (meaning) } }
            }
        }
    }
}

/// A short line with the marker of an ink.
pub(super) fn swatch(ink: Ink) -> Markup {
    html! {
        svg.key xmlns="http://www.w3.org/2000/svg" viewBox="0 0 28 12" aria-hidden="true" {
            path class=(ink.line()) d="M1 6H27" {}
            // Lines of single runs have no markers.
            @if !matches!(ink, Ink::Faint(_)) { (ink.marker((14.0, 6.0), 4.5)) }
        }
    }
}

/// A coordinate, to a tenth of a pixel.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// The value of an attribute `points`.
pub(super) fn points(points: impl Iterator<Item = (f64, f64)>) -> String {
    points.map(|(x, y)| format!("{},{}", number(x), number(y))).collect::<Vec<_>>().join(" ")
}
