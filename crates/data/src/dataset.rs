//! Data sets of labelled examples.

use std::collections::HashMap;
use std::path::Path;

use crate::classes::Classes;
use crate::equal_texts::pair_groups;
use crate::error::DataError;
use crate::group_folds::stratified_group_k_fold;
use crate::group_split::group_train_test_split;
use crate::read::{ReadOptions, Row, Rows};
use crate::split::{Split, TestSize};

/// A text, or a pair of texts, and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The text, unchanged.
    pub text: String,
    /// The second text of a text pair, unchanged.
    pub text_pair: Option<String>,
    /// The index of the class.
    pub label: usize,
    /// The line of the file on which the example begins, from 1, as [`Row::line`]; in Parquet the number of the row.
    pub line: u64,
}

/// Labelled examples and their classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    /// The examples, in the order of the file.
    pub examples: Vec<Example>,
    /// The classes of the labels.
    pub classes: Classes,
    /// What [`Example::line`] counts, as [`Format::unit`](crate::Format::unit).
    pub unit: &'static str,
    /// Whether the order of the two texts of a pair does not matter: pairs are equal if they have equal texts in any order.
    pub symmetric: bool,
}

impl Dataset {
    /// Reads a training file; its sorted labels become the classes.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, a column is missing, rows are invalid (named by line), or fewer
    /// than two classes occur.
    pub fn read(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        let mut found: HashMap<String, usize> = HashMap::new();
        let rows = Rows::open(path, options)?;
        let unit = rows.format().unit();
        let mut example = |Row { text, text_pair, label, line }| {
            let next = found.len();
            Example { text, text_pair, label: *found.entry(label).or_insert(next), line }
        };
        let mut examples = DataError::collect(unit, rows.map(|row| row.map(&mut example)))?;
        let classes = Classes::from_labels(found.keys().map(String::as_str));
        match classes.names() {
            [] => return Err(DataError::Empty { path: path.into() }),
            [only] => return Err(DataError::OneClass { path: path.into(), class: only.clone() }),
            _ => {}
        }
        // Maps classes from the order of occurrence to the sorted order.
        let mut sorted = vec![0; found.len()];
        for (name, occurred) in &found {
            sorted[*occurred] = classes.index(name).unwrap_or_default();
        }
        examples.iter_mut().for_each(|example| example.label = sorted[example.label]);
        Ok(Self { examples, classes, unit, symmetric: options.symmetric })
    }

    /// Reads a file whose labels must be among `classes`, those of the training data.
    ///
    /// # Errors
    /// The errors of [`read`](Self::read), and an error if a label is not one of the classes. That only one class
    /// occurs is not an error.
    pub fn read_with_classes(path: &Path, options: &ReadOptions, classes: &Classes) -> Result<Self, DataError> {
        let rows = Rows::open(path, options)?;
        let unit = rows.format().unit();
        let example = |row: Result<Row, DataError>| {
            let Row { text, text_pair, label, line } = row?;
            classes.index(&label).map(|label| Example { text, text_pair, label, line }).ok_or_else(|| {
                DataError::UnknownLabel { path: path.into(), unit, line, label, classes: classes.to_string() }
            })
        };
        let examples = DataError::collect(unit, rows.map(example))?;
        if examples.is_empty() {
            return Err(DataError::Empty { path: path.into() });
        }
        Ok(Self { examples, classes: classes.clone(), unit, symmetric: options.symmetric })
    }

    /// Returns the number of examples.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Returns whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// Returns the class of each example.
    pub fn labels(&self) -> Vec<usize> {
        self.examples.iter().map(|example| example.label).collect()
    }

    /// Returns copies of the given rows, in this order. Rows that do not exist are left out.
    pub fn select(&self, rows: &[usize]) -> Self {
        let examples = rows.iter().filter_map(|&row| self.examples.get(row).cloned()).collect();
        Self { examples, classes: self.classes.clone(), unit: self.unit, symmetric: self.symmetric }
    }

    /// Returns whether the examples are text pairs.
    pub fn has_pairs(&self) -> bool {
        self.examples.iter().any(|example| example.text_pair.is_some())
    }

    /// Returns the group of each example: equal texts or text pairs have the same number, as in [`text_groups`] and
    /// [`pair_groups`].
    pub fn text_groups(&self) -> Vec<usize> {
        self.text_groups_of(0..self.len())
    }

    /// Returns the [groups](Self::text_groups) of some rows. Rows that do not exist are left out.
    pub fn text_groups_of(&self, rows: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let examples = rows.into_iter().filter_map(|row| self.examples.get(row));
        let texts = examples.map(|example| (example.text.as_str(), example.text_pair.as_deref()));
        pair_groups(texts, self.symmetric)
    }

    /// Splits the examples into a training and a test set, as [`group_train_test_split`]: equal texts stay on one side.
    ///
    /// # Errors
    /// The errors of [`group_train_test_split`], with class names.
    pub fn train_test_split(
        &self,
        test_size: TestSize,
        random_state: u32,
        stratify: bool,
    ) -> Result<(Self, Self), DataError> {
        let split = group_train_test_split(&self.labels(), &self.text_groups(), test_size, random_state, stratify);
        let split = split.map_err(|error| self.name_class(error))?;
        Ok((self.select(&split.train), self.select(&split.test)))
    }

    /// Returns the rows of repeated folds, as [`stratified_group_k_fold`]: equal texts stay in one fold.
    /// [`select`](Self::select) returns their examples.
    ///
    /// # Errors
    /// The errors of [`stratified_group_k_fold`], with class names.
    pub fn folds(&self, folds: usize, repeats: usize, random_state: u32) -> Result<Vec<Split>, DataError> {
        let splits = stratified_group_k_fold(&self.labels(), &self.text_groups(), folds, repeats, random_state);
        splits.map_err(|error| self.name_class(error))
    }

    /// Replaces the class index in an error, such as those of [`group_train_test_split`], by the class name.
    pub fn name_class(&self, mut error: DataError) -> DataError {
        if let DataError::SmallClass { class, .. }
        | DataError::FoldClass { class, .. }
        | DataError::FoldGroups { class, .. } = &mut error
            && let Some(name) = class.parse().ok().and_then(|index: usize| self.classes.names().get(index))
        {
            class.clone_from(name);
        }
        error
    }
}
