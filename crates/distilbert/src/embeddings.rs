//! Words and positions to vectors.

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor};

use crate::config::DistilBertConfig;
use crate::dropout::{Mode, dropout};
use crate::input::TokenBatch;

/// LayerNorm's epsilon throughout DistilBERT.
pub(crate) const LAYER_NORM_EPS: f64 = 1e-12;

/// Word plus position, normalised.
#[derive(Module, Debug)]
pub struct Embeddings {
    /// `[vocab_size, dim]`.
    pub word_embeddings: Embedding,
    /// `[max_position_embeddings, dim]`.
    pub position_embeddings: Embedding,
    /// Over `dim`.
    pub layer_norm: LayerNorm,
    dropout: f64,
}

impl Embeddings {
    pub(crate) fn new(config: &DistilBertConfig, device: &Device) -> Self {
        Self {
            word_embeddings: EmbeddingConfig::new(config.vocab_size, config.dim).init(device),
            position_embeddings: EmbeddingConfig::new(config.max_position_embeddings, config.dim).init(device),
            layer_norm: LayerNormConfig::new(config.dim).with_epsilon(LAYER_NORM_EPS).init(device),
            dropout: config.dropout,
        }
    }

    /// # Shapes
    /// - batch: `tokens` tokens
    /// - output: `[tokens, dim]`
    pub fn forward(&self, batch: &TokenBatch, mode: Mode) -> Tensor<2> {
        let words = self.word_embeddings.forward(batch.input_ids.clone().unsqueeze()).squeeze_dim(0);
        let positions = self.position_embeddings.forward(batch.positions.clone().unsqueeze()).squeeze_dim(0);
        dropout(self.layer_norm.forward(words + positions), self.dropout, mode)
    }
}
