//! The section with precision, recall and F1 of each class.

use maud::{Markup, html};

use rekindle_results::{ApproachRecord, ClassRecord, Estimate, Results};

use super::{Section, best, name, scrolling, spec, thousands};
use crate::format;

/// Maximum number of classes that are shown before the reader expands the others.
const CLASSES: usize = 20;

/// The scores per class of the best approach; the reader can expand those of the others.
pub(super) fn section(results: &Results) -> Option<Section> {
    let index = best(results)?;
    let has_scores = |record: &&ApproachRecord| !record.diagnostics.classes.is_empty();
    let best = results.approaches.get(index).filter(has_scores)?;
    let others = results.approaches.iter().enumerate().filter(|(other, record)| *other != index && has_scores(record));
    let body = html! {
        h3 { (name(spec(best))) }
        (tables(results, best))
        @for (_, record) in others {
            details { summary { (name(spec(record))) } (tables(results, record)) }
        }
        p.note {
            "Over all runs at the largest size, with 95 % confidence intervals over test examples (Wilson, 1927; each example counts \
             once). Support is the number of test examples of the class. With folds, each example is tested on once per repeat."
            @if results.design.group_column.is_some() {
                " These intervals treat the examples of a group as independent; they are too short if they are not."
            }
        }
    };
    Some(Section { id: "classes", title: "Classes", body })
}

/// The table of all classes; of many, those with the lowest F1 come first and the others can be expanded.
fn tables(results: &Results, record: &ApproachRecord) -> Markup {
    let mut classes: Vec<&ClassRecord> = record.diagnostics.classes.iter().collect();
    let many = classes.len() > CLASSES;
    if many {
        classes.sort_by(|a, b| a.f1.mean.total_cmp(&b.f1.mean));
    }
    let (first, rest) = classes.split_at(classes.len().min(CLASSES));
    html! {
        @if many { p { "The " (CLASSES) " classes with the lowest F1:" } }
        (table(results, record, first))
        @if many {
            details {
                summary { "The other " (thousands(rest.len())) " classes" }
                (table(results, record, rest))
            }
        }
    }
}

fn table(results: &Results, record: &ApproachRecord, classes: &[&ClassRecord]) -> Markup {
    let class = |index: usize| results.data.classes.get(index).map_or("?", String::as_str);
    let table = html! {
        table.reflow.classes {
            thead {
                tr {
                    th scope="col" { "Class" }
                    @for score in ["Precision", "Recall", "F1", "Support"] { th.number scope="col" { (score) } }
                }
            }
            tbody {
                @for record in classes {
                    tr {
                        th scope="row" { (name(class(record.class))) }
                        td.number data-label="Precision" { (score(&record.precision, "never predicted")) }
                        td.number data-label="Recall" { (score(&record.recall, "no test example")) }
                        td.number data-label="F1" { (score(&record.f1, "neither")) }
                        td.number data-label="Support" { (thousands(record.support)) }
                    }
                }
            }
        }
    };
    scrolling(&format!("Scores per class: {}", spec(record)), table)
}

/// A score with its interval, or the reason why it is not defined.
fn score(estimate: &Estimate, undefined: &str) -> Markup {
    html! {
        @if estimate.n == 0 { span.mean { "–" } " " span.interval { (undefined) } } @else { (format::estimate(estimate, "")) }
    }
}
