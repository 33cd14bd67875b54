//! Which column holds what.

use std::path::Path;

use super::ReadOptions;
use crate::error::DataError;

const TEXTS: [&str; 2] = ["text", "sentence"];
const LABEL: &str = "label";

/// The columns under which data sets keep two texts to be judged together.
const PAIRS: [(&str, &str); 6] = [
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("text1", "text2"),
    ("text_a", "text_b"),
];

/// The columns of a file, and which of them are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Their names, in the file's order. Empty where no header names them.
    pub names: Vec<String>,
    /// The index of the text's column.
    pub text: usize,
    /// The index of the label's column.
    pub label: usize,
}

/// The columns of text and label among `names`.
pub(super) fn find(path: &Path, names: Vec<String>, options: &ReadOptions) -> Result<Columns, DataError> {
    let position = |name: &str| names.iter().position(|column| column == name);
    let missing = |role, column: &str| DataError::MissingColumn {
        path: path.into(),
        role,
        column: column.into(),
        available: names.join(", "),
    };
    let text = match &options.text_column {
        Some(name) => position(name).ok_or_else(|| missing("text", name))?,
        None => {
            if let Some((first, second)) = PAIRS.iter().find(|(a, b)| position(a).is_some() && position(b).is_some()) {
                return Err(DataError::TextPair {
                    path: path.into(),
                    first: (*first).into(),
                    second: (*second).into(),
                });
            }
            TEXTS.iter().find_map(|name| position(name)).ok_or_else(|| missing("text", TEXTS[0]))?
        }
    };
    let name = options.label_column.as_deref().unwrap_or(LABEL);
    let label = position(name).ok_or_else(|| missing("label", name))?;
    Ok(Columns { names, text, label })
}
