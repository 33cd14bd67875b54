//! Labelled texts for classification: readers for several formats, and scikit-learn's splits.
//!
//! [`Rows`] reads CSV, TSV, JSON and Parquet row by row. [`Dataset::read`] converts rows to [`Example`]s, whose labels
//! are indices into sorted [`Classes`]. A [`Profile`] summarises a file of any size before training.
//! [`train_test_split`] and [`repeated_stratified_k_fold`] select the rows that scikit-learn selects for the same
//! `random_state`, [`group_train_test_split`] and [`stratified_group_k_fold`] without separating groups or equal texts,
//! [`multilabel_train_test_split`] and [`repeated_multilabel_stratified_k_fold`] rows with several labels; values are
//! stratified by their [`quantile_classes`].
//! [`time_train_test_split`] and [`time_series_split`] train on the past and test on the future.
//! [`Dataset::train_test_split`] returns the examples themselves, [`Dataset::folds`] their rows.
//!
//! ```
//! use rekindle_data::{TestSize, twelve_sentences};
//!
//! # fn main() -> Result<(), rekindle_data::DataError> {
//! let (train, test) = twelve_sentences().train_test_split(TestSize::Fraction(0.25), 42, true)?;
//! assert_eq!((train.len(), test.len()), (9, 3));
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs, missing_debug_implementations)]

mod classes;
mod dataset;
mod equal_texts;
mod error;
mod folds;
mod group_folds;
mod group_split;
mod groups;
mod label;
mod label_issues;
mod lengths;
mod mt19937;
mod multilabel_split;
mod near_duplicates;
mod profile;
mod quantile_classes;
mod read;
mod split;
mod stratify;
mod summary;
mod target;
mod time;
mod time_split;
mod toy;
mod write;

pub use classes::Classes;
pub use dataset::{Dataset, Example};
pub use equal_texts::{pair_groups, text_groups};
pub use error::{DataError, ErrorKind};
pub use folds::repeated_stratified_k_fold;
pub use group_folds::stratified_group_k_fold;
pub use group_split::group_train_test_split;
pub use groups::group_numbers;
pub use label::canonical_label;
pub use lengths::Lengths;
pub use mt19937::Mt19937;
pub use multilabel_split::{multilabel_train_test_split, repeated_multilabel_stratified_k_fold};
pub use near_duplicates::{NearDuplicates, near_duplicates};
pub use profile::{Conflict, Leaks, Profile, Sample};
pub use quantile_classes::quantile_classes;
pub use read::{
    Cell, Columns, Encoding, Format, ReadOptions, Row, Rows, Table, TableRow, looks_like_table, open_text, text_lines,
};
pub use split::{Split, TestSize, train_test_split};
pub use stratify::{fold_targets, split_targets};
pub use summary::{ColumnKind, TableColumn, TableSummary};
pub use target::{Target, Targets, Task};
pub use time::Time;
pub use time_split::{time_series_split, time_train_test_split};
pub use toy::twelve_sentences;
pub use write::{OutputFormat, TableWriter};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
