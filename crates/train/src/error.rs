//! The errors of this crate.

use std::path::{Path, PathBuf};

use rekindle_checkpoint::CheckpointError;
use rekindle_nn::NnError;
use rekindle_tokenizer::TokenizerError;
use thiserror::Error;

/// What can stop a run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// An argument that cannot train.
    #[error("{argument}: {reason}")]
    Argument {
        /// The argument, as transformers names it.
        argument: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// There is nothing to train or evaluate on.
    #[error("no sentences to {purpose}")]
    Empty {
        /// `train on` or `evaluate`.
        purpose: &'static str,
    },
    /// Sentences and labels differ in number.
    #[error("{sentences} sentences but {labels} labels")]
    Length {
        /// Tokenized sentences.
        sentences: usize,
        /// Labels.
        labels: usize,
    },
    /// A label is not a class of the model.
    #[error("sentence {sentence} has class {label}, the model has {classes} classes")]
    Label {
        /// The sentence.
        sentence: usize,
        /// Its class.
        label: usize,
        /// The classes of the model.
        classes: usize,
    },
    /// The loss or the gradient left the numbers.
    #[error("step {step} (epoch {epoch}): {what} is {value} on rows {}; {}; try a lower learning rate", list(.rows), last_good(.checkpoint.as_deref()))]
    NotFinite {
        /// The step, from 1.
        step: usize,
        /// The epoch, from 1.
        epoch: usize,
        /// `loss` or `gradient norm`.
        what: &'static str,
        /// NaN or an infinity.
        value: f64,
        /// The sentences of the step, from 0: of the whole data that the training sentences were selected from.
        rows: Vec<usize>,
        /// The last checkpoint, written before that step.
        checkpoint: Option<PathBuf>,
    },
    /// What a model makes of a sentence left the numbers.
    #[error("sentence {sentence} (from 0): what the model makes of it is not finite; its weights are too large")]
    Logits {
        /// The sentence.
        sentence: usize,
    },
    /// Logits that are not those of the sentences.
    #[error("{logits} logits, where {sentences} sentences of {classes} classes have one each")]
    Shape {
        /// How many there are.
        logits: usize,
        /// The sentences.
        sentences: usize,
        /// The classes.
        classes: usize,
    },
    /// The training was asked to stop, and has written a checkpoint.
    #[error("stopped after step {step}")]
    Interrupted {
        /// Steps done.
        step: usize,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A line of text cannot be read.
    #[error("{path}, line {line}: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The reason.
        source: std::io::Error,
    },
    /// There is no text to learn from.
    #[error("{files}: no text to learn from (no line with a known word, or all held out)")]
    NoText {
        /// The files.
        files: String,
    },
    /// A tokenizer that cannot hide words.
    #[error("the tokenizer has no [MASK]")]
    NoMask,
    /// A checkpoint that cannot be written; those before it are as they were.
    #[error("checkpoint {0}")]
    Save(#[source] Box<CheckpointError>),
    /// A checkpoint that cannot be taken up.
    #[error("{path}: {reason}")]
    Resume {
        /// The folder of the checkpoint.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The tokenizer refused.
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
    /// The device failed: no memory left, a buffer beyond its limits, or gone. The root of the causes.
    #[error("the device failed: {0}; if memory ran out, a smaller batch or max length takes less of it")]
    Device(String),
}

/// Rows as a person reads them, the first of many.
fn list(rows: &[usize]) -> String {
    const SHOWN: usize = 32;
    let shown: Vec<String> = rows.iter().take(SHOWN).map(usize::to_string).collect();
    let more = rows.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more} (from 0)", shown.join(", "))
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
    /// A [`Stop`](crate::Stop) ended the work.
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
            Self::Interrupted { .. } => ErrorKind::Interrupted,
            Self::Save(_) => ErrorKind::Output,
            Self::Tokenizer(error) => error.kind().into(),
            Self::Checkpoint(error) => error.kind().into(),
            Self::Model(error) => error.kind().into(),
            Self::Metrics(_) => ErrorKind::Other,
            _ => ErrorKind::Input,
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
