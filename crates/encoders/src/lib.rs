//! Pretrained text encoders in Burn, with the tensor names and the numbers of transformers.
//!
//! [`EncoderConfig`] reads `config.json` of any supported [`Family`] and [`Checkpoint`] opens safetensors;
//! [`SequenceClassifier::from_checkpoint`] combines the two into a model and a [`LoadReport`] of what did not match.
//! [`MaskedLanguageModel`] predicts words, and [`SentenceClassifier`] is a linear head on sentence embeddings. [`Encoder`] is a
//! model without a head. Each is an enum over the families.
//!
//! Every family is a module: its [`Family`] entry, its configuration, its encoder in the order of the data, and its heads. The
//! layers are those of rekindle-nn, which also has the order of the computation ([`TransformerEncoder`]). DistilBERT is a crate of
//! its own.
//!
//! # Example
//!
//! ```
//! use std::path::Path;
//!
//! use burn::tensor::Device;
//! use rekindle_encoders::{Checkpoint, EncoderConfig, Mode, SequenceBatch, SequenceClassifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = Device::default();
//! let json = r#"{ "model_type": "bert", "vocab_size": 100, "hidden_size": 16, "intermediate_size": 32,
//!                 "num_attention_heads": 2, "num_hidden_layers": 2 }"#;
//! // Usually `EncoderConfig::from_folder(folder)?` and `Checkpoint::open(folder)?`. From an empty checkpoint, the model is
//! // initialized from the seed.
//! let config = EncoderConfig::from_json(json.as_bytes(), Path::new("config.json"))?;
//! let (model, report) = SequenceClassifier::from_checkpoint(&config, &Checkpoint::empty(), 42, &device)?;
//! assert!(report.unexpected.is_empty());
//!
//! // Two sequences, of three and of two tokens.
//! let batch = SequenceBatch::new(&[1, 7, 2, 1, 2], &[1; 5], &[0, 3, 5], &config, &device)?;
//! assert_eq!(model.forward(&batch, Mode::Eval).dims(), [2, 2]);
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs, missing_debug_implementations)]

pub mod albert;
pub mod bert;
mod config;
pub mod deberta_v2;
mod distilbert;
pub mod electra;
mod family;
mod heads;
mod initialize;
mod int8;
mod linear_storage;
mod log_buckets;
mod models;
pub mod modernbert;
pub mod mpnet;
pub mod roberta;
mod sentence;

pub use config::EncoderConfig;
pub use family::{Family, is_word_table};
pub use heads::{WordBias, WordProjection};
pub use linear_storage::LinearStorage;
pub use models::{Encoder, MaskedLanguageModel, SequenceClassifier, is_bare_encoder};
pub use rekindle_checkpoint::{Checkpoint, CheckpointError, LoadReport, Precision};
pub use rekindle_nn::{
    Activation, Embedding, LoraConfig, Mode, NnError, ParamInfo, ParamRole, ParamRoles, Pooling, SequenceBatch,
    TokenSelection, TransformerEncoder,
};
pub use sentence::SentenceClassifier;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
