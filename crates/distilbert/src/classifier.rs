//! The sequence-classification head.

use std::path::Path;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use rekindle_checkpoint::{
    Checkpoint, CheckpointError, ClassMatch, LoadReport, Parameter, Precision, parameters, reinitialize, save,
    trainable,
};
use rekindle_nn::{Linear, Mode, Pooling, SequenceBatch, TransformerEncoder, dropout};

use crate::config::DistilBertConfig;
use crate::layout::LAYOUT;
use crate::model::DistilBertModel;

/// DistilBERT with a sequence-classification head, as transformers' class of the same name.
#[derive(Module, Debug)]
pub struct DistilBertForSequenceClassification {
    /// The encoder.
    pub distilbert: DistilBertModel,
    /// `[dim, dim]`.
    pub pre_classifier: Linear,
    /// `[dim, num_labels]`.
    pub classifier: Linear,
    /// What the head reads of a sequence.
    #[module(skip)]
    pub pooling: Pooling,
    dropout: f64,
}

impl DistilBertForSequenceClassification {
    /// A model with zeros, to be filled from a checkpoint.
    pub fn new(config: &DistilBertConfig, device: &Device) -> Self {
        Self {
            distilbert: DistilBertModel::new(config, device),
            pre_classifier: Linear::new(config.dim, config.dim, device),
            classifier: Linear::new(config.dim, config.num_labels(), device),
            pooling: config.classifier_pooling,
            dropout: config.seq_classif_dropout,
        }
    }

    /// Loads the model of `config` from a checkpoint.
    ///
    /// A head that the checkpoint lacks, or stores in another shape, is initialized from `seed`: weights normal with
    /// deviation `initializer_range`, biases zero. From [`Checkpoint::empty`] the whole model is initialized.
    ///
    /// # Errors
    /// When a tensor of the encoder is missing or of another shape, or cannot be read.
    pub fn from_checkpoint(
        config: &DistilBertConfig,
        checkpoint: &Checkpoint,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport), CheckpointError> {
        checkpoint.load(Self::new(config, device), &LAYOUT, &|spec| config.initialize(spec, seed), device)
    }

    /// The model that [`from_checkpoint`](Self::from_checkpoint) returns for another seed: the parameters that `report` says
    /// were initialized are initialized from it, all others are shared. Of an output layer whose classes match
    /// [partly](ClassMatch::Partly), the rows of known classes are kept.
    pub fn reinitialize(&self, config: &DistilBertConfig, report: &LoadReport, seed: u64) -> Self {
        let mut model = reinitialize(self, report, |spec| config.initialize(spec, seed));
        if let Some(ClassMatch::Partly { unknown, .. }) = &report.classes {
            let known: Vec<bool> = config.labels().iter().map(|label| !unknown.contains(label)).collect();
            model.classifier = model.classifier.with_outputs_of(&self.classifier, &known);
        }
        model
    }

    /// The same model for other classes, whose rows of the output layer are the given ones of this model, in their order.
    pub fn with_classes(&self, rows: &[usize]) -> Self {
        let mut model = self.clone();
        model.classifier = self.classifier.select_outputs(rows);
        model
    }

    /// Writes all tensors to `path` under transformers' names.
    ///
    /// # Errors
    /// When the file cannot be written; an existing one is then unchanged.
    pub fn save_safetensors(&self, path: &Path, precision: Precision) -> Result<(), CheckpointError> {
        save(self, path, precision)
    }

    /// All parameters, in the order of the data.
    pub fn parameters(&self) -> Vec<Parameter> {
        parameters(self)
    }

    /// The same weights, with autodiff tracking only the parameters whose names `choose` accepts.
    pub fn trainable(&self, choose: impl Fn(&str) -> bool) -> Self {
        trainable(self, choose)
    }

    /// The logits of each sequence.
    ///
    /// # Shapes
    /// - output: `[sequences, num_labels]`
    pub fn forward(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        self.classify(self.pool(batch, mode), mode)
    }

    /// The pooled features of each sequence, which the head reads: the output of the encoder, pooled as [`Pooling`] says.
    ///
    /// # Shapes
    /// - output: `[sequences, dim]`
    pub fn pool(&self, batch: &SequenceBatch, mode: Mode) -> Tensor<2> {
        self.distilbert.pool(batch, self.pooling, mode.at(0))
    }

    /// The head alone, on the features that [`pool`](Self::pool) returns.
    ///
    /// # Shapes
    /// - pooled: `[sequences, dim]`
    /// - output: `[sequences, num_labels]`
    pub fn classify(&self, pooled: Tensor<2>, mode: Mode) -> Tensor<2> {
        let pooled = relu(self.pre_classifier.forward(pooled));
        self.classifier.forward(dropout(pooled, self.dropout, mode.at(1)))
    }
}
