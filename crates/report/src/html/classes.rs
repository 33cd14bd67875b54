//! Which classes are taken for which, and what the probabilities are worth.

use maud::{Markup, html};

use super::axis::Axis;
use super::chart::{HALF, Ink, Mark, Panel, chart, legend};
use super::{Section, figure, format, name, scrolling, thousands};
use crate::error::ExperimentError;
use crate::results::{ApproachRecord, CalibrationBin, Results, RocRecord};

/// Classes up to which a matrix can be read.
const MATRIX: usize = 20;
/// Pairs that are named where there are more.
const PAIRS: usize = 20;
/// Classes up to which each has a colour of its own.
const COLOURED: usize = 6;

/// What each approach took the sentences of each class for.
pub(super) fn confusion(results: &Results) -> Option<Section> {
    let names = &results.data.classes;
    let fits = |record: &&ApproachRecord| {
        let matrix = &record.quality.confusion;
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
            @if matrices { "Rows are true classes, columns what they were taken for: sentences, and their share of the row, over all runs." }
            @else { "The pairs that were confused most, over all runs; results.json has the whole matrix." }
        }
    };
    (!records.is_empty()).then_some(Section { id: "confusion", title: "Confusion", body })
}

fn matrix(record: &ApproachRecord, names: &[String]) -> Markup {
    let table = html! {
        table.matrix {
            thead {
                tr {
                    th scope="col" { "true ↓ taken for →" }
                    @for (column, name) in names.iter().enumerate() {
                        @if names.len() > COLOURED { th.number scope="col" title=(name) { (column + 1) } }
                        @else { th.number scope="col" title=(name) { (format::shortened(name, 16)) } }
                    }
                }
            }
            tbody {
                @for (row, (name, counts)) in names.iter().zip(&record.quality.confusion).enumerate() {
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

/// A count, shaded by its share of the row.
fn cell(count: u64, row: u64, right: bool) -> Markup {
    let share = count as f64 / row.max(1) as f64;
    html! {
        td.right[right].wrong[!right] style=(format!("--share:{share:.3}")) {
            span.mean { (format::thousands(count)) }
            @if row > 0 { " " span.share { (format!("{:.0} %", share * 100.0)) } }
        }
    }
}

/// The most confused pairs, where a matrix would be too large to read.
fn pairs(record: &ApproachRecord, names: &[String]) -> Markup {
    let rows = record.quality.confusion.iter().enumerate();
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
                th scope="col" { "Class" } th scope="col" { "Taken for" }
                th.number scope="col" { "Sentences" } th.number scope="col" { "Of the class" }
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
        @if pairs.len() > PAIRS { p.note { (PAIRS) " of " (thousands(pairs.len())) " pairs that were confused at all." } }
        @if pairs.is_empty() { p.note { "No class was taken for another." } }
    }
}

/// ROC curves: for two classes one chart of all approaches, for more a chart an approach.
pub(super) fn roc(results: &Results) -> Result<Option<Section>, ExperimentError> {
    let names = &results.data.classes;
    let with_curve = || results.approaches.iter().enumerate().filter(|(_, record)| !record.quality.roc.is_empty());
    if with_curve().next().is_none() {
        return Ok(None);
    }
    let body = if let [_, positive] = names.as_slice() {
        let curves =
            with_curve().flat_map(|(index, record)| record.quality.roc.first().map(|curve| (index, record, curve)));
        let curves: Vec<_> = curves.collect();
        let lines: Vec<_> = curves.iter().map(|(index, _, curve)| (Ink::Series(*index), *curve)).collect();
        let entries: Vec<_> = curves
            .iter()
            .map(|(index, record, curve)| {
                (Ink::Series(*index), html! { (name(&record.approach)) ", AUC " (format::score(curve.auc)) })
            })
            .collect();
        html! {
            div.charts { (figure(html! { "Class " q { (positive) } }, roc_chart("all approaches", &lines)?, Some(legend(&entries)))) }
        }
    } else {
        let mut figures = Vec::new();
        for (index, record) in with_curve() {
            figures.push(many_classes(index, record, names)?);
        }
        html! { div.charts { @for figure in &figures { (figure) } } }
    };
    let note = html! {
        p.note { "Share of the other sentences that are wrongly taken for the class, against the share of its own that are \
                  found, as the threshold falls; over all runs. The diagonal is chance." }
    };
    Ok(Some(Section { id: "roc", title: "ROC", body: html! { (body) (note) } }))
}

/// Each class against all others; with many classes in one colour, the best and the worst of them named.
fn many_classes(index: usize, record: &ApproachRecord, names: &[String]) -> Result<Markup, ExperimentError> {
    let mut curves: Vec<&RocRecord> = record.quality.roc.iter().collect();
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
    Ok(figure(name(&record.approach), roc_chart(&record.approach, &lines)?, Some(legend(&entries))))
}

fn roc_chart(of: &str, curves: &[(Ink, &RocRecord)]) -> Result<Markup, ExperimentError> {
    let mut marks = vec![Mark::Line(Ink::Floor(0), vec![(0.0, 0.0), (1.0, 1.0)])];
    marks.extend(curves.iter().map(|(ink, curve)| Mark::Line(*ink, curve.points.clone())));
    let x = Axis::linear(0.0, 1.0, 5, "false positive rate");
    let y = Axis::linear(0.0, 1.0, 5, "");
    chart(&format!("ROC, true by false positive rate: {of}"), HALF, &[Panel { x, y, height: 400, marks }])
}

/// How often a predicted class is right, by the probability that it was given.
pub(super) fn calibration(results: &Results) -> Result<Option<Section>, ExperimentError> {
    let mut figures = Vec::new();
    for (index, record) in results.approaches.iter().enumerate() {
        let bins: Vec<&CalibrationBin> = record.quality.calibration.iter().filter(|bin| bin.count > 0).collect();
        if !bins.is_empty() {
            figures.push(reliability(index, record, &bins)?);
        }
    }
    let body = html! {
        div.charts { @for figure in &figures { (figure) } }
        p.note {
            "Above: of the sentences whose predicted class was given a probability, the share that was classified rightly; on \
             the diagonal, probabilities are what they say, below it too sure. Beneath: sentences by that probability, over all runs. \
             ECE is the mean distance from the diagonal (Guo et al., 2017); the Brier score is the mean squared distance of \
             probabilities and truth, summed over classes. Both are 0 at best."
        }
    };
    Ok((!figures.is_empty()).then_some(Section { id: "calibration", title: "Calibration", body }))
}

fn reliability(index: usize, record: &ApproachRecord, bins: &[&CalibrationBin]) -> Result<Markup, ExperimentError> {
    let ink = Ink::Series(index);
    let points: Vec<_> = bins.iter().map(|bin| (bin.confidence, bin.accuracy)).collect();
    let mut marks = vec![Mark::Line(Ink::Floor(0), vec![(0.0, 0.0), (1.0, 1.0)]), Mark::Line(ink, points.clone())];
    marks.extend(points.into_iter().map(|point| Mark::Dot(ink, point)));
    let unit = |name| Axis::linear(0.0, 1.0, 5, name);
    let above = Panel { x: unit(""), y: unit(""), height: 300, marks };
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
        height: 120,
        marks: bars.collect(),
    };
    let caption = html! {
        (name(&record.approach)) " "
        span.facts { span { "ECE " (format::score(record.quality.ece)) } span { "Brier " (format::score(record.quality.brier)) } }
    };
    let title = format!("Calibration: {}", record.approach);
    let table = html! {
        details {
            summary { "The bins in numbers" }
            table {
                thead { tr {
                    th scope="col" { "Probability" } th.number scope="col" { "Sentences" }
                    th.number scope="col" { "Mean" } th.number scope="col" { "Right" }
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
    Ok(figure(caption, chart(&title, HALF, &[above, below])?, Some(table)))
}
