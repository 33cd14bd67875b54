//! The errors of this crate.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// The errors of reading and using a tokenizer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A folder contains no tokenizer.
    #[error("{folder}: contains neither tokenizer.json nor vocab.txt, nor vocab.json with merges.txt")]
    Missing {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder contains a SentencePiece model only.
    #[error(
        "{path}: a SentencePiece model, which is not read; write its tokenizer.json once, with Python and the packages \
         transformers, sentencepiece and protobuf: python -c \"from transformers import AutoTokenizer; \
         AutoTokenizer.from_pretrained('{folder}').save_pretrained('{folder}')\""
    )]
    SentencePiece {
        /// The model.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file was not downloaded: it is a Git LFS pointer.
    #[error("{path}: is a Git LFS pointer, not the file itself; run `git lfs pull` in its repository")]
    LfsPointer {
        /// The file.
        path: PathBuf,
    },
    /// A file is invalid.
    #[error("{path}: {reason}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The vocabulary lacks a special token that is needed.
    #[error("the vocabulary has no {token}")]
    SpecialToken {
        /// The token, or what it is for.
        token: String,
    },
    /// An id is far above the number of entries.
    #[error("`{token}` has the id {id}, but the vocabulary has only {entries} entries")]
    Id {
        /// The entry.
        token: String,
        /// Its id.
        id: u32,
        /// The number of entries of the vocabulary.
        entries: usize,
    },
    /// The text to learn a vocabulary from contains no word.
    #[error("the corpus contains no words")]
    NoWords,
    /// The requested vocabulary is too small for the characters of the text.
    #[error(
        "vocabulary size {size} is too small: the special tokens and the characters of the corpus need {least} entries"
    )]
    Size {
        /// The requested size.
        size: usize,
        /// The minimum size.
        least: usize,
    },
    /// The maximum length leaves no room between the special tokens.
    #[error("max length {max_length} leaves no room for text besides the {special} special tokens")]
    MaxLength {
        /// The maximum number of tokens per text.
        max_length: usize,
        /// The number of special tokens per text.
        special: usize,
    },
    /// Windows overlap in as many tokens as they have, or more.
    #[error(
        "a stride of {stride} is too large: a window has {room} tokens of a text, and must have more than the stride"
    )]
    Stride {
        /// The tokens that overlap.
        stride: usize,
        /// The tokens of a window, without special tokens.
        room: usize,
    },
    /// The tokenizer failed on a text, or cannot be written.
    #[error("tokenizing: {0}")]
    Encode(String),
}

/// What kind of failure a [`TokenizerError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is invalid.
    Argument,
    /// The input is missing, damaged or inconsistent.
    Input,
}

impl TokenizerError {
    /// An error of the library.
    pub(crate) fn library(error: impl std::fmt::Display) -> Self {
        Self::Encode(error.to_string())
    }

    /// Names the file, unless the error names one.
    pub(crate) fn in_file(self, path: &Path) -> Self {
        match self {
            Self::SpecialToken { .. }
            | Self::Id { .. }
            | Self::Encode(_)
            | Self::MaxLength { .. }
            | Self::Stride { .. } => Self::Invalid { path: path.into(), reason: self.to_string() },
            _ => self,
        }
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Size { .. } | Self::MaxLength { .. } | Self::Stride { .. } => ErrorKind::Argument,
            _ => ErrorKind::Input,
        }
    }
}
