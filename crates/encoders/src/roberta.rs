//! RoBERTa (Liu et al., 2019) and models of its architecture: BERT with other positions and heads.

use burn::module::{Module, Param};
use burn::nn::{Embedding, Initializer};
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{Layout, NameMap};
use rekindle_nn::{Activation, LayerNorm, Linear, Mode, Pooling, dropout, tied_projection};

use crate::bert::{self, BertModel};
use crate::config::EncoderConfig;
use crate::family::FamilySpec;
use crate::heads::{Classifier, MaskedLm, decoder};

/// Positions start behind the id of the padding token.
pub(crate) const ROBERTA: FamilySpec = FamilySpec {
    model_type: "roberta",
    class: "Roberta",
    defaults: r#"{
        "vocab_size": 50265, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 512, "type_vocab_size": 2,
        "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 1
    }"#,
    renamed: &[],
    required: bert::REQUIRED,
    check: |_| Ok(()),
    head: &["classifier.dense.weight"],
    output: "classifier.out_proj",
    classifier: CLASSIFIER,
    masked_lm: Layout {
        tied: &[
            ("lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"),
            ("lm_head.decoder.bias", "lm_head.bias"),
        ],
        ..CLASSIFIER
    },
    tokenizer: "byte-level BPE",
    segments: false,
    targets: &bert::TARGETS,
    examples: &["FacebookAI/roberta-base", "distilbert/distilroberta-base", "cardiffnlp/twitter-roberta-base"],
};

pub(crate) const XLM_ROBERTA: FamilySpec = FamilySpec {
    model_type: "xlm-roberta",
    class: "XLMRoberta",
    defaults: KIN,
    tokenizer: "Unigram",
    examples: &["FacebookAI/xlm-roberta-base", "intfloat/multilingual-e5-base"],
    ..ROBERTA
};

pub(crate) const CAMEMBERT: FamilySpec = FamilySpec {
    model_type: "camembert",
    class: "Camembert",
    defaults: KIN,
    tokenizer: "Unigram",
    examples: &["almanach/camembert-base"],
    ..ROBERTA
};

/// The defaults of XLM-RoBERTa and CamemBERT.
const KIN: &str = r#"{
    "vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
    "intermediate_size": 3072, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 512, "type_vocab_size": 2,
    "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 1
}"#;

/// An encoder that was saved alone lacks the prefix `roberta.`. It may have a pooler, which no head reads.
const CLASSIFIER: Layout = Layout {
    encoder: "roberta.",
    pooler: None,
    example: "roberta.embeddings.word_embeddings.weight",
    names: &[NameMap {
        markers: &[],
        prefix: "",
        rules: &[
            ("embeddings.**", "roberta.embeddings.**"),
            ("encoder.**", "roberta.encoder.**"),
            ("pooler.**", "roberta.pooler.**"),
        ],
    }],
    ignored: &["position_ids"],
    tied: &[],
};

/// RoBERTa with a sequence-classification head, as transformers' class of the same name.
#[derive(Module, Debug)]
pub struct RobertaForSequenceClassification {
    /// The encoder.
    pub roberta: BertModel,
    /// The head.
    pub classifier: ClassificationHead,
    /// What the head reads of a sequence.
    #[module(skip)]
    pub pooling: Pooling,
}

/// Two linear layers with an activation function between them.
#[derive(Module, Debug)]
pub struct ClassificationHead {
    /// `[hidden_size, hidden_size]`.
    pub dense: Linear,
    /// `[hidden_size, num_labels]`.
    pub out_proj: Linear,
    /// Between the two layers.
    #[module(skip)]
    pub activation: Activation,
    dropout: f64,
}

impl ClassificationHead {
    pub(crate) fn new(config: &EncoderConfig, activation: Activation, device: &Device) -> Self {
        Self {
            dense: Linear::new(config.hidden_size, config.hidden_size, device),
            out_proj: Linear::new(config.hidden_size, config.num_labels(), device),
            activation,
            dropout: config.classifier_dropout,
        }
    }

    /// # Shapes
    /// - pooled: `[sequences, hidden_size]`
    /// - output: `[sequences, num_labels]`
    pub(crate) fn forward(&self, pooled: Tensor<2>, mode: Mode) -> Tensor<2> {
        let pooled = dropout(pooled, self.dropout, mode.at(1));
        let hidden = self.activation.forward(self.dense.forward(pooled));
        self.out_proj.forward(dropout(hidden, self.dropout, mode.at(2)))
    }
}

impl Classifier for RobertaForSequenceClassification {
    type Encoder = BertModel;

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self {
            roberta: BertModel::new(config, device),
            classifier: ClassificationHead::new(config, Activation::Tanh, device),
            pooling: config.classifier_pooling,
        }
    }

    fn parts(&self) -> (&BertModel, Pooling) {
        (&self.roberta, self.pooling)
    }

    fn parts_mut(&mut self) -> (&mut BertModel, &mut Pooling, &mut Linear) {
        (&mut self.roberta, &mut self.pooling, &mut self.classifier.out_proj)
    }

    fn classify(&self, pooled: Tensor<2>, mode: Mode) -> Tensor<2> {
        self.classifier.forward(pooled, mode)
    }
}

/// RoBERTa with a masked-language head, as transformers' class of the same name.
#[derive(Module, Debug)]
pub struct RobertaForMaskedLM {
    /// The encoder.
    pub roberta: BertModel,
    /// The head.
    pub lm_head: LmHead,
}

/// The prediction of words.
#[derive(Module, Debug)]
pub struct LmHead {
    /// `[hidden_size, hidden_size]`.
    pub dense: Linear,
    /// Over `hidden_size`.
    pub plain_layer_norm: LayerNorm,
    /// `[vocab_size]`.
    pub bias: Param<Tensor<1>>,
    /// `[hidden_size, vocab_size]`, in place of the word table and the bias, if these are not tied.
    pub decoder: Option<Linear>,
}

impl LmHead {
    pub(crate) fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self {
            dense: Linear::new(config.hidden_size, config.hidden_size, device),
            plain_layer_norm: LayerNorm::new(config.hidden_size, config.layer_norm_eps, device),
            bias: Initializer::Zeros.init([config.vocab_size], device),
            decoder: decoder(config, device),
        }
    }

    /// The logits of all words, which are tied to a table. The activation function is GELU, whatever the layers have.
    ///
    /// # Shapes
    /// - hidden: `[rows, hidden_size]`
    /// - output: `[rows, vocab_size]`
    pub(crate) fn forward(&self, hidden: Tensor<2>, table: &Embedding) -> Tensor<2> {
        let hidden = self.plain_layer_norm.forward(Activation::Gelu.forward(self.dense.forward(hidden)));
        match &self.decoder {
            Some(decoder) => decoder.forward(hidden),
            None => tied_projection(table, &self.bias, hidden),
        }
    }
}

impl MaskedLm for RobertaForMaskedLM {
    type Encoder = BertModel;

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self { roberta: BertModel::new(config, device), lm_head: LmHead::new(config, device) }
    }

    fn encoder(&self) -> &BertModel {
        &self.roberta
    }

    fn words(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.lm_head.forward(hidden, &self.roberta.embeddings.word_embeddings)
    }
}
