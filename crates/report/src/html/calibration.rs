//! The section with calibration.

use maud::{Markup, html};

use rekindle_results::{ApproachRecord, CalibrationBin, Results};

use super::axis::Axis;
use super::chart::{HALF, Mark, Panel, chart};
use super::ink::Ink;
use super::{Section, figure, name, spec};
use crate::format;

/// Accuracy of the predicted class by its probability.
pub(super) fn section(results: &Results) -> Option<Section> {
    let mut figures = Vec::new();
    for (index, record) in results.approaches.iter().enumerate() {
        let bins: Vec<&CalibrationBin> = record.diagnostics.calibration.iter().filter(|bin| bin.count > 0).collect();
        if !bins.is_empty() {
            figures.push(reliability(index, record, &bins));
        }
    }
    let body = html! {
        div.charts { @for figure in &figures { (figure) } }
        p.note {
            "Top: accuracy by the probability of the predicted class; below the diagonal, the approach is overconfident. \
             Bottom: number of examples by that probability, over all runs. \
             ECE is the expected calibration error, the mean distance from the diagonal (Guo et al., 2017); the Brier score is \
             the mean squared distance of probabilities and truth, summed over classes. Lower is better for both."
        }
    };
    (!figures.is_empty()).then_some(Section { id: "calibration", title: "Calibration", body })
}

fn reliability(index: usize, record: &ApproachRecord, bins: &[&CalibrationBin]) -> Markup {
    let ink = Ink::Series(index);
    let points: Vec<_> = bins.iter().map(|bin| (bin.confidence, bin.accuracy)).collect();
    let mut marks = vec![Mark::Line(Ink::Reference(0), vec![(0.0, 0.0), (1.0, 1.0)]), Mark::Line(ink, points.clone())];
    marks.extend(points.into_iter().map(|point| Mark::Dot(ink, point)));
    let unit = |name| Axis::linear(0.0, 1.0, 5, name);
    let above = Panel { x: unit(""), y: unit("accuracy"), height: 300.0, marks };
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(1);
    let bars = bins.iter().map(|bin| {
        let (from, to) = bin.range;
        let gap = (to - from) * 0.06;
        Mark::Block(Ink::Faint(index), (from + gap, 0.0), (to - gap, bin.count as f64))
    });
    let x = unit("probability of the predicted class");
    let below = Panel {
        x,
        y: Axis { from: 0.0, ..Axis::counted(0, most as usize, 1, "examples") },
        height: 120.0,
        marks: bars.collect(),
    };
    let caption = html! {
        (name(spec(record))) " "
        span.facts { span { "ECE " (format::score(record.diagnostics.ece)) } span { "Brier " (format::score(record.diagnostics.brier)) } }
    };
    let title = format!("Calibration: {}", spec(record));
    let table = html! {
        details {
            summary { "Bins" }
            table {
                thead { tr {
                    th scope="col" { "Probability" } th.number scope="col" { "Examples" }
                    th.number scope="col" { "Mean probability" } th.number scope="col" { "Accuracy" }
                } }
                tbody {
                    @for bin in bins {
                        tr {
                            td { (format!("{:.2} to {:.2}", bin.range.0, bin.range.1)) }
                            td.number { (format::thousands(bin.count)) }
                            td.number { (format::score(bin.confidence)) } td.number { (format::score(bin.accuracy)) }
                        }
                    }
                }
            }
        }
    };
    figure(caption, chart(&title, HALF, &[above, below]), Some(table))
}
