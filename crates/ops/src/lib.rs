//! Operations of one's own on Burn's CPU tensors, beneath Burn's by its extension point: whatever takes one pass over the data
//! where Burn's operations take many.
//!
//! A [`Differentiable`] operation has a derivative and becomes a node of the autodiff graph by [`run`]; an [`Operation`] has
//! none, and is done by [`apply`]. Both work on [`Held`] tensors: those in host memory, and, with the feature `remote`, those
//! of hosts that offer the same operations, where they compute the same numbers to the bit. Any other device keeps Burn's.
#![deny(missing_docs, missing_debug_implementations)]

mod differentiable;
mod held;
pub mod memory;
mod numbers;
mod operation;
#[cfg(feature = "remote")]
mod pace;
mod place;
#[cfg(feature = "remote")]
pub mod remote;

pub use burn_flex::FlexTensor;
pub use differentiable::{Differentiable, Saved, run};
pub use held::{Held, are_held, are_here, is_held};
pub use numbers::Numbers;
pub use operation::{Operation, apply};
#[cfg(feature = "remote")]
pub use pace::pace;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
