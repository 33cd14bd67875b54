//! A synthetic English corpus: short documents, each with one opinion.
//!
//! [`Generator`] is an infinite iterator of [`Document`]s. It expands a grammar (`grammar/*.txt`) over a lexicon
//! (`lexicon/*.txt`); both are plain text, and [`mod@grammar`] describes their format. A document has one subject and
//! one [`Polarity`], so that the words around a masked opinion word determine it; this is what a model learns from the
//! corpus. The same seed gives the same bytes on every platform.
//!
//! ```
//! use rekindle_corpus::{Generator, Polarity};
//!
//! let document = Generator::new(1).find(|document| document.polarity == Polarity::Negative).expect("an infinite corpus");
//! assert!(!document.text.contains("five stars"));
//! ```
//!
//! The corpus is not a sample of English. docs/corpus.md describes its use and its limits.
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
