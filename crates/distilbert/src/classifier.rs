//! The head that reads a sentence and names a class.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::attention::Rows;
use crate::config::{DistilBertConfig, Pooling};
use crate::dropout::{Mode, dropout};
use crate::input::TokenBatch;
use crate::linear::Linear;
use crate::model::DistilBertModel;

/// DistilBERT with a sequence-classification head, the twin of transformers' class of the same name.
#[derive(Module, Debug)]
pub struct DistilBertForSequenceClassification {
    /// The encoder.
    pub distilbert: DistilBertModel,
    /// `[dim, dim]`.
    pub pre_classifier: Linear,
    /// `[dim, num_labels]`.
    pub classifier: Linear,
    /// What the head reads of a sentence.
    #[module(skip)]
    pub pooling: Pooling,
    dropout: f64,
}

impl DistilBertForSequenceClassification {
    pub(crate) fn new(config: &DistilBertConfig, device: &Device) -> Self {
        Self {
            distilbert: DistilBertModel::new(config, device),
            pre_classifier: Linear::new(config.dim, config.dim, device),
            classifier: Linear::new(config.dim, config.num_labels(), device),
            pooling: config.classifier_pooling,
            dropout: config.seq_classif_dropout,
        }
    }

    /// The logits of each sentence.
    ///
    /// # Shapes
    /// - output: `[sentences, num_labels]`
    pub fn forward(&self, batch: &TokenBatch, mode: Mode) -> Tensor<2> {
        self.classify(self.pool(batch, mode), mode)
    }

    /// What the head reads of each sentence: the encoder's work, and [`Pooling`].
    ///
    /// # Shapes
    /// - output: `[sentences, dim]`
    pub fn pool(&self, batch: &TokenBatch, mode: Mode) -> Tensor<2> {
        match self.pooling {
            Pooling::Cls => self.distilbert.forward(batch, Rows::First, mode.at(0)),
            Pooling::Mean => {
                let hidden = self.distilbert.forward(batch, Rows::All, mode.at(0));
                batch.means(&hidden.device().without_autodiff()).matmul(hidden)
            }
        }
    }

    /// The head alone, on what [`pool`](Self::pool) made of each sentence.
    ///
    /// # Shapes
    /// - pooled: `[sentences, dim]`
    /// - output: `[sentences, num_labels]`
    pub fn classify(&self, pooled: Tensor<2>, mode: Mode) -> Tensor<2> {
        let pooled = relu(self.pre_classifier.forward(pooled));
        self.classifier.forward(dropout(pooled, self.dropout, mode.at(1)))
    }
}
