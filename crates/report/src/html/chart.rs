//! Charts as SVG: drawn by plotters in ink that stands for something, coloured by the page's style sheet.
//!
//! plotters writes fixed colours and whole pixels. A chart is therefore drawn four times as large as it is meant to be
//! read, and each [`Ink`] in a colour of its own, which gives way to a class. One SVG then serves light, dark and print.

use maud::{Markup, PreEscaped, html};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use crate::error::ExperimentError;

/// Units of the drawing for one of the reader's pixels, at the size the chart is meant for.
const SCALE: i32 = 4;
/// Widths that charts are meant for, in the reader's pixels: two beside each other on a desk, or three; one on a phone.
pub(super) const HALF: i32 = 410;
pub(super) const THIRD: i32 = 350;
/// The text's size, by plotters' count: it divides by 1.24.
const TEXT: f64 = 12.5 * 1.24 * SCALE as f64;
/// Colours in the style sheet. Whatever comes after them starts again, with another dash.
const COLOURS: usize = 6;
const DASHES: usize = 4;

/// What a mark stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Grid,
    Axis,
    Text,
    /// What is not an approach: a baseline, or the diagonal of chance.
    Floor(usize),
    /// The approach of that index.
    Series(usize),
    /// A run behind its mean.
    Faint(usize),
    /// The interval around a mean.
    Interval(usize),
}

impl Ink {
    const KINDS: usize = 7;

    /// The colour to be replaced; none of them is used by plotters itself.
    fn colour(self) -> RGBColor {
        let (kind, index) = match self {
            Ink::Grid => (0, 0),
            Ink::Axis => (1, 0),
            Ink::Text => (2, 0),
            Ink::Floor(index) => (3, index),
            Ink::Series(index) => (4, index),
            Ink::Faint(index) => (5, index),
            Ink::Interval(index) => (6, index),
        };
        RGBColor(0xFA, kind, (index % (COLOURS * DASHES)) as u8)
    }

    fn all() -> impl Iterator<Item = Ink> {
        let make = |kind, index| match kind {
            0 => Ink::Grid,
            1 => Ink::Axis,
            2 => Ink::Text,
            3 => Ink::Floor(index),
            4 => Ink::Series(index),
            5 => Ink::Faint(index),
            _ => Ink::Interval(index),
        };
        (0..Self::KINDS).flat_map(move |kind| {
            let variants = if kind < 3 { 1 } else { COLOURS * DASHES };
            (0..variants).map(move |index| make(kind, index))
        })
    }

    /// Classes of a line.
    pub(super) fn line(self) -> String {
        match self {
            Ink::Grid => "grid".into(),
            Ink::Axis | Ink::Text => "axis".into(),
            Ink::Floor(index) => format!("line floor d{}", (index + 1) % DASHES),
            Ink::Series(index) => format!("line c{} d{}", index % COLOURS, Self::dash(index)),
            Ink::Faint(index) => format!("faint c{}", index % COLOURS),
            Ink::Interval(index) => format!("line c{}", index % COLOURS),
        }
    }

    /// Classes of an area.
    pub(super) fn area(self) -> String {
        match self {
            Ink::Text => "text".into(),
            Ink::Grid | Ink::Axis | Ink::Floor(_) => "area floor".into(),
            Ink::Series(index) | Ink::Faint(index) | Ink::Interval(index) => format!("area c{}", index % COLOURS),
        }
    }

    /// Neighbours differ in colour, marker and dash alike.
    fn dash(index: usize) -> usize {
        (index + index / COLOURS) % DASHES
    }

    /// The marker of an approach or a baseline.
    fn shape(self) -> Shape {
        match self {
            Ink::Series(index) => [Shape::Circle, Shape::Square, Shape::Triangle, Shape::Diamond][Self::dash(index)],
            _ => Shape::Bar,
        }
    }
}

/// A marker; told apart without colour.
#[derive(Clone, Copy)]
enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    Bar,
}

impl Shape {
    /// Corners around the middle, at a size of `radius`; none for the circle.
    fn corners(self, radius: f64) -> Vec<(i32, i32)> {
        let corners: &[(f64, f64)] = match self {
            Shape::Circle => &[],
            Shape::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Shape::Triangle => &[(0.0, -1.2), (1.15, 0.9), (-1.15, 0.9)],
            Shape::Diamond => &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
            Shape::Bar => &[(-0.3, -1.2), (0.3, -1.2), (0.3, 1.2), (-0.3, 1.2)],
        };
        corners.iter().map(|(x, y)| ((x * radius).round() as i32, (y * radius).round() as i32)).collect()
    }
}

/// Something drawn, in the values of the axes.
pub(super) enum Mark {
    /// A line through points.
    Line(Ink, Vec<(f64, f64)>),
    /// A marker.
    Dot(Ink, (f64, f64)),
    /// A straight piece, without dash: an interval.
    Whisker(Ink, (f64, f64), (f64, f64)),
    /// A filled rectangle between two corners.
    Block(Ink, (f64, f64), (f64, f64)),
    /// Words that begin above a point.
    Words((f64, f64), String),
}

/// Axes, and what stands between them.
pub(super) struct Panel {
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// In the reader's pixels.
    pub(super) height: i32,
    pub(super) marks: Vec<Mark>,
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Panels, one below the other, as one image that `title` describes to whoever cannot see it.
pub(super) fn chart(title: &str, width: i32, panels: &[Panel]) -> Result<Markup, ExperimentError> {
    let height = SCALE * panels.iter().map(|panel| panel.height).sum::<i32>();
    let mut svg = String::new();
    let draw = |svg: &mut String| -> Drawn {
        let mut rest = SVGBackend::with_string(svg, ((SCALE * width) as u32, height as u32)).into_drawing_area();
        for panel in panels {
            let (area, below) = rest.split_vertically(SCALE * panel.height);
            panel.draw(&area)?;
            rest = below;
        }
        rest.present()
    };
    draw(&mut svg).map_err(|error| ExperimentError::Chart { title: title.into(), reason: error.to_string() })?;
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let body = themed(body.trim_end().trim_end_matches("</svg>"));
    Ok(html! {
        svg.chart xmlns="http://www.w3.org/2000/svg" role="img" aria-label=(title)
            viewBox=(format!("0 0 {} {height}", SCALE * width)) {
            title { (title) }
            (PreEscaped(body))
        }
    })
}

impl Panel {
    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Drawn {
        let mut chart = ChartBuilder::on(area)
            .margin_top(SCALE * 8)
            .margin_right(SCALE * 14)
            .margin_left(SCALE * if self.y.ticks.is_empty() { 14 } else { 0 })
            .x_label_area_size(SCALE * if self.x.name.is_empty() { 20 } else { 38 })
            .y_label_area_size(SCALE * if self.y.ticks.is_empty() { 0 } else { 46 })
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(TRANSPARENT)
            .bold_line_style(Ink::Grid.colour())
            .axis_style(Ink::Axis.colour())
            .label_style(words())
            .axis_desc_style(words())
            .set_all_tick_mark_size(SCALE * 4)
            .x_desc(self.x.name.as_str());
        if self.y.ticks.is_empty() {
            mesh.disable_y_axis();
        }
        mesh.draw()?;
        for mark in &self.marks {
            self.mark(&mut chart, mark)?;
        }
        Ok(())
    }

    fn mark(&self, chart: &mut Chart<'_, '_>, mark: &Mark) -> Drawn {
        match mark {
            Mark::Line(ink, points) => {
                // What has no place, such as 0 on a logarithmic axis, interrupts nothing: it is left out.
                let placed = |(x, y): &&(f64, f64)| self.x.place(*x).is_finite() && self.y.place(*y).is_finite();
                let points: Vec<_> = points.iter().filter(placed).copied().collect();
                if points.len() > 1 {
                    chart.draw_series([PathElement::new(points, ink.colour())])?;
                }
            }
            Mark::Whisker(ink, from, to) => {
                let ink = if let Ink::Series(index) = ink { Ink::Interval(*index) } else { Ink::Axis };
                chart.draw_series([PathElement::new(vec![*from, *to], ink.colour())])?;
            }
            Mark::Dot(ink, at) => {
                let (at, style, radius) = (*at, ink.colour().filled(), f64::from(SCALE) * 4.5);
                match ink.shape() {
                    Shape::Circle => chart.draw_series([Circle::new(at, radius as i32, style)]).map(drop)?,
                    shape => {
                        let marker = EmptyElement::at(at) + Polygon::new(shape.corners(radius), style);
                        chart.draw_series([marker]).map(drop)?;
                    }
                }
            }
            Mark::Block(ink, from, to) => {
                chart.draw_series([Rectangle::new([*from, *to], ink.colour().filled())])?;
            }
            Mark::Words(at, text) => {
                let style = words().pos(Pos::new(HPos::Left, VPos::Bottom));
                chart.draw_series([Text::new(text.clone(), *at, style)])?;
            }
        }
        Ok(())
    }
}

/// How numbers and names are written.
fn words() -> TextStyle<'static> {
    let style = TextStyle::from(("sans-serif", TEXT).into_font());
    TextStyle { color: Ink::Text.colour().to_backend_color(), ..style }
}

/// The drawing with classes for colours, and without what the style sheet says better.
fn themed(svg: &str) -> String {
    let mut svg =
        svg.replace(" opacity=\"1\"", "").replace(" stroke-width=\"1\"", "").replace(" font-family=\"sans-serif\"", "");
    for ink in Ink::all() {
        let RGBColor(red, green, blue) = ink.colour();
        let colour = format!("#{red:02X}{green:02X}{blue:02X}");
        svg = svg.replace(&format!("stroke=\"{colour}\""), &format!("class=\"{}\"", ink.line()));
        svg = svg.replace(&format!("fill=\"{colour}\""), &format!("class=\"{}\"", ink.area()));
    }
    svg.replace(" fill=\"none\"", "").replace(" stroke=\"none\"", "").replace(" \"", "\"")
}

/// What the colours and markers of a chart mean.
pub(super) fn legend(entries: &[(Ink, Markup)]) -> Markup {
    html! {
        ul.legend {
            @for (ink, meaning) in entries {
                li { (swatch(*ink)) span { (meaning) } }
            }
        }
    }
}

/// A short line with the marker of an ink, as its charts have it.
pub(super) fn swatch(ink: Ink) -> Markup {
    let corners: Vec<_> = ink.shape().corners(18.0).iter().map(|(x, y)| format!("{},{}", x + 56, y + 24)).collect();
    html! {
        svg.key xmlns="http://www.w3.org/2000/svg" viewBox="0 0 112 48" aria-hidden="true" {
            path class=(ink.line()) d="M4 24H108" {}
            @if matches!(ink, Ink::Faint(_)) {
                // Lines without markers.
            } @else if corners.is_empty() {
                circle class=(ink.area()) cx="56" cy="24" r="18" {}
            } @else {
                polygon class=(ink.area()) points=(corners.join(" ")) {}
            }
        }
    }
}
