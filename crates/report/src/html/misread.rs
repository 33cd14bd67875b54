//! The sentences that were misread.

use maud::{Markup, html};

use super::{Section, format, name, scrolling, thousands};
use crate::results::{Reading, Results};

/// Characters of a sentence that are shown before it is opened.
const SHOWN: usize = 280;

/// Sentences with their class, and what each approach made of them.
pub(super) fn sentences(results: &Results) -> Option<Section> {
    let misread = &results.misread;
    let names: Vec<&str> = results.approaches.iter().map(|record| record.approach.as_str()).collect();
    let table = html! {
        table.reflow.misread {
            thead {
                tr {
                    th scope="col" { "Sentence" }
                    th scope="col" { "Class" }
                    @for approach in &names { th scope="col" { (name(approach)) } }
                }
            }
            tbody {
                @for sentence in &misread.sentences {
                    tr {
                        td.sentence { (text(&sentence.text)) " " span.row { "row " (thousands(sentence.row + 1)) } }
                        td data-label="Class" { span.class { (class(results, sentence.label)) } }
                        @for (approach, reading) in names.iter().zip(&sentence.approaches) {
                            td data-label=(approach.replace('_', "_\u{200b}")) { (made_of_it(results, reading, sentence.label)) }
                        }
                    }
                }
            }
        }
    };
    let body = html! {
        p.note {
            @if misread.sentences.len() < misread.total {
                "The first " (thousands(misread.sentences.len())) " of "
            }
            (thousands(misread.total)) @if misread.total == 1 { " test sentence" } @else { " test sentences" }
            " that an approach misread in a run; those that most runs misread come first. \
             Beneath each: what it was taken for, and its class, with their mean probabilities over runs."
        }
        (scrolling("Misread sentences", table))
    };
    (!misread.sentences.is_empty()).then_some(Section { id: "misread", title: "Misread sentences", body })
}

/// A sentence; a long one opens.
fn text(text: &str) -> Markup {
    let shown = format::shortened(text, SHOWN);
    html! {
        @if shown == text { bdi { (text) } } @else { details { summary { bdi { (shown) } } bdi { (text) } } }
    }
}

fn class(results: &Results, index: usize) -> &str {
    results.data.classes.get(index).map_or("?", String::as_str)
}

fn made_of_it(results: &Results, reading: &Reading, label: usize) -> Markup {
    let greatest = reading.probabilities.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
    let truth = reading.probabilities.get(label).copied();
    html! {
        @if reading.runs == 0 { "not tested on" } @else {
            @if reading.wrong > 0 { span.wrong { "wrong in " (reading.wrong) " of " (reading.runs) } }
            @else { span.stands { "read rightly" } }
            @if let (Some(truth), Some((predicted, most))) = (truth, greatest) {
                @if predicted != label { span.interval { (class(results, predicted)) " " (probability(*most)) } }
                span.interval { (class(results, label)) " " (probability(truth)) }
            }
        }
    }
}

fn probability(value: f64) -> String {
    format!("{value:.3}")
}
