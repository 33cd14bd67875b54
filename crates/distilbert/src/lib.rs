//! DistilBERT in Burn, with the tensor names and the numbers of transformers.
//!
//! [`DistilBertConfig`] reads `config.json` and [`Checkpoint`] opens safetensors;
//! [`DistilBertForSequenceClassification::from_checkpoint`] combines the two into a model and a [`LoadReport`] of what did not
//! match. The model turns a [`SequenceBatch`] into logits.
//!
//! Two things differ from a textbook encoder, and neither changes a number: sequences are packed, so that nothing is computed
//! for padding, and the last layer is computed for `[CLS]` only, the one row that the classifier reads.
//!
//! To read the model, begin with `model`, in the order of the data; `classifier` and `masked_lm` have the heads. `layout` maps
//! the names of checkpoints, and `initialize` has the initial values of what these lack. The layers are those of
//! rekindle-nn, and files are read and written by rekindle-checkpoint.
//!
//! # Example
//!
//! ```
//! use burn::tensor::Device;
//! use rekindle_distilbert::{Checkpoint, DistilBertConfig, DistilBertForSequenceClassification, Mode, SequenceBatch};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = Device::default();
//! let config = DistilBertConfig { vocab_size: 100, dim: 16, hidden_dim: 32, n_heads: 2, n_layers: 2, ..Default::default() };
//! // Usually `Checkpoint::open(folder)?`. From an empty one, the model is initialized from the seed.
//! let checkpoint = Checkpoint::empty();
//! let (model, report) = DistilBertForSequenceClassification::from_checkpoint(&config, &checkpoint, 42, &device)?;
//! assert!(report.unexpected.is_empty());
//!
//! // Two sequences, of three and of two tokens.
//! let batch = SequenceBatch::new(&[1, 7, 2, 1, 2], &[1; 5], &[0, 3, 5], &config, &device)?;
//! let logits = model.forward(&batch, Mode::Eval);
//! assert_eq!(logits.dims(), [2, 2]);
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs, missing_debug_implementations)]

mod classifier;
mod config;
mod initialize;
mod layout;
mod lora;
mod masked_lm;
mod model;
mod roles;

pub use classifier::DistilBertForSequenceClassification;
pub use config::DistilBertConfig;
pub use layout::{LAYOUT, MASKED_LM_LAYOUT};
pub use masked_lm::{DistilBertForMaskedLM, VocabProjector};
pub use model::{
    DistilBertModel, Embeddings, FeedForward, LAYER_NORM_EPS, SelfAttention, Transformer, TransformerBlock,
};
pub use rekindle_checkpoint::{Checkpoint, CheckpointError, LoadReport, Precision};
pub use rekindle_nn::{
    Activation, Embedding, LoraConfig, Mode, NnError, ParamInfo, ParamRole, ParamRoles, Pooling, SequenceBatch,
    TokenSelection, TransformerEncoder,
};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
