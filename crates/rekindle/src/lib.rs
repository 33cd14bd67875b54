//! Transfer learning for text classification, from a DistilBERT checkpoint to a compared, packed result.
//!
//! This crate is the facade of the Rekindle crates. [`data`] and [`tokenizer`] turn files into token ids,
//! [`encoders`] has the models, [`distilbert`] the first of them, [`infer`] predicts with it, [`train`] trains it, [`metrics`] scores it, and [`experiment`] compares
//! approaches.
//! [`results`] are the numbers of an experiment, and [`report`] renders them; [`remote`] distributes work over the devices of
//! other machines.
//! [`nn`] has the layers of models, [`checkpoint`] reads and writes their files, and [`files`] writes files atomically.
//! [`onnx`] exports trained models. [`hub`] downloads checkpoints, and [`embedded`] is a small checkpoint that is part of this
//! crate. [`burn`] is the version of Burn that all of them use: take `Device` and `Tensor` from there.
//!
//! Programs that train should set [`allocator::Allocator`] as their global allocator; it makes training faster.
//!
//! The command `rekindle` is in the package `rekindle-cli`.
#![deny(missing_docs, missing_debug_implementations)]

pub mod embedded;

pub use burn;
pub use rekindle_baseline as baseline;
pub use rekindle_checkpoint as checkpoint;
pub use rekindle_data as data;
pub use rekindle_distilbert as distilbert;
pub use rekindle_encoders as encoders;
pub use rekindle_experiment as experiment;
pub use rekindle_files as files;
pub use rekindle_hub as hub;
pub use rekindle_infer as infer;
pub use rekindle_metrics as metrics;
pub use rekindle_nn as nn;
pub use rekindle_onnx as onnx;
pub use rekindle_raw::allocator;
pub use rekindle_remote as remote;
pub use rekindle_report as report;
pub use rekindle_results as results;
pub use rekindle_tokenizer as tokenizer;
pub use rekindle_train as train;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
