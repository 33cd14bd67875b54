//! The head that guesses hidden words.

use burn::module::{Module, Param};
use burn::nn::{Initializer, LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor};

use crate::attention::Rows;
use crate::config::{Activation, DistilBertConfig};
use crate::dropout::Mode;
use crate::embeddings::LAYER_NORM_EPS;
use crate::input::TokenBatch;
use crate::linear::Linear;
use crate::model::DistilBertModel;
use crate::rows::{activate, tied};

/// DistilBERT with a masked-language-model head, the twin of transformers' class of the same name.
#[derive(Module, Debug)]
pub struct DistilBertForMaskedLM {
    /// The encoder.
    pub distilbert: DistilBertModel,
    /// `[dim, dim]`.
    pub vocab_transform: Linear,
    /// Over `dim`.
    pub vocab_layer_norm: LayerNorm,
    /// To the words.
    pub vocab_projector: VocabProjector,
    #[module(skip)]
    activation: Activation,
}

/// The map from hidden states to words. Its weight is the encoder's word table; only the bias is its own.
#[derive(Module, Debug)]
pub struct VocabProjector {
    /// `[vocab_size]`.
    pub bias: Param<Tensor<1>>,
}

impl DistilBertForMaskedLM {
    pub(crate) fn new(config: &DistilBertConfig, device: &Device) -> Self {
        Self {
            distilbert: DistilBertModel::new(config, device),
            vocab_transform: Linear::new(config.dim, config.dim, device),
            vocab_layer_norm: LayerNormConfig::new(config.dim).with_epsilon(LAYER_NORM_EPS).init(device),
            vocab_projector: VocabProjector { bias: Initializer::Zeros.init([config.vocab_size], device) },
            activation: config.activation,
        }
    }

    /// The logits of every word at the tokens that [`TokenBatch::picking`] picked, or at all.
    ///
    /// Nothing of the head, and little of the last layer, is computed for other tokens. The word table learns from both
    /// of its uses: their gradients add up.
    ///
    /// # Shapes
    /// - output: `[picked, vocab_size]`
    pub fn forward(&self, batch: &TokenBatch, mode: Mode) -> Tensor<2> {
        let hidden = self.distilbert.forward(batch, Rows::Picked, mode.at(0));
        let hidden = activate(self.activation, self.vocab_transform.forward(hidden));
        let hidden = self.vocab_layer_norm.forward(hidden);
        tied(&self.distilbert.embeddings.word_embeddings.weight, &self.vocab_projector.bias, hidden)
    }
}
