//! What programs that write for hours need from the file system.
//!
//! - [`write_atomic`] writes a file whole or not at all.
//! - [`Lock`] reserves a folder for one process.
//! - [`check_symlinks`] rejects a folder with symbolic links that lead out of it.
//! - [`RunStore`] keeps the finished runs of a long computation, so that it can be resumed.
//! - [`Differences`] say how the settings of a resumed computation differ from those of the interrupted one.
#![deny(missing_docs, missing_debug_implementations)]

mod atomic;
mod differences;
mod error;
mod lfs;
mod lock;
mod run_store;
mod symlinks;

pub use atomic::write_atomic;
pub use differences::{Difference, Differences};
pub use error::{ErrorKind, FileError};
pub use lfs::check_lfs_pointer;
pub use lock::Lock;
pub use run_store::{RunStore, check_compatible};
pub use symlinks::check_symlinks;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
