//! The calls of Rekindle that the compiler cannot check, behind functions that cannot be called wrongly.
//!
//! All other packages of the workspace forbid unsafe code. What is here is little enough to be read, and to be run under
//! sanitizers: `cargo xtask sanitize`.
#![deny(missing_docs, missing_debug_implementations)]

#[cfg(feature = "allocator")]
pub mod allocator;
#[cfg(feature = "connections")]
pub mod connections;
mod map;
#[cfg(feature = "product")]
pub mod product;
#[cfg(feature = "timers")]
pub mod timers;

pub use map::Map;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
