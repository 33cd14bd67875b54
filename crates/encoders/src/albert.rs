//! ALBERT (Lan et al., 2019): BERT with narrow embeddings, whose layers share their weights.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{Layout, LoadReport, NameMap};
use rekindle_nn::{
    Activation, AttentionOptions, LayerNorm, Linear, Mode, NamedLinear, ParamRole, Pooling, SequenceBatch,
    TokenSelection, TransformerEncoder, attention, dropout, is_tracked, tied_projection,
};
use serde::Deserialize;

use crate::bert::{self, BertEmbeddings};
use crate::config::EncoderConfig;
use crate::family::FamilySpec;
use crate::heads::{Classifier, MaskedLm, decoder};

pub(crate) const SPEC: FamilySpec = FamilySpec {
    model_type: "albert",
    class: "Albert",
    defaults: r#"{
        "vocab_size": 30000, "embedding_size": 128, "hidden_size": 4096, "num_hidden_layers": 12,
        "num_attention_heads": 64, "intermediate_size": 16384, "hidden_act": "gelu_new",
        "hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0, "max_position_embeddings": 512,
        "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12, "classifier_dropout": 0.1,
        "pad_token_id": 0
    }"#,
    renamed: &[("classifier_dropout", "classifier_dropout_prob")],
    required: bert::REQUIRED,
    check: |file| {
        let Options { num_hidden_groups, inner_group_num } = file.read()?;
        file.check_sizes(&[("num_hidden_groups", num_hidden_groups), ("inner_group_num", inner_group_num)], "")?;
        let layers = file.fields.get("num_hidden_layers").and_then(serde_json::Value::as_u64).unwrap_or(12) as usize;
        match num_hidden_groups.saturating_mul(inner_group_num) <= MOST_LAYERS && num_hidden_groups <= layers {
            true => Ok(()),
            false => {
                let reason =
                    format!("{num_hidden_groups} groups of {inner_group_num} are too many for {layers} layers");
                Err(file.refuse("num_hidden_groups", reason))
            }
        }
    },
    head: &["albert.pooler.weight"],
    output: "classifier",
    classifier: CLASSIFIER,
    masked_lm: Layout {
        tied: &[
            ("predictions.decoder.weight", "albert.embeddings.word_embeddings.weight"),
            ("predictions.decoder.bias", "predictions.bias"),
        ],
        ..CLASSIFIER
    },
    tokenizer: "Unigram",
    segments: true,
    targets: &bert::TARGETS,
    examples: &["albert/albert-base-v2"],
};

/// The most layers with weights of their own.
const MOST_LAYERS: usize = 1024;

/// An encoder that was saved alone lacks the prefix `albert.`.
const CLASSIFIER: Layout = Layout {
    encoder: "albert.",
    pooler: Some("albert.pooler."),
    example: "albert.embeddings.word_embeddings.weight",
    names: &[NameMap {
        markers: &[],
        prefix: "",
        rules: &[
            ("embeddings.**", "albert.embeddings.**"),
            ("encoder.**", "albert.encoder.**"),
            ("pooler.**", "albert.pooler.**"),
        ],
    }],
    ignored: &["position_ids"],
    tied: &[],
};

/// The fields that ALBERT alone has.
#[derive(Deserialize)]
#[serde(default)]
struct Options {
    num_hidden_groups: usize,
    inner_group_num: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { num_hidden_groups: 1, inner_group_num: 1 }
    }
}

/// ALBERT without a head.
#[derive(Module, Debug)]
pub struct AlbertModel {
    /// The embeddings.
    pub embeddings: BertEmbeddings,
    /// The layers.
    pub encoder: AlbertEncoder,
    /// What the classifier reads, if it reads a pooler, `[hidden_size, hidden_size]`.
    pub pooler: Option<Linear>,
    /// Whether the pooler was missing in the checkpoint, and therefore learns with the head.
    #[module(skip)]
    new_pooler: bool,
}

/// The projection of the embeddings, and groups of layers, each of which is applied several times.
#[derive(Module, Debug)]
pub struct AlbertEncoder {
    /// `[embedding_size, hidden_size]`.
    pub embedding_hidden_mapping_in: Linear,
    /// The groups.
    pub albert_layer_groups: Vec<AlbertLayerGroup>,
    layers: usize,
}

/// Layers that are applied one after the other.
#[derive(Module, Debug)]
pub struct AlbertLayerGroup {
    /// The layers.
    pub albert_layers: Vec<AlbertLayer>,
}

/// Attention and feed-forward, each added to its input and normalized.
#[derive(Module, Debug)]
pub struct AlbertLayer {
    /// After the feed-forward, over `hidden_size`.
    pub full_layer_layer_norm: LayerNorm,
    /// Attention.
    pub attention: AlbertAttention,
    /// `[hidden_size, intermediate_size]`.
    pub ffn: Linear,
    /// `[intermediate_size, hidden_size]`.
    pub ffn_output: Linear,
    /// Between the layers of the feed-forward block.
    #[module(skip)]
    pub activation: Activation,
}

/// Self-attention, added to its input and normalized.
#[derive(Module, Debug)]
pub struct AlbertAttention {
    /// `[hidden_size, hidden_size]`.
    pub query: Linear,
    /// `[hidden_size, hidden_size]`.
    pub key: Linear,
    /// `[hidden_size, hidden_size]`.
    pub value: Linear,
    /// `[hidden_size, hidden_size]`.
    pub dense: Linear,
    /// Over `hidden_size`.
    pub layer_norm: LayerNorm,
    /// The number of heads.
    pub heads: usize,
    dropout: f64,
    hidden_dropout: f64,
}

impl AlbertModel {
    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let Options { num_hidden_groups, inner_group_num } = config.options();
        let group = || AlbertLayerGroup {
            albert_layers: (0..inner_group_num).map(|_| AlbertLayer::new(config, device)).collect(),
        };
        let encoder = AlbertEncoder {
            embedding_hidden_mapping_in: Linear::new(config.embedding_size, config.hidden_size, device),
            albert_layer_groups: (0..num_hidden_groups).map(|_| group()).collect(),
            layers: config.num_hidden_layers,
        };
        Self { embeddings: BertEmbeddings::new(config, device), encoder, pooler: None, new_pooler: false }
    }
}

impl AlbertEncoder {
    /// Returns the group that a layer uses.
    pub fn group(&self, layer: usize) -> usize {
        layer * self.albert_layer_groups.len() / self.layers
    }

    /// The last layer that uses a group.
    fn last_layer(&self, group: usize) -> usize {
        (0..self.layers).rev().find(|&layer| self.group(layer) == group).unwrap_or(0)
    }
}

impl AlbertLayer {
    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let projection = || Linear::new(hidden, hidden, device);
        let norm = || LayerNorm::new(hidden, config.layer_norm_eps, device);
        let attention = AlbertAttention {
            query: projection(),
            key: projection(),
            value: projection(),
            dense: projection(),
            layer_norm: norm(),
            heads: config.num_attention_heads,
            dropout: config.attention_probs_dropout_prob,
            hidden_dropout: config.hidden_dropout_prob,
        };
        Self {
            full_layer_layer_norm: norm(),
            attention,
            ffn: Linear::new(hidden, inner, device),
            ffn_output: Linear::new(inner, hidden, device),
            activation: config.hidden_act,
        }
    }

    /// # Shapes
    /// - hidden: `[tokens, hidden_size]`
    /// - output: `[rows, hidden_size]`, the rows of `selection`
    fn forward(&self, hidden: Tensor<2>, batch: &SequenceBatch, selection: TokenSelection, mode: Mode) -> Tensor<2> {
        let hidden = self.attention.forward(hidden, batch, selection, mode);
        let output = self.activation.forward_between([&self.ffn, &self.ffn_output], hidden.clone());
        self.full_layer_layer_norm.forward_sum(output, hidden)
    }

    fn linear_layers(&mut self, prefix: &str) -> [NamedLinear<'_>; 6] {
        let attention = &mut self.attention;
        let named: [(&str, &mut Linear); 6] = [
            ("attention.query", &mut attention.query),
            ("attention.key", &mut attention.key),
            ("attention.value", &mut attention.value),
            ("attention.dense", &mut attention.dense),
            ("ffn", &mut self.ffn),
            ("ffn_output", &mut self.ffn_output),
        ];
        named.map(|(name, linear)| NamedLinear { name: format!("{prefix}.{name}"), linear })
    }
}

impl AlbertAttention {
    fn forward(&self, hidden: Tensor<2>, batch: &SequenceBatch, selection: TokenSelection, mode: Mode) -> Tensor<2> {
        let residual = batch.select(hidden.clone(), selection);
        let query = self.query.forward(residual.clone());
        let (key, value) = (self.key.forward(hidden.clone()), self.value.forward(hidden));
        let options = AttentionOptions::new(self.heads, self.dropout);
        let attended = self.dense.forward(attention([query, key, value], batch, selection, options, mode.at(0)));
        self.layer_norm.forward_sum(dropout(attended, self.hidden_dropout, mode.at(1)), residual)
    }
}

impl TransformerEncoder for AlbertModel {
    fn num_layers(&self) -> usize {
        self.encoder.layers
    }

    fn embeddings(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        self.encoder.embedding_hidden_mapping_in.forward(self.embeddings.forward(batch, mode))
    }

    fn layer(
        &self,
        index: usize,
        hidden: Tensor<2>,
        batch: &SequenceBatch,
        selection: TokenSelection,
        mode: Mode,
    ) -> Tensor<2> {
        let layers = &self.encoder.albert_layer_groups[self.encoder.group(index)].albert_layers;
        let last = layers.len() - 1;
        layers.iter().enumerate().fold(hidden, |hidden, (place, layer)| {
            let selection = if place == last { selection } else { TokenSelection::All };
            layer.forward(hidden, batch, selection, mode.at(place))
        })
    }

    fn frozen_layers(&self) -> Option<usize> {
        let encoder = &self.encoder;
        let below = is_tracked(&self.embeddings) || is_tracked(&encoder.embedding_hidden_mapping_in);
        let is_frozen = |layer: &usize| !is_tracked(&encoder.albert_layer_groups[encoder.group(*layer)]);
        (!below).then(|| (0..encoder.layers).take_while(is_frozen).count())
    }

    fn linear_layers(&mut self) -> Vec<NamedLinear<'_>> {
        let groups = self.encoder.albert_layer_groups.iter_mut().enumerate();
        groups
            .flat_map(|(group, layers)| {
                let prefix = format!("encoder.albert_layer_groups.{group}.albert_layers");
                let layers = layers.albert_layers.iter_mut().enumerate();
                layers.flat_map(move |(index, layer)| layer.linear_layers(&format!("{prefix}.{index}")))
            })
            .collect()
    }

    /// The weights of a group count to the last layer that uses them. A pooler counts to the last layer, below which
    /// transformers has it; a new one to the head.
    fn role(&self, name: &str) -> ParamRole {
        if name.starts_with("pooler.") {
            return if self.new_pooler { ParamRole::Head } else { ParamRole::Layer(self.encoder.layers - 1) };
        }
        let group = name.strip_prefix("encoder.albert_layer_groups.").and_then(|rest| rest.split('.').next());
        match group.and_then(|group| group.parse().ok()) {
            Some(group) => ParamRole::Layer(self.encoder.last_layer(group)),
            None => ParamRole::Embeddings,
        }
    }

    fn lora_targets(&self) -> &'static [&'static str] {
        &bert::TARGETS
    }
}

/// ALBERT with a sequence-classification head, as transformers' class of the same name: the classifier reads the pooler, a linear
/// layer and tanh over the pooled hidden states.
#[derive(Module, Debug)]
pub struct AlbertForSequenceClassification {
    /// The encoder, with a pooler.
    pub albert: AlbertModel,
    /// `[hidden_size, num_labels]`.
    pub classifier: Linear,
    /// What the head reads of a sequence.
    #[module(skip)]
    pub pooling: Pooling,
    dropout: f64,
}

impl Classifier for AlbertForSequenceClassification {
    type Encoder = AlbertModel;

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let pooler = Some(Linear::new(config.hidden_size, config.hidden_size, device));
        Self {
            albert: AlbertModel { pooler, ..AlbertModel::new(config, device) },
            classifier: Linear::new(config.hidden_size, config.num_labels(), device),
            pooling: config.classifier_pooling,
            dropout: config.classifier_dropout,
        }
    }

    fn parts(&self) -> (&AlbertModel, Pooling) {
        (&self.albert, self.pooling)
    }

    fn parts_mut(&mut self) -> (&mut AlbertModel, &mut Pooling, &mut Linear) {
        (&mut self.albert, &mut self.pooling, &mut self.classifier)
    }

    fn set_encoder(&mut self, encoder: AlbertModel) {
        let old = std::mem::replace(&mut self.albert, encoder);
        (self.albert.pooler, self.albert.new_pooler) = (old.pooler, old.new_pooler);
    }

    fn loaded(&mut self, report: &LoadReport) {
        self.albert.new_pooler = report.missing.iter().any(|name| name.starts_with("albert.pooler."));
    }

    fn classify(&self, pooled: Tensor<2>, mode: Mode) -> Tensor<2> {
        let pooled = match &self.albert.pooler {
            Some(pooler) => pooler.forward(pooled).tanh(),
            None => pooled,
        };
        self.classifier.forward(dropout(pooled, self.dropout, mode.at(1)))
    }
}

/// ALBERT with a masked-language head, as transformers' class of the same name.
#[derive(Module, Debug)]
pub struct AlbertForMaskedLM {
    /// The encoder, without a pooler.
    pub albert: AlbertModel,
    /// The head.
    pub predictions: AlbertPredictions,
}

/// The prediction of words.
#[derive(Module, Debug)]
pub struct AlbertPredictions {
    /// Over `embedding_size`.
    pub layer_norm: LayerNorm,
    /// `[vocab_size]`.
    pub bias: Param<Tensor<1>>,
    /// `[hidden_size, embedding_size]`.
    pub dense: Linear,
    /// `[embedding_size, vocab_size]`, in place of the word table and the bias, if these are not tied.
    pub decoder: Option<Linear>,
    #[module(skip)]
    activation: Activation,
}

impl MaskedLm for AlbertForMaskedLM {
    type Encoder = AlbertModel;

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let predictions = AlbertPredictions {
            layer_norm: LayerNorm::new(config.embedding_size, config.layer_norm_eps, device),
            bias: Initializer::Zeros.init([config.vocab_size], device),
            dense: Linear::new(config.hidden_size, config.embedding_size, device),
            decoder: decoder(config, device),
            activation: config.hidden_act,
        };
        Self { albert: AlbertModel::new(config, device), predictions }
    }

    fn encoder(&self) -> &AlbertModel {
        &self.albert
    }

    fn words(&self, hidden: Tensor<2>) -> Tensor<2> {
        let AlbertPredictions { layer_norm, bias, dense, decoder, activation } = &self.predictions;
        let hidden = layer_norm.forward(activation.forward(dense.forward(hidden)));
        match decoder {
            Some(decoder) => decoder.forward(hidden),
            None => tied_projection(&self.albert.embeddings.word_embeddings, bias, hidden),
        }
    }
}
