//! `POST /explain`: how much each word of a text speaks for and against each class.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use serde::Serialize;

use super::inputs::{Fields, Inputs};
use super::json;
use crate::app::{App, Text};
use crate::body::read_object;
use crate::failure::Failure;

/// The most parts that a text is divided into. In a longer text, neighbouring words are one part.
const MOST_PARTS: usize = 96;

/// A part of a text: a word, or several.
#[derive(Serialize)]
struct Part {
    text: String,
    /// The place of its first character.
    start: usize,
    /// The place behind its last character.
    end: usize,
    /// For each class, the logit of the text minus that of the text without this part.
    attributions: Vec<f32>,
    /// Its bytes in the text.
    #[serde(skip)]
    bytes: std::ops::Range<usize>,
}

#[derive(Serialize)]
struct Explanation<'a> {
    method: &'static str,
    labels: &'a [String],
    logits: &'a [f32],
    scores: Vec<f32>,
    words: Vec<Part>,
}

pub(super) async fn explain(State(app): State<Arc<App>>, request: Request<Body>) -> Result<Response, Failure> {
    let mut fields = Fields::new(read_object(request, &app.limits).await?);
    let model = app.model(fields.string("model")?.as_deref())?;
    let Inputs::One(Text { text, text_pair: None }) = Inputs::parse(fields.take("inputs"), &app.limits)? else {
        return Err(Failure::invalid("inputs: expected one text"));
    };
    fields.finish("`inputs`, `model`")?;
    let mut parts = parts(&text);
    let without =
        |part: &Part| Text { text: [&text[..part.bytes.start], &text[part.bytes.end..]].concat(), text_pair: None };
    let mut texts: Vec<Text> = parts.iter().map(without).collect();
    texts.insert(0, Text { text: text.clone(), text_pair: None });
    let logits = app.logits(&model, texts, true).await?;
    let labels = model.classifier.labels();
    let (whole, others) = logits.split_at(labels.len());
    for (part, logits) in parts.iter_mut().zip(others.chunks(labels.len())) {
        part.attributions = whole.iter().zip(logits).map(|(whole, without)| whole - without).collect();
    }
    let scores = model.classifier.output_function().apply(whole).into_iter().map(|score| score as f32).collect();
    Ok(json(&Explanation { method: "occlusion", labels, logits: whole, scores, words: parts }))
}

/// Divides a text at white space.
fn parts(text: &str) -> Vec<Part> {
    let words: Vec<_> = text
        .split_whitespace()
        .map(|word| {
            let start = word.as_ptr() as usize - text.as_ptr() as usize;
            start..start + word.len()
        })
        .collect();
    let (mut parts, mut chars, mut bytes) = (Vec::new(), 0, 0);
    for words in words.chunks(words.len().div_ceil(MOST_PARTS).max(1)) {
        let range = words[0].start..words[words.len() - 1].end;
        let start = chars + text[bytes..range.start].chars().count();
        let end = start + text[range.clone()].chars().count();
        (chars, bytes) = (end, range.end);
        parts.push(Part { text: text[range.clone()].into(), start, end, attributions: Vec::new(), bytes: range });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_words_of_a_text() {
        let text = " naïve  film\n🎉!";
        let found: Vec<_> = parts(text).into_iter().map(|part| (part.text, part.start, part.end)).collect();
        assert_eq!(found, [("naïve".into(), 1, 6), ("film".into(), 8, 12), ("🎉!".into(), 13, 15)]);
        assert!(parts(" \n").is_empty());
        let long = parts(&"word ".repeat(200));
        assert_eq!((long.len(), long[0].text.as_str()), (67, "word word word"));
    }
}
