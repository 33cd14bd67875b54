//! Which column holds what.

use std::path::Path;

use super::ReadOptions;
use crate::error::DataError;

/// The usual names of a column, in any case. The first names are preferred in this order; of the others, a file may
/// have one.
struct Usual {
    role: &'static str,
    first: &'static [&'static str],
    others: &'static [&'static str],
}

const TEXT: Usual = Usual {
    role: "text",
    first: &["text", "sentence"],
    others: &[
        "texts",
        "sentences",
        "review",
        "reviewtext",
        "review_text",
        "content",
        "comment",
        "comment_text",
        "message",
        "tweet",
        "body",
        "document",
        "utterance",
        "query",
        "question",
        "phrase",
        "description",
        "headline",
        "title",
    ],
};

const LABEL: Usual = Usual {
    role: "label",
    first: &["label"],
    others: &[
        "labels",
        "class",
        "classes",
        "category",
        "sentiment",
        "target",
        "intent",
        "emotion",
        "topic",
        "polarity",
        "rating",
        "stars",
        "tag",
        "gold_label",
        "class_label",
        "y",
    ],
};

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

/// The columns of text and label among `names`. `delimited` if a first line may be an example instead of names.
pub(super) fn find(
    path: &Path,
    names: Vec<String>,
    options: &ReadOptions,
    delimited: bool,
) -> Result<Columns, DataError> {
    let search = Search { path, names: &names, delimited };
    let text = match &options.text_column {
        Some(name) => search.named(&TEXT, name)?,
        None => {
            search.refuse_pairs()?;
            search.usual(&TEXT)?
        }
    };
    let label = match &options.label_column {
        Some(name) => search.named(&LABEL, name)?,
        None => search.usual(&LABEL)?,
    };
    Ok(Columns { names, text, label })
}

/// The columns of a file of `width` columns without names: numbers from 0.
pub(super) fn numbered(path: &Path, width: usize, options: &ReadOptions) -> Result<Columns, DataError> {
    let number = |role, column: &Option<String>| match column {
        None => Ok(None),
        Some(column) => match column.parse() {
            Ok(index) if index < width => Ok(Some(index)),
            _ => Err(DataError::ColumnNumber { path: path.into(), role, column: column.clone(), last: width - 1 }),
        },
    };
    let other = |index: usize| usize::from(index == 0);
    let (text, label) = match (number("text", &options.text_column)?, number("label", &options.label_column)?) {
        (None, None) => (0, 1),
        (Some(text), None) => (text, other(text)),
        (None, Some(label)) => (other(label), label),
        (Some(text), Some(label)) => (text, label),
    };
    Ok(Columns { names: Vec::new(), text, label })
}

/// Returns whether a first line contains usual names of the text and the label.
pub(super) fn are_names(names: &[String]) -> bool {
    let search = Search { path: Path::new(""), names, delimited: true };
    search.usual(&TEXT).is_ok() && search.usual(&LABEL).is_ok()
}

/// Returns whether a column has a usual name of a text.
pub(super) fn has_text(names: &[String]) -> bool {
    Search { path: Path::new(""), names, delimited: true }.usual(&TEXT).is_ok()
}

struct Search<'a> {
    path: &'a Path,
    names: &'a [String],
    delimited: bool,
}

impl Search<'_> {
    /// The column with the name or number that the user gave.
    fn named(&self, usual: &Usual, name: &str) -> Result<usize, DataError> {
        let position = self.names.iter().position(|column| column == name);
        let number = || name.parse().ok().filter(|&index: &usize| index < self.names.len());
        position.or_else(number).ok_or_else(|| self.missing(usual.role, name, String::new()))
    }

    /// The column with a usual name.
    fn usual(&self, usual: &Usual) -> Result<usize, DataError> {
        let exact = |name: &&str| self.names.iter().position(|column| column == *name);
        if let Some(index) = usual.first.iter().find_map(|name| exact(name).or_else(|| self.position(name))) {
            return Ok(index);
        }
        let is_other = |column: &String| usual.others.iter().any(|name| column.eq_ignore_ascii_case(name));
        let found: Vec<usize> = (0..self.names.len()).filter(|&index| is_other(&self.names[index])).collect();
        match found[..] {
            [index] => Ok(index),
            [] => {
                let role = usual.role;
                let header = if self.delimited { "; if line 1 is an example, add `--no-header`" } else { "" };
                Err(self.missing(role, usual.first[0], format!("; name it with `--{role}-column`{header}")))
            }
            _ => Err(DataError::AmbiguousColumn {
                path: self.path.into(),
                role: usual.role,
                candidates: found.iter().map(|&index| self.names[index].as_str()).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// The first column with this name in any case.
    fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|column| column.eq_ignore_ascii_case(name))
    }

    fn refuse_pairs(&self) -> Result<(), DataError> {
        let pair = PAIRS.iter().find_map(|(first, second)| Some((self.position(first)?, self.position(second)?)));
        pair.map_or(Ok(()), |(first, second)| {
            let name = |index: usize| self.names[index].clone();
            Err(DataError::TextPair { path: self.path.into(), first: name(first), second: name(second) })
        })
    }

    fn missing(&self, role: &'static str, column: &str, remedy: String) -> DataError {
        let available = self.names.join(", ");
        DataError::MissingColumn { path: self.path.into(), role, column: column.into(), available, remedy }
    }
}
