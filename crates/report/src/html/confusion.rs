//! The section with confusion matrices and the most confused pairs of classes.

use maud::{Markup, html};

use rekindle_results::{ApproachRecord, ConfusedPair, Results};

use super::{Section, name, scrolling, spec};
use crate::format;

/// Maximum number of classes of a matrix.
const MATRIX: usize = 20;
/// Maximum number of pairs of classes that are listed below a matrix.
const PAIRS: usize = 5;
/// Maximum number of classes whose columns are headed by their names; otherwise by their numbers.
const NAMED: usize = 4;

/// The confusion matrix of each approach.
pub(super) fn section(results: &Results) -> Option<Section> {
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
                    h3 { (name(spec(record))) }
                    @if matrices { (matrix(record, names)) }
                    @if names.len() > 2 { (pairs(record, names, if matrices { PAIRS } else { usize::MAX })) }
                }
            }
        }
        p.note {
            @if matrices { "Rows are true classes, columns are predicted classes: examples, and their percentage of the row, over all runs." }
            @if names.len() > 2 { " The pairs are those that were confused most, over all runs." }
            @if !matrices { " results.json has the whole matrix." }
        }
    };
    (!records.is_empty()).then_some(Section { id: "confusion", title: "Confusion", body })
}

fn matrix(record: &ApproachRecord, names: &[String]) -> Markup {
    let table = html! {
        table.matrix.numbered[names.len() > NAMED] {
            thead {
                tr {
                    th scope="col" { "true ↓ predicted →" }
                    @for (column, name) in names.iter().enumerate() {
                        @if names.len() > NAMED { th.number scope="col" title=(name) { (column + 1) } }
                        @else { th.number scope="col" title=(name) { (format::shortened(name, 16)) } }
                    }
                }
            }
            tbody {
                @for (row, (name, counts)) in names.iter().zip(&record.diagnostics.confusion).enumerate() {
                    tr {
                        th scope="row" title=(name) {
                            @if names.len() > NAMED { span.ordinal { (row + 1) } " " }
                            (format::shortened(name, 24))
                        }
                        @for (column, count) in counts.iter().enumerate() { (cell(*count, counts.iter().sum(), row == column)) }
                    }
                }
            }
        }
    };
    scrolling(&format!("Confusion matrix: {}", spec(record)), table)
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

/// The most confused pairs of classes.
fn pairs(record: &ApproachRecord, names: &[String], most: usize) -> Markup {
    let pairs = &record.diagnostics.confused;
    let class = |index: usize| names.get(index).map_or("?", String::as_str);
    let row = |pair: &ConfusedPair| {
        html! {
            tr {
                td { (name(class(pair.label))) } td { (name(class(pair.prediction))) }
                td.number { (format::thousands(pair.count)) }
                td.number { (format!("{:.1} %", pair.count as f64 / pair.of.max(1) as f64 * 100.0)) }
            }
        }
    };
    let table = html! {
        table.pairs {
            thead { tr {
                th scope="col" { "True class" } th scope="col" { "Predicted class" }
                th.number scope="col" { "Examples" } th.number scope="col" { "Of the class" }
            } }
            tbody { @for pair in pairs.iter().take(most) { (row(pair)) } }
        }
    };
    html! {
        @if !pairs.is_empty() { (scrolling(&format!("Most confused classes: {}", spec(record)), table)) }
        @else { p.note { "No example was misclassified." } }
    }
}
