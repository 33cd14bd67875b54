//! The errors of computing the outputs of a model.

use rekindle_nn::NnError;
use thiserror::Error;

/// Why the outputs of a model for tokenized texts cannot be computed. Exhaustive, because callers handle every case.
#[derive(Debug, Error)]
pub enum ForwardError {
    /// A text does not fit the model.
    #[error(transparent)]
    Model(#[from] NnError),
    /// An output of the model is NaN or infinite.
    #[error(
        "text {text} (counted from 0): the output of the model is not finite; the weights of the model are too large"
    )]
    NotFinite {
        /// The text, counted from 0.
        text: usize,
    },
    /// The device failed: out of memory, a buffer beyond its limits, or disconnected. Holds the root cause.
    #[error("the device failed: {0}; if memory ran out, use a smaller batch or maximum length")]
    Device(String),
    /// The caller's progress function cancelled.
    #[error("cancelled")]
    Cancelled,
}
