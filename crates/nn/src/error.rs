//! The errors of this crate.

use thiserror::Error;

/// Why a batch or an adapter does not fit a model.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NnError {
    /// A batch of token ids does not fit the model.
    #[error("sequence {sequence} of the batch: {reason}")]
    Input {
        /// The sequence within the batch.
        sequence: usize,
        /// What does not fit.
        reason: String,
    },
    /// The options of adapters are invalid.
    #[error("lora: `{field}`: {reason}")]
    Lora {
        /// The field, as peft names it.
        field: &'static str,
        /// What is wrong and what is possible.
        reason: String,
    },
    /// A layer cannot compute in int8.
    #[error("int8: {reason}")]
    Int8 {
        /// Why not, and what is possible.
        reason: String,
    },
}

/// What kind of failure an [`NnError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is invalid.
    Argument,
    /// The input is inconsistent.
    Input,
}

impl NnError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Lora { .. } | Self::Int8 { .. } => ErrorKind::Argument,
            Self::Input { .. } => ErrorKind::Input,
        }
    }
}
