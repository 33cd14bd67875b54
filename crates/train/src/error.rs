//! The errors of this crate.

use std::path::{Path, PathBuf};

use rekindle_checkpoint::CheckpointError;
use rekindle_files::Differences;
use rekindle_infer::ForwardError;
use rekindle_nn::NnError;
use rekindle_tokenizer::TokenizerError;
use thiserror::Error;

/// Why a training or an evaluation fails.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// An argument has a value that is not possible.
    #[error("{argument}: {reason}")]
    Argument {
        /// The argument, as transformers names it.
        argument: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// There are no examples.
    #[error("no examples to {purpose}")]
    Empty {
        /// `train on` or `evaluate`.
        purpose: &'static str,
    },
    /// There is nothing to contrast.
    #[error(
        "contrastive training needs two examples of one class, or that share a label, and one other example; or four numbers that are \
         not all equal"
    )]
    NoPairs,
    /// The numbers of sequences and labels differ.
    #[error("{sentences} sequences but {labels} labels")]
    Length {
        /// Tokenized sequences.
        sentences: usize,
        /// Labels.
        labels: usize,
    },
    /// A label is not a class of the model.
    #[error("example {sentence} (counted from 0): class {label} does not exist; the model has {classes} classes")]
    Label {
        /// The example, counted from 0.
        sentence: usize,
        /// Its class.
        label: usize,
        /// The number of classes of the model.
        classes: usize,
    },
    /// Training diverged: the loss or the gradient norm became NaN or infinite.
    #[error(
        "step {step} (epoch {epoch}): {what} is {value} on rows {}; {}; try a lower learning rate",
        list(.rows),
        last_good(.checkpoint.as_deref())
    )]
    NotFinite {
        /// The step, counted from 1.
        step: usize,
        /// The epoch, counted from 1.
        epoch: usize,
        /// `loss` or `gradient norm`.
        what: &'static str,
        /// NaN or an infinity.
        value: f64,
        /// The examples of the step, as rows of the whole data set, counted from 0.
        rows: Vec<usize>,
        /// The last checkpoint, written before that step.
        checkpoint: Option<PathBuf>,
    },
    /// An output of the model is NaN or infinite.
    #[error("example {sentence} (counted from 0): the logits are not finite; the weights of the model are too large")]
    Logits {
        /// The example, counted from 0.
        sentence: usize,
    },
    /// The number of logits does not match the examples.
    #[error("{logits} logits for {sentences} examples of {classes} classes")]
    Shape {
        /// The number of logits.
        logits: usize,
        /// The number of examples.
        sentences: usize,
        /// The number of classes.
        classes: usize,
    },
    /// The training was asked to stop. If it has checkpoints, it wrote one.
    #[error("stopped after step {step}")]
    Interrupted {
        /// Steps done.
        step: usize,
    },
    /// The observer cancelled the work. No checkpoint was written.
    #[error("cancelled")]
    Cancelled,
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason of the operating system.
        source: std::io::Error,
    },
    /// A file of text cannot be read.
    #[error(transparent)]
    Text(Box<rekindle_data::DataError>),
    /// There is no text to train on.
    #[error("{files}: no text to train on (no line has a known word, or all sequences are held out)")]
    NoText {
        /// The files.
        files: String,
    },
    /// The tokenizer cannot mask words.
    #[error("the tokenizer has no mask token")]
    NoMask,
    /// A training checkpoint cannot be written; earlier checkpoints are unchanged.
    #[error("checkpoint {0}")]
    Save(#[source] Box<CheckpointError>),
    /// A training cannot resume from a checkpoint.
    #[error("{path}: {reason}")]
    Resume {
        /// The checkpoint.
        path: PathBuf,
        /// What does not match.
        reason: String,
    },
    /// A checkpoint was written with other settings.
    #[error("{path}: was written with other settings: {different}")]
    Settings {
        /// The checkpoint.
        path: PathBuf,
        /// Each setting that differs, as the arguments name it.
        different: Differences,
    },
    /// The tokenizer failed.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A batch or the adapters do not fit the model.
    #[error(transparent)]
    Model(#[from] NnError),
    /// A score could not be computed.
    #[error(transparent)]
    Metrics(#[from] rekindle_metrics::MetricsError),
    /// The device failed: out of memory, a buffer beyond its limits, or disconnected. Holds the root cause.
    #[error("the device failed: {0}; if memory ran out, use a smaller batch or maximum length")]
    Device(String),
}

impl TrainError {
    /// The error of an argument.
    pub(crate) fn argument(argument: &'static str, reason: impl Into<String>) -> Self {
        Self::Argument { argument, reason: reason.into() }
    }
}

/// Lists the first rows of many.
fn list(rows: &[usize]) -> String {
    const SHOWN: usize = 32;
    let shown: Vec<String> = rows.iter().take(SHOWN).map(usize::to_string).collect();
    let more = rows.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more} (counted from 0)", shown.join(", "))
}

fn last_good(checkpoint: Option<&Path>) -> String {
    match checkpoint {
        Some(path) => format!("the last good checkpoint is {}", path.display()),
        None => "there is no checkpoint before it".into(),
    }
}

/// What kind of failure an error of training is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is invalid.
    Argument,
    /// The input is missing, damaged or inconsistent.
    Input,
    /// Something cannot be written.
    Output,
    /// Training diverged (NaN or infinity), or a device failed.
    Computation,
    /// A [`Stop`](crate::Stop) or an observer ended the work.
    Interrupted,
    /// Anything else.
    Other,
}

impl TrainError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument { .. } => ErrorKind::Argument,
            Self::NotFinite { .. } | Self::Logits { .. } | Self::Device(_) => ErrorKind::Computation,
            Self::Interrupted { .. } | Self::Cancelled => ErrorKind::Interrupted,
            Self::Save(_) => ErrorKind::Output,
            Self::Tokenizer(error) => error.kind().into(),
            Self::Checkpoint(error) => error.kind().into(),
            Self::Model(error) => error.kind().into(),
            Self::Metrics(_) => ErrorKind::Other,
            _ => ErrorKind::Input,
        }
    }
}

impl From<rekindle_data::DataError> for TrainError {
    fn from(error: rekindle_data::DataError) -> Self {
        Self::Text(Box::new(error))
    }
}

impl From<ForwardError> for TrainError {
    fn from(error: ForwardError) -> Self {
        match error {
            ForwardError::Model(error) => Self::Model(error),
            ForwardError::NotFinite { text } => Self::Logits { sentence: text },
            ForwardError::Device(reason) => Self::Device(reason),
            ForwardError::Cancelled => Self::Cancelled,
        }
    }
}

impl From<rekindle_infer::ErrorKind> for ErrorKind {
    fn from(kind: rekindle_infer::ErrorKind) -> Self {
        match kind {
            rekindle_infer::ErrorKind::Argument => Self::Argument,
            rekindle_infer::ErrorKind::Input => Self::Input,
            rekindle_infer::ErrorKind::Output => Self::Output,
            rekindle_infer::ErrorKind::Computation => Self::Computation,
            rekindle_infer::ErrorKind::Interrupted => Self::Interrupted,
            _ => Self::Other,
        }
    }
}

impl From<rekindle_tokenizer::ErrorKind> for ErrorKind {
    fn from(kind: rekindle_tokenizer::ErrorKind) -> Self {
        match kind {
            rekindle_tokenizer::ErrorKind::Argument => Self::Argument,
            _ => Self::Input,
        }
    }
}

impl From<rekindle_data::ErrorKind> for ErrorKind {
    fn from(kind: rekindle_data::ErrorKind) -> Self {
        match kind {
            rekindle_data::ErrorKind::Argument => Self::Argument,
            _ => Self::Input,
        }
    }
}

impl From<rekindle_files::ErrorKind> for ErrorKind {
    fn from(kind: rekindle_files::ErrorKind) -> Self {
        match kind {
            rekindle_files::ErrorKind::Output => Self::Output,
            _ => Self::Input,
        }
    }
}

impl From<rekindle_nn::ErrorKind> for ErrorKind {
    fn from(kind: rekindle_nn::ErrorKind) -> Self {
        match kind {
            rekindle_nn::ErrorKind::Argument => Self::Argument,
            _ => Self::Input,
        }
    }
}
