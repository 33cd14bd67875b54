//! The errors of this crate.

use std::path::PathBuf;

use thiserror::Error;

/// What can go wrong between a file and labelled sentences.
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
    /// The file's name ends in nothing that says how to read it.
    #[error(
        "{path}: its name does not say what it is; files end in .csv, .tsv, .jsonl (each also with .gz behind it) or \
         .parquet"
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no row.
    #[error("{path}: no sentences")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A column is not there.
    #[error("{path}: no {role} column `{column}`; the columns are {available}")]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// `text` or `label`.
        role: &'static str,
        /// The name looked for.
        column: String,
        /// The names that are there.
        available: String,
    },
    /// A column holds something else than it must.
    #[error("{path}: the {role} column `{column}` holds {found}; it must hold {wanted}")]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// `text` or `label`.
        role: &'static str,
        /// The column's name.
        column: String,
        /// What it holds.
        found: String,
        /// What can be read there.
        wanted: &'static str,
    },
    /// A Parquet file that cannot be opened.
    #[error("{path}: not a Parquet file, or a damaged one: {reason}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A Parquet file, and a program without a reader for it.
    #[error(
        "{path}: this build cannot read Parquet; build with `--features parquet`, or name a CSV, TSV or JSONL file"
    )]
    NoParquet {
        /// The file.
        path: PathBuf,
    },
    /// Each row holds two texts.
    #[error(
        "{path}: `{first}` and `{second}` are a pair of texts, and pairs cannot be classified here; name one of them as \
         the text column"
    )]
    TextPair {
        /// The file.
        path: PathBuf,
        /// The first text's column.
        first: String,
        /// The second text's column.
        second: String,
    },
    /// A row is broken.
    #[error("{path}, {unit} {line}: {reason}")]
    Row {
        /// The file.
        path: PathBuf,
        /// What is counted: `line`, or `row` where a file has no lines.
        unit: &'static str,
        /// From 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A label is not a class of the training data.
    #[error("{path}, {unit} {line}: label `{label}` is not a class of the training data; these are {classes}")]
    UnknownLabel {
        /// The file.
        path: PathBuf,
        /// What is counted: `line`, or `row` where a file has no lines.
        unit: &'static str,
        /// From 1.
        line: u64,
        /// The label.
        label: String,
        /// The classes.
        classes: String,
    },
    /// Nothing can be learnt from one class.
    #[error("{path}: every label is `{class}`; a classifier needs at least two classes")]
    OneClass {
        /// The file.
        path: PathBuf,
        /// The only class.
        class: String,
    },
    /// A text that is no test size.
    #[error("`{text}` is neither a share between 0 and 1 nor a number of rows")]
    NotATestSize {
        /// As given.
        text: String,
    },
    /// A test size that leaves a side empty.
    #[error("test size {test_size} leaves nothing to train on or to test on: there are {rows} rows")]
    TestSize {
        /// As given.
        test_size: String,
        /// The rows to split.
        rows: usize,
    },
    /// A class cannot stand on both sides of a stratified split.
    #[error("class {class} has {members} row; a stratified split needs at least 2 of each class")]
    SmallClass {
        /// The class: its name where it is known, its index otherwise.
        class: String,
        /// Its rows.
        members: usize,
    },
    /// Fewer than two folds, no repeat, or no row.
    #[error("{folds} folds, {repeats} times, over {rows} rows: there must be at least two folds, one time and one row")]
    Folds {
        /// As given.
        folds: usize,
        /// As given.
        repeats: usize,
        /// The rows to share out.
        rows: usize,
    },
    /// A class that cannot stand in every fold.
    #[error(
        "class {class} has {members} row{}, fewer than the {folds} folds; {}",
        if *members == 1 { "" } else { "s" },
        if *members < 2 { "give it more rows, or leave it out".into() } else { format!("{members} folds would go") }
    )]
    FoldClass {
        /// The smallest class: its name where it is known, its index otherwise.
        class: String,
        /// Its rows.
        members: usize,
        /// As given.
        folds: usize,
    },
    /// A side of a stratified split is smaller than the number of classes.
    #[error("the {side} side of the split would have {rows} rows, fewer than the {classes} classes")]
    SideTooSmall {
        /// `training` or `test`.
        side: &'static str,
        /// Its rows.
        rows: usize,
        /// The classes that occur.
        classes: usize,
    },
}
