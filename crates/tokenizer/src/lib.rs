//! Converts texts to token ids and batches, with the ids of transformers for BERT-like encoders.
//!
//! A [`Tokenizer`] wraps a Hugging Face tokenizer, read from `tokenizer.json` or `vocab.txt` or created from a
//! vocabulary in memory. It truncates to the caller's length instead of its file's. [`Tokenizer::learn`] learns a
//! vocabulary from text. A [`Batch`] holds texts end to end, packed or padded.
//!
//! ```
//! use rekindle_tokenizer::{Batch, Tokenizer};
//!
//! # fn main() -> Result<(), rekindle_tokenizer::TokenizerError> {
//! let vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "##ness", "great"].map(String::from);
//! let tokenizer = Tokenizer::wordpiece(vocabulary.to_vec(), true)?;
//! let sentences = tokenizer.encode_all(&["Goodness", "great"], 64)?;
//! assert_eq!(sentences, [vec![2, 4, 5, 3], vec![2, 6, 3]]);
//!
//! let batch = Batch::packed(&sentences);
//! assert_eq!(batch.cu_seqlens, [0, 4, 7]);
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs, missing_debug_implementations)]

mod batch;
mod catch_panic;
mod config;
mod error;
mod learn;

mod settings;
mod tokenizer;
mod vocabulary;

pub use batch::{Batch, Padding};
pub use error::{ErrorKind, TokenizerError};
pub use tokenizer::Tokenizer;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
