//! ModernBERT (Warner et al., 2024): rotary positions, gated feed-forward blocks, norms before the blocks, and layers that
//! attend to a window.

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Initializer};
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{CheckpointError, ConfigFile, Layout, NameMap};
use rekindle_nn::{
    Activation, AttentionOptions, LayerNorm, Linear, Mode, NamedLinear, ParamRole, Pooling, SequenceBatch,
    TokenSelection, TransformerEncoder, attention, dropout, embedding, is_tracked, layer_role, rotary_embedding,
};
use serde::Deserialize;
use serde_json::Value;

use crate::config::EncoderConfig;
use crate::family::FamilySpec;
use crate::heads::{Classifier, MaskedLm, WordProjection};

pub(crate) const SPEC: FamilySpec = FamilySpec {
    model_type: "modernbert",
    class: "ModernBert",
    defaults: r#"{
        "vocab_size": 50368, "hidden_size": 768, "num_hidden_layers": 22, "num_attention_heads": 12,
        "intermediate_size": 1152, "hidden_act": "gelu", "hidden_dropout_prob": 0,
        "attention_probs_dropout_prob": 0, "max_position_embeddings": 8192, "initializer_range": 0.02,
        "layer_norm_eps": 1e-5, "classifier_dropout": 0, "pad_token_id": 50283
    }"#,
    renamed: &[
        ("hidden_act", "hidden_activation"),
        ("hidden_dropout_prob", "embedding_dropout"),
        ("attention_probs_dropout_prob", "attention_dropout"),
        ("layer_norm_eps", "norm_eps"),
    ],
    required: &[],
    check,
    head: &["head.dense.weight"],
    output: "classifier",
    classifier: CLASSIFIER,
    masked_lm: Layout { tied: &[("decoder.weight", "model.embeddings.tok_embeddings.weight")], ..CLASSIFIER },
    tokenizer: "byte-level BPE",
    segments: false,
    targets: &TARGETS,
    examples: &["answerdotai/ModernBERT-base", "jhu-clsp/ettin-encoder-32m"],
};

/// An encoder that was saved alone lacks the prefix `model.`.
const CLASSIFIER: Layout = Layout {
    encoder: "model.",
    pooler: None,
    example: "model.embeddings.tok_embeddings.weight",
    names: &[NameMap {
        markers: &[],
        prefix: "",
        rules: &[
            ("embeddings.**", "model.embeddings.**"),
            ("layers.**", "model.layers.**"),
            ("final_norm.**", "model.final_norm.**"),
        ],
    }],
    ignored: &[],
    tied: &[],
};

/// The fields that ModernBERT alone has. Old files give the bases of the rotations and the interval of the global layers; new ones
/// a list of layers and the bases by kind of layer.
#[derive(Deserialize)]
#[serde(default)]
struct Options {
    norm_bias: bool,
    attention_bias: bool,
    mlp_bias: bool,
    classifier_bias: bool,
    decoder_bias: bool,
    mlp_dropout: f64,
    classifier_activation: Activation,
    local_attention: usize,
    global_attn_every_n_layers: usize,
    global_rope_theta: Option<f64>,
    local_rope_theta: Option<f64>,
    layer_types: Option<Vec<LayerType>>,
    rope_parameters: Option<RopeParameters>,
    rope_scaling: Option<Value>,
    initializer_cutoff_factor: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            norm_bias: false,
            attention_bias: false,
            mlp_bias: false,
            classifier_bias: false,
            decoder_bias: true,
            mlp_dropout: 0.0,
            classifier_activation: Activation::Gelu,
            local_attention: 128,
            global_attn_every_n_layers: 3,
            global_rope_theta: None,
            local_rope_theta: None,
            layer_types: None,
            rope_parameters: None,
            rope_scaling: None,
            initializer_cutoff_factor: 2.0,
        }
    }
}

/// The tokens that a layer attends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LayerType {
    /// All.
    FullAttention,
    /// Those within a window.
    SlidingAttention,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RopeParameters {
    full_attention: Option<Rope>,
    sliding_attention: Option<Rope>,
}

#[derive(Deserialize)]
struct Rope {
    rope_type: Option<String>,
    rope_theta: Option<f64>,
}

impl Options {
    fn layer_type(&self, layer: usize) -> LayerType {
        match &self.layer_types {
            Some(types) => types.get(layer).copied().unwrap_or(LayerType::FullAttention),
            None if layer.is_multiple_of(self.global_attn_every_n_layers) => LayerType::FullAttention,
            None => LayerType::SlidingAttention,
        }
    }

    /// The base of the rotations of a layer.
    fn theta(&self, kind: LayerType) -> f64 {
        let parameters = self.rope_parameters.as_ref();
        let (of_kind, legacy, default) = match kind {
            LayerType::FullAttention => {
                (parameters.and_then(|all| all.full_attention.as_ref()), self.global_rope_theta, 160_000.0)
            }
            LayerType::SlidingAttention => {
                (parameters.and_then(|all| all.sliding_attention.as_ref()), self.local_rope_theta, 10_000.0)
            }
        };
        of_kind.and_then(|rope| rope.rope_theta).or(legacy).unwrap_or(default)
    }
}

fn check(file: &ConfigFile) -> Result<(), CheckpointError> {
    let options: Options = file.read()?;
    file.check_sizes(&[("global_attn_every_n_layers", options.global_attn_every_n_layers)], "")?;
    let layers = file.fields.get("num_hidden_layers").and_then(Value::as_u64).unwrap_or(22) as usize;
    if let Some(types) = options.layer_types.as_ref().filter(|types| types.len() != layers) {
        return Err(file.refuse("layer_types", format!("{} kinds for {layers} layers", types.len())));
    }
    let parameters = options.rope_parameters.iter();
    let ropes = parameters.flat_map(|all| [&all.full_attention, &all.sliding_attention]).flatten();
    for rope in ropes {
        if let Some(kind) = rope.rope_type.as_ref().filter(|kind| *kind != "default") {
            return Err(file.refuse("rope_parameters", format!("rope_type {kind} is not supported; default is")));
        }
    }
    if let Some(scaling) = options.rope_scaling {
        return Err(file.refuse("rope_scaling", format!("{scaling} is not supported; null is")));
    }
    for kind in [LayerType::FullAttention, LayerType::SlidingAttention] {
        let theta = options.theta(kind);
        if !(theta.is_finite() && theta > 0.0) {
            return Err(file.refuse("rope_parameters", format!("rope_theta {theta} is not a positive number")));
        }
    }
    let heads = file.fields.get("num_attention_heads").and_then(Value::as_u64).unwrap_or(12);
    let hidden = file.fields.get("hidden_size").and_then(Value::as_u64).unwrap_or(768);
    if !(hidden / heads.max(1)).is_multiple_of(2) {
        return Err(file.refuse("num_attention_heads", "the width of a head is odd, and rotations need an even one"));
    }
    file.check_rates(&[("mlp_dropout", options.mlp_dropout)], 1.0)
}

/// The deviation of the initial values of a matrix, and the largest multiple of it that they have.
pub(crate) fn deviation(config: &EncoderConfig, name: &str) -> (f64, f64) {
    let cutoff = config.options::<Options>().initializer_cutoff_factor;
    let range = config.initializer_range;
    let is_output = ["attn.Wo.weight", "mlp.Wo.weight", "head.dense.weight", "decoder.weight"];
    let deviation = match name {
        "classifier.weight" => (config.hidden_size as f64).sqrt().recip(),
        _ if is_output.iter().any(|end| name.ends_with(end)) => range / (2.0 * config.num_hidden_layers as f64).sqrt(),
        _ => range,
    };
    (deviation, cutoff)
}

/// ModernBERT without a head.
#[derive(Module, Debug)]
pub struct ModernBertModel {
    /// The embeddings.
    pub embeddings: ModernBertEmbeddings,
    /// The layers, in the order of the data.
    pub layers: Vec<ModernBertLayer>,
    /// After the last layer, over `hidden_size`.
    pub final_norm: LayerNorm,
}

/// The embeddings of words, normalized.
#[derive(Module, Debug)]
pub struct ModernBertEmbeddings {
    /// `[vocab_size, hidden_size]`.
    pub tok_embeddings: Embedding,
    /// Over `hidden_size`.
    pub norm: LayerNorm,
    dropout: f64,
}

/// Attention and feed-forward, each applied to its normalized input and added to it.
#[derive(Module, Debug)]
pub struct ModernBertLayer {
    /// Before attention, over `hidden_size`; the first layer has none.
    pub attn_norm: Option<LayerNorm>,
    /// Attention.
    pub attn: ModernBertAttention,
    /// Before the feed-forward block, over `hidden_size`.
    pub mlp_norm: LayerNorm,
    /// The feed-forward block.
    pub mlp: ModernBertMlp,
}

/// Multi-head self-attention.
#[derive(Module, Debug)]
pub struct ModernBertAttention {
    /// Query, key and value, `[hidden_size, 3 * hidden_size]`.
    pub wqkv: Linear,
    /// `[hidden_size, hidden_size]`.
    pub wo: Linear,
    /// The number of heads.
    pub heads: usize,
    dropout: f64,
    /// The base of the rotations.
    pub theta: f64,
    /// The largest distance of two tokens that attend to each other; `None` for the whole sequence.
    #[module(skip)]
    pub window: Option<usize>,
}

/// The feed-forward block, a gated linear unit.
#[derive(Module, Debug)]
pub struct ModernBertMlp {
    /// Input and gate, `[hidden_size, 2 * intermediate_size]`.
    pub wi: Linear,
    /// `[intermediate_size, hidden_size]`.
    pub wo: Linear,
    /// Of the gate.
    #[module(skip)]
    pub activation: Activation,
    dropout: f64,
}

/// A linear layer with or without a bias.
fn linear(inputs: usize, outputs: usize, bias: bool, device: &Device) -> Linear {
    if bias { Linear::new(inputs, outputs, device) } else { Linear::without_bias(inputs, outputs, device) }
}

/// A norm over `hidden_size`.
fn norm(config: &EncoderConfig, options: &Options, device: &Device) -> LayerNorm {
    let (dim, epsilon) = (config.hidden_size, config.layer_norm_eps);
    if options.norm_bias { LayerNorm::new(dim, epsilon, device) } else { LayerNorm::without_bias(dim, epsilon, device) }
}

impl ModernBertModel {
    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let options: Options = config.options();
        let embeddings = ModernBertEmbeddings {
            tok_embeddings: EmbeddingConfig::new(config.vocab_size, config.hidden_size)
                .with_initializer(Initializer::Zeros)
                .init(device),
            norm: norm(config, &options, device),
            dropout: config.hidden_dropout_prob,
        };
        Self {
            embeddings,
            layers: (0..config.num_hidden_layers)
                .map(|index| ModernBertLayer::new(index, config, &options, device))
                .collect(),
            final_norm: norm(config, &options, device),
        }
    }
}

impl ModernBertLayer {
    fn new(index: usize, config: &EncoderConfig, options: &Options, device: &Device) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let kind = options.layer_type(index);
        let attn = ModernBertAttention {
            wqkv: linear(hidden, 3 * hidden, options.attention_bias, device),
            wo: linear(hidden, hidden, options.attention_bias, device),
            heads: config.num_attention_heads,
            dropout: config.attention_probs_dropout_prob,
            theta: options.theta(kind),
            window: (kind == LayerType::SlidingAttention).then_some(options.local_attention / 2),
        };
        let mlp = ModernBertMlp {
            wi: linear(hidden, 2 * inner, options.mlp_bias, device),
            wo: linear(inner, hidden, options.mlp_bias, device),
            activation: config.hidden_act,
            dropout: options.mlp_dropout,
        };
        let norm = || norm(config, options, device);
        Self { attn_norm: (index > 0).then(norm), attn, mlp_norm: norm(), mlp }
    }

    fn linear_layers(&mut self, index: usize) -> [NamedLinear<'_>; 4] {
        let named: [(&str, &mut Linear); 4] = [
            ("attn.Wqkv", &mut self.attn.wqkv),
            ("attn.Wo", &mut self.attn.wo),
            ("mlp.Wi", &mut self.mlp.wi),
            ("mlp.Wo", &mut self.mlp.wo),
        ];
        named.map(|(name, linear)| NamedLinear { name: format!("layers.{index}.{name}"), linear })
    }
}

impl ModernBertAttention {
    /// # Shapes
    /// - hidden: `[tokens, hidden_size]`
    /// - output: `[rows, hidden_size]`, the rows of `selection`
    fn forward(&self, hidden: Tensor<2>, batch: &SequenceBatch, selection: TokenSelection, mode: Mode) -> Tensor<2> {
        let [_, dim] = hidden.dims();
        let projected = self.wqkv.forward(hidden);
        let columns = |part: usize| projected.clone().narrow(1, part * dim, dim);
        let query = batch.select(columns(0), selection);
        let query = rotary_embedding(query, batch, selection, self.heads, self.theta);
        let key = rotary_embedding(columns(1), batch, TokenSelection::All, self.heads, self.theta);
        let options = AttentionOptions { window: self.window, ..AttentionOptions::new(self.heads, self.dropout) };
        let attended = attention([query, key, columns(2)], batch, selection, options, mode.at(0));
        dropout(self.wo.forward(attended), self.dropout, mode.at(1))
    }
}

impl ModernBertMlp {
    fn forward(&self, hidden: Tensor<2>, mode: Mode) -> Tensor<2> {
        let gated = self.activation.forward_gated(self.wi.forward(hidden));
        self.wo.forward(dropout(gated, self.dropout, mode))
    }
}

/// The default targets of adapters: the fused projection of queries, keys and values.
const TARGETS: [&str; 1] = ["Wqkv"];

impl TransformerEncoder for ModernBertModel {
    fn num_layers(&self) -> usize {
        self.layers.len()
    }

    fn embeddings(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        let ModernBertEmbeddings { tok_embeddings, norm, dropout: rate } = &self.embeddings;
        dropout(norm.forward(embedding(tok_embeddings, batch.input_ids())), *rate, mode)
    }

    fn layer(
        &self,
        index: usize,
        hidden: Tensor<2>,
        batch: &SequenceBatch,
        selection: TokenSelection,
        mode: Mode,
    ) -> Tensor<2> {
        let ModernBertLayer { attn_norm, attn, mlp_norm, mlp } = &self.layers[index];
        let normalized = attn_norm.as_ref().map_or(hidden.clone(), |norm| norm.forward(hidden.clone()));
        let hidden = batch.select(hidden, selection) + attn.forward(normalized, batch, selection, mode);
        hidden.clone() + mlp.forward(mlp_norm.forward(hidden), mode.at(2))
    }

    fn last_hidden_state(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.final_norm.forward(hidden)
    }

    fn frozen_layers(&self) -> Option<usize> {
        let frozen = self.layers.iter().take_while(|layer| !is_tracked(*layer)).count();
        // A norm that is trained needs the graph of the last layer.
        let frozen = if is_tracked(&self.final_norm) { frozen.min(self.layers.len() - 1) } else { frozen };
        (!is_tracked(&self.embeddings)).then_some(frozen)
    }

    fn linear_layers(&mut self) -> Vec<NamedLinear<'_>> {
        self.layers.iter_mut().enumerate().flat_map(|(index, layer)| layer.linear_layers(index)).collect()
    }

    fn role(&self, name: &str) -> ParamRole {
        match name.starts_with("final_norm.") {
            true => ParamRole::Layer(self.layers.len() - 1),
            false => layer_role(name, "layers."),
        }
    }

    fn lora_targets(&self) -> &'static [&'static str] {
        &TARGETS
    }
}

/// A linear layer, an activation function and a norm, in front of both heads.
#[derive(Module, Debug)]
pub struct PredictionHead {
    /// `[hidden_size, hidden_size]`.
    pub dense: Linear,
    /// Over `hidden_size`.
    pub norm: LayerNorm,
    /// Behind the linear layer.
    #[module(skip)]
    pub activation: Activation,
}

impl PredictionHead {
    fn new(config: &EncoderConfig, options: &Options, device: &Device) -> Self {
        Self {
            dense: linear(config.hidden_size, config.hidden_size, options.classifier_bias, device),
            norm: norm(config, options, device),
            activation: options.classifier_activation,
        }
    }

    fn forward(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.norm.forward(self.activation.forward(self.dense.forward(hidden)))
    }
}

/// ModernBERT with a sequence-classification head, as transformers' class of the same name.
#[derive(Module, Debug)]
pub struct ModernBertForSequenceClassification {
    /// The encoder.
    pub model: ModernBertModel,
    /// In front of the classifier.
    pub head: PredictionHead,
    /// `[hidden_size, num_labels]`.
    pub classifier: Linear,
    /// What the head reads of a sequence.
    #[module(skip)]
    pub pooling: Pooling,
    dropout: f64,
}

impl Classifier for ModernBertForSequenceClassification {
    type Encoder = ModernBertModel;

    const TRANSFORM: &'static [&'static str] = &["head."];

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self {
            model: ModernBertModel::new(config, device),
            head: PredictionHead::new(config, &config.options(), device),
            classifier: Linear::new(config.hidden_size, config.num_labels(), device),
            pooling: config.classifier_pooling,
            dropout: config.classifier_dropout,
        }
    }

    fn parts(&self) -> (&ModernBertModel, Pooling) {
        (&self.model, self.pooling)
    }

    fn parts_mut(&mut self) -> (&mut ModernBertModel, &mut Pooling, &mut Linear) {
        (&mut self.model, &mut self.pooling, &mut self.classifier)
    }

    fn classify(&self, pooled: Tensor<2>, mode: Mode) -> Tensor<2> {
        self.classifier.forward(dropout(self.head.forward(pooled), self.dropout, mode.at(1)))
    }
}

/// ModernBERT with a masked-language head, as transformers' class of the same name.
#[derive(Module, Debug)]
pub struct ModernBertForMaskedLM {
    /// The encoder.
    pub model: ModernBertModel,
    /// In front of the projection to words.
    pub head: PredictionHead,
    /// The projection to words.
    pub decoder: WordProjection,
}

impl MaskedLm for ModernBertForMaskedLM {
    type Encoder = ModernBertModel;

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let options: Options = config.options();
        Self {
            model: ModernBertModel::new(config, device),
            head: PredictionHead::new(config, &options, device),
            decoder: WordProjection::new(config, options.decoder_bias, device),
        }
    }

    fn encoder(&self) -> &ModernBertModel {
        &self.model
    }

    fn words(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.decoder.forward(self.head.forward(hidden), &self.model.embeddings.tok_embeddings)
    }
}
