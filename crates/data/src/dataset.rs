//! Data sets of labelled examples.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use crate::classes::Classes;
use crate::equal_texts::pair_groups;
use crate::error::DataError;
use crate::groups::connected;
use crate::label::{canonical_label, is_number, value_of};
use crate::near_duplicates::{NearDuplicates, near_duplicates};
use crate::read::{ReadOptions, Row, Rows};
use crate::split::{Split, TestSize};
use crate::stratify::{fold_targets, split_targets};
use crate::target::{Target, Targets, Task};
use crate::time::Time;
use crate::time_split::{time_series_split, time_train_test_split};

/// So many different labels with fractions may be numbers instead of classes.
const FRACTIONS: usize = 5;

/// A text, or a pair of texts, and its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The text, unchanged.
    pub text: String,
    /// The second text of a text pair, unchanged.
    pub text_pair: Option<String>,
    /// Its class, its labels or its number.
    pub target: Target,
    /// The line of the file on which the example begins, from 1, as [`Row::line`]; in Parquet the number of the row.
    pub line: u64,
    /// The group, as [`Row::group`].
    pub group: Option<String>,
    /// The time, as [`Row::time`].
    pub time: Option<Time>,
}

/// Labelled examples and their classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// The kind of label that the examples have.
    pub task: Task,
    /// The examples, in the order of the file.
    pub examples: Vec<Example>,
    /// The classes, or the labels of which an example has several; none for numbers.
    pub classes: Classes,
    /// What [`Example::line`] counts, as [`Format::unit`](crate::Format::unit).
    pub unit: &'static str,
    /// Whether the order of the two texts of a pair does not matter: pairs are equal if they have equal texts in any order.
    pub symmetric: bool,
    /// The similarity from which texts are nearly equal and stay together, as [`ReadOptions::near_duplicates`].
    pub near_duplicates: Option<f64>,
    /// The column of the groups, if they were read.
    pub group_column: Option<String>,
    /// The column of the times, if they were read.
    pub time_column: Option<String>,
    /// The labels of the file that [`read_like_in_any_case`](Self::read_like_in_any_case) matched with a class whose name has another case.
    pub other_case: BTreeSet<String>,
}

impl Dataset {
    /// Reads a training file for the task of the options; without one, each text has a class. The sorted labels become the
    /// classes; those of an ordinal task are sorted by the order that the options give, or by their number.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, a column is missing, rows are invalid (named by line), fewer
    /// than two classes occur, or the order of the classes is not known.
    pub fn read(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        let rows = Rows::open(path, options)?;
        let (unit, group_column, time_column) = (rows.format().unit(), rows.group_column(), rows.time_column());
        let mut rows = rows.peekable();
        let has_several = matches!(rows.peek(), Some(Ok(Row { labels: Some(_), .. })));
        let inferred = if has_several { Task::MultiLabel } else { Task::SingleLabel };
        let task = options.task().unwrap_or(inferred);
        let (examples, classes) = match task {
            Task::Regression => (values(unit, rows)?, Classes::default()),
            Task::MultiLabel => labels(unit, rows, options)?,
            Task::SingleLabel | Task::Ordinal => classes(unit, rows, task, options)?,
        };
        if options.task().is_none() && task == Task::SingleLabel {
            check_ambiguity(path, classes.names())?;
        }
        match classes.names() {
            _ if examples.is_empty() => return Err(DataError::Empty { path: path.into() }),
            [only] if task.has_classes() => {
                return Err(DataError::OneClass { path: path.into(), class: only.clone() });
            }
            _ => {}
        }
        Ok(Self {
            task,
            examples,
            classes,
            unit,
            symmetric: options.symmetric,
            near_duplicates: options.near_duplicates,
            group_column,
            time_column,
            other_case: BTreeSet::new(),
        })
    }

    /// Reads a file of the same task, whose labels must be among those of this data set.
    ///
    /// # Errors
    /// The errors of [`read`](Self::read), and an error if a label is not one of the classes. That only one class
    /// occurs is not an error.
    pub fn read_like(&self, path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        self.read_by(path, options, |label| self.classes.index(label))
    }

    /// As [`read_like`](Self::read_like); but a label that is not the name of a class is that of the only class whose name differs
    /// in case. The classes of a trained model are matched like this.
    ///
    /// # Errors
    /// The errors of [`read_like`](Self::read_like).
    pub fn read_like_in_any_case(&self, path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        self.read_by(path, options, |label| self.classes.index_in_any_case(label))
    }

    fn read_by(
        &self,
        path: &Path,
        options: &ReadOptions,
        class: impl Fn(&str) -> Option<usize>,
    ) -> Result<Self, DataError> {
        let options = ReadOptions { task: Some(self.task), ..options.clone() };
        let rows = Rows::open(path, &options)?;
        let (unit, group_column, time_column) = (rows.format().unit(), rows.group_column(), rows.time_column());
        let classes = &self.classes;
        let other_case = RefCell::new(BTreeSet::new());
        let index = |line: u64, label: &String| {
            let found = class(label).inspect(|&index| {
                if classes.names()[index] != *label {
                    other_case.borrow_mut().insert(label.clone());
                }
            });
            found.ok_or_else(|| DataError::UnknownLabel {
                path: path.into(),
                unit,
                line,
                label: label.clone(),
                classes: classes.to_string(),
            })
        };
        let example = |row: Result<Row, DataError>| {
            let Row { text, text_pair, label, labels, line, group, time } = row?;
            let target = match self.task {
                Task::MultiLabel => {
                    let mut target = vec![false; classes.len()];
                    for label in labels.unwrap_or_default() {
                        target[index(line, &label)?] = true;
                    }
                    Target::Labels(target.into())
                }
                _ => Target::Class(index(line, &label)?),
            };
            Ok(Example { text, text_pair, target, line, group, time })
        };
        let examples = match self.task {
            Task::Regression => values(unit, rows)?,
            _ => DataError::collect(unit, rows.map(example))?,
        };
        if examples.is_empty() {
            return Err(DataError::Empty { path: path.into() });
        }
        let classes = classes.clone();
        Ok(Self {
            task: self.task,
            examples,
            classes,
            unit,
            symmetric: options.symmetric,
            near_duplicates: options.near_duplicates,
            group_column,
            time_column,
            other_case: other_case.into_inner(),
        })
    }

    /// Returns the number of examples.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Returns whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// Returns the class of each example; none if the examples have other targets.
    pub fn labels(&self) -> Vec<usize> {
        self.examples.iter().filter_map(|example| example.target.class()).collect()
    }

    /// Returns the labels of all examples.
    pub fn targets(&self) -> Targets {
        Targets::collect(self.examples.iter().map(|example| &example.target))
    }

    /// Returns the labels of the given rows, in this order. Rows that do not exist are left out.
    pub fn targets_of(&self, rows: &[usize]) -> Targets {
        Targets::collect(rows.iter().filter_map(|&row| self.examples.get(row)).map(|example| &example.target))
    }

    /// Returns copies of the given rows, in this order. Rows that do not exist are left out.
    pub fn select(&self, rows: &[usize]) -> Self {
        let examples = rows.iter().filter_map(|&row| self.examples.get(row).cloned()).collect();
        let (classes, group_column) = (self.classes.clone(), self.group_column.clone());
        let (symmetric, time_column) = (self.symmetric, self.time_column.clone());
        let near_duplicates = self.near_duplicates;
        Self {
            task: self.task,
            examples,
            classes,
            unit: self.unit,
            symmetric,
            near_duplicates,
            group_column,
            time_column,
            other_case: self.other_case.clone(),
        }
    }

    /// Returns whether the examples are text pairs.
    pub fn has_pairs(&self) -> bool {
        self.examples.iter().any(|example| example.text_pair.is_some())
    }

    /// Returns the group of each example: equal texts or text pairs have the same number, as in [`text_groups`](crate::text_groups) and
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

    /// Returns the number of the group of each example, if a column of groups was read. Groups are numbered in their sorted order,
    /// as [`Classes::from_labels`] sorts and as `numpy.unique` does.
    pub fn column_groups(&self) -> Option<Vec<usize>> {
        self.group_column.as_ref()?;
        let names = || self.examples.iter().map(|example| example.group.as_deref().unwrap_or_default());
        let groups = Classes::from_labels(names());
        Some(names().map(|name| groups.index(name).unwrap_or_default()).collect())
    }

    /// Returns the groups of examples with equal or nearly equal texts; `None` if [`near_duplicates`](Self::near_duplicates) is.
    pub fn near_duplicates(&self) -> Option<NearDuplicates> {
        let texts = self.examples.iter().map(|example| (example.text.as_str(), example.text_pair.as_deref()));
        self.near_duplicates.map(|threshold| near_duplicates(texts, self.symmetric, threshold))
    }

    /// Returns the number of the group of each example. Examples stay together in a split, except one by time, if their
    /// [texts](Self::text_groups) are equal, if their texts are [nearly equal](Self::near_duplicates) and this is asked for, or if
    /// they have the same group in the [column](Self::column_groups); also indirectly. `None` if every example is alone and no column
    /// of groups was read.
    pub fn groups(&self) -> Option<Vec<usize>> {
        let texts = self.near_duplicates().map_or_else(|| self.text_groups(), |found| found.groups);
        match self.column_groups() {
            Some(groups) => Some(connected(&groups, &texts)),
            None => texts.iter().enumerate().any(|(row, &group)| row != group).then_some(texts),
        }
    }

    /// Returns the time of each of some rows, if a column of times was read.
    pub fn times_of(&self, rows: impl IntoIterator<Item = usize>) -> Option<Vec<Time>> {
        self.time_column.as_ref()?;
        rows.into_iter().map(|row| self.examples.get(row)?.time).collect()
    }

    /// Splits the examples into a training and a test set, as [`split_targets`]: [groups](Self::groups) stay on one side. If a column
    /// of times was read, the newest examples are the test set, as of [`time_train_test_split`].
    ///
    /// # Errors
    /// The errors of these functions, with class names.
    pub fn train_test_split(
        &self,
        test_size: TestSize,
        random_state: u32,
        stratify: bool,
    ) -> Result<(Self, Self), DataError> {
        let split = self.train_test_rows(test_size, random_state, stratify)?;
        Ok((self.select(&split.train), self.select(&split.test)))
    }

    /// Returns the rows of [`train_test_split`](Self::train_test_split).
    ///
    /// # Errors
    /// As [`train_test_split`](Self::train_test_split).
    pub fn train_test_rows(&self, test_size: TestSize, random_state: u32, stratify: bool) -> Result<Split, DataError> {
        if let Some(times) = self.times_of(0..self.len()) {
            return time_train_test_split(&times, test_size);
        }
        let split = split_targets(&self.targets(), self.groups().as_deref(), test_size, random_state, stratify);
        split.map_err(|error| self.name_class(error))
    }

    /// Returns the rows of repeated folds, as [`fold_targets`]: [groups](Self::groups) stay in one fold.
    /// [`select`](Self::select) returns their examples. If a column of times was read, the folds are those of
    /// [`time_series_split`], which are not repeated.
    ///
    /// # Errors
    /// The errors of these functions, with class names.
    pub fn folds(&self, folds: usize, repeats: usize, random_state: u32) -> Result<Vec<Split>, DataError> {
        if let Some(times) = self.times_of(0..self.len()) {
            return match (&self.time_column, repeats) {
                (Some(column), 2..) => Err(DataError::RepeatedTime { column: column.clone() }),
                _ => time_series_split(&times, folds),
            };
        }
        let splits = fold_targets(&self.targets(), self.groups().as_deref(), folds, repeats, random_state);
        splits.map_err(|error| self.name_class(error))
    }

    /// Replaces the class index in an error, such as those of [`split_targets`], by the class name.
    pub fn name_class(&self, mut error: DataError) -> DataError {
        if let DataError::FoldGroups { column, .. } = &mut error {
            column.clone_from(&self.group_column);
        }
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

/// Reads rows that have one class each.
fn classes(
    unit: &'static str,
    rows: impl Iterator<Item = Result<Row, DataError>>,
    task: Task,
    options: &ReadOptions,
) -> Result<(Vec<Example>, Classes), DataError> {
    let mut found: HashMap<String, usize> = HashMap::new();
    let mut example = |Row { text, text_pair, label, line, group, time, .. }| {
        let next = found.len();
        Example { text, text_pair, target: Target::Class(*found.entry(label).or_insert(next)), line, group, time }
    };
    let mut examples = DataError::collect(unit, rows.map(|row| row.map(&mut example)))?;
    let names = found.keys().map(String::as_str);
    let classes = match task {
        Task::Ordinal if !options.label_order.is_empty() => {
            Classes::in_order(options.order().iter().map(String::as_str))
        }
        _ => Classes::from_labels(names),
    };
    // Maps classes from the order of occurrence to the sorted order.
    let mut sorted = vec![0; found.len()];
    for (name, occurred) in &found {
        sorted[*occurred] = classes.index(name).unwrap_or_default();
    }
    for example in &mut examples {
        if let Target::Class(class) = &mut example.target {
            *class = sorted[*class];
        }
    }
    Ok((examples, classes))
}

/// Reads rows that have any number of labels each.
fn labels(
    unit: &'static str,
    rows: impl Iterator<Item = Result<Row, DataError>>,
    options: &ReadOptions,
) -> Result<(Vec<Example>, Classes), DataError> {
    let rows = DataError::collect(unit, rows)?;
    let classes = match options.label_columns.as_slice() {
        [] => Classes::from_labels(rows.iter().flat_map(|row| row.labels.iter().flatten().map(String::as_str))),
        columns => Classes::in_order(columns.iter().map(String::as_str)),
    };
    let example = |Row { text, text_pair, labels, line, group, time, .. }: Row| {
        let mut target = vec![false; classes.len()];
        for label in labels.iter().flatten() {
            target[classes.index(label).unwrap_or_default()] = true;
        }
        Example { text, text_pair, target: Target::Labels(target.into()), line, group, time }
    };
    Ok((rows.into_iter().map(example).collect(), classes))
}

/// Reads rows that have a number each, which the reader has checked.
fn values(unit: &'static str, rows: impl Iterator<Item = Result<Row, DataError>>) -> Result<Vec<Example>, DataError> {
    let example = |Row { text, text_pair, label, line, group, time, .. }| Example {
        text,
        text_pair,
        target: Target::Value(value_of(&label).unwrap_or_default()),
        line,
        group,
        time,
    };
    DataError::collect(unit, rows.map(|row| row.map(example)))
}

/// Returns an error if the labels of single-label rows may be numbers, or several labels behind a separator.
fn check_ambiguity(path: &Path, names: &[String]) -> Result<(), DataError> {
    let ambiguous = |reason: String, first: String| {
        let second = format!("--task {}", Task::SingleLabel);
        Err(DataError::AmbiguousTask { path: path.into(), reason, first, second })
    };
    let has_fraction = names.iter().any(|name| name.contains('.'));
    if names.len() >= FRACTIONS && has_fraction && names.iter().all(|name| is_number(name)) {
        let reason = format!("the labels may be numbers or the names of {} classes", names.len());
        return ambiguous(reason, format!("--task {}", Task::Regression));
    }
    let alone: HashSet<&str> = names.iter().map(String::as_str).collect();
    for separator in [",", ";", "|"] {
        let is_known = |part: &str| alone.contains(canonical_label(part).as_ref());
        let joined = |name: &&String| name.contains(separator) && name.split(separator).all(is_known);
        if let Some(name) = names.iter().find(joined) {
            let reason = format!("`{name}` may be several labels or the name of one class");
            return ambiguous(reason, format!("--label-separator '{separator}'"));
        }
    }
    Ok(())
}
