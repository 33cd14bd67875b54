//! Labelled text: files in, sentences with classes out, and scikit-learn's splits row by row.
//!
//! [`Dataset::read`] reads CSV, TSV and JSONL into [`Example`]s whose labels are indices into sorted [`Classes`].
//! [`train_test_split`] draws the rows that scikit-learn draws for a `random_state`; [`Dataset::train_test_split`] hands
//! out the sentences themselves.
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
#![deny(missing_docs)]

mod classes;
mod dataset;
mod error;
mod mt19937;
mod read;
mod split;
mod twelve;

pub use classes::Classes;
pub use dataset::{Dataset, Example};
pub use error::DataError;
pub use mt19937::Mt19937;
pub use read::{Format, ReadOptions};
pub use split::{Split, TestSize, train_test_split};
pub use twelve::twelve_sentences;
