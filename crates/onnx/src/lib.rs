//! Text classifiers as ONNX files, which ONNX Runtime and other programs run without Rekindle.
//!
//! An [`Export`] converts a classifier to an [`OnnxModel`], which is saved to a file. The graph is built from the layers of the
//! model and not traced: `layers`, `attention` and `inputs` have what all families share, and `families` a file for each family
//! that differs. `proto` has the messages of ONNX.
#![deny(missing_docs, missing_debug_implementations)]

mod attention;
mod error;
mod export;
mod families;
mod graph;
mod inputs;
mod layers;
mod proto;
mod write;

pub use error::OnnxError;
pub use export::{Export, OPSET, OnnxModel};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
