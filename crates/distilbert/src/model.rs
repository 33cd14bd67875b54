//! The encoder, in the order of the data: embeddings, then layers of attention and feed-forward blocks.

use std::ops::Range;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{Embedding, EmbeddingConfig};
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{CheckpointError, Precision, save};
use rekindle_nn::{
    Activation, AttentionOptions, LayerNorm, Linear, Mode, SequenceBatch, TokenSelection, attention, dropout,
    embedding, join_halves,
};

use crate::config::DistilBertConfig;

/// The epsilon of all LayerNorms of DistilBERT.
pub(crate) const LAYER_NORM_EPS: f64 = 1e-12;

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
    heads: usize,
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
    #[module(skip)]
    activation: Activation,
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
        let inner = self.activation.forward(self.lin1.forward(hidden));
        dropout(self.lin2.forward(inner), self.dropout, mode)
    }
}

impl DistilBertModel {
    pub(crate) fn new(config: &DistilBertConfig, device: &Device) -> Self {
        let layer = (0..config.n_layers).map(|_| TransformerBlock::new(config, device)).collect();
        Self { embeddings: Embeddings::new(config, device), transformer: Transformer { layer } }
    }

    /// The last hidden states of the tokens of `selection`.
    ///
    /// The last layer computes keys and values for every token and everything else for these rows only, which gives the same
    /// numbers for a fraction of that layer's work.
    ///
    /// Layers before the first tracked weight build no autodiff graph. On the CPU they compute the two halves of a batch in
    /// parallel.
    ///
    /// # Shapes
    /// - output: `[rows, dim]`, as [`TokenSelection`] says
    pub fn forward(&self, batch: &SequenceBatch, selection: TokenSelection, mode: Mode) -> Tensor<2> {
        let layers = self.transformer.layer.len();
        let frozen = self.frozen_layers();
        let bottom = if frozen.is_some() { mode.frozen() } else { mode };
        let frozen = frozen.unwrap_or(0);
        let start = |batch, mode: Mode| {
            let hidden = self.embeddings.forward(batch, mode.at(layers));
            self.layers(0..frozen, hidden, batch, selection, mode)
        };
        let halves = batch.halves().filter(|_| frozen > 0);
        let hidden = match halves {
            Some((first, second)) => {
                [first, second].into_iter().for_each(|half| half.upload(true, frozen == layers));
                if frozen < layers {
                    batch.upload(false, true);
                }
                let (first, second) =
                    join_halves(batch.device(), || start(first, bottom.at(0)), || start(second, bottom.at(1)));
                Tensor::cat(vec![first, second], 0)
            }
            None => {
                batch.upload(true, true);
                start(batch, bottom)
            }
        };
        self.layers(frozen..layers, hidden, batch, selection, mode)
    }

    /// Some of the layers. `selection` applies to the last one of the model.
    fn layers(
        &self,
        range: Range<usize>,
        hidden: Tensor<2>,
        batch: &SequenceBatch,
        selection: TokenSelection,
        mode: Mode,
    ) -> Tensor<2> {
        let last = self.transformer.layer.len() - 1;
        range.fold(hidden, |hidden, index| {
            let selection = if index == last { selection } else { TokenSelection::All };
            self.transformer.layer[index].forward(hidden, batch, selection, mode.at(index))
        })
    }

    /// Whether autodiff tracks no weight of the encoder.
    pub fn is_frozen(&self) -> bool {
        self.frozen_layers() == Some(self.transformer.layer.len())
    }

    /// The number of layers before the first tracked weight; `None` if the embeddings are tracked.
    fn frozen_layers(&self) -> Option<usize> {
        if is_tracked(&self.embeddings) {
            return None;
        }
        Some(self.transformer.layer.iter().take_while(|layer| !is_tracked(*layer)).count())
    }

    /// Writes the encoder alone to `path`. As in transformers, the names lack the prefix `distilbert.`.
    ///
    /// # Errors
    /// When the file cannot be written; an existing one is then unchanged.
    pub fn save_safetensors(&self, path: &Path, precision: Precision) -> Result<(), CheckpointError> {
        save(self, path, precision)
    }
}

/// Whether autodiff tracks a weight of a module.
fn is_tracked(module: &impl Module) -> bool {
    struct Visitor(bool);
    impl ModuleVisitor for Visitor {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 |= param.val().is_require_grad();
        }
    }
    let mut visitor = Visitor(false);
    module.visit(&mut visitor);
    visitor.0
}
