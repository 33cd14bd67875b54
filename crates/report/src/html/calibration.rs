//! The section with calibration.

use maud::{Markup, html};

use rekindle_results::{ApproachRecord, CalibrationBin, Diagnostics, Estimate, ProbabilityRecord, Results};

use super::axis::Axis;
use super::chart::{HALF, Mark, Panel, chart};
use super::ink::{Ink, legend};
use super::scores::extent;
use super::{Section, figure, name, scrolling, spec};
use crate::format;

/// The scores of probabilities, with their names for readers.
const SCORES: [(&str, &str); 4] =
    [("ece", "ECE"), ("adaptive_ece", "Adaptive ECE"), ("brier", "Brier"), ("nll", "NLL")];

/// Accuracy of the predicted class by its probability.
pub(super) fn section(results: &Results) -> Option<Section> {
    let mut figures = Vec::new();
    for (index, record) in results.approaches.iter().enumerate() {
        let bins: Vec<&CalibrationBin> = record.diagnostics.calibration.iter().filter(|bin| bin.count > 0).collect();
        if !bins.is_empty() {
            figures.push(reliability(index, record, &bins));
        }
    }
    figures.extend(coverage(results));
    let body = html! {
        div.charts { @for figure in &figures { (figure) } }
        (probabilities(results))
        (abstention(results))
        p.note {
            "Top: accuracy by the probability of the predicted class; below the diagonal, the approach is overconfident. \
             Bottom: number of examples by that probability, over all runs. \
             ECE is the expected calibration error, the mean distance from the diagonal (Guo et al., 2017), and the adaptive ECE that of \
             bins with equal numbers of examples (Nguyen and O'Connor, 2015); the Brier score is \
             the mean squared distance of probabilities and truth, summed over classes; NLL is the negative log-likelihood in nats. \
             Lower is better for all. Intervals are over test examples."
        }
    };
    (!figures.is_empty()).then_some(Section { id: "calibration", title: "Calibration", body })
}

/// The scores of the probabilities, with and without calibration.
fn probabilities(results: &Results) -> Markup {
    let rows = results.approaches.iter().flat_map(|record| {
        let Diagnostics { probabilities, uncalibrated, .. } = &record.diagnostics;
        let after = if uncalibrated.is_some() { "calibrated" } else { "" };
        let both = [(after, probabilities), ("before calibration", uncalibrated)];
        both.into_iter().filter_map(move |(state, of)| Some((record, state, of.as_ref()?)))
    });
    let rows: Vec<(&ApproachRecord, &str, &ProbabilityRecord)> = rows.collect();
    let cell = |label: &str, estimate: Option<&Estimate>| {
        html! { td.number data-label=(label) { @if let Some(one) = estimate { (format::estimate(one, "")) } @else { "–" } } }
    };
    let table = html! {
        table.reflow {
            thead { tr {
                th scope="col" { "Approach" }
                @for (_, label) in SCORES { th.number scope="col" { (label) } }
                th.number scope="col" { "AURC" }
            } }
            tbody {
                @for (record, state, of) in &rows {
                    tr {
                        th scope="row" { (name(spec(record))) @if !state.is_empty() { " " span.spec { (state) } } }
                        @for (key, label) in SCORES { (cell(label, of.scores.get(key))) }
                        td.number data-label="AURC" { (format::optional(of.aurc)) }
                    }
                }
            }
        }
    };
    html! { @if !rows.is_empty() { (scrolling("Scores of probabilities", table)) } }
}

/// What each model predicts if it abstains below a score.
fn abstention(results: &Results) -> Markup {
    let rows = results.approaches.iter().filter_map(|record| Some((record, record.diagnostics.abstention.as_ref()?)));
    let rows: Vec<_> = rows.collect();
    let table = html! {
        table.reflow {
            thead { tr {
                th scope="col" { "Approach" } th.number scope="col" { "Lowest score" }
                th.number scope="col" { "Predicted" } th.number scope="col" { "Wrong among these" }
            } }
            tbody {
                @for (record, of) in &rows {
                    tr {
                        th scope="row" { (name(spec(record))) }
                        td.number data-label="Lowest score" { (format::score(of.threshold)) }
                        td.number data-label="Predicted" { (format::estimate(&of.coverage, "")) }
                        td.number data-label="Wrong among these" {
                            @if let Some(error) = &of.error { (format::estimate(error, "")) } @else { "–" }
                        }
                    }
                }
            }
        }
    };
    html! { @if !rows.is_empty() { (scrolling("Predictions of a model that abstains", table)) } }
}

/// Accuracy on the most confident examples by their fraction.
fn coverage(results: &Results) -> Option<Markup> {
    let curves = results.approaches.iter().enumerate().filter_map(|(index, record)| {
        let curve = record.diagnostics.probabilities.as_ref().map(|of| &of.selective)?;
        (curve.len() > 1).then_some((index, record, curve))
    });
    let curves: Vec<_> = curves.collect();
    let (low, _) = extent(curves.iter().flat_map(|(.., curve)| curve.iter().map(|(_, accuracy)| *accuracy)));
    let marks = curves.iter().map(|(index, _, curve)| Mark::Line(Ink::Series(*index), curve.to_vec())).collect();
    let x = Axis::linear(0.0, 1.0, 5, "fraction of the examples with the highest probabilities");
    let panel = Panel { x, y: Axis::linear(low, 1.0, 5, "accuracy"), height: 300.0, marks };
    let entries: Vec<(Ink, Markup)> =
        curves.iter().map(|(index, record, _)| (Ink::Series(*index), name(spec(record)))).collect();
    let caption = html! { "Accuracy by coverage" };
    (!curves.is_empty()).then(|| figure(caption, chart("Accuracy by coverage", HALF, &[panel]), Some(legend(&entries))))
}

fn reliability(index: usize, record: &ApproachRecord, bins: &[&CalibrationBin]) -> Markup {
    let ink = Ink::Series(index);
    let points: Vec<_> = bins.iter().map(|bin| (bin.confidence, bin.accuracy)).collect();
    let mut marks = vec![Mark::Line(Ink::Reference(0), vec![(0.0, 0.0), (1.0, 1.0)]), Mark::Line(ink, points.clone())];
    marks.extend(points.into_iter().map(|point| Mark::Dot(ink, point)));
    let before = record.diagnostics.uncalibrated.as_ref().map(|of| &of.calibration);
    if let Some(bins) = before {
        marks.push(Mark::Line(Ink::Reference(1), bins.iter().map(|bin| (bin.confidence, bin.accuracy)).collect()));
    }
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
        @if before.is_some() { (legend(&[(ink, html! { "calibrated" }), (Ink::Reference(1), html! { "before calibration" })])) }
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
