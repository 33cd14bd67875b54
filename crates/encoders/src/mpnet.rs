//! MPNet (Song et al., 2020): BERT with one table of relative position biases for all layers.

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Initializer};
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{Layout, NameMap};
use rekindle_nn::{
    Activation, AttentionOptions, LayerNorm, Linear, Mode, NamedLinear, ParamRole, Pooling, RelativePositions,
    SequenceBatch, TokenSelection, TransformerEncoder, attention, dropout, embedding, is_tracked, layer_role,
};
use serde::Deserialize;

use crate::bert::{self, Dense, DenseNorm};
use crate::config::EncoderConfig;
use crate::family::FamilySpec;
use crate::heads::{Classifier, MaskedLm};
use crate::roberta::{ClassificationHead, LmHead};

pub(crate) const SPEC: FamilySpec = FamilySpec {
    model_type: "mpnet",
    class: "MPNet",
    defaults: r#"{
        "vocab_size": 30527, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 512, "initializer_range": 0.02,
        "layer_norm_eps": 1e-12, "pad_token_id": 1
    }"#,
    renamed: &[],
    required: bert::REQUIRED,
    check: |file| match file.read::<Options>()?.relative_attention_num_buckets {
        count if count >= BUCKETS => Ok(()),
        count => Err(file.refuse("relative_attention_num_buckets", format!("{count} is less than {BUCKETS}"))),
    },
    head: &["classifier.dense.weight"],
    output: "classifier.out_proj",
    classifier: CLASSIFIER,
    masked_lm: Layout {
        tied: &[
            ("lm_head.decoder.weight", "mpnet.embeddings.word_embeddings.weight"),
            ("lm_head.decoder.bias", "lm_head.bias"),
        ],
        ..CLASSIFIER
    },
    tokenizer: "WordPiece",
    segments: false,
    targets: &TARGETS,
    examples: &["microsoft/mpnet-base", "sentence-transformers/all-mpnet-base-v2"],
};

/// An encoder that was saved alone lacks the prefix `mpnet.`. It may have a pooler, which no head reads.
const CLASSIFIER: Layout = Layout {
    encoder: "mpnet.",
    pooler: None,
    example: "mpnet.embeddings.word_embeddings.weight",
    names: &[NameMap {
        markers: &[],
        prefix: "",
        rules: &[("embeddings.**", "mpnet.embeddings.**"), ("encoder.**", "mpnet.encoder.**")],
    }],
    ignored: &["position_ids"],
    tied: &[],
};

/// The buckets of distances. transformers does not read their number from the configuration, which only sizes the table.
const BUCKETS: usize = 32;
/// Distances from here on share a bucket.
const FARTHEST: f32 = 128.0;

/// The fields that MPNet alone has.
#[derive(Deserialize)]
#[serde(default)]
struct Options {
    relative_attention_num_buckets: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { relative_attention_num_buckets: BUCKETS }
    }
}

/// The bucket of a distance, the position of the key minus that of the query (Raffel et al., 2020): half of the buckets for
/// either direction, one for each of the eight nearest distances and the others for distances on a logarithmic scale.
pub fn bucket(distance: i64) -> u32 {
    let half = BUCKETS / 2;
    let exact = half / 2;
    let direction = if distance > 0 { half } else { 0 };
    let far = distance.unsigned_abs() as usize;
    let place = if far < exact {
        far
    } else {
        let scale = (far as f32 / exact as f32).ln() / (FARTHEST / exact as f32).ln();
        (exact + (scale * (half - exact) as f32) as usize).min(half - 1)
    };
    (direction + place) as u32
}

/// MPNet without a head.
#[derive(Module, Debug)]
pub struct MpnetModel {
    /// The embeddings.
    pub embeddings: MpnetEmbeddings,
    /// The layers.
    pub encoder: MpnetEncoder,
}

/// The sum of the embeddings of word and position, normalized.
#[derive(Module, Debug)]
pub struct MpnetEmbeddings {
    /// `[vocab_size, hidden_size]`.
    pub word_embeddings: Embedding,
    /// `[max_position_embeddings, hidden_size]`.
    pub position_embeddings: Embedding,
    /// Over `hidden_size`.
    pub layer_norm: LayerNorm,
    dropout: f64,
}

/// The stack of layers, and the table that all of them read.
#[derive(Module, Debug)]
pub struct MpnetEncoder {
    /// The layers, in the order of the data.
    pub layer: Vec<MpnetLayer>,
    /// What a distance adds to the scores of each head, `[buckets, heads]`.
    pub relative_attention_bias: Embedding,
}

/// Attention and feed-forward, each added to its input and normalized.
#[derive(Module, Debug)]
pub struct MpnetLayer {
    /// Attention.
    pub attention: MpnetAttention,
    /// The first layer of the feed-forward block, `[hidden_size, intermediate_size]`.
    pub intermediate: Dense,
    /// The second layer of the feed-forward block, `[intermediate_size, hidden_size]`.
    pub output: DenseNorm,
    /// Between the layers of the feed-forward block.
    #[module(skip)]
    pub activation: Activation,
}

/// Self-attention, added to its input and normalized.
#[derive(Module, Debug)]
pub struct MpnetAttention {
    /// The projections.
    pub attn: MpnetSelfAttention,
    /// Over `hidden_size`.
    pub layer_norm: LayerNorm,
    /// The number of heads.
    pub heads: usize,
    dropout: f64,
    hidden_dropout: f64,
}

/// The projections of self-attention, each `[hidden_size, hidden_size]`.
#[derive(Module, Debug)]
pub struct MpnetSelfAttention {
    /// Query.
    pub q: Linear,
    /// Key.
    pub k: Linear,
    /// Value.
    pub v: Linear,
    /// Output.
    pub o: Linear,
}

impl MpnetModel {
    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let table =
            |entries, width| EmbeddingConfig::new(entries, width).with_initializer(Initializer::Zeros).init(device);
        let embeddings = MpnetEmbeddings {
            word_embeddings: table(config.vocab_size, config.hidden_size),
            position_embeddings: table(config.max_position_embeddings, config.hidden_size),
            layer_norm: LayerNorm::new(config.hidden_size, config.layer_norm_eps, device),
            dropout: config.hidden_dropout_prob,
        };
        let buckets = config.options::<Options>().relative_attention_num_buckets;
        let encoder = MpnetEncoder {
            layer: (0..config.num_hidden_layers).map(|_| MpnetLayer::new(config, device)).collect(),
            relative_attention_bias: table(buckets, config.num_attention_heads),
        };
        Self { embeddings, encoder }
    }
}

impl MpnetLayer {
    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let projection = || Linear::new(hidden, hidden, device);
        let attention = MpnetAttention {
            attn: MpnetSelfAttention { q: projection(), k: projection(), v: projection(), o: projection() },
            layer_norm: LayerNorm::new(hidden, config.layer_norm_eps, device),
            heads: config.num_attention_heads,
            dropout: config.attention_probs_dropout_prob,
            hidden_dropout: config.hidden_dropout_prob,
        };
        Self {
            attention,
            intermediate: Dense::new(hidden, inner, device),
            output: DenseNorm::new(inner, config, device),
            activation: config.hidden_act,
        }
    }

    fn linear_layers(&mut self, index: usize) -> [NamedLinear<'_>; 6] {
        let attn = &mut self.attention.attn;
        let named: [(&str, &mut Linear); 6] = [
            ("attention.attn.q", &mut attn.q),
            ("attention.attn.k", &mut attn.k),
            ("attention.attn.v", &mut attn.v),
            ("attention.attn.o", &mut attn.o),
            ("intermediate.dense", &mut self.intermediate.dense),
            ("output.dense", &mut self.output.dense),
        ];
        named.map(|(name, linear)| NamedLinear { name: format!("encoder.layer.{index}.{name}"), linear })
    }
}

impl MpnetAttention {
    /// # Shapes
    /// - hidden: `[tokens, hidden_size]`
    /// - bias: `[distances, heads]`
    /// - output: `[rows, hidden_size]`, the rows of `selection`
    fn forward(
        &self,
        hidden: Tensor<2>,
        bias: Tensor<2>,
        batch: &SequenceBatch,
        selection: TokenSelection,
        mode: Mode,
    ) -> Tensor<2> {
        let MpnetSelfAttention { q, k, v, o } = &self.attn;
        let residual = batch.select(hidden.clone(), selection);
        let inputs = [q.forward(residual.clone()), k.forward(hidden.clone()), v.forward(hidden)];
        let positions = RelativePositions::Bias(bias);
        let options = AttentionOptions { positions, ..AttentionOptions::new(self.heads, self.dropout) };
        let attended = o.forward(attention(inputs, batch, selection, options, mode.at(0)));
        self.layer_norm.forward_sum(dropout(attended, self.hidden_dropout, mode.at(1)), residual)
    }
}

/// The default targets of adapters: the projections of queries and values.
const TARGETS: [&str; 2] = ["q", "v"];

impl TransformerEncoder for MpnetModel {
    fn num_layers(&self) -> usize {
        self.encoder.layer.len()
    }

    fn embeddings(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        let MpnetEmbeddings { word_embeddings, position_embeddings, layer_norm, dropout: rate } = &self.embeddings;
        let words = embedding(word_embeddings, batch.input_ids());
        let positions = embedding(position_embeddings, batch.positions());
        dropout(layer_norm.forward_sum(words, positions), *rate, mode)
    }

    fn layer(
        &self,
        index: usize,
        hidden: Tensor<2>,
        batch: &SequenceBatch,
        selection: TokenSelection,
        mode: Mode,
    ) -> Tensor<2> {
        let MpnetLayer { attention, intermediate, output, activation } = &self.encoder.layer[index];
        let bias = embedding(&self.encoder.relative_attention_bias, &batch.distances(bucket));
        let hidden = attention.forward(hidden, bias, batch, selection, mode);
        output.feed_forward(&intermediate.dense, *activation, hidden, mode.at(2))
    }

    fn frozen_layers(&self) -> Option<usize> {
        let MpnetEncoder { layer, relative_attention_bias } = &self.encoder;
        let shared = is_tracked(&self.embeddings) || is_tracked(relative_attention_bias);
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

/// MPNet with a sequence-classification head, as transformers' class of the same name.
#[derive(Module, Debug)]
pub struct MpnetForSequenceClassification {
    /// The encoder.
    pub mpnet: MpnetModel,
    /// The head.
    pub classifier: ClassificationHead,
    /// What the head reads of a sequence.
    #[module(skip)]
    pub pooling: Pooling,
}

impl Classifier for MpnetForSequenceClassification {
    type Encoder = MpnetModel;

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self {
            mpnet: MpnetModel::new(config, device),
            classifier: ClassificationHead::new(config, Activation::Tanh, device),
            pooling: config.classifier_pooling,
        }
    }

    fn parts(&self) -> (&MpnetModel, Pooling) {
        (&self.mpnet, self.pooling)
    }

    fn parts_mut(&mut self) -> (&mut MpnetModel, &mut Pooling, &mut Linear) {
        (&mut self.mpnet, &mut self.pooling, &mut self.classifier.out_proj)
    }

    fn classify(&self, pooled: Tensor<2>, mode: Mode) -> Tensor<2> {
        self.classifier.forward(pooled, mode)
    }
}

/// MPNet with a masked-language head, as transformers' class of the same name.
#[derive(Module, Debug)]
pub struct MpnetForMaskedLM {
    /// The encoder.
    pub mpnet: MpnetModel,
    /// The head.
    pub lm_head: LmHead,
}

impl MaskedLm for MpnetForMaskedLM {
    type Encoder = MpnetModel;

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self { mpnet: MpnetModel::new(config, device), lm_head: LmHead::new(config, device) }
    }

    fn encoder(&self) -> &MpnetModel {
        &self.mpnet
    }

    fn words(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.lm_head.forward(hidden, &self.mpnet.embeddings.word_embeddings)
    }
}
