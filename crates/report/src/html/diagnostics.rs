//! The sections with confusion matrices, ROC curves and calibration.

use maud::{Markup, html};

use rekindle_results::{ApproachRecord, CalibrationBin, Results, RocRecord};

use super::axis::Axis;
use super::chart::{HALF, Mark, Panel, chart};
use super::ink::{Ink, legend};
use super::{Section, figure, name, scrolling, thousands};
use crate::format;

/// Maximum number of classes of a matrix.
const MATRIX: usize = 20;
/// Maximum number of pairs of classes that are listed.
const PAIRS: usize = 20;
/// Maximum number of classes with a colour each.
const COLOURED: usize = 6;

/// The confusion matrix of each approach.
pub(super) fn confusion(results: &Results) -> Option<Section> {
    let names = &results.data.classes;
    let fits = |record: &&ApproachRecord| {
        let matrix = &record.diagnostics.confusion;
        !matrix.is_empty() && matrix.len() == names.len() && matrix.iter().all(|row| row.len() == names.len())
    };
    let records: Vec<&ApproachRecord> = results.approaches.iter().filter(fits).collect();
    let matrices = names.len() <= MATRIX;
    let body = html! {
        div.matrices {
            @for record in &records {
                div {
                    h3 { (name(&record.approach)) }
                    @if matrices { (matrix(record, names)) } @else { (pairs(record, names)) }
                }
            }
        }
        p.note {
            @if matrices { "Rows are true classes, columns are predicted classes: examples, and their percentage of the row, over all runs." }
            @else { "The pairs of classes that were confused most, over all runs; results.json has the whole matrix." }
        }
    };
    (!records.is_empty()).then_some(Section { id: "confusion", title: "Confusion", body })
}

fn matrix(record: &ApproachRecord, names: &[String]) -> Markup {
    let table = html! {
        table.matrix {
            thead {
                tr {
                    th scope="col" { "true ↓ predicted →" }
                    @for (column, name) in names.iter().enumerate() {
                        @if names.len() > COLOURED { th.number scope="col" title=(name) { (column + 1) } }
                        @else { th.number scope="col" title=(name) { (format::shortened(name, 16)) } }
                    }
                }
            }
            tbody {
                @for (row, (name, counts)) in names.iter().zip(&record.diagnostics.confusion).enumerate() {
                    tr {
                        th scope="row" title=(name) {
                            @if names.len() > COLOURED { span.ordinal { (row + 1) } " " }
                            (format::shortened(name, 24))
                        }
                        @for (column, count) in counts.iter().enumerate() { (cell(*count, counts.iter().sum(), row == column)) }
                    }
                }
            }
        }
    };
    scrolling(&format!("Confusion matrix: {}", record.approach), table)
}

/// A count, shaded by its fraction of the row.
fn cell(count: u64, row: u64, right: bool) -> Markup {
    let share = count as f64 / row.max(1) as f64;
    html! {
        td.right[right].wrong[!right] style=(format!("--share:{share:.3}")) {
            span.mean { (format::thousands(count)) }
            @if row > 0 { " " span.share { (format!("{:.0} %", share * 100.0)) } }
        }
    }
}

/// The most confused pairs of classes, if a matrix would be too large.
fn pairs(record: &ApproachRecord, names: &[String]) -> Markup {
    let rows = record.diagnostics.confusion.iter().enumerate();
    let mut pairs: Vec<(u64, u64, usize, usize)> = rows
        .flat_map(|(row, counts)| {
            let total = counts.iter().sum();
            let columns = counts.iter().enumerate().filter(move |(column, count)| *column != row && **count > 0);
            columns.map(move |(column, count)| (*count, total, row, column))
        })
        .collect();
    pairs.sort_by_key(|(count, _, row, column)| (std::cmp::Reverse(*count), *row, *column));
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "True class" } th scope="col" { "Predicted class" }
                th.number scope="col" { "Examples" } th.number scope="col" { "Of the class" }
            } }
            tbody {
                @for (count, total, row, column) in pairs.iter().take(PAIRS) {
                    tr {
                        td { (names[*row]) } td { (names[*column]) }
                        td.number { (format::thousands(*count)) }
                        td.number { (format!("{:.1} %", *count as f64 / (*total).max(1) as f64 * 100.0)) }
                    }
                }
            }
        }
    };
    html! {
        @if !pairs.is_empty() { (scrolling(&format!("Most confused classes: {}", record.approach), table)) }
        @if pairs.len() > PAIRS { p.note { (PAIRS) " of " (thousands(pairs.len())) " confused pairs." } }
        @if pairs.is_empty() { p.note { "No example was misclassified." } }
    }
}

/// ROC curves: for two classes one chart of all approaches, for more one chart per approach.
pub(super) fn roc(results: &Results) -> Option<Section> {
    let names = &results.data.classes;
    let with_curve = || results.approaches.iter().enumerate().filter(|(_, record)| !record.diagnostics.roc.is_empty());
    with_curve().next()?;
    let body = if let [_, positive] = names.as_slice() {
        let curves =
            with_curve().flat_map(|(index, record)| record.diagnostics.roc.first().map(|curve| (index, record, curve)));
        let curves: Vec<_> = curves.collect();
        let lines: Vec<_> = curves.iter().map(|(index, _, curve)| (Ink::Series(*index), *curve)).collect();
        let entries: Vec<_> = curves
            .iter()
            .map(|(index, record, curve)| {
                (Ink::Series(*index), html! { (name(&record.approach)) ", AUC " (format::score(curve.auc)) })
            })
            .collect();
        html! {
            div.charts { (figure(html! { "Class " q { (positive) } }, roc_chart("all approaches", &lines), Some(legend(&entries)))) }
        }
    } else {
        html! { div.charts { @for (index, record) in with_curve() { (many_classes(index, record, names)) } } }
    };
    let note = html! {
        p.note { "True positive rate by false positive rate as the threshold falls, over all runs. The diagonal is chance." }
    };
    Some(Section { id: "roc", title: "ROC", body: html! { (body) (note) } })
}

/// The curve of each class against all others; many classes share a colour, and the legend names the best and the worst.
fn many_classes(index: usize, record: &ApproachRecord, names: &[String]) -> Markup {
    let mut curves: Vec<&RocRecord> = record.diagnostics.roc.iter().collect();
    let class = |curve: &RocRecord| names.get(curve.class).map_or("?", String::as_str).to_string();
    let (entries, lines): (Vec<_>, Vec<_>) = if curves.len() <= COLOURED {
        let inks = || curves.iter().enumerate().map(|(place, curve)| (Ink::Series(place), *curve));
        (
            inks().map(|(ink, curve)| (ink, html! { (class(curve)) ", AUC " (format::score(curve.auc)) })).collect(),
            inks().collect(),
        )
    } else {
        let lines = curves.iter().map(|curve| (Ink::Faint(index), *curve)).collect();
        curves.sort_by(|a, b| a.auc.total_cmp(&b.auc));
        let mean = curves.iter().map(|curve| curve.auc).sum::<f64>() / curves.len() as f64;
        let named = [curves.first(), curves.last()].into_iter().flatten();
        let named = named.map(|curve| format!("{} ({})", format::score(curve.auc), class(curve)));
        let text = format!("mean AUC {}; from {}", format::score(mean), named.collect::<Vec<_>>().join(" to "));
        (vec![(Ink::Faint(index), html! { (text) })], lines)
    };
    figure(name(&record.approach), roc_chart(&record.approach, &lines), Some(legend(&entries)))
}

fn roc_chart(of: &str, curves: &[(Ink, &RocRecord)]) -> Markup {
    let mut marks = vec![Mark::Line(Ink::Reference(0), vec![(0.0, 0.0), (1.0, 1.0)])];
    marks.extend(curves.iter().map(|(ink, curve)| Mark::Line(*ink, curve.points.clone())));
    let x = Axis::linear(0.0, 1.0, 5, "false positive rate");
    let y = Axis::linear(0.0, 1.0, 5, "");
    chart(&format!("ROC, true by false positive rate: {of}"), HALF, &[Panel { x, y, height: 400.0, marks }])
}

/// Accuracy of the predicted class by its probability.
pub(super) fn calibration(results: &Results) -> Option<Section> {
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
    let above = Panel { x: unit(""), y: unit(""), height: 300.0, marks };
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(1);
    let bars = bins.iter().map(|bin| {
        let (from, to) = bin.range;
        let gap = (to - from) * 0.06;
        Mark::Block(Ink::Faint(index), (from + gap, 0.0), (to - gap, bin.count as f64))
    });
    let x = unit("probability of the predicted class");
    let below = Panel {
        x,
        y: Axis { from: 0.0, ..Axis::counted(0, most as usize, 1, "") },
        height: 120.0,
        marks: bars.collect(),
    };
    let caption = html! {
        (name(&record.approach)) " "
        span.facts { span { "ECE " (format::score(record.diagnostics.ece)) } span { "Brier " (format::score(record.diagnostics.brier)) } }
    };
    let title = format!("Calibration: {}", record.approach);
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
