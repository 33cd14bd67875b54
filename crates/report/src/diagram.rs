//! The critical-difference diagram of approaches over several data sets, as an SVG file of its own.

use maud::{Markup, html};
use rekindle_results::DataSetsComparison;

/// The width of the image and of the labels on each side, the height of a label, and the place of the axis, in pixels.
const WIDTH: f64 = 760.0;
const SIDE: f64 = 240.0;
const ROW: f64 = 22.0;
const AXIS: f64 = 62.0;
/// The styles of a file that no page surrounds.
const STYLE: &str = "text{font:13px sans-serif;fill:currentColor}line{stroke:currentColor}.bar{stroke-width:5}";

/// Draws mean ranks on an axis, the best on the left (Demšar, 2006). A thick line joins approaches that the Nemenyi test does not
/// distinguish.
pub fn critical_difference_svg(comparison: &DataSetsComparison) -> String {
    let approaches = &comparison.approaches;
    let most = approaches.len().max(2) as f64;
    let x = |rank: f64| SIDE + (rank - 1.0) / (most - 1.0) * (WIDTH - 2.0 * SIDE);
    let cliques = cliques(comparison);
    let first_label = AXIS + 14.0 + 10.0 * cliques.len() as f64 + ROW;
    let left = approaches.len().div_ceil(2);
    let label = |index: usize| {
        let row = if index < left { index } else { approaches.len() - 1 - index };
        let (y, rank) = (first_label + row as f64 * ROW, approaches[index].rank);
        let (end, anchor) = if index < left { (SIDE - 30.0, "end") } else { (WIDTH - SIDE + 30.0, "start") };
        let text_x = if index < left { end - 6.0 } else { end + 6.0 };
        html! {
            (line("", (x(rank), AXIS), (x(rank), y)))
            (line("", (x(rank), y), (end, y)))
            text x=(number(text_x)) y=(number(y + 4.0)) text-anchor=(anchor) {
                (approaches[index].name) " " (format!("{rank:.2}"))
            }
        }
    };
    let ticks = (1..=approaches.len().max(2)).map(|rank| rank as f64);
    let height = first_label + left as f64 * ROW;
    let difference = comparison.critical_difference;
    let title = format!("Mean ranks by {} over {} data sets", comparison.metric, comparison.data_sets);
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox=(format!("0 0 {} {}", number(WIDTH), number(height)))
            width=(number(WIDTH)) height=(number(height)) {
            title { (title) }
            style { (STYLE) }
            (line("", (x(1.0), 24.0), (x(1.0 + difference), 24.0)))
            text x=(number(x(1.0))) y="16" { "critical difference " (format!("{difference:.2}")) }
            (line("", (x(1.0), AXIS), (x(most), AXIS)))
            @for rank in ticks {
                (line("", (x(rank), AXIS - 6.0), (x(rank), AXIS)))
                text x=(number(x(rank))) y=(number(AXIS - 10.0)) text-anchor="middle" { (rank) }
            }
            @for (row, (from, to)) in cliques.iter().enumerate() {
                @let y = AXIS + 10.0 + 10.0 * row as f64;
                (line("bar", (x(*from) - 3.0, y), (x(*to) + 3.0, y)))
            }
            @for index in 0..approaches.len() { (label(index)) }
        }
    };
    format!("{}\n", svg.into_string())
}

/// Returns the ranks of the first and the last approach of each largest group without a significant difference.
fn cliques(comparison: &DataSetsComparison) -> Vec<(f64, f64)> {
    let ranks: Vec<f64> = comparison.approaches.iter().map(|approach| approach.rank).collect();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for from in 0..ranks.len() {
        let to = (from..ranks.len()).take_while(|&to| ranks[to] - ranks[from] < comparison.critical_difference).last();
        let Some(to) = to.filter(|&to| to > from) else { continue };
        if found.last().is_none_or(|(_, last)| to > *last) {
            found.push((from, to));
        }
    }
    found.into_iter().map(|(from, to)| (ranks[from], ranks[to])).collect()
}

fn line(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> Markup {
    html! {
        line class=[(!class.is_empty()).then_some(class)] x1=(number(x1)) y1=(number(y1)) x2=(number(x2)) y2=(number(y2)) {}
    }
}

fn number(value: f64) -> String {
    format!("{value:.1}")
}
