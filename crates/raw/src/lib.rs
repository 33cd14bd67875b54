//! All unsafe code of Rekindle, behind safe functions.
//!
//! All other packages of the workspace forbid unsafe code. This crate is small enough to review, and its tests run
//! under Miri and AddressSanitizer: `cargo xtask sanitize`.
#![deny(missing_docs, missing_debug_implementations)]

#[cfg(feature = "allocator")]
pub mod allocator;
#[cfg(feature = "connections")]
pub mod connections;
#[cfg(feature = "product")]
pub mod int8;
mod map;
#[cfg(feature = "product")]
pub mod product;
#[cfg(all(unix, feature = "signals"))]
pub mod signals;
#[cfg(feature = "timers")]
pub mod timers;

pub use map::Map;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
