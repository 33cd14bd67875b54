//! Safetensors in and out of Burn modules.
//!
//! A [`Checkpoint`] is one safetensors file or several shards, memory-mapped. A [`Layout`], which a model crate provides as
//! data, maps the names in files to the names of parameters. [`Checkpoint::load`] fills a module and returns a
//! [`LoadReport`] of what did not match; [`save`] writes a module.
//!
//! [`ConfigFile`] has the fields of a `config.json` that all families share.
//!
//! The name of a parameter is its path through the module: a model whose fields carry transformers' names needs no map.
//! [`parameters`], [`trainable`], [`values`] and [`with_values`] address parameters by these names.
#![deny(missing_docs, missing_debug_implementations)]

mod bytes;
mod checkpoint;
mod config;
mod decode;
mod error;
mod int8;
mod layout;
mod linear_weights;
mod load;
mod params;
mod path;
mod problem;
mod quantization;
mod renamed;
mod save;

pub use checkpoint::Checkpoint;
pub use config::{ConfigFile, insert_labels, label_names, labels};
pub use error::CheckpointError;
pub use int8::{Int8Tensor, LinearWeight};
pub use layout::{Layout, NameMap};
pub use load::{ClassMatch, LoadReport, Mismatch, ParamSpec, reinitialize};
pub use params::{Parameter, copied, linear_weights, parameters, trainable, values, with_values};
pub use problem::{Abstention, Calibration, Problem, ProblemType};
pub use quantization::{QUANTIZATION, quantization_config};
pub use save::{Int8Weights, Precision, save, save_rows, save_values, save_with, save_with_int8, serialize};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
