//! The section with misclassified examples.

use maud::{Markup, html};

use rekindle_results::{MisclassifiedExample, Prediction, Results};

use super::{Section, name, scrolling, thousands};
use crate::format;

/// Characters of a text that are shown before the reader expands it.
const SHOWN: usize = 280;

/// Examples with their true class, and the prediction of each approach.
pub(super) fn examples(results: &Results) -> Option<Section> {
    let misclassified = &results.misclassified;
    let names: Vec<&str> = results.approaches.iter().map(|record| record.approach.as_str()).collect();
    let table = html! {
        table.reflow.misclassified {
            thead {
                tr {
                    th scope="col" { "Text" }
                    th scope="col" { "True class" }
                    @for approach in &names { th scope="col" { (name(approach)) } }
                }
            }
            tbody {
                @for example in &misclassified.examples {
                    tr {
                        td.text { (text(&example.text)) " " span.row { (place(results, example)) } }
                        td data-label="True class" { span.class { (class(results, example.label)) } }
                        @for (approach, prediction) in names.iter().zip(&example.predictions) {
                            td data-label=(approach.replace('_', "_\u{200b}")) { (predicted(results, prediction, example.label)) }
                        }
                    }
                }
            }
        }
    };
    let body = html! {
        p.note {
            @if misclassified.examples.len() < misclassified.total {
                "The first " (thousands(misclassified.examples.len())) " of "
            }
            (thousands(misclassified.total))
            @if misclassified.total == 1 { " test example" } @else { " test examples" }
            " that an approach misclassified in at least one run; those that most runs misclassified come first. \
             Each cell has the predicted and the true class, with their mean probabilities over runs."
        }
        (scrolling("Misclassified examples", table))
    };
    (!misclassified.examples.is_empty()).then_some(Section {
        id: "misclassified",
        title: "Misclassified examples",
        body,
    })
}

/// The place of an example in its file, as `rekindle data` names it.
fn place(results: &Results, example: &MisclassifiedExample) -> String {
    match results.data.unit.as_str() {
        "" => format!("row {}", thousands(example.row + 1)),
        unit => format!("{unit} {}", example.line),
    }
}

/// A text; the reader can expand a long one.
fn text(text: &str) -> Markup {
    let shown = format::shortened(text, SHOWN);
    html! {
        @if shown == text { bdi { (text) } } @else { details { summary { bdi { (shown) } } bdi { (text) } } }
    }
}

fn class(results: &Results, index: usize) -> &str {
    results.data.classes.get(index).map_or("?", String::as_str)
}

fn predicted(results: &Results, prediction: &Prediction, label: usize) -> Markup {
    let likeliest = prediction.probabilities.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
    let truth = prediction.probabilities.get(label).copied();
    html! {
        @if prediction.runs == 0 { "not tested on" } @else {
            @if prediction.wrong > 0 { span.wrong { "wrong in " (prediction.wrong) " of " (prediction.runs) } }
            @else { span.significant { "correct" } }
            @if let (Some(truth), Some((predicted, most))) = (truth, likeliest) {
                @if predicted != label { span.interval { (class(results, predicted)) " " (probability(*most)) } }
                span.interval { (class(results, label)) " " (probability(truth)) }
            }
        }
    }
}

fn probability(value: f64) -> String {
    format!("{value:.3}")
}
