//! BERT (Devlin et al., 2018).

use burn::module::{Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, Initializer};
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{Layout, LoadReport, NameMap};
use rekindle_nn::{
    Activation, AttentionOptions, LayerNorm, Linear, Mode, NamedLinear, ParamRole, Pooling, SequenceBatch,
    TokenSelection, TransformerEncoder, attention, dropout, embedding, is_tracked, layer_role, tied_projection,
};

use crate::config::EncoderConfig;
use crate::family::FamilySpec;
use crate::heads::{Classifier, MaskedLm, decoder};

/// The fields of config.json that BERT and its kin have, with transformers' defaults.
pub(crate) const SPEC: FamilySpec = FamilySpec {
    model_type: "bert",
    class: "Bert",
    defaults: r#"{
        "vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 512, "type_vocab_size": 2,
        "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0
    }"#,
    renamed: &[],
    required: REQUIRED,
    check: |_| Ok(()),
    head: &["bert.pooler.dense.weight"],
    output: "classifier",
    classifier: CLASSIFIER,
    masked_lm: Layout {
        tied: &[
            ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
            ("cls.predictions.decoder.bias", "cls.predictions.bias"),
        ],
        ..CLASSIFIER
    },
    tokenizer: "WordPiece",
    segments: true,
    targets: &TARGETS,
    examples: &["google-bert/bert-base-uncased", "microsoft/MiniLM-L12-H384-uncased", "BAAI/bge-base-en-v1.5"],
};

/// What BERT and its kin support of its options.
pub(crate) const REQUIRED: &[(&str, &str)] =
    &[("position_embedding_type", "\"absolute\""), ("is_decoder", "false"), ("add_cross_attention", "false")];

/// An encoder that was saved alone lacks the prefix `bert.`.
const CLASSIFIER: Layout = Layout {
    encoder: "bert.",
    pooler: Some("bert.pooler."),
    example: "bert.embeddings.word_embeddings.weight",
    names: &[NameMap {
        markers: &[],
        prefix: "",
        rules: &[
            ("embeddings.**", "bert.embeddings.**"),
            ("encoder.**", "bert.encoder.**"),
            ("pooler.**", "bert.pooler.**"),
        ],
    }],
    ignored: &["position_ids"],
    tied: &[],
};

/// BERT without a head.
#[derive(Module, Debug)]
pub struct BertModel {
    /// The embeddings.
    pub embeddings: BertEmbeddings,
    /// The layers.
    pub encoder: BertEncoder,
    /// What the classifier reads, if it reads a pooler.
    pub pooler: Option<Dense>,
    /// Whether the pooler was missing in the checkpoint, and therefore learns with the head.
    #[module(skip)]
    new_pooler: bool,
}

/// The sum of the embeddings of word, segment and position, normalized.
#[derive(Module, Debug)]
pub struct BertEmbeddings {
    /// `[vocab_size, embedding_size]`.
    pub word_embeddings: Embedding,
    /// `[max_position_embeddings, embedding_size]`.
    pub position_embeddings: Embedding,
    /// `[type_vocab_size, embedding_size]`.
    pub token_type_embeddings: Embedding,
    /// Over `embedding_size`.
    pub layer_norm: LayerNorm,
    dropout: f64,
}

impl BertEmbeddings {
    pub(crate) fn new(config: &EncoderConfig, device: &Device) -> Self {
        let table = |entries| {
            EmbeddingConfig::new(entries, config.embedding_size).with_initializer(Initializer::Zeros).init(device)
        };
        Self {
            word_embeddings: table(config.vocab_size),
            position_embeddings: table(config.max_position_embeddings),
            token_type_embeddings: table(config.type_vocab_size),
            layer_norm: LayerNorm::new(config.embedding_size, config.layer_norm_eps, device),
            dropout: config.hidden_dropout_prob,
        }
    }

    /// # Shapes
    /// - output: `[tokens, embedding_size]`
    pub fn forward(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        let words = embedding(&self.word_embeddings, batch.input_ids());
        let types = embedding(&self.token_type_embeddings, batch.token_types());
        let positions = embedding(&self.position_embeddings, batch.positions());
        dropout(self.layer_norm.forward_sum(words + types, positions), self.dropout, mode)
    }
}

/// The stack of layers.
#[derive(Module, Debug)]
pub struct BertEncoder {
    /// The layers, in the order of the data.
    pub layer: Vec<BertLayer>,
}

impl BertEncoder {
    pub(crate) fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self { layer: (0..config.num_hidden_layers).map(|_| BertLayer::new(config, device)).collect() }
    }

    /// The linear layers, by their names in the encoder.
    pub(crate) fn linear_layers(&mut self) -> Vec<NamedLinear<'_>> {
        let layers = self.layer.iter_mut().enumerate();
        layers.flat_map(|(index, layer)| layer.linear_layers(index)).collect()
    }
}

/// Attention and feed-forward, each added to its input and normalized.
#[derive(Module, Debug)]
pub struct BertLayer {
    /// Attention.
    pub attention: BertAttention,
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
pub struct BertAttention {
    /// Self-attention.
    pub self_attention: BertSelfAttention,
    /// `[hidden_size, hidden_size]`.
    pub output: DenseNorm,
}

/// Multi-head self-attention.
#[derive(Module, Debug)]
pub struct BertSelfAttention {
    /// `[hidden_size, hidden_size]`.
    pub query: Linear,
    /// `[hidden_size, hidden_size]`.
    pub key: Linear,
    /// `[hidden_size, hidden_size]`.
    pub value: Linear,
    /// The number of heads.
    pub heads: usize,
    dropout: f64,
}

/// A linear layer.
#[derive(Module, Debug)]
pub struct Dense {
    /// `[in, out]`.
    pub dense: Linear,
}

impl Dense {
    pub(crate) fn new(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self { dense: Linear::new(inputs, outputs, device) }
    }
}

/// A linear layer at the end of a block: its output is added to the block's input and normalized.
#[derive(Module, Debug)]
pub struct DenseNorm {
    /// `[in, hidden_size]`.
    pub dense: Linear,
    /// Over `hidden_size`.
    pub layer_norm: LayerNorm,
    dropout: f64,
}

impl DenseNorm {
    pub(crate) fn new(inputs: usize, config: &EncoderConfig, device: &Device) -> Self {
        Self {
            dense: Linear::new(inputs, config.hidden_size, device),
            layer_norm: LayerNorm::new(config.hidden_size, config.layer_norm_eps, device),
            dropout: config.hidden_dropout_prob,
        }
    }

    /// # Shapes
    /// - input: `[rows, in]`
    /// - residual, output: `[rows, hidden_size]`
    pub(crate) fn forward(&self, input: Tensor<2>, residual: Tensor<2>, mode: Mode) -> Tensor<2> {
        self.add_and_norm(self.dense.forward(input), residual, mode)
    }

    /// The feed-forward block from the layer `first` to this one.
    ///
    /// # Shapes
    /// - hidden, output: `[rows, hidden_size]`
    pub(crate) fn feed_forward(
        &self,
        first: &Linear,
        activation: Activation,
        hidden: Tensor<2>,
        mode: Mode,
    ) -> Tensor<2> {
        self.add_and_norm(activation.forward_between([first, &self.dense], hidden.clone()), hidden, mode)
    }

    fn add_and_norm(&self, output: Tensor<2>, residual: Tensor<2>, mode: Mode) -> Tensor<2> {
        self.layer_norm.forward_sum(dropout(output, self.dropout, mode), residual)
    }
}

impl BertLayer {
    pub(crate) fn new(config: &EncoderConfig, device: &Device) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let projection = || Linear::new(hidden, hidden, device);
        let self_attention = BertSelfAttention {
            query: projection(),
            key: projection(),
            value: projection(),
            heads: config.num_attention_heads,
            dropout: config.attention_probs_dropout_prob,
        };
        Self {
            attention: BertAttention { self_attention, output: DenseNorm::new(hidden, config, device) },
            intermediate: Dense::new(hidden, inner, device),
            output: DenseNorm::new(inner, config, device),
            activation: config.hidden_act,
        }
    }

    /// # Shapes
    /// - hidden: `[tokens, hidden_size]`
    /// - output: `[rows, hidden_size]`, the rows of `selection`
    pub fn forward(
        &self,
        hidden: Tensor<2>,
        batch: &SequenceBatch,
        selection: TokenSelection,
        mode: Mode,
    ) -> Tensor<2> {
        let BertSelfAttention { query, key, value, heads, dropout } = &self.attention.self_attention;
        let residual = batch.select(hidden.clone(), selection);
        let inputs = [query.forward(residual.clone()), key.forward(hidden.clone()), value.forward(hidden)];
        let options = AttentionOptions::new(*heads, *dropout);
        let attended = attention(inputs, batch, selection, options, mode.at(0));
        let hidden = self.attention.output.forward(attended, residual, mode.at(1));
        self.output.feed_forward(&self.intermediate.dense, self.activation, hidden, mode.at(2))
    }

    fn linear_layers(&mut self, index: usize) -> [NamedLinear<'_>; 6] {
        let attention = &mut self.attention.self_attention;
        let named: [(&str, &mut Linear); 6] = [
            ("attention.self.query", &mut attention.query),
            ("attention.self.key", &mut attention.key),
            ("attention.self.value", &mut attention.value),
            ("attention.output.dense", &mut self.attention.output.dense),
            ("intermediate.dense", &mut self.intermediate.dense),
            ("output.dense", &mut self.output.dense),
        ];
        named.map(|(name, linear)| NamedLinear { name: format!("encoder.layer.{index}.{name}"), linear })
    }
}

impl BertModel {
    pub(crate) fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self {
            embeddings: BertEmbeddings::new(config, device),
            encoder: BertEncoder::new(config, device),
            pooler: None,
            new_pooler: false,
        }
    }

    fn with_pooler(config: &EncoderConfig, device: &Device) -> Self {
        let pooler = Some(Dense::new(config.hidden_size, config.hidden_size, device));
        Self { pooler, ..Self::new(config, device) }
    }

    /// A pooler counts to the last layer, below which transformers has it; a new one to the head.
    fn role_of(&self, name: &str) -> ParamRole {
        match name.starts_with("pooler.") {
            true if self.new_pooler => ParamRole::Head,
            true => ParamRole::Layer(self.encoder.layer.len() - 1),
            false => layer_role(name, "encoder.layer."),
        }
    }
}

impl TransformerEncoder for BertModel {
    fn num_layers(&self) -> usize {
        self.encoder.layer.len()
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
        self.encoder.layer[index].forward(hidden, batch, selection, mode)
    }

    fn frozen_layers(&self) -> Option<usize> {
        let layers = &self.encoder.layer;
        (!is_tracked(&self.embeddings)).then(|| layers.iter().take_while(|layer| !is_tracked(*layer)).count())
    }

    fn linear_layers(&mut self) -> Vec<NamedLinear<'_>> {
        self.encoder.linear_layers()
    }

    fn role(&self, name: &str) -> ParamRole {
        self.role_of(name)
    }

    fn lora_targets(&self) -> &'static [&'static str] {
        &TARGETS
    }
}

/// The default targets of adapters, as in peft.
pub(crate) const TARGETS: [&str; 2] = ["query", "value"];

/// BERT with a sequence-classification head, as transformers' class of the same name: the classifier reads the pooler, a linear
/// layer and tanh over the pooled hidden states.
#[derive(Module, Debug)]
pub struct BertForSequenceClassification {
    /// The encoder, with a pooler.
    pub bert: BertModel,
    /// `[hidden_size, num_labels]`.
    pub classifier: Linear,
    /// What the head reads of a sequence.
    #[module(skip)]
    pub pooling: Pooling,
    dropout: f64,
}

impl Classifier for BertForSequenceClassification {
    type Encoder = BertModel;

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self {
            bert: BertModel::with_pooler(config, device),
            classifier: Linear::new(config.hidden_size, config.num_labels(), device),
            pooling: config.classifier_pooling,
            dropout: config.classifier_dropout,
        }
    }

    fn parts(&self) -> (&BertModel, Pooling) {
        (&self.bert, self.pooling)
    }

    fn parts_mut(&mut self) -> (&mut BertModel, &mut Pooling, &mut Linear) {
        (&mut self.bert, &mut self.pooling, &mut self.classifier)
    }

    fn set_encoder(&mut self, encoder: BertModel) {
        let old = std::mem::replace(&mut self.bert, encoder);
        (self.bert.pooler, self.bert.new_pooler) = (old.pooler, old.new_pooler);
    }

    fn loaded(&mut self, report: &LoadReport) {
        self.bert.new_pooler = report.missing.iter().any(|name| name.starts_with("bert.pooler."));
    }

    fn classify(&self, pooled: Tensor<2>, mode: Mode) -> Tensor<2> {
        let pooled = match &self.bert.pooler {
            Some(pooler) => pooler.dense.forward(pooled).tanh(),
            None => pooled,
        };
        self.classifier.forward(dropout(pooled, self.dropout, mode.at(1)))
    }
}

/// BERT with a masked-language head, as transformers' class of the same name.
#[derive(Module, Debug)]
pub struct BertForMaskedLM {
    /// The encoder, without a pooler.
    pub bert: BertModel,
    /// The head.
    pub cls: BertHeads,
}

/// The heads of BERT's pretraining: words alone, without that of the next sentence.
#[derive(Module, Debug)]
pub struct BertHeads {
    /// The prediction of words.
    pub predictions: BertPredictions,
}

/// The prediction of words.
#[derive(Module, Debug)]
pub struct BertPredictions {
    /// Before the projection to words.
    pub transform: BertTransform,
    /// `[vocab_size]`.
    pub bias: Param<Tensor<1>>,
    /// `[embedding_size, vocab_size]`, in place of the word table and the bias, if these are not tied.
    pub decoder: Option<Linear>,
}

/// A linear layer, an activation function and a LayerNorm.
#[derive(Module, Debug)]
pub struct BertTransform {
    /// `[hidden_size, embedding_size]`.
    pub dense: Linear,
    /// Over `embedding_size`.
    pub layer_norm: LayerNorm,
    #[module(skip)]
    activation: Activation,
}

impl BertTransform {
    pub(crate) fn new(config: &EncoderConfig, activation: Activation, device: &Device) -> Self {
        Self {
            dense: Linear::new(config.hidden_size, config.embedding_size, device),
            layer_norm: LayerNorm::new(config.embedding_size, config.layer_norm_eps, device),
            activation,
        }
    }

    pub(crate) fn forward(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.layer_norm.forward(self.activation.forward(self.dense.forward(hidden)))
    }
}

impl BertHeads {
    pub(crate) fn new(config: &EncoderConfig, device: &Device) -> Self {
        let transform = BertTransform::new(config, config.hidden_act, device);
        let bias = Initializer::Zeros.init([config.vocab_size], device);
        Self { predictions: BertPredictions { transform, bias, decoder: decoder(config, device) } }
    }

    /// The logits of all words, which are tied to a table.
    ///
    /// # Shapes
    /// - hidden: `[rows, hidden_size]`
    /// - output: `[rows, vocab_size]`
    pub(crate) fn words(&self, hidden: Tensor<2>, table: &Embedding) -> Tensor<2> {
        let BertPredictions { transform, bias, decoder } = &self.predictions;
        let hidden = transform.forward(hidden);
        match decoder {
            Some(decoder) => decoder.forward(hidden),
            None => tied_projection(table, bias, hidden),
        }
    }
}

impl MaskedLm for BertForMaskedLM {
    type Encoder = BertModel;

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self { bert: BertModel::new(config, device), cls: BertHeads::new(config, device) }
    }

    fn encoder(&self) -> &BertModel {
        &self.bert
    }

    fn words(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.cls.words(hidden, &self.bert.embeddings.word_embeddings)
    }
}
