//! The errors of this crate.

use std::error::Error;
use std::path::PathBuf;

use rekindle_files::FileError;

/// Why results cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The path cannot be an output folder.
    #[error("output {path}: {reason}")]
    Output {
        /// The output folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Writing the models failed.
    #[error(transparent)]
    Models(Box<dyn Error + Send + Sync>),
    /// Writing a file failed.
    #[error(transparent)]
    File(#[from] FileError),
}
