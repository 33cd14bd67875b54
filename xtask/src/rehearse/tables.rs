//! The labelled texts of a rehearsal, and the files that they are written to.

use std::path::Path;
use std::{fs, io};

use super::json::quoted;
use crate::tables;

/// A text with its label.
#[derive(Clone)]
pub struct Example {
    pub text: String,
    pub label: String,
}

/// Reads texts and labels that are separated by tabs, without a header; at most `most` of them, at equal distances.
pub fn read_tsv(path: &Path, most: usize) -> io::Result<Vec<Example>> {
    let named = |message: String| io::Error::other(format!("--data {}: {message}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let rows = tables::tab_separated(&text);
    let rows = rows.iter().enumerate().step_by(rows.len().div_ceil(most).max(1));
    rows.map(|(row, fields)| match &fields[..] {
        [text, label] => Ok(Example { text: text.clone(), label: label.clone() }),
        _ => Err(named(format!("line {}: expected a text, a tab and a label, and no header", row + 1))),
    })
    .collect()
}

/// Returns a CSV file.
pub fn csv(examples: &[Example]) -> String {
    tables::csv("text,label", examples.iter().map(|Example { text, label }| vec![text.as_str(), label.as_str()]))
}

/// Returns a TSV file, in which quotation marks are ordinary characters.
pub fn tsv(examples: &[Example]) -> String {
    let rows = examples.iter().map(|Example { text, label }| format!("{text}\t{label}\n"));
    format!("text\tlabel\n{}", rows.collect::<String>())
}

/// Returns a JSONL file.
pub fn jsonl(examples: &[Example]) -> String {
    examples.iter().map(|example| object(example) + "\n").collect()
}

/// Returns a JSON file: an array of objects.
pub fn json(examples: &[Example]) -> String {
    format!("[{}]\n", examples.iter().map(object).collect::<Vec<_>>().join(",\n "))
}

fn object(Example { text, label }: &Example) -> String {
    format!("{{\"text\": {}, \"label\": {}}}", quoted(text), quoted(label))
}
