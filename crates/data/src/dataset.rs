//! Sentences with classes.

use std::path::Path;

use crate::classes::Classes;
use crate::error::DataError;
use crate::read::{self, ReadOptions, Row};
use crate::split::{TestSize, train_test_split};

/// A sentence and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The text, as it was read.
    pub text: String,
    /// The index of its class.
    pub label: usize,
}

/// Sentences, each with one of the same classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    /// The sentences, in the order of the file.
    pub examples: Vec<Example>,
    /// What their labels mean.
    pub classes: Classes,
}

impl Dataset {
    /// Reads a file to learn from; its labels, sorted, become the classes.
    ///
    /// # Errors
    /// When the file cannot be read, a column is not there, a row is broken (named by line), or fewer than two classes
    /// occur.
    pub fn read(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        let rows = read::rows(path, options)?;
        let classes = Classes::from_labels(rows.iter().map(|row| row.label.as_str()));
        match classes.names() {
            [] => Err(DataError::Empty { path: path.into() }),
            [only] => Err(DataError::OneClass { path: path.into(), class: only.clone() }),
            _ => Self::label(path, rows, classes),
        }
    }

    /// Reads a file whose labels must be among `classes`, those of the training data.
    ///
    /// # Errors
    /// As [`read`](Self::read), and when a label is not one of the classes; that only one class occurs is no error.
    pub fn read_with_classes(path: &Path, options: &ReadOptions, classes: &Classes) -> Result<Self, DataError> {
        let rows = read::rows(path, options)?;
        if rows.is_empty() {
            return Err(DataError::Empty { path: path.into() });
        }
        Self::label(path, rows, classes.clone())
    }

    fn label(path: &Path, rows: Vec<Row>, classes: Classes) -> Result<Self, DataError> {
        let example = |Row { text, label, line }| match classes.index(&label) {
            Some(label) => Ok(Example { text, label }),
            None => {
                Err(DataError::UnknownLabel { path: path.into(), line, label, classes: classes.names().join(", ") })
            }
        };
        let examples = rows.into_iter().map(example).collect::<Result<_, _>>()?;
        Ok(Self { examples, classes })
    }

    /// The number of sentences.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// The class of each sentence.
    pub fn labels(&self) -> Vec<usize> {
        self.examples.iter().map(|example| example.label).collect()
    }

    /// Copies of the given rows, in the order given; rows that do not exist are left out.
    pub fn select(&self, rows: &[usize]) -> Self {
        let examples = rows.iter().filter_map(|&row| self.examples.get(row).cloned()).collect();
        Self { examples, classes: self.classes.clone() }
    }

    /// Training and test sentences, as [`train_test_split`] draws them.
    ///
    /// # Errors
    /// As [`train_test_split`], with classes by name.
    pub fn train_test_split(
        &self,
        test_size: TestSize,
        random_state: u32,
        stratify: bool,
    ) -> Result<(Self, Self), DataError> {
        let split = train_test_split(&self.labels(), test_size, random_state, stratify);
        let split = split.map_err(|error| match error {
            DataError::SmallClass { class, members } => {
                let name = class.parse().ok().and_then(|index: usize| self.classes.names().get(index).cloned());
                DataError::SmallClass { class: name.unwrap_or(class), members }
            }
            other => other,
        })?;
        Ok((self.select(&split.train), self.select(&split.test)))
    }
}
