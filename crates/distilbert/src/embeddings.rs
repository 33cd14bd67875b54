//! Words and positions to vectors.

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor};

use crate::config::DistilBertConfig;
use crate::dropout::{Mode, dropout};
use crate::input::{Indices, TokenBatch};
use crate::rows::add_norm;

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
        let words = look_up(&self.word_embeddings, &batch.input_ids);
        let positions = look_up(&self.position_embeddings, &batch.positions);
        dropout(add_norm(&self.layer_norm, words, positions), self.dropout, mode)
    }
}

fn look_up(table: &Embedding, indices: &Indices) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if let Some(rows) = crate::host::embedding(&table.weight.val(), indices) {
        return rows;
    }
    table.forward(indices.tensor().unsqueeze()).squeeze_dim(0)
}
