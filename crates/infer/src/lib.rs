//! Running a saved model.
//!
//! A [`PretrainedModel`] is opened from a folder, or from bytes that are compiled into a program. A [`Predictor`] predicts the
//! classes of texts, with [`explain`](Predictor::explain) by which words, and
//! [`FillMask`] predicts the words behind `[MASK]`. [`SavedModel`] writes a folder that this crate and transformers
//! open, with a [`ModelCard`].
//!
//! Below them are [`logits`] and [`features`]: a model applied to tokenized texts, in batches of similar length. Training
//! evaluates with the same functions and depends on this crate; this crate does not train.
#![deny(missing_docs, missing_debug_implementations)]

mod adapter;
mod batched;
mod card;
mod classes;
mod decision;
mod encode;
mod error;
mod explain;
mod fill_mask;
mod folder;
mod forward_error;
mod integrated_gradients;
mod long_texts;
mod model;
mod output_function;
mod outputs;
mod precision;
mod predictor;
mod save;
mod save_sentence;
mod sentence_folder;
mod windows;

pub use adapter::Adapter;
pub use batched::{
    Sequence, Tokenized, by_length, features, for_each_batch, logits, pack, read, sentence_embeddings, sentence_logits,
};
pub use card::{BaseModel, ModelCard};
pub use decision::{Decided, Decision};
pub use encode::{EncodedTexts, encode};
pub use error::{ErrorKind, InferError};
pub use explain::{Explanation, WordAttribution};
pub use fill_mask::{FillMask, Guess};
pub use forward_error::ForwardError;
pub use integrated_gradients::{Attributions, IntegratedGradients};
pub use long_texts::{LongTexts, WindowPool};
pub use model::{EmbeddedModel, MODEL_FILES, ModelSource, PretrainedModel};
pub use output_function::OutputFunction;
pub use outputs::Outputs;
pub use precision::LinearPrecision;
pub use predictor::{Model, Prediction, Predictor};
pub use save::{SAVED_FILES, SavedModel};
pub use sentence_folder::SentenceModules;
pub use windows::Windows;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
