//! The errors of this crate.

use std::path::PathBuf;

use rekindle_files::{ErrorKind, FileError};
use thiserror::Error;

/// Why a checkpoint could not be read, loaded into a model, or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file of the checkpoint does not exist.
    #[error("{folder}: no {expected} here; a checkpoint folder holds config.json and model.safetensors")]
    MissingFile {
        /// The folder that was searched.
        folder: PathBuf,
        /// The file that was expected.
        expected: &'static str,
    },
    /// The weights are a symbolic link to nothing, as in a repository whose files were not fetched.
    #[error(
        "{path}: is a link to {target}, which does not exist; fetch it from where the files are kept, for example with `dvc pull` or \
         `git annex get`"
    )]
    DanglingLink {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// The weights are in a format that can contain a program.
    #[error(
        "{path}: a Python pickle can contain a program and is never read; if you trust it, open the folder in Python with \
         transformers and save it by `save_pretrained`, which writes model.safetensors"
    )]
    Pickle {
        /// The weights file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A JSON file does not parse.
    #[error("{path}: not valid JSON: {reason}")]
    Json {
        /// The file.
        path: PathBuf,
        /// The reason, with line and column.
        reason: String,
    },
    /// A field of `config.json` has a value that the model does not support.
    #[error("{path}: field `{field}`: {reason}")]
    Config {
        /// The config file.
        path: PathBuf,
        /// The field, as transformers names it.
        field: String,
        /// What is wrong and what is possible.
        reason: String,
    },
    /// A weights file is truncated or not a safetensors file.
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
    /// A tensor of the encoder has another shape than the configuration asks for.
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
    /// A tensor is stored in an element type that is not supported.
    #[error("{path}: tensor `{tensor}` is stored as {dtype}; F32, F16, BF16 and F64 can be read")]
    Dtype {
        /// The weights file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The stored type.
        dtype: String,
    },
    /// A tensor in int8 cannot be read.
    #[error("{path}: tensor `{tensor}`: {reason}")]
    Int8 {
        /// The weights file.
        path: PathBuf,
        /// The tensor, as the file names it.
        tensor: String,
        /// What is wrong, and what is possible.
        reason: String,
    },
    /// A weights file contains a value that is not finite.
    #[error("{path}: tensor `{tensor}` contains a value that is not finite (NaN or infinite)")]
    NotFinite {
        /// The weights file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// No tensor of the encoder was found: the file belongs to another model.
    #[error("{path}: none of the tensors belongs to the encoder (expected names such as `{expected}`)")]
    OtherModel {
        /// The weights file.
        path: PathBuf,
        /// A name that was expected.
        expected: String,
    },
    /// Some tensors of the encoder are missing; loading would leave it partly random.
    #[error("{path}: {} tensors of the encoder are missing, the first is `{}`", .tensors.len(), .tensors[0])]
    Incomplete {
        /// The weights file.
        path: PathBuf,
        /// The missing tensors.
        tensors: Vec<String>,
    },
    /// Two tensors differ that the model shares.
    #[error("{path}: `{tensor}` differs from `{shared}`; only models that tie the two can be read")]
    Untied {
        /// The weights file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The parameter that the model uses in its place.
        shared: String,
    },
    /// The device did not return the values of a tensor.
    #[error("tensor `{tensor}` cannot be read from the device: {reason}")]
    Device {
        /// The tensor.
        tensor: String,
        /// The reason.
        reason: String,
    },
}

impl CheckpointError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => error.kind(),
            _ => ErrorKind::Input,
        }
    }
}
