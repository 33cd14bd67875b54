//! The errors of this crate.

use std::path::PathBuf;

use thiserror::Error;

/// Why results cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// Nothing has this name, or the folder has no `results.json`.
    #[error("{path}: file not found; give the output folder of an experiment, or its results.json")]
    NotFound {
        /// The file that was expected.
        path: PathBuf,
    },
    /// The file is something else, for example a table.
    #[error("{path}: not the results of an experiment; give the output folder of an experiment, or its results.json")]
    NotResults {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The file is not JSON, or ends too early.
    #[error("{path}: damaged file: {source}; run the experiment again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and why parsing failed.
        source: serde_json::Error,
    },
    /// The file is JSON, but not results of a known schema version.
    #[error("{path}: not readable by this version of Rekindle: {source}; run the experiment again with this version")]
    Schema {
        /// The file.
        path: PathBuf,
        /// The field or the schema version that does not fit, and its line.
        source: serde_json::Error,
    },
}
