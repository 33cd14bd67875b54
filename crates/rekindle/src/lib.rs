//! Transfer learning for text classification, from a DistilBERT checkpoint to a compared, packed result.
//!
//! This package is the command `rekindle` and, as a library, the facade of the crates beneath it:
//! [`data`] and [`tokenizer`] turn files into token ids, [`distilbert`] is the model, [`train`] trains it, [`metrics`]
//! scores it, and [`experiment`] compares approaches and writes what came of it. [`hub`] finds checkpoints, and
//! [`embedded`] is the one that is always there. A program that trains does well to take its [`allocator`].
#![deny(missing_docs, missing_debug_implementations)]

pub mod embedded;
pub mod hub;

pub use rekindle_baseline as baseline;
pub use rekindle_data as data;
pub use rekindle_distilbert as distilbert;
pub use rekindle_experiment as experiment;
pub use rekindle_metrics as metrics;
pub use rekindle_raw::allocator;
pub use rekindle_tokenizer as tokenizer;
pub use rekindle_train as train;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
