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
    #[error("{path}: its name does not say what it is; files end in .csv, .tsv or .jsonl")]
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
    #[error("{path}, line {line}: {reason}")]
    Row {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A label is not a class of the training data.
    #[error("{path}, line {line}: label `{label}` is not a class of the training data; these are {classes}")]
    UnknownLabel {
        /// The file.
        path: PathBuf,
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
    /// A test size that is no size.
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
