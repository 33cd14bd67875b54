//! The masked-language head.

use std::path::Path;

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{Checkpoint, CheckpointError, LoadReport, Precision, save};
use rekindle_nn::{
    Activation, LayerNorm, Linear, Mode, SequenceBatch, TokenSelection, TransformerEncoder, tied_projection,
};

use crate::config::DistilBertConfig;
use crate::layout::MASKED_LM_LAYOUT;
use crate::model::{DistilBertModel, LAYER_NORM_EPS};

/// DistilBERT with a masked-language head, as transformers' class of the same name.
#[derive(Module, Debug)]
pub struct DistilBertForMaskedLM {
    /// The encoder.
    pub distilbert: DistilBertModel,
    /// `[dim, dim]`.
    pub vocab_transform: Linear,
    /// Over `dim`.
    pub vocab_layer_norm: LayerNorm,
    /// The projection to words.
    pub vocab_projector: VocabProjector,
    #[module(skip)]
    activation: Activation,
}

/// The projection of hidden states to words. Its weight is the word table of the encoder, so it has only a bias.
#[derive(Module, Debug)]
pub struct VocabProjector {
    /// `[vocab_size]`.
    pub bias: Param<Tensor<1>>,
}

impl DistilBertForMaskedLM {
    /// A model with zeros, to be filled from a checkpoint.
    pub fn new(config: &DistilBertConfig, device: &Device) -> Self {
        Self {
            distilbert: DistilBertModel::new(config, device),
            vocab_transform: Linear::new(config.dim, config.dim, device),
            vocab_layer_norm: LayerNorm::new(config.dim, LAYER_NORM_EPS, device),
            vocab_projector: VocabProjector { bias: Initializer::Zeros.init([config.vocab_size], device) },
            activation: config.activation,
        }
    }

    /// Loads the model of `config` from a checkpoint, as [`DistilBertForSequenceClassification::from_checkpoint`] does.
    ///
    /// [`DistilBertForSequenceClassification::from_checkpoint`]: crate::DistilBertForSequenceClassification::from_checkpoint
    ///
    /// The weight of the projector is the word table. A checkpoint may contain it twice.
    ///
    /// # Errors
    /// As for the classifier, and when the checkpoint's projector differs from the word table.
    pub fn from_checkpoint(
        config: &DistilBertConfig,
        checkpoint: &Checkpoint,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport), CheckpointError> {
        checkpoint.load(Self::new(config, device), &MASKED_LM_LAYOUT, &|spec| config.initialize(spec, seed), device)
    }

    /// Writes all tensors to `path` under transformers' names; the word table once.
    ///
    /// # Errors
    /// When the file cannot be written; an existing one is then unchanged.
    pub fn save_safetensors(&self, path: &Path, precision: Precision) -> Result<(), CheckpointError> {
        save(self, path, precision)
    }

    /// The logits of every word at the tokens that [`SequenceBatch::selecting`] selected, or at all tokens.
    ///
    /// The head and most of the last layer compute these tokens only. The word table has two uses, whose gradients add up.
    ///
    /// # Shapes
    /// - output: `[selected, vocab_size]`
    pub fn forward(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        self.words(self.distilbert.forward(batch, TokenSelection::Selected, mode.at(0)))
    }

    /// The head alone: the logits of every word from hidden states.
    ///
    /// # Shapes
    /// - hidden: `[rows, dim]`
    /// - output: `[rows, vocab_size]`
    pub fn words(&self, hidden: Tensor<2>) -> Tensor<2> {
        let hidden = self.activation.forward(self.vocab_transform.forward(hidden));
        let hidden = self.vocab_layer_norm.forward(hidden);
        tied_projection(&self.distilbert.embeddings.word_embeddings, &self.vocab_projector.bias, hidden)
    }
}
