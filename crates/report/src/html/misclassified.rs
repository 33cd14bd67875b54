//! The section with misclassified examples of the best approach.

use maud::{Markup, html};

use rekindle_results::{ExplanationRecord, MisclassifiedExample, Prediction, Results, TargetRecord};

use super::{Section, best, label, name, scrolling, spec, thousands};
use crate::format;

/// Examples in the table.
const TABLE: usize = 20;
/// Further examples, which the reader can expand.
const MORE: usize = 80;
/// Characters of a text that are shown before the reader expands it; of a further example, all that are shown.
const SHOWN: usize = 280;

/// The most confident errors of the best approach, with the predictions of the others.
pub(super) fn examples(results: &Results) -> Option<Section> {
    let misclassified = &results.misclassified;
    // An approach without errors has none to show: the examples are then those of others.
    let (of, count) = match misclassified.total_of_approach {
        0 => (None, misclassified.total),
        count => (Some(misclassified.approach.as_str()), count),
    };
    let examples = &misclassified.examples[..misclassified.examples.len().min(count)];
    if examples.is_empty() {
        return None;
    }
    let (first, rest) = examples.split_at(examples.len().min(TABLE));
    let rest = &rest[..rest.len().min(MORE)];
    let body = html! {
        p.note {
            @if results.data.task == "regression" { "The largest errors among the " }
            @if first.len() < count { (thousands(first.len())) " of " }
            (thousands(count)) @if count == 1 { " test example" } @else { " test examples" } " that "
            @match of {
                Some(approach) => { (name(label(results, approach))) ", the best approach, " }
                None => { "an approach " }
            }
            @match results.data.task.as_str() {
                "regression" => { "did not predict exactly. Each cell has the mean prediction over runs. " }
                "multi-label" => {
                    "misclassified in at least one run: any of their labels was wrong. Those with the largest error of a probability \
                     are first. Each cell has the labels with a mean probability of at least one half. "
                }
                _ => {
                    "misclassified in at least one run, those with the most probable wrong class first. Each cell has the predicted \
                     and the true class, with their mean probabilities over runs. "
                }
            }
            "predictions.csv has every example and run."
            @if first.iter().any(|example| example.explanation.is_some()) {
                " In the first texts, " mark.pro2 { "words that spoke for" } " the wrong prediction and "
                mark.con2 { "words against it" } " are marked, the more strongly the more they changed its logit (integrated gradients)."
            }
        }
        (table(results, first))
        @if !rest.is_empty() {
            details {
                summary { (thousands(rest.len())) " more" }
                (list(results, rest))
            }
        }
    };
    Some(Section { id: "misclassified", title: title(results), body })
}

/// Examples with the prediction of each approach, the best one first.
fn table(results: &Results, examples: &[MisclassifiedExample]) -> Markup {
    let mut approaches: Vec<usize> = (0..results.approaches.len()).collect();
    let best = best(results);
    approaches.sort_by_key(|index| Some(*index) != best);
    let heading = |index: usize| spec(&results.approaches[index]);
    let table = html! {
        table.reflow.misclassified {
            thead {
                tr {
                    th scope="col" { "Text" }
                    th scope="col" { (truth(results)) }
                    @for index in &approaches { th scope="col" { (name(heading(*index))) } }
                }
            }
            tbody {
                @for example in examples {
                    tr {
                        td.text { (explained(example)) " " span.row { (place(results, example.row, example.line)) } }
                        td data-label=(truth(results)) { span.class { (name(&example.label.text(&results.data.classes))) } }
                        @for index in &approaches {
                            @if let Some(prediction) = example.predictions.get(*index) {
                                td data-label=(heading(*index)) { (predicted(results, prediction, &example.label)) }
                            }
                        }
                    }
                }
            }
        }
    };
    scrolling(title(results), table)
}

/// Further examples, with the beginning of their texts and the prediction of the best approach.
fn list(results: &Results, examples: &[MisclassifiedExample]) -> Markup {
    let best = best(results).unwrap_or(0);
    html! {
        ul.more {
            @for example in examples {
                li {
                    bdi { (format::shortened(&example.text, SHOWN)) } " "
                    @if let Some(second) = &example.text_pair { "/ " bdi { (format::shortened(second, SHOWN)) } " " }
                    span.row { (place(results, example.row, example.line)) } ": "
                    span.class { (name(&example.label.text(&results.data.classes))) }
                    @if let Some(prediction) = example.predictions.get(best) {
                        @match (&example.label, likeliest(prediction)) {
                            (TargetRecord::Class(_), Some((predicted, most))) => {
                                ", predicted " span.class { (name(class(results, predicted))) } " " (probability(most))
                            }
                            (TargetRecord::Value(_), Some((_, value))) => { ", predicted " (format::score(value)) }
                            (_, _) => { ", predicted " span.class { (name(&likely(results, prediction))) } }
                        }
                    }
                }
            }
        }
    }
}

/// The place of an example in its file, as `rekindle data` names it.
pub(super) fn place(results: &Results, row: usize, line: u64) -> String {
    match results.data.unit.as_str() {
        "" => format!("row {}", thousands(row + 1)),
        unit => format!("{unit} {line}"),
    }
}

/// The text of an example, with the words that spoke for and against its wrong prediction if they are known.
fn explained(example: &MisclassifiedExample) -> Markup {
    let (text, pair) = (&example.text, example.text_pair.as_deref());
    let Some(explanation) = &example.explanation else { return texts(text, pair) };
    let shown = format::shortened(text, SHOWN);
    html! {
        @if shown == *text { bdi { (words(text, explanation)) } }
        @else { details { summary { bdi { (shown) } } bdi { (words(text, explanation)) } } }
    }
}

/// Marks of words: a word with this part of the largest attribution has the second one, and so on.
const LEVELS: [f64; 3] = [0.15, 0.4, 0.7];

/// A text whose words are marked by their attributions.
fn words(text: &str, explanation: &ExplanationRecord) -> Markup {
    let largest = explanation.words.iter().map(|word| word.attribution.abs()).fold(f64::MIN_POSITIVE, f64::max);
    let level = |attribution: f64| LEVELS.iter().filter(|level| attribution.abs() >= **level * largest).count();
    let mut end = 0;
    let parts = explanation.words.iter().filter_map(|word| {
        let (before, own) = (text.get(end..word.start)?, text.get(word.start..word.end)?);
        end = word.end;
        let side = if word.attribution < 0.0 { "con" } else { "pro" };
        Some((before, own, side, level(word.attribution), word.attribution))
    });
    let parts: Vec<_> = parts.collect();
    html! {
        @for (before, own, side, level, attribution) in parts {
            (before)
            @if level == 0 { (own) }
            @else { mark class={ (side) (level) } title={ (format!("{attribution:+.3}")) } { (own) } }
        }
        (text.get(end..).unwrap_or_default())
    }
}

/// The text of an example, or both texts of a pair.
pub(super) fn texts(first: &str, second: Option<&str>) -> Markup {
    match second {
        None => text(first),
        Some(second) => html! { div { (text(first)) } div.second { (text(second)) } },
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

/// Returns the most probable class, with its probability.
fn likeliest(prediction: &Prediction) -> Option<(usize, f64)> {
    let probabilities = prediction.probabilities.iter().copied().enumerate();
    probabilities.max_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// The title of the section.
fn title(results: &Results) -> &'static str {
    if results.data.task == "regression" { "Largest errors" } else { "Misclassified examples" }
}

/// The heading of the true labels.
fn truth(results: &Results) -> &'static str {
    match results.data.task.as_str() {
        "multi-label" => "True labels",
        "regression" => "True value",
        _ => "True class",
    }
}

/// Returns the names of the labels with a mean probability of at least one half.
fn likely(results: &Results, prediction: &Prediction) -> String {
    let likely = prediction.probabilities.iter().enumerate().filter(|(_, mean)| **mean >= 0.5);
    let names: Vec<&str> = likely.map(|(label, _)| class(results, label)).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

fn predicted(results: &Results, prediction: &Prediction, label: &TargetRecord) -> Markup {
    html! {
        @if prediction.runs == 0 { "not tested on" } @else {
            @if prediction.wrong == 0 { span.significant { "correct" } }
            @else if results.data.task != "regression" {
                @if prediction.runs == 1 { span.wrong { "wrong" } }
                @else { span.wrong { "wrong in " (prediction.wrong) " of " (prediction.runs) } }
            }
            @match (label, likeliest(prediction)) {
                (TargetRecord::Class(label), Some((predicted, most))) => {
                    @if predicted != *label { span.interval { (name(class(results, predicted))) " " (probability(most)) } }
                    @if let Some(truth) = prediction.probabilities.get(*label) {
                        span.interval { (name(class(results, *label))) " " (probability(*truth)) }
                    }
                }
                (TargetRecord::Value(_), Some((_, value))) => { span.mean { (format::score(value)) } }
                (_, _) => { span.interval { (name(&likely(results, prediction))) } }
            }
        }
    }
}

fn probability(value: f64) -> String {
    format!("{value:.3}")
}
