//! DistilBERT, whose model is a crate of its own: rekindle-distilbert.

use burn::tensor::{Device, Tensor};
use rekindle_distilbert::{
    DistilBertForMaskedLM, DistilBertForSequenceClassification, DistilBertModel, LAYOUT, MASKED_LM_LAYOUT,
};
use rekindle_nn::{Linear, Mode, Pooling};

use crate::config::EncoderConfig;
use crate::family::FamilySpec;
use crate::heads::{Classifier, MaskedLm};

/// The configuration is read by `DistilBertConfig`, so that this has no fields of it.
pub(crate) const SPEC: FamilySpec = FamilySpec {
    model_type: "distilbert",
    class: "DistilBert",
    defaults: "{}",
    renamed: &[
        ("hidden_size", "dim"),
        ("num_hidden_layers", "n_layers"),
        ("num_attention_heads", "n_heads"),
        ("intermediate_size", "hidden_dim"),
        ("hidden_act", "activation"),
        ("hidden_dropout_prob", "dropout"),
        ("attention_probs_dropout_prob", "attention_dropout"),
        ("classifier_dropout", "seq_classif_dropout"),
    ],
    required: &[],
    check: |_| Ok(()),
    head: &["pre_classifier.weight"],
    output: "classifier",
    classifier: LAYOUT,
    masked_lm: MASKED_LM_LAYOUT,
    tokenizer: "WordPiece",
    segments: false,
    targets: &["q_lin", "v_lin"],
    examples: &["distilbert/distilbert-base-uncased", "distilbert/distilbert-base-multilingual-cased"],
};

impl Classifier for DistilBertForSequenceClassification {
    type Encoder = DistilBertModel;

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self::new(&config.distilbert(), device)
    }

    fn parts(&self) -> (&DistilBertModel, Pooling) {
        (&self.distilbert, self.pooling)
    }

    fn parts_mut(&mut self) -> (&mut DistilBertModel, &mut Pooling, &mut Linear) {
        (&mut self.distilbert, &mut self.pooling, &mut self.classifier)
    }

    fn classify(&self, pooled: Tensor<2>, mode: Mode) -> Tensor<2> {
        self.classify(pooled, mode)
    }
}

impl MaskedLm for DistilBertForMaskedLM {
    type Encoder = DistilBertModel;

    fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self::new(&config.distilbert(), device)
    }

    fn encoder(&self) -> &DistilBertModel {
        &self.distilbert
    }

    fn words(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.words(hidden)
    }
}
