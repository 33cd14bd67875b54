//! The errors of this crate.

use std::path::PathBuf;

use rekindle_checkpoint::{CheckpointError, LoadReport};
use rekindle_files::FileError;
use rekindle_nn::NnError;
use rekindle_tokenizer::TokenizerError;
use thiserror::Error;

use crate::forward_error::ForwardError;
use crate::long_texts::LongTexts;

/// Why a model cannot be opened or run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InferError {
    /// The folder of a model cannot be read.
    #[error("{path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The folder is something else than a model.
    #[error("{folder}: {reason}")]
    NotAModel {
        /// The folder.
        folder: PathBuf,
        /// What it is, and where the models are.
        reason: String,
    },
    /// A file of an adapter is missing, damaged or not supported.
    #[error("{path}: {reason}")]
    Adapter {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The base model of an adapter is not a folder.
    #[error("{folder}: an adapter, whose base model `{base}` is not the folder of a model")]
    AdapterBase {
        /// The folder of the adapter.
        folder: PathBuf,
        /// The name of the base model.
        base: String,
    },
    /// The tokenizer has more entries than the model's embedding table.
    #[error("the tokenizer has {tokenizer} entries, the model's word table {model}: they do not belong together")]
    Vocabulary {
        /// Entries of the tokenizer.
        tokenizer: usize,
        /// `vocab_size`.
        model: usize,
    },
    /// Text pairs are not to be truncated.
    #[error("`--long-texts {long_texts}`: not possible with text pairs, which are truncated; remove it")]
    LongPairs {
        /// What was to be done with long texts.
        long_texts: LongTexts,
    },
    /// The setting of a model for long texts is not valid.
    #[error("{path}: `long_texts`: {reason}")]
    LongTexts {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The checkpoint has no classification head.
    #[error(
        "{model}: no classification head of its family ({}); train one with `rekindle experiment --save-models`",
        without(.tensor, .other)
    )]
    NoHead {
        /// The model.
        model: String,
        /// The first tensor that does not match.
        tensor: String,
        /// A tensor of another architecture's head, if the checkpoint has one.
        other: Option<String>,
    },
    /// A file of a model folder of sentence-transformers or SetFit is damaged or not supported.
    #[error("{path}: {reason}")]
    SentenceFolder {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The weights are in int8, and the work needs them in f32.
    #[error("{model}: its weights are in int8, and {work} needs them in f32; use the model that was exported to int8")]
    Int8 {
        /// The model.
        model: String,
        /// What needs f32.
        work: String,
    },
    /// `config.json` and the weights contradict each other about int8.
    #[error("{model}: {reason}")]
    Quantization {
        /// The model.
        model: String,
        /// What they say.
        reason: String,
    },
    /// The head of a SetFit folder is pickled.
    #[error(
        "{path}: a pickled head is not read, because a pickle file can run any program; save the head as \
         model_head.safetensors (docs/few-labels.md), or train one with `rekindle experiment --save-models`"
    )]
    PickledHead {
        /// The file.
        path: PathBuf,
    },
    /// The checkpoint has no head for masked language modelling.
    #[error(
        "{model}: no masked-language head of its family ({}); train one with `rekindle pretrain`",
        without(.tensor, .other)
    )]
    NoMaskedLm {
        /// The model.
        model: String,
        /// The first tensor that does not match.
        tensor: String,
        /// A tensor of another architecture's head, if the checkpoint has one.
        other: Option<String>,
    },
    /// Texts may be longer than the model's position table.
    #[error("max length {max_length} is more than the {positions} positions of the model")]
    MaxLength {
        /// Maximum number of tokens per text.
        max_length: usize,
        /// `max_position_embeddings`.
        positions: usize,
    },
    /// A way to decide on labels that the model does not allow.
    #[error("{option}: {reason}")]
    Decision {
        /// The field of the decision.
        option: &'static str,
        /// Why not.
        reason: String,
    },
    /// A text whose masked tokens cannot be filled.
    #[error("`{text}`: {reason}")]
    Text {
        /// The text.
        text: String,
        /// Why not.
        reason: String,
    },
    /// The outputs of the model cannot be computed.
    #[error("prediction: {0}")]
    Forward(#[from] ForwardError),
    /// A file or folder.
    #[error(transparent)]
    File(#[from] FileError),
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A batch that does not fit the model.
    #[error(transparent)]
    Model(#[from] NnError),
}

impl InferError {
    /// Returns the first tensor of a head that a load report misses, and a tensor of another architecture's head.
    /// `others` begin the names of such a head.
    pub(crate) fn missing_head(report: &LoadReport, others: &[&str]) -> Option<(String, Option<String>)> {
        let missing = report.missing.first().or(report.mismatched.first().map(|tensor| &tensor.name))?;
        let is_head = |name: &&String| others.iter().any(|head| name.starts_with(head));
        Some((missing.clone(), report.unexpected.iter().find(is_head).cloned()))
    }
}

/// Why there is no head.
fn without(tensor: &str, other: &Option<String>) -> String {
    match other {
        Some(other) => format!("`{other}` belongs to the head of another architecture, which cannot be used"),
        None => format!("`{tensor}` is missing or of another shape"),
    }
}

/// What kind of failure an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is invalid.
    Argument,
    /// The input is missing, damaged or inconsistent.
    Input,
    /// Something cannot be written.
    Output,
    /// The outputs of the model are not finite, or a device failed.
    Computation,
    /// The caller cancelled the work.
    Interrupted,
}

impl InferError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::MaxLength { .. } | Self::LongPairs { .. } | Self::Decision { .. } => ErrorKind::Argument,
            Self::Forward(error) => error.kind(),
            Self::File(error) => file(error.kind()),
            Self::Checkpoint(error) => file(error.kind()),
            Self::Tokenizer(error) => match error.kind() {
                rekindle_tokenizer::ErrorKind::Argument => ErrorKind::Argument,
                _ => ErrorKind::Input,
            },
            Self::Model(error) => model(error),
            _ => ErrorKind::Input,
        }
    }
}

impl ForwardError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Model(error) => model(error),
            Self::NotFinite { .. } | Self::Device(_) => ErrorKind::Computation,
            Self::Cancelled => ErrorKind::Interrupted,
        }
    }
}

fn file(kind: rekindle_files::ErrorKind) -> ErrorKind {
    match kind {
        rekindle_files::ErrorKind::Output => ErrorKind::Output,
        _ => ErrorKind::Input,
    }
}

fn model(error: &NnError) -> ErrorKind {
    match error.kind() {
        rekindle_nn::ErrorKind::Argument => ErrorKind::Argument,
        _ => ErrorKind::Input,
    }
}
