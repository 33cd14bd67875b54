//! What the heads of all families have in common.

use burn::module::{Module, Param};
use burn::nn::{Embedding, Initializer};
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::LoadReport;
use rekindle_nn::{Linear, Mode, Pooling, SequenceBatch, TokenSelection, TransformerEncoder, tied_projection};

use crate::config::EncoderConfig;

/// An encoder with a sequence-classification head.
pub(crate) trait Classifier: Module {
    type Encoder: TransformerEncoder;

    /// The prefixes of the parameters between the encoder and the output layer that peft does not train beside adapters.
    const TRANSFORM: &'static [&'static str] = &[];

    /// A model with zeros, to be filled from a checkpoint.
    fn new(config: &EncoderConfig, device: &Device) -> Self;

    /// The encoder, and what the head reads of it.
    fn parts(&self) -> (&Self::Encoder, Pooling);

    /// The encoder, what the head reads of it, and the output layer.
    fn parts_mut(&mut self) -> (&mut Self::Encoder, &mut Pooling, &mut Linear);

    /// Replaces the encoder, but for what the head alone reads of it.
    fn set_encoder(&mut self, encoder: Self::Encoder) {
        *self.parts_mut().0 = encoder;
    }

    /// Called with the report of what was missing when the model was filled.
    fn loaded(&mut self, _: &LoadReport) {}

    /// The logits from the pooled hidden states.
    ///
    /// # Shapes
    /// - pooled: `[sequences, hidden_size]`
    /// - output: `[sequences, num_labels]`
    fn classify(&self, pooled: Tensor<2>, mode: Mode) -> Tensor<2>;
}

/// The projection to words of a model whose word table is not tied to it.
pub(crate) fn decoder(config: &EncoderConfig, device: &Device) -> Option<Linear> {
    (!config.tie_word_embeddings).then(|| Linear::new(config.embedding_size, config.vocab_size, device))
}

/// The projection of hidden states to words.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "Burn implements no Module for a Box, and a program has few models")]
pub enum WordProjection {
    /// By the word table of the encoder.
    Tied(WordBias),
    /// By a matrix of its own, `[embedding_size, vocab_size]`.
    Untied(Linear),
}

/// The bias of the projection to words.
#[derive(Module, Debug)]
pub struct WordBias {
    /// `[vocab_size]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl WordProjection {
    pub(crate) fn new(config: &EncoderConfig, bias: bool, device: &Device) -> Self {
        let (width, words) = (config.embedding_size, config.vocab_size);
        match (config.tie_word_embeddings, bias) {
            (true, _) => Self::Tied(WordBias { bias: bias.then(|| Initializer::Zeros.init([words], device)) }),
            (false, true) => Self::Untied(Linear::new(width, words, device)),
            (false, false) => Self::Untied(Linear::without_bias(width, words, device)),
        }
    }

    /// # Shapes
    /// - hidden: `[rows, embedding_size]`
    /// - output: `[rows, vocab_size]`
    pub(crate) fn forward(&self, hidden: Tensor<2>, table: &Embedding) -> Tensor<2> {
        match self {
            Self::Untied(linear) => linear.forward(hidden),
            Self::Tied(WordBias { bias: Some(bias) }) => tied_projection(table, bias, hidden),
            Self::Tied(WordBias { bias: None }) => hidden.matmul(table.weight.val().transpose()),
        }
    }
}

/// An encoder with a masked-language head.
pub(crate) trait MaskedLm: Module {
    type Encoder: TransformerEncoder;

    /// A model with zeros, to be filled from a checkpoint.
    fn new(config: &EncoderConfig, device: &Device) -> Self;

    fn encoder(&self) -> &Self::Encoder;

    /// The logits of all words from hidden states.
    ///
    /// # Shapes
    /// - hidden: `[rows, hidden_size]`
    /// - output: `[rows, vocab_size]`
    fn words(&self, hidden: Tensor<2>) -> Tensor<2>;

    /// The logits of all words at the selected tokens.
    fn forward(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        self.words(self.encoder().forward(batch, TokenSelection::Selected, mode.at(0)))
    }
}
