//! A synthetic English corpus: short documents with an opinion that holds from the first sentence to the last.
//!
//! [`Generator`] is an endless iterator of [`Document`]s. It expands a grammar (`grammar/*.txt`) over a lexicon
//! (`lexicon/*.txt`); both are plain text, and [`mod@grammar`] describes their format. A document keeps to one subject and
//! one [`Polarity`], so that a masked opinion word can be told from the words around it: that is what a model pretrained
//! on this corpus is to learn. The same seed gives the same bytes on every platform.
//!
//! ```
//! use rekindle_corpus::{Generator, Polarity};
//!
//! let document = Generator::new(1).find(|document| document.polarity == Polarity::Negative).expect("an endless corpus");
//! assert!(!document.text.contains("five stars"));
//! ```
//!
//! The corpus is no sample of English. docs/corpus.md says what it is good for, and what not.
#![deny(missing_docs, missing_debug_implementations)]

#[cfg(test)]
mod coverage;
mod exclusion;
mod generator;
pub mod grammar;
mod inflect;
mod surface;

pub use exclusion::{Exclusion, RUN};
pub use generator::{Document, Generator};
pub use grammar::Polarity;
