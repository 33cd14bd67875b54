//! The encoder, in the order of the data: embeddings, then layers of attention and feed-forward blocks.

use std::path::Path;

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig};
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{CheckpointError, Precision, save};
use rekindle_nn::{
    Activation, AttentionOptions, LayerNorm, Linear, Mode, NamedLinear, ParamRole, SequenceBatch, TokenSelection,
    TransformerEncoder, attention, dropout, embedding, is_tracked, layer_role,
};

use crate::config::DistilBertConfig;
use crate::lora;

/// The epsilon of all LayerNorms of DistilBERT.
pub const LAYER_NORM_EPS: f64 = 1e-12;

/// DistilBERT without a head (Sanh et al., 2019).
#[derive(Module, Debug)]
pub struct DistilBertModel {
    /// The embeddings of words and positions.
    pub embeddings: Embeddings,
    /// The layers.
    pub transformer: Transformer,
}

/// The sum of the embeddings of word and position, normalized.
#[derive(Module, Debug)]
pub struct Embeddings {
    /// `[vocab_size, dim]`.
    pub word_embeddings: Embedding,
    /// `[max_position_embeddings, dim]`.
    pub position_embeddings: Embedding,
    /// Over `dim`.
    pub layer_norm: LayerNorm,
    dropout: f64,
    /// Whether the positions are sinusoidal, and therefore never trained.
    #[module(skip)]
    pub(crate) sinusoidal: bool,
}

impl Embeddings {
    fn new(config: &DistilBertConfig, device: &Device) -> Self {
        Self {
            word_embeddings: EmbeddingConfig::new(config.vocab_size, config.dim).init(device),
            position_embeddings: EmbeddingConfig::new(config.max_position_embeddings, config.dim).init(device),
            layer_norm: LayerNorm::new(config.dim, LAYER_NORM_EPS, device),
            dropout: config.dropout,
            sinusoidal: config.sinusoidal_pos_embds,
        }
    }

    /// # Shapes
    /// - output: `[tokens, dim]`
    pub fn forward(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        let words = embedding(&self.word_embeddings, batch.input_ids());
        let positions = embedding(&self.position_embeddings, batch.positions());
        dropout(self.layer_norm.forward_sum(words, positions), self.dropout, mode)
    }
}

/// The stack of layers.
#[derive(Module, Debug)]
pub struct Transformer {
    /// `n_layers` layers, in the order of the data.
    pub layer: Vec<TransformerBlock>,
}

/// Attention and feed-forward, each added to its input and normalized.
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
    fn new(config: &DistilBertConfig, device: &Device) -> Self {
        Self {
            attention: SelfAttention::new(config, device),
            sa_layer_norm: LayerNorm::new(config.dim, LAYER_NORM_EPS, device),
            ffn: FeedForward::new(config, device),
            output_layer_norm: LayerNorm::new(config.dim, LAYER_NORM_EPS, device),
        }
    }

    /// # Shapes
    /// - hidden: `[tokens, dim]`
    /// - output: `[rows, dim]`, the rows of `selection`
    pub fn forward(
        &self,
        hidden: Tensor<2>,
        batch: &SequenceBatch,
        selection: TokenSelection,
        mode: Mode,
    ) -> Tensor<2> {
        let attended = self.attention.forward(hidden.clone(), batch, selection, mode.at(0));
        let hidden = self.sa_layer_norm.forward_sum(attended, batch.select(hidden, selection));
        self.output_layer_norm.forward_sum(self.ffn.forward(hidden.clone(), mode.at(1)), hidden)
    }
}

/// Multi-head self-attention.
#[derive(Module, Debug)]
pub struct SelfAttention {
    /// Query, `[dim, dim]`.
    pub q_lin: Linear,
    /// Key, `[dim, dim]`.
    pub k_lin: Linear,
    /// Value, `[dim, dim]`.
    pub v_lin: Linear,
    /// Output, `[dim, dim]`.
    pub out_lin: Linear,
    /// The number of heads.
    pub heads: usize,
    dropout: f64,
}

impl SelfAttention {
    fn new(config: &DistilBertConfig, device: &Device) -> Self {
        let linear = || Linear::new(config.dim, config.dim, device);
        Self {
            q_lin: linear(),
            k_lin: linear(),
            v_lin: linear(),
            out_lin: linear(),
            heads: config.n_heads,
            dropout: config.attention_dropout,
        }
    }

    /// # Shapes
    /// - hidden: `[tokens, dim]`
    /// - output: `[rows, dim]`, the rows of `selection`
    pub fn forward(
        &self,
        hidden: Tensor<2>,
        batch: &SequenceBatch,
        selection: TokenSelection,
        mode: Mode,
    ) -> Tensor<2> {
        let query = self.q_lin.forward(batch.select(hidden.clone(), selection));
        let (key, value) = (self.k_lin.forward(hidden.clone()), self.v_lin.forward(hidden));
        let options = AttentionOptions::new(self.heads, self.dropout);
        self.out_lin.forward(attention([query, key, value], batch, selection, options, mode))
    }
}

/// The position-wise feed-forward block: two linear layers with an activation function between them.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// `[dim, hidden_dim]`.
    pub lin1: Linear,
    /// `[hidden_dim, dim]`.
    pub lin2: Linear,
    /// Between the two layers.
    #[module(skip)]
    pub activation: Activation,
    dropout: f64,
}

impl FeedForward {
    fn new(config: &DistilBertConfig, device: &Device) -> Self {
        Self {
            lin1: Linear::new(config.dim, config.hidden_dim, device),
            lin2: Linear::new(config.hidden_dim, config.dim, device),
            activation: config.activation,
            dropout: config.dropout,
        }
    }

    /// # Shapes
    /// - hidden: `[rows, dim]`
    /// - output: `[rows, dim]`
    pub fn forward(&self, hidden: Tensor<2>, mode: Mode) -> Tensor<2> {
        let output = self.activation.forward_between([&self.lin1, &self.lin2], hidden);
        dropout(output, self.dropout, mode)
    }
}

impl DistilBertModel {
    pub(crate) fn new(config: &DistilBertConfig, device: &Device) -> Self {
        let layer = (0..config.n_layers).map(|_| TransformerBlock::new(config, device)).collect();
        Self { embeddings: Embeddings::new(config, device), transformer: Transformer { layer } }
    }

    /// Writes the encoder alone to `path`. As in transformers, the names lack the prefix `distilbert.`.
    ///
    /// # Errors
    /// When the file cannot be written; an existing one is then unchanged.
    pub fn save_safetensors(&self, path: &Path, precision: Precision) -> Result<(), CheckpointError> {
        save(self, path, precision)
    }
}

impl TransformerEncoder for DistilBertModel {
    fn num_layers(&self) -> usize {
        self.transformer.layer.len()
    }

    fn embeddings(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        self.embeddings.forward(batch, mode)
    }

    fn layer(
        &self,
        index: usize,
        hidden: Tensor<2>,
        batch: &SequenceBatch,
        selection: TokenSelection,
        mode: Mode,
    ) -> Tensor<2> {
        self.transformer.layer[index].forward(hidden, batch, selection, mode)
    }

    fn frozen_layers(&self) -> Option<usize> {
        let layers = &self.transformer.layer;
        (!is_tracked(&self.embeddings)).then(|| layers.iter().take_while(|layer| !is_tracked(*layer)).count())
    }

    fn linear_layers(&mut self) -> Vec<NamedLinear<'_>> {
        let layers = self.transformer.layer.iter_mut().enumerate();
        layers.flat_map(|(index, layer)| lora::linear_layers(index, layer)).collect()
    }

    fn role(&self, name: &str) -> ParamRole {
        let is_fixed = self.embeddings.sinusoidal && name == "embeddings.position_embeddings.weight";
        if is_fixed { ParamRole::Fixed } else { layer_role(name, "transformer.layer.") }
    }

    fn lora_targets(&self) -> &'static [&'static str] {
        &lora::TARGETS
    }
}
