//! One transformer layer.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor};

use crate::attention::{Rows, SelfAttention};
use crate::config::DistilBertConfig;
use crate::dropout::Mode;
use crate::embeddings::LAYER_NORM_EPS;
use crate::feed_forward::FeedForward;
use crate::input::TokenBatch;
use crate::rows::add_norm;

/// Attention and feed-forward, each added to its input and normalised after.
#[derive(Module, Debug)]
pub struct TransformerBlock {
    /// Self-attention.
    pub attention: SelfAttention,
    /// After attention, over `dim`.
    pub sa_layer_norm: LayerNorm,
    /// Feed-forward.
    pub ffn: FeedForward,
    /// After the feed-forward, over `dim`.
    pub output_layer_norm: LayerNorm,
}

impl TransformerBlock {
    pub(crate) fn new(config: &DistilBertConfig, device: &Device) -> Self {
        let norm = || LayerNormConfig::new(config.dim).with_epsilon(LAYER_NORM_EPS).init(device);
        Self {
            attention: SelfAttention::new(config, device),
            sa_layer_norm: norm(),
            ffn: FeedForward::new(config, device),
            output_layer_norm: norm(),
        }
    }

    /// # Shapes
    /// - hidden: `[tokens, dim]`
    /// - output: `[tokens, dim]`, or as many rows as [`Rows`] says
    pub fn forward(&self, hidden: Tensor<2>, batch: &TokenBatch, rows: Rows, mode: Mode) -> Tensor<2> {
        let attended = self.attention.forward(hidden.clone(), batch, rows, mode.at(0));
        let hidden = add_norm(&self.sa_layer_norm, attended, rows.of(hidden, batch));
        add_norm(&self.output_layer_norm, self.ffn.forward(hidden.clone(), mode.at(1)), hidden)
    }
}
