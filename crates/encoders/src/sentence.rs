//! A linear head on sentence embeddings: the models of sentence-transformers.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{Checkpoint, CheckpointError, Layout, LoadReport, Precision, save};
use rekindle_nn::{Embedding, Linear, Mode, SequenceBatch, TransformerEncoder};

use crate::config::EncoderConfig;
use crate::models::Encoder;

/// The files that [`SentenceClassifier::save_safetensors`] writes.
const LAYOUT: Layout =
    Layout { encoder: "", pooler: None, example: "classifier.weight", names: &[], ignored: &[], tied: &[] };

/// An encoder, an embedding and a linear head on it: sentence-transformers' `Transformer`, `Pooling`, `Normalize` and
/// `Dense` without activation.
#[derive(Module, Debug)]
pub struct SentenceClassifier {
    /// The encoder.
    pub encoder: Encoder,
    /// `[hidden_size, num_labels]`.
    pub classifier: Linear,
    /// What the head reads of a sequence.
    #[module(skip)]
    pub embedding: Embedding,
}

impl SentenceClassifier {
    /// Creates a classifier with a head of zeros.
    pub fn new(encoder: Encoder, embedding: Embedding, config: &EncoderConfig, device: &Device) -> Self {
        Self { encoder, classifier: Linear::new(config.hidden_size, config.num_labels(), device), embedding }
    }

    /// Loads the weights that [`save_safetensors`](Self::save_safetensors) wrote.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape, or cannot be read.
    pub fn from_checkpoint(
        config: &EncoderConfig,
        embedding: Embedding,
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<(Self, LoadReport), CheckpointError> {
        let encoder = Encoder::new(config, device);
        checkpoint.load(Self::new(encoder, embedding, config, device), &LAYOUT, &|_| Vec::new(), device)
    }

    /// Writes encoder and head to `path`, without the embedding.
    ///
    /// # Errors
    /// When the file cannot be written; an existing one is then unchanged.
    pub fn save_safetensors(&self, path: &Path, precision: Precision) -> Result<(), CheckpointError> {
        save(self, path, precision)
    }

    /// The same model, whose logits are `weight * logit + bias`, with a weight and a bias per class, in the output layer.
    pub fn with_scaled_logits(self, weights: &[f64], biases: &[f64]) -> Self {
        Self { classifier: self.classifier.with_scaled_outputs(weights, biases), ..self }
    }

    /// The logits of each sequence.
    ///
    /// # Shapes
    /// - output: `[sequences, num_labels]`
    pub fn forward(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        self.classifier.forward(self.encoder.embed(batch, self.embedding, mode))
    }
}
