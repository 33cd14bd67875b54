//! DeBERTa-v2 and v3 (He et al., 2020 and 2021): BERT with disentangled attention, in which the distance of two tokens has a key and
//! a query of its own, and usually without absolute positions.

use burn::module::{Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, Initializer};
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{CheckpointError, ConfigFile, Layout, NameMap};
use rekindle_nn::{
    Activation, AttentionOptions, LayerNorm, Linear, Mode, NamedLinear, ParamRole, Pooling, RelativePositions,
    SequenceBatch, TokenSelection, TransformerEncoder, attention, dropout, embedding, is_tracked, layer_role,
    tied_projection,
};
use serde::Deserialize;
use serde_json::Value;

use crate::bert::{BertHeads, Dense, DenseNorm};
use crate::config::EncoderConfig;
use crate::family::FamilySpec;
use crate::heads::{Classifier, MaskedLm};
use crate::log_buckets::Distances;

pub(crate) const SPEC: FamilySpec = FamilySpec {
    model_type: "deberta-v2",
    class: "DebertaV2",
    defaults: r#"{
        "vocab_size": 128100, "hidden_size": 1536, "num_hidden_layers": 24, "num_attention_heads": 24,
        "intermediate_size": 6144, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 512, "type_vocab_size": 0,
        "initializer_range": 0.02, "layer_norm_eps": 1e-7, "pad_token_id": 0
    }"#,
    renamed: &[("classifier_dropout", "cls_dropout")],
    required: &[("is_decoder", "false"), ("conv_kernel_size", "0")],
    check,
    head: &["pooler.dense.weight"],
    output: "classifier",
    classifier: CLASSIFIER,
    masked_lm: Layout {
        tied: &[
            ("cls.predictions.decoder.weight", "deberta.embeddings.word_embeddings.weight"),
            ("cls.predictions.decoder.bias", "cls.predictions.bias"),
        ],
        ..CLASSIFIER
    },
    tokenizer: "Unigram",
    segments: false,
    targets: &TARGETS,
    examples: &["microsoft/deberta-v3-small", "microsoft/mdeberta-v3-base"],
};

/// An encoder that was saved alone lacks the prefix `deberta.`. Files of models without absolute positions may have their table.
const CLASSIFIER: Layout = Layout {
    encoder: "deberta.",
    pooler: None,
    example: "deberta.embeddings.word_embeddings.weight",
    names: &[NameMap {
        markers: &[],
        prefix: "",
        rules: &[("embeddings.**", "deberta.embeddings.**"), ("encoder.**", "deberta.encoder.**")],
    }],
    ignored: &["position_ids", "position_embeddings.weight"],
    tied: &[],
};

/// The fields that DeBERTa alone has.
#[derive(Deserialize)]
#[serde(default)]
struct Options {
    relative_attention: bool,
    max_relative_positions: i64,
    position_buckets: i64,
    position_biased_input: bool,
    pos_att_type: Option<Value>,
    share_att_key: bool,
    norm_rel_ebd: String,
    attention_head_size: Option<usize>,
    pooler_hidden_size: Option<usize>,
    pooler_hidden_act: Activation,
    pooler_dropout: f64,
    legacy: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            relative_attention: false,
            max_relative_positions: -1,
            position_buckets: -1,
            position_biased_input: true,
            pos_att_type: None,
            share_att_key: false,
            norm_rel_ebd: "none".into(),
            attention_head_size: None,
            pooler_hidden_size: None,
            pooler_hidden_act: Activation::Gelu,
            pooler_dropout: 0.0,
            legacy: true,
        }
    }
}

impl Options {
    /// Whether scores have a term, `c2p` or `p2c`: in a list, or in text, separated by `|`.
    fn has(&self, term: &str) -> bool {
        match &self.pos_att_type {
            Some(Value::String(terms)) => terms.to_lowercase().split('|').any(|one| one.trim() == term),
            Some(Value::Array(terms)) => terms.iter().any(|one| one == term),
            _ => false,
        }
    }

    fn distances(&self, max_position_embeddings: usize) -> Distances {
        let farthest = usize::try_from(self.max_relative_positions).ok().filter(|&most| most > 0);
        let farthest = farthest.unwrap_or(max_position_embeddings);
        let buckets = usize::try_from(self.position_buckets).ok().filter(|&buckets| buckets > 0);
        Distances { buckets, farthest }
    }
}

fn check(file: &ConfigFile) -> Result<(), CheckpointError> {
    let options: Options = file.read()?;
    let size = |field: &str, default: u64| file.fields.get(field).and_then(Value::as_u64).unwrap_or(default) as usize;
    let hidden = size("hidden_size", 1536);
    let head = hidden / size("num_attention_heads", 24).max(1);
    for (field, value, expected) in [
        ("attention_head_size", options.attention_head_size, head),
        ("pooler_hidden_size", options.pooler_hidden_size, hidden),
    ] {
        if let Some(other) = value.filter(|&value| value != expected) {
            return Err(file.refuse(field, format!("{other} is not supported; {expected} is")));
        }
    }
    if !options.relative_attention && ["c2p", "p2c"].iter().any(|term| options.has(term)) {
        return Err(file.refuse("pos_att_type", "is set, but relative_attention is false"));
    }
    let Distances { buckets, farthest } = options.distances(size("max_position_embeddings", 512));
    if options.relative_attention && buckets.unwrap_or(farthest) > MOST_DISTANCES {
        return Err(file.refuse("position_buckets", format!("more than the {MOST_DISTANCES} there can be")));
    }
    file.check_rates(&[("pooler_dropout", options.pooler_dropout)], 1.0)
}

/// The most buckets of distances in either direction.
const MOST_DISTANCES: usize = 1 << 20;

/// DeBERTa without a head.
#[derive(Module, Debug)]
pub struct DebertaV2Model {
    /// The embeddings.
    pub embeddings: DebertaV2Embeddings,
    /// The layers.
    pub encoder: DebertaV2Encoder,
}

/// The sum of the embeddings of word and, in some models, of position and segment, normalized.
#[derive(Module, Debug)]
pub struct DebertaV2Embeddings {
    /// `[vocab_size, embedding_size]`.
    pub word_embeddings: Embedding,
    /// `[max_position_embeddings, embedding_size]`.
    pub position_embeddings: Option<Embedding>,
    /// `[type_vocab_size, embedding_size]`.
    pub token_type_embeddings: Option<Embedding>,
    /// `[embedding_size, hidden_size]`, if these differ.
    pub embed_proj: Option<Linear>,
    /// Over `hidden_size`.
    pub layer_norm: LayerNorm,
    dropout: f64,
}

/// The stack of layers, and the table of distances that all of them read.
#[derive(Module, Debug)]
pub struct DebertaV2Encoder {
    /// The layers, in the order of the data.
    pub layer: Vec<DebertaV2Layer>,
    /// The embeddings of distances, `[2 * span, hidden_size]`.
    pub rel_embeddings: Option<Embedding>,
    /// Over the embeddings of distances.
    pub layer_norm: Option<LayerNorm>,
    dropout: f64,
    #[module(skip)]
    distances: Distances,
}

/// Attention and feed-forward, each added to its input and normalized.
#[derive(Module, Debug)]
pub struct DebertaV2Layer {
    /// Attention.
    pub attention: DebertaV2Attention,
    /// The first layer of the feed-forward block, `[hidden_size, intermediate_size]`.
    pub intermediate: Dense,
    /// The second layer of the feed-forward block, `[intermediate_size, hidden_size]`.
    pub output: DenseNorm,
    /// Between the layers of the feed-forward block.
    #[module(skip)]
    pub activation: Activation,
}

/// Self-attention and its output.
#[derive(Module, Debug)]
pub struct DebertaV2Attention {
    /// Self-attention.
    pub self_attention: DisentangledSelfAttention,
    /// `[hidden_size, hidden_size]`.
    pub output: DenseNorm,
}

/// Multi-head disentangled self-attention. All matrices are `[hidden_size, hidden_size]`.
#[derive(Module, Debug)]
pub struct DisentangledSelfAttention {
    /// Query.
    pub query_proj: Linear,
    /// Key.
    pub key_proj: Linear,
    /// Value.
    pub value_proj: Linear,
    /// The key of a distance, if it has a matrix of its own.
    pub pos_key_proj: Option<Linear>,
    /// The query of a distance, if it has a matrix of its own.
    pub pos_query_proj: Option<Linear>,
    /// The number of heads.
    pub heads: usize,
    dropout: f64,
    /// Whether scores have the term `c2p`, of the query of a token and the key of a distance.
    pub content_to_position: bool,
    /// Whether scores have the term `p2c`, of the key of a token and the query of a distance.
    pub position_to_content: bool,
}

impl DebertaV2Model {
    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let options: Options = config.options();
        let (width, hidden) = (config.embedding_size, config.hidden_size);
        let table =
            |entries, width| EmbeddingConfig::new(entries, width).with_initializer(Initializer::Zeros).init(device);
        let norm = || LayerNorm::new(hidden, config.layer_norm_eps, device);
        let distances = options.distances(config.max_position_embeddings);
        let embeddings = DebertaV2Embeddings {
            word_embeddings: table(config.vocab_size, width),
            position_embeddings: options.position_biased_input.then(|| table(config.max_position_embeddings, width)),
            token_type_embeddings: (config.type_vocab_size > 0).then(|| table(config.type_vocab_size, width)),
            embed_proj: (width != hidden).then(|| Linear::without_bias(width, hidden, device)),
            layer_norm: norm(),
            dropout: config.hidden_dropout_prob,
        };
        let is_normalized = options.norm_rel_ebd.to_lowercase().contains("layer_norm");
        let encoder = DebertaV2Encoder {
            layer: (0..config.num_hidden_layers).map(|_| DebertaV2Layer::new(config, &options, device)).collect(),
            rel_embeddings: options.relative_attention.then(|| table(2 * distances.span(), hidden)),
            layer_norm: is_normalized.then(norm),
            dropout: config.hidden_dropout_prob,
            distances,
        };
        Self { embeddings, encoder }
    }
}

impl DebertaV2Encoder {
    /// Returns the row of the table of distances for a distance, the position of the key minus that of the query.
    pub fn row(&self, distance: i64) -> u32 {
        self.distances.row(distance)
    }

    /// The embeddings of the distances in a batch, `[distances, hidden_size]`.
    fn distances(&self, batch: &SequenceBatch, mode: Mode) -> Option<Tensor<2>> {
        let rows = embedding(self.rel_embeddings.as_ref()?, &batch.distances(|distance| self.row(distance)));
        let rows = self.layer_norm.as_ref().map_or(rows.clone(), |norm| norm.forward(rows));
        Some(dropout(rows, self.dropout, mode))
    }
}

impl DebertaV2Layer {
    fn new(config: &EncoderConfig, options: &Options, device: &Device) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let projection = || Linear::new(hidden, hidden, device);
        let own = |term| (options.has(term) && !options.share_att_key).then(projection);
        let self_attention = DisentangledSelfAttention {
            query_proj: projection(),
            key_proj: projection(),
            value_proj: projection(),
            pos_key_proj: own("c2p"),
            pos_query_proj: own("p2c"),
            heads: config.num_attention_heads,
            dropout: config.attention_probs_dropout_prob,
            content_to_position: options.has("c2p"),
            position_to_content: options.has("p2c"),
        };
        Self {
            attention: DebertaV2Attention { self_attention, output: DenseNorm::new(hidden, config, device) },
            intermediate: Dense::new(hidden, inner, device),
            output: DenseNorm::new(inner, config, device),
            activation: config.hidden_act,
        }
    }

    fn linear_layers(&mut self, index: usize) -> Vec<NamedLinear<'_>> {
        let attention = &mut self.attention.self_attention;
        let named: [(&str, Option<&mut Linear>); 8] = [
            ("attention.self.query_proj", Some(&mut attention.query_proj)),
            ("attention.self.key_proj", Some(&mut attention.key_proj)),
            ("attention.self.value_proj", Some(&mut attention.value_proj)),
            ("attention.self.pos_key_proj", attention.pos_key_proj.as_mut()),
            ("attention.self.pos_query_proj", attention.pos_query_proj.as_mut()),
            ("attention.output.dense", Some(&mut self.attention.output.dense)),
            ("intermediate.dense", Some(&mut self.intermediate.dense)),
            ("output.dense", Some(&mut self.output.dense)),
        ];
        let named = named.into_iter().filter_map(|(name, linear)| Some((name, linear?)));
        named.map(|(name, linear)| NamedLinear { name: format!("encoder.layer.{index}.{name}"), linear }).collect()
    }
}

impl DisentangledSelfAttention {
    /// What the distances add to the scores.
    fn positions(&self, distances: Option<Tensor<2>>) -> RelativePositions {
        let Some(distances) = distances else { return RelativePositions::None };
        let [key, query] = [
            self.pos_key_proj.as_ref().unwrap_or(&self.key_proj),
            self.pos_query_proj.as_ref().unwrap_or(&self.query_proj),
        ];
        RelativePositions::Disentangled {
            keys: self.content_to_position.then(|| key.forward_constants(distances.clone())),
            queries: self.position_to_content.then(|| query.forward_constants(distances)),
        }
    }
}

/// The default targets of adapters: the projections of queries and values.
const TARGETS: [&str; 2] = ["query_proj", "value_proj"];

impl TransformerEncoder for DebertaV2Model {
    fn num_layers(&self) -> usize {
        self.encoder.layer.len()
    }

    fn embeddings(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        let tables = &self.embeddings;
        let mut sum = embedding(&tables.word_embeddings, batch.input_ids());
        if let Some(positions) = &tables.position_embeddings {
            sum = sum + embedding(positions, batch.positions());
        }
        if let Some(types) = &tables.token_type_embeddings {
            sum = sum + embedding(types, batch.token_types());
        }
        let projected = tables.embed_proj.as_ref().map_or(sum.clone(), |project| project.forward(sum));
        dropout(tables.layer_norm.forward(projected), tables.dropout, mode)
    }

    fn layer(
        &self,
        index: usize,
        hidden: Tensor<2>,
        batch: &SequenceBatch,
        selection: TokenSelection,
        mode: Mode,
    ) -> Tensor<2> {
        let DebertaV2Layer { attention: block, intermediate, output, activation } = &self.encoder.layer[index];
        let projections = &block.self_attention;
        let residual = batch.select(hidden.clone(), selection);
        let query = projections.query_proj.forward(residual.clone());
        let (key, value) = (projections.key_proj.forward(hidden.clone()), projections.value_proj.forward(hidden));
        let positions = projections.positions(self.encoder.distances(batch, mode.at(3)));
        let options = AttentionOptions { positions, ..AttentionOptions::new(projections.heads, projections.dropout) };
        let attended = attention([query, key, value], batch, selection, options, mode.at(0));
        let hidden = block.output.forward(attended, residual, mode.at(1));
        output.feed_forward(&intermediate.dense, *activation, hidden, mode.at(2))
    }

    fn frozen_layers(&self) -> Option<usize> {
        let DebertaV2Encoder { layer, rel_embeddings, layer_norm, .. } = &self.encoder;
        let shared = is_tracked(&self.embeddings) || is_tracked(rel_embeddings) || is_tracked(layer_norm);
        (!shared).then(|| layer.iter().take_while(|layer| !is_tracked(*layer)).count())
    }

    fn linear_layers(&mut self) -> Vec<NamedLinear<'_>> {
        let layers = self.encoder.layer.iter_mut().enumerate();
        layers.flat_map(|(index, layer)| layer.linear_layers(index)).collect()
    }

    fn role(&self, name: &str) -> ParamRole {
        layer_role(name, "encoder.layer.")
    }

    fn lora_targets(&self) -> &'static [&'static str] {
        &TARGETS
    }
}

/// DeBERTa with a sequence-classification head, as transformers' class of the same name.
#[derive(Module, Debug)]
pub struct DebertaV2ForSequenceClassification {
    /// The encoder.
    pub deberta: DebertaV2Model,
    /// `[hidden_size, hidden_size]`.
    pub pooler: Dense,
    /// `[hidden_size, num_labels]`.
    pub classifier: Linear,
    /// What the head reads of a sequence.
    #[module(skip)]
    pub pooling: Pooling,
    /// Behind the pooler.
    #[module(skip)]
    pub activation: Activation,
    pooler_dropout: f64,
    dropout: f64,
}

impl Classifier for DebertaV2ForSequenceClassification {
    type Encoder = DebertaV2Model;

    const TRANSFORM: &'static [&'static str] = &["pooler."];

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let Options { pooler_hidden_act, pooler_dropout, .. } = config.options();
        Self {
            deberta: DebertaV2Model::new(config, device),
            pooler: Dense::new(config.hidden_size, config.hidden_size, device),
            classifier: Linear::new(config.hidden_size, config.num_labels(), device),
            pooling: config.classifier_pooling,
            activation: pooler_hidden_act,
            pooler_dropout,
            dropout: config.classifier_dropout,
        }
    }

    fn parts(&self) -> (&DebertaV2Model, Pooling) {
        (&self.deberta, self.pooling)
    }

    fn parts_mut(&mut self) -> (&mut DebertaV2Model, &mut Pooling, &mut Linear) {
        (&mut self.deberta, &mut self.pooling, &mut self.classifier)
    }

    fn classify(&self, pooled: Tensor<2>, mode: Mode) -> Tensor<2> {
        let pooled = dropout(pooled, self.pooler_dropout, mode.at(1));
        let pooled = self.activation.forward(self.pooler.dense.forward(pooled));
        self.classifier.forward(dropout(pooled, self.dropout, mode.at(2)))
    }
}

/// DeBERTa with a masked-language head, as transformers' class of the same name: the head of BERT, or with `legacy: false` one of
/// its own.
#[derive(Module, Debug)]
pub struct DebertaV2ForMaskedLM {
    /// The encoder.
    pub deberta: DebertaV2Model,
    /// The head of BERT.
    pub cls: Option<BertHeads>,
    /// The other head.
    pub lm_predictions: Option<LmPredictions>,
}

/// The prediction of words.
#[derive(Module, Debug)]
pub struct LmPredictions {
    /// The head.
    pub lm_head: DebertaV2LmHead,
}

/// A linear layer, an activation function, a LayerNorm, and the word table of the encoder.
#[derive(Module, Debug)]
pub struct DebertaV2LmHead {
    /// `[hidden_size, hidden_size]`.
    pub dense: Linear,
    /// Over `hidden_size`.
    pub layer_norm: LayerNorm,
    /// `[vocab_size]`.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
}

impl MaskedLm for DebertaV2ForMaskedLM {
    type Encoder = DebertaV2Model;

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let Options { legacy, .. } = config.options();
        let lm_head = || DebertaV2LmHead {
            dense: Linear::new(config.hidden_size, config.hidden_size, device),
            layer_norm: LayerNorm::new(config.hidden_size, config.layer_norm_eps, device),
            bias: Initializer::Zeros.init([config.vocab_size], device),
            activation: config.hidden_act,
        };
        Self {
            deberta: DebertaV2Model::new(config, device),
            cls: legacy.then(|| BertHeads::new(config, device)),
            lm_predictions: (!legacy).then(|| LmPredictions { lm_head: lm_head() }),
        }
    }

    fn encoder(&self) -> &DebertaV2Model {
        &self.deberta
    }

    fn words(&self, hidden: Tensor<2>) -> Tensor<2> {
        let table = &self.deberta.embeddings.word_embeddings;
        match (&self.cls, &self.lm_predictions) {
            (None, Some(LmPredictions { lm_head: DebertaV2LmHead { dense, layer_norm, bias, activation } })) => {
                tied_projection(table, bias, layer_norm.forward(activation.forward(dense.forward(hidden))))
            }
            (Some(heads), _) => heads.words(hidden, table),
            (None, None) => hidden,
        }
    }
}
