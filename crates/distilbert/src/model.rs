//! The encoder: embeddings and layers.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::attention::Rows;
use crate::config::DistilBertConfig;
use crate::dropout::Mode;
use crate::embeddings::Embeddings;
use crate::input::TokenBatch;
use crate::layer::TransformerBlock;

/// The stack of transformer layers.
#[derive(Module, Debug)]
pub struct Transformer {
    /// `n_layers` layers, in the order of the data.
    pub layer: Vec<TransformerBlock>,
}

/// DistilBERT without a head (Sanh et al., 2019).
#[derive(Module, Debug)]
pub struct DistilBertModel {
    /// Words and positions.
    pub embeddings: Embeddings,
    /// The layers.
    pub transformer: Transformer,
}

impl DistilBertModel {
    pub(crate) fn new(config: &DistilBertConfig, device: &Device) -> Self {
        let layer = (0..config.n_layers).map(|_| TransformerBlock::new(config, device)).collect();
        Self { embeddings: Embeddings::new(config, device), transformer: Transformer { layer } }
    }

    /// The last hidden state, of every token or of each sentence's first.
    ///
    /// With [`Rows::First`] the last layer computes keys and values for every token and all else for one row a
    /// sentence: the same numbers, for a fraction of that layer's work.
    ///
    /// Layers whose weights are untracked run without a graph; the first tracked one begins it.
    ///
    /// # Shapes
    /// - output: `[tokens, dim]`, or `[sentences, dim]` for [`Rows::First`]
    pub fn forward(&self, batch: &TokenBatch, rows: Rows, mode: Mode) -> Tensor<2> {
        let embedded = self.embeddings.forward(batch, mode);
        let last = self.transformer.layer.len() - 1;
        self.transformer.layer.iter().enumerate().fold(embedded, |hidden, (index, layer)| {
            let rows = if index == last { rows } else { Rows::All };
            layer.forward(hidden, batch, rows, mode)
        })
    }
}
