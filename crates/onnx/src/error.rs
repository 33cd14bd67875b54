//! The errors of this crate.

use rekindle_files::{ErrorKind, FileError};
use thiserror::Error;

/// Why a model cannot be exported.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The weights cannot be read from their device.
    #[error("tensor {tensor}: {reason}")]
    Device {
        /// The tensor.
        tensor: String,
        /// What the device said.
        reason: String,
    },
    /// The file would be larger than a message of Protocol Buffers may be.
    #[error(
        "the model has {bytes} bytes, and an ONNX file without external data at most {most}; int8 weights need a quarter of \
         the space"
    )]
    TooLarge {
        /// The size of the file.
        bytes: usize,
        /// The largest size.
        most: usize,
    },
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl OnnxError {
    /// Returns what kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => error.kind(),
            Self::TooLarge { .. } => ErrorKind::Output,
            Self::Device { .. } => ErrorKind::Input,
        }
    }
}
