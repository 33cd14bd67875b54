//! The head that reads `[CLS]` and names a class.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::attention::Rows;
use crate::config::DistilBertConfig;
use crate::dropout::{Mode, dropout};
use crate::input::TokenBatch;
use crate::model::DistilBertModel;
use crate::rows::linear;

/// DistilBERT with a sequence-classification head, the twin of transformers' class of the same name.
#[derive(Module, Debug)]
pub struct DistilBertForSequenceClassification {
    /// The encoder.
    pub distilbert: DistilBertModel,
    /// `[dim, dim]`.
    pub pre_classifier: Linear,
    /// `[dim, num_labels]`.
    pub classifier: Linear,
    dropout: f64,
}

impl DistilBertForSequenceClassification {
    pub(crate) fn new(config: &DistilBertConfig, device: &Device) -> Self {
        Self {
            distilbert: DistilBertModel::new(config, device),
            pre_classifier: LinearConfig::new(config.dim, config.dim).init(device),
            classifier: LinearConfig::new(config.dim, config.num_labels()).init(device),
            dropout: config.seq_classif_dropout,
        }
    }

    /// The logits of each sentence.
    ///
    /// # Shapes
    /// - output: `[sentences, num_labels]`
    pub fn forward(&self, batch: &TokenBatch, mode: Mode) -> Tensor<2> {
        self.classify(self.distilbert.forward(batch, Rows::First, mode.at(0)), mode)
    }

    /// The head alone, on the last hidden state of each sentence's first token.
    ///
    /// # Shapes
    /// - pooled: `[sentences, dim]`
    /// - output: `[sentences, num_labels]`
    pub fn classify(&self, pooled: Tensor<2>, mode: Mode) -> Tensor<2> {
        let pooled = relu(linear(&self.pre_classifier, pooled));
        linear(&self.classifier, dropout(pooled, self.dropout, mode.at(1)))
    }
}
