//! ELECTRA (Clark et al., 2020): BERT whose embeddings may be narrower than its layers.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{Layout, NameMap};
use rekindle_nn::{
    Activation, LayerNorm, Linear, Mode, NamedLinear, ParamRole, Pooling, SequenceBatch, TokenSelection,
    TransformerEncoder, is_tracked, layer_role,
};

use crate::bert::{self, BertEmbeddings, BertEncoder};
use crate::config::EncoderConfig;
use crate::family::FamilySpec;
use crate::heads::{Classifier, MaskedLm, WordProjection};
use crate::roberta::ClassificationHead;

pub(crate) const SPEC: FamilySpec = FamilySpec {
    model_type: "electra",
    class: "Electra",
    defaults: r#"{
        "vocab_size": 30522, "embedding_size": 128, "hidden_size": 256, "num_hidden_layers": 12,
        "num_attention_heads": 4, "intermediate_size": 1024, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 512, "type_vocab_size": 2,
        "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0
    }"#,
    renamed: &[],
    required: bert::REQUIRED,
    check: |_| Ok(()),
    head: &["classifier.dense.weight"],
    output: "classifier.out_proj",
    classifier: CLASSIFIER,
    masked_lm: Layout {
        tied: &[("generator_lm_head.weight", "electra.embeddings.word_embeddings.weight")],
        ..CLASSIFIER
    },
    tokenizer: "WordPiece",
    segments: true,
    targets: &bert::TARGETS,
    examples: &["google/electra-small-discriminator", "google/electra-base-discriminator"],
};

/// An encoder that was saved alone lacks the prefix `electra.`.
const CLASSIFIER: Layout = Layout {
    encoder: "electra.",
    pooler: None,
    example: "electra.embeddings.word_embeddings.weight",
    names: &[NameMap {
        markers: &[],
        prefix: "",
        rules: &[
            ("embeddings.**", "electra.embeddings.**"),
            ("embeddings_project.**", "electra.embeddings_project.**"),
            ("encoder.**", "electra.encoder.**"),
        ],
    }],
    ignored: &["position_ids"],
    tied: &[],
};

/// ELECTRA without a head.
#[derive(Module, Debug)]
pub struct ElectraModel {
    /// The embeddings.
    pub embeddings: BertEmbeddings,
    /// `[embedding_size, hidden_size]`, if these differ.
    pub embeddings_project: Option<Linear>,
    /// The layers.
    pub encoder: BertEncoder,
}

impl ElectraModel {
    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let (from, to) = (config.embedding_size, config.hidden_size);
        Self {
            embeddings: BertEmbeddings::new(config, device),
            embeddings_project: (from != to).then(|| Linear::new(from, to, device)),
            encoder: BertEncoder::new(config, device),
        }
    }
}

impl TransformerEncoder for ElectraModel {
    fn num_layers(&self) -> usize {
        self.encoder.layer.len()
    }

    fn embeddings(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        let embeddings = self.embeddings.forward(batch, mode);
        match &self.embeddings_project {
            Some(project) => project.forward(embeddings),
            None => embeddings,
        }
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
        let below = is_tracked(&self.embeddings) || is_tracked(&self.embeddings_project);
        (!below).then(|| layers.iter().take_while(|layer| !is_tracked(*layer)).count())
    }

    fn linear_layers(&mut self) -> Vec<NamedLinear<'_>> {
        self.encoder.linear_layers()
    }

    fn role(&self, name: &str) -> ParamRole {
        layer_role(name, "encoder.layer.")
    }

    fn lora_targets(&self) -> &'static [&'static str] {
        &bert::TARGETS
    }
}

/// ELECTRA with a sequence-classification head, as transformers' class of the same name.
#[derive(Module, Debug)]
pub struct ElectraForSequenceClassification {
    /// The encoder.
    pub electra: ElectraModel,
    /// The head.
    pub classifier: ClassificationHead,
    /// What the head reads of a sequence.
    #[module(skip)]
    pub pooling: Pooling,
}

impl Classifier for ElectraForSequenceClassification {
    type Encoder = ElectraModel;

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self {
            electra: ElectraModel::new(config, device),
            classifier: ClassificationHead::new(config, Activation::Gelu, device),
            pooling: config.classifier_pooling,
        }
    }

    fn parts(&self) -> (&ElectraModel, Pooling) {
        (&self.electra, self.pooling)
    }

    fn parts_mut(&mut self) -> (&mut ElectraModel, &mut Pooling, &mut Linear) {
        (&mut self.electra, &mut self.pooling, &mut self.classifier.out_proj)
    }

    fn classify(&self, pooled: Tensor<2>, mode: Mode) -> Tensor<2> {
        self.classifier.forward(pooled, mode)
    }
}

/// ELECTRA's generator, with a masked-language head, as transformers' class of the same name.
#[derive(Module, Debug)]
pub struct ElectraForMaskedLM {
    /// The encoder.
    pub electra: ElectraModel,
    /// Before the projection to words.
    pub generator_predictions: GeneratorPredictions,
    /// The projection to words.
    pub generator_lm_head: WordProjection,
}

/// A linear layer, GELU and a LayerNorm.
#[derive(Module, Debug)]
pub struct GeneratorPredictions {
    /// Over `embedding_size`.
    pub layer_norm: LayerNorm,
    /// `[hidden_size, embedding_size]`.
    pub dense: Linear,
}

impl MaskedLm for ElectraForMaskedLM {
    type Encoder = ElectraModel;

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        let generator_predictions = GeneratorPredictions {
            layer_norm: LayerNorm::new(config.embedding_size, config.layer_norm_eps, device),
            dense: Linear::new(config.hidden_size, config.embedding_size, device),
        };
        let generator_lm_head = WordProjection::new(config, true, device);
        Self { electra: ElectraModel::new(config, device), generator_predictions, generator_lm_head }
    }

    fn encoder(&self) -> &ElectraModel {
        &self.electra
    }

    fn words(&self, hidden: Tensor<2>) -> Tensor<2> {
        let GeneratorPredictions { layer_norm, dense } = &self.generator_predictions;
        let hidden = layer_norm.forward(Activation::Gelu.forward(dense.forward(hidden)));
        self.generator_lm_head.forward(hidden, &self.electra.embeddings.word_embeddings)
    }
}
