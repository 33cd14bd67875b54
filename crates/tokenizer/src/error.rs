//! The errors of this crate.

use std::path::PathBuf;

use thiserror::Error;

/// What can go wrong between a vocabulary file and token ids.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A folder holds no tokenizer.
    #[error("{folder}: neither tokenizer.json nor vocab.txt is here")]
    Missing {
        /// The folder.
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
    /// A file is not what its name says.
    #[error("{path}: {reason}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The vocabulary lacks a token that BERT-like models cannot do without.
    #[error("the vocabulary has no {token}")]
    SpecialToken {
        /// The token.
        token: &'static str,
    },
    /// An id far beyond the number of entries.
    #[error("`{token}` has the id {id}, and there are {entries} entries")]
    Id {
        /// The entry.
        token: String,
        /// Its id.
        id: u32,
        /// Entries of the vocabulary.
        entries: usize,
    },
    /// Text to learn a vocabulary from that holds no word.
    #[error("the corpus holds no word")]
    NoWords,
    /// A vocabulary too small for the characters of its text.
    #[error(
        "a vocabulary of {size} is too small: the special tokens and the characters of the corpus are {least} entries"
    )]
    Size {
        /// The size asked for.
        size: usize,
        /// The entries that it cannot do without.
        least: usize,
    },
    /// A length in which no word fits between the special tokens.
    #[error("max length {max_length} leaves no room beside the {special} special tokens")]
    MaxLength {
        /// Tokens a sentence.
        max_length: usize,
        /// Tokens that every sentence gets.
        special: usize,
    },
    /// The tokenizer refused a text, or cannot be written.
    #[error("tokenizing: {0}")]
    Encode(String),
}
