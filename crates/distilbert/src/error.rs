//! The errors of this crate.

use std::path::PathBuf;

use thiserror::Error;

/// What can go wrong between a checkpoint on disk and a model in memory.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DistilBertError {
    /// A file that a checkpoint needs is absent.
    #[error("{folder}: no {expected} here; a checkpoint folder holds config.json and model.safetensors")]
    MissingFile {
        /// The folder that was searched.
        folder: PathBuf,
        /// What was looked for.
        expected: &'static str,
    },
    /// Weights in a format that can hold a program.
    #[error(
        "{path}: a Python pickle can hold a program and is never read; if you trust it, open the folder in Python with \
         transformers and save it by `save_pretrained`, which writes model.safetensors"
    )]
    Pickle {
        /// The weights file.
        path: PathBuf,
    },
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A JSON file does not parse.
    #[error("{path}: not valid JSON: {reason}")]
    Json {
        /// The file.
        path: PathBuf,
        /// The reason, with line and column.
        reason: String,
    },
    /// A configuration field holds something this model cannot obey.
    #[error("{path}: field `{field}`: {reason}")]
    Config {
        /// The config file.
        path: PathBuf,
        /// The field, as transformers names it.
        field: String,
        /// What is wrong and what is possible.
        reason: String,
    },
    /// Adapters that adapt nothing.
    #[error("lora: `{field}`: {reason}")]
    Lora {
        /// The field, as peft names it.
        field: &'static str,
        /// What is wrong and what is possible.
        reason: String,
    },
    /// A weights file is not whole, or not safetensors at all.
    #[error("{path}: not a whole safetensors file: {reason}")]
    Safetensors {
        /// The weights file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The shard index names a file outside its folder, or contradicts the shards.
    #[error("{path}: {reason}")]
    Index {
        /// The index file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A tensor of the base has another shape than the configuration asks for.
    #[error("{path}: tensor `{tensor}` has shape {found:?}, the configuration asks for {expected:?}")]
    Shape {
        /// The weights file.
        path: PathBuf,
        /// The tensor, as the file names it.
        tensor: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// The shape that the configuration asks for.
        expected: Vec<usize>,
    },
    /// A tensor is stored in a type that holds no weights.
    #[error("{path}: tensor `{tensor}` is stored as {dtype}; F32, F16, BF16 and F64 can be read")]
    Dtype {
        /// The weights file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The stored type.
        dtype: String,
    },
    /// A weights file holds a value that is not finite.
    #[error("{path}: tensor `{tensor}` holds a value that is not finite (NaN or infinite)")]
    NotFinite {
        /// The weights file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// No tensor of the base was found: the file is of another model.
    #[error(
        "{path}: none of the tensors is of a DistilBERT encoder (expected names like `distilbert.embeddings.word_embeddings.weight`)"
    )]
    NotDistilBert {
        /// The weights file.
        path: PathBuf,
    },
    /// Some tensors of the base are absent, so that the model would be partly random.
    #[error("{path}: {} tensors of the base are missing, the first is `{}`", .tensors.len(), .tensors[0])]
    IncompleteBase {
        /// The weights file.
        path: PathBuf,
        /// The missing tensors.
        tensors: Vec<String>,
    },
    /// A masked-language model whose projector is not its word table.
    #[error(
        "{path}: `vocab_projector.weight` differs from the word embeddings; only a model that ties them can be read"
    )]
    Untied {
        /// The weights file.
        path: PathBuf,
    },
    /// A device that does not give a tensor back.
    #[error("tensor `{tensor}` cannot be read from the device: {reason}")]
    Device {
        /// The tensor.
        tensor: String,
        /// The reason.
        reason: String,
    },
    /// A batch of token ids does not fit the model.
    #[error("sentence {sentence} of the batch: {reason}")]
    Input {
        /// The sentence within the batch.
        sentence: usize,
        /// What does not fit.
        reason: String,
    },
}

/// What kind of failure a [`DistilBertError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is invalid.
    Argument,
    /// The input is missing, damaged or inconsistent.
    Input,
}

impl DistilBertError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Lora { .. } => ErrorKind::Argument,
            _ => ErrorKind::Input,
        }
    }
}
