//! The errors of this crate.

use std::path::PathBuf;

use thiserror::Error;

/// The errors of reading and splitting labelled texts.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Neither the extension nor the content of the file is that of a known format.
    #[error("{path}: unknown file format; expected CSV, TSV, JSON, JSONL (each optionally in gzip or zip) or Parquet")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The file is recognised as something that is not read.
    #[error("{path}: is {found}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What it is, and what to do.
        found: String,
    },
    /// The extension of a file is none of the formats that are written.
    #[error("{path}: expected a file ending in .csv, .jsonl (each optionally .gz) or .parquet")]
    OutputFormat {
        /// The file.
        path: PathBuf,
    },
    /// A string that is not the name of a format.
    #[error("unknown format `{name}`: expected csv, tsv, json, jsonl or parquet")]
    NotAFormat {
        /// The given value.
        name: String,
    },
    /// A string that is not the name of a task.
    #[error("unknown task `{name}`: expected single-label, multi-label, regression or ordinal")]
    UnknownTask {
        /// The given value.
        name: String,
    },
    /// A string that is not the name of a character encoding.
    #[error("unknown encoding `{name}`: expected a name like utf-8, utf-16le, windows-1252 or shift_jis")]
    UnknownEncoding {
        /// The given value.
        name: String,
    },
    /// The file has no rows.
    #[error("{path}: no examples")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// An option that another task has.
    #[error("{path}: `{option}` is an option of `--task {of}`, not of `--task {task}`")]
    OptionOfTask {
        /// The file.
        path: PathBuf,
        /// The option.
        option: &'static str,
        /// The task that has it.
        of: crate::Task,
        /// The given task.
        task: crate::Task,
    },
    /// The labels fit two tasks.
    #[error("{path}: {reason}; add `{first}` or `{second}`")]
    AmbiguousTask {
        /// The file.
        path: PathBuf,
        /// Why it does.
        reason: String,
        /// The options of the one.
        first: String,
        /// The options of the other.
        second: String,
    },
    /// An option lists a label twice.
    #[error("{path}: `{option}` has `{label}` twice")]
    RepeatedLabel {
        /// The file.
        path: PathBuf,
        /// The option.
        option: &'static str,
        /// The label.
        label: String,
    },
    /// A column is missing.
    #[error("{path}: no {role} column `{column}`; the columns are {available}{remedy}")]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// `text`, `text pair` or `label`.
        role: &'static str,
        /// The name of the missing column.
        column: String,
        /// The existing columns.
        available: String,
        /// What to do: empty, or beginning with `; `.
        remedy: String,
    },
    /// Several columns have a usual name.
    #[error("{path}: several columns may be the {role}: {candidates}; name one with `--{role}-column`")]
    AmbiguousColumn {
        /// The file.
        path: PathBuf,
        /// `text`, `text pair` or `label`.
        role: &'static str,
        /// The columns.
        candidates: String,
    },
    /// A column of a file without a header is not given by its number.
    #[error("{path}: no {role} column `{column}`; without a header, the columns are 0 to {last}")]
    ColumnNumber {
        /// The file.
        path: PathBuf,
        /// `text`, `text pair` or `label`.
        role: &'static str,
        /// The given value.
        column: String,
        /// The number of the last column.
        last: usize,
    },
    /// The first line of a file without a header contains names.
    #[error("{path}, line 1: `{header}` looks like a header; remove `--no-header`")]
    UnexpectedHeader {
        /// The file.
        path: PathBuf,
        /// The first line.
        header: String,
    },
    /// The second column of a file without a header cannot be the label, but the first one can.
    #[error(
        "{path}: column 1, the label, is different in all of the first rows, and column 0, the text, repeats; if column 0 \
         is the label, add `--label-column 0`"
    )]
    LabelFirst {
        /// The file.
        path: PathBuf,
    },
    /// A column has the wrong type.
    #[error("{path}: the {role} column `{column}` contains {found}; expected {wanted}")]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// `text`, `text pair` or `label`.
        role: &'static str,
        /// The column's name.
        column: String,
        /// The type that it has.
        found: String,
        /// The types that can be read.
        wanted: &'static str,
    },
    /// A Parquet file that is damaged.
    #[error("{path}: invalid Parquet file: {reason}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A Parquet file, but the feature `parquet` is not enabled.
    #[error(
        "{path}: this build does not support Parquet; build with `--features parquet`, or use a CSV, TSV or JSONL file"
    )]
    NoParquet {
        /// The file.
        path: PathBuf,
    },
    /// Each row has a text pair, and the options do not say which texts are read.
    #[error(
        "{path}: `{first}` and `{second}` are a text pair; to read both, add `--text-pair-column {second}`, to read one, add \
         `--text-column {first}`"
    )]
    TextPair {
        /// The file.
        path: PathBuf,
        /// The first text's column.
        first: String,
        /// The second text's column.
        second: String,
    },
    /// Both texts of a pair are the same column.
    #[error(
        "{path}: `{column}` is the column of both texts; name different columns with `--text-column` and `--text-pair-column`"
    )]
    SameColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// A row is invalid.
    #[error("{path}, {unit} {line}: {reason}")]
    Row {
        /// The file.
        path: PathBuf,
        /// The unit: `line`, or `row` in formats without lines.
        unit: &'static str,
        /// The line or row, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A label is not a class of the training data.
    #[error("{path}, {unit} {line}: label `{label}` is not one of the classes of the training data: {classes}")]
    UnknownLabel {
        /// The file.
        path: PathBuf,
        /// The unit: `line`, or `row` in formats without lines.
        unit: &'static str,
        /// The line or row, from 1.
        line: u64,
        /// The label.
        label: String,
        /// The classes.
        classes: String,
    },
    /// Several rows are invalid.
    #[error("{first}{}", others(unit, listed, *more))]
    Rows {
        /// The error of the first of them.
        first: Box<DataError>,
        /// The unit: `line`, or `row` in formats without lines.
        unit: &'static str,
        /// The next of them: the line or row, and what is wrong.
        listed: Vec<(u64, String)>,
        /// The number of rows after the first.
        more: u64,
    },
    /// All labels are the same class.
    #[error("{path}: every label is `{class}`; a classifier needs at least two classes")]
    OneClass {
        /// The file.
        path: PathBuf,
        /// The only class.
        class: String,
    },
    /// A string that is not a test size.
    #[error("invalid test size `{text}`: expected a fraction between 0 and 1 or a number of rows")]
    NotATestSize {
        /// The given value.
        text: String,
    },
    /// A test size that leaves a set empty.
    #[error("test size {test_size} leaves the training or test set empty: there are {rows} rows")]
    TestSize {
        /// The given value.
        test_size: String,
        /// The number of rows to split.
        rows: usize,
    },
    /// A class is too small for a stratified split.
    #[error("class {class} has {members} row; a stratified split needs at least 2 rows per class")]
    SmallClass {
        /// The class: its name if it is known, otherwise its index.
        class: String,
        /// The number of its rows.
        members: usize,
    },
    /// Fewer than two folds, no repeats, or no rows.
    #[error(
        "cannot split {rows} rows into {folds} folds, repeated {repeats} times: at least two folds, one repeat and one row are needed"
    )]
    Folds {
        /// The given value.
        folds: usize,
        /// The given value.
        repeats: usize,
        /// The number of rows.
        rows: usize,
    },
    /// A fold of rows with several labels is empty.
    #[error("{rows} rows are too few for {folds} folds: a fold would be empty; use fewer folds")]
    EmptyFold {
        /// The given value.
        folds: usize,
        /// The number of rows.
        rows: usize,
    },
    /// The values of rows with several labels are not as many as rows times labels.
    #[error("{values} values are not {rows} rows of {labels} labels")]
    LabelRows {
        /// The number of values.
        values: usize,
        /// The number of rows.
        rows: usize,
        /// The number of labels.
        labels: usize,
    },
    /// A value is NaN or infinite.
    #[error("row {row}: value {value} is not finite")]
    NotFinite {
        /// The row, from 0.
        row: usize,
        /// The value.
        value: f64,
    },
    /// A class with fewer rows than there are folds.
    #[error(
        "class {class} has {members} row{}, fewer than the {folds} folds; {}",
        if *members == 1 { "" } else { "s" },
        if *members < 2 { "add rows of this class, or remove it".into() } else { format!("use at most {members} folds") }
    )]
    FoldClass {
        /// The smallest class: its name if it is known, otherwise its index.
        class: String,
        /// The number of its rows.
        members: usize,
        /// The given value.
        folds: usize,
    },
    /// A class with fewer groups than there are folds.
    #[error(
        "class {class} has {}, fewer than the {folds} folds, and {} in one fold; {}",
        groups_in_words(*groups, column.as_deref()),
        if column.is_some() { "a group stays" } else { "equal texts stay" },
        if *groups < 2 { "add rows of this class, or remove it".into() } else { format!("use at most {groups} folds") }
    )]
    FoldGroups {
        /// The class: its name if it is known, otherwise its index.
        class: String,
        /// The number of its groups.
        groups: usize,
        /// The given value.
        folds: usize,
        /// The column of the groups; absent for equal texts.
        column: Option<String>,
    },
    /// Equal texts and groups stay on one side, and each of them has too many rows for the test set.
    #[error(
        "test size {test_size} of {rows} rows is too small: equal texts and groups stay on one side, and the smallest of them has \
         {smallest} rows; ask for a larger test size"
    )]
    LargeGroups {
        /// The given value.
        test_size: String,
        /// The number of rows to split.
        rows: usize,
        /// The number of rows of the smallest group.
        smallest: usize,
    },
    /// All rows belong together, so that no split has two sides.
    #[error(
        "all {rows} rows belong together, by equal texts or by their group, and stay on one side of a split; it needs at least two \
         different texts or groups"
    )]
    OneGroup {
        /// The number of rows to split.
        rows: usize,
    },
    /// No row is older than the first test row of a split by time.
    #[error("no example is older than {time}, the time of the oldest test example, and the past is for training")]
    NoPast {
        /// The time.
        time: String,
    },
    /// A fold by time is empty, because rows of equal time stay together.
    #[error("fold {fold} of {folds} by time would be empty: too many examples have the time {time}; use fewer folds")]
    FoldOfOneTime {
        /// The fold, from 1.
        fold: usize,
        /// The given value.
        folds: usize,
        /// The time.
        time: String,
    },
    /// Folds by time are repeated.
    #[error("folds by time (`{column}`) are always the same; repeats of them have no effect")]
    RepeatedTime {
        /// The column of the times.
        column: String,
    },
    /// A set of a stratified split is smaller than the number of classes.
    #[error("the {side} set would have {rows} rows, fewer than the {classes} classes")]
    SideTooSmall {
        /// `training` or `test`.
        side: &'static str,
        /// The number of its rows.
        rows: usize,
        /// The number of classes that occur.
        classes: usize,
    },
}

/// Formats a number of groups: of equal texts, or of a column.
fn groups_in_words(groups: usize, column: Option<&str>) -> String {
    let plural = if groups == 1 { "" } else { "s" };
    match column {
        Some(column) => format!("{groups} group{plural} (`{column}`)"),
        None => format!("{groups} different text{plural}"),
    }
}

/// Formats the invalid rows after the first one.
fn others(unit: &str, listed: &[(u64, String)], more: u64) -> String {
    let mut text = format!("; and {more} more row{} cannot be used", if more == 1 { "" } else { "s" });
    listed.iter().for_each(|(line, reason)| text.push_str(&format!("\n  {unit} {line}: {reason}")));
    let unlisted = more - listed.len() as u64;
    if unlisted > 0 {
        text.push_str(&format!("\n  and {unlisted} more"));
    }
    text
}

/// What kind of failure a [`DataError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is invalid for this data.
    Argument,
    /// The input is missing, damaged or inconsistent.
    Input,
}

impl DataError {
    /// Returns the line and what is wrong with it, if the error is about one row, after which the next one can be read.
    fn row(&self) -> Option<(u64, String)> {
        match self {
            Self::Row { line, reason, .. } => Some((*line, reason.clone())),
            Self::UnknownLabel { line, label, .. } => {
                Some((*line, format!("label `{label}` is not one of the classes")))
            }
            _ => None,
        }
    }

    /// Collects rows, or the errors of all that cannot be used: the first of them, then at most nine more, then their number.
    ///
    /// # Errors
    /// Returns the first error that is not about a row, or the errors of rows.
    pub(crate) fn collect<T>(unit: &'static str, rows: impl Iterator<Item = Result<T, Self>>) -> Result<Vec<T>, Self> {
        const LISTED: usize = 9;
        let (mut good, mut first, mut listed, mut more) = (Vec::new(), None, Vec::new(), 0);
        for row in rows {
            match row {
                Ok(row) => good.push(row),
                Err(error) => match (error.row(), &first) {
                    (None, _) => return Err(error),
                    (Some(_), None) => first = Some(Box::new(error)),
                    (Some(row), Some(_)) => {
                        more += 1;
                        if listed.len() < LISTED {
                            listed.push(row);
                        }
                    }
                },
            }
        }
        match (first, more) {
            (None, _) => Ok(good),
            (Some(error), 0) => Err(*error),
            (Some(first), more) => Err(Self::Rows { first, unit, listed, more }),
        }
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TestSize { .. }
            | Self::LargeGroups { .. }
            | Self::Folds { .. }
            | Self::EmptyFold { .. }
            | Self::RepeatedTime { .. }
            | Self::NotAFormat { .. }
            | Self::OutputFormat { .. }
            | Self::UnknownTask { .. }
            | Self::UnknownEncoding { .. } => ErrorKind::Argument,
            _ => ErrorKind::Input,
        }
    }
}
