//! Text to token ids and batches, as transformers prepares them for BERT-like encoders.
//!
//! A [`Tokenizer`] wraps one of Hugging Face's, from `tokenizer.json`, from `vocab.txt`, or from a vocabulary in memory;
//! it truncates as it is told and not as its file says; [`Tokenizer::learn`] makes one from text. A [`Batch`] lays sentences
//! end to end, packed or padded.
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
//! assert_eq!(batch.offsets, [0, 4, 7]);
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs, missing_debug_implementations)]

mod batch;
mod error;
mod learn;
mod quiet;
mod tokenizer;
mod vocabulary;

pub use batch::{Batch, Padding};
pub use error::TokenizerError;
pub use tokenizer::Tokenizer;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
