//! DistilBERT in Burn, with the tensor names and the numbers of transformers.
//!
//! [`DistilBertConfig`] reads `config.json`, [`Checkpoint`] opens safetensors, and [`DistilBertConfig::load`] brings the
//! two together into a [`DistilBertForSequenceClassification`] and a [`LoadReport`] of what did not match. A
//! [`TokenBatch`] carries sentences end to end; the model turns it into logits.
//!
//! Two things differ from a textbook encoder, and neither changes a number. Sentences are packed, so that nothing is
//! computed for padding; and the last layer is computed for `[CLS]` alone, the one row that the classifier reads.
//!
//! # Example
//!
//! ```
//! use burn::tensor::Device;
//! use rekindle_distilbert::{Checkpoint, DistilBertConfig, Mode, TokenBatch};
//!
//! # fn main() -> Result<(), rekindle_distilbert::DistilBertError> {
//! let device = Device::default();
//! let config = DistilBertConfig { vocab_size: 100, dim: 16, hidden_dim: 32, n_heads: 2, n_layers: 2, ..Default::default() };
//! // `Checkpoint::open(folder)?` in earnest; an empty one gives fresh weights from the seed.
//! let (model, report) = config.load(&Checkpoint::empty(), 42, &device)?;
//! assert!(report.unexpected.is_empty());
//!
//! // Two sentences, of three and of two tokens.
//! let batch = TokenBatch::new(&[1, 7, 2, 1, 2], &[1; 5], &[0, 3, 5], &config, &device)?;
//! let logits = model.forward(&batch, Mode::Eval);
//! assert_eq!(logits.dims(), [2, 2]);
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs, missing_debug_implementations)]

mod attention;
mod bert;
mod checkpoint;
mod classifier;
mod config;
mod dropout;
mod embeddings;
mod error;
mod feed_forward;
#[cfg(feature = "flex")]
mod host;
mod input;
mod layer;
mod linear;
mod load;
mod lora;
mod mapping;
mod masked_lm;
mod model;
mod names;
mod parameters;
mod rectangle;
mod replace;
mod rows;
mod save;
mod spans;

pub use attention::{Rows, SelfAttention};
pub use checkpoint::Checkpoint;
pub use classifier::DistilBertForSequenceClassification;
pub use config::{Activation, DistilBertConfig, Pooling};
pub use dropout::Mode;
pub use embeddings::Embeddings;
pub use error::{DistilBertError, ErrorKind};
pub use feed_forward::FeedForward;
#[cfg(all(feature = "flex", feature = "remote"))]
pub use host::offer;
pub use input::TokenBatch;
pub use layer::TransformerBlock;
pub use linear::Linear;
pub use load::{LoadReport, Mismatch};
pub use lora::{Lora, LoraConfig};
pub use masked_lm::{DistilBertForMaskedLM, VocabProjector};
pub use model::{DistilBertModel, Transformer};
pub use parameters::{Parameter, parameters, trainable, values, with_values};
pub use replace::replace;
pub use save::{Precision, save_rows, save_values, save_with};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
