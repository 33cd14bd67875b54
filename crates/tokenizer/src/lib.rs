//! Converts texts and pairs of texts to token ids and batches, with the ids of transformers.
//!
//! A [`Tokenizer`] wraps a Hugging Face tokenizer, read from the folder of a model or created from a vocabulary in memory. It
//! truncates to the caller's length instead of its file's. [`Tokenizer::encode_pair`] returns [`Encoded`] pairs with their
//! segments. [`Tokenizer::learn`] learns a vocabulary from text. A [`Batch`] holds texts end to end, packed or padded.
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
mod class;
mod config;
mod encode;
mod error;
mod fields;
mod learn;
mod long;
mod pipeline;
mod role;
mod settings;
mod special;
mod tokenizer;
mod vocabulary;
mod words;

pub use batch::{Batch, Padding, Side};
pub use encode::Encoded;
pub use error::{ErrorKind, TokenizerError};
pub use tokenizer::Tokenizer;
pub use words::{EncodedWords, Word};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
