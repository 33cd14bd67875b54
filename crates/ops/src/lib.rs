//! Custom operations on Burn's CPU tensors, through Burn's extension point: for computations that need one pass over the data
//! where Burn's operations need several.
//!
//! A [`Differentiable`] operation has a derivative and becomes a node of the autodiff graph; [`run`] computes it. An
//! [`Operation`] has no derivative; [`apply`] computes it. Both work on [`CustomTensor`]s: tensors of Burn's backend `flex`
//! and, with the feature `remote`, tensors of hosts that offer the same operations, with bit-identical results. Callers use
//! Burn's operations for all other tensors.
#![deny(missing_docs, missing_debug_implementations)]

mod backend;
mod differentiable;
pub mod memory;
mod operation;
mod params;
#[cfg(feature = "remote")]
pub mod remote;
mod run;
mod tensor;
#[cfg(feature = "remote")]
mod throttle;

pub use burn_flex::FlexTensor;
pub use differentiable::{Differentiable, Saved};
pub use operation::Operation;
pub use params::OpParams;
pub use run::{apply, map_local, run};
pub use tensor::{CustomTensor, accepts, is_local, supports};
#[cfg(feature = "remote")]
pub use throttle::throttle;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
