//! Classification of texts.

use std::fmt;
use std::ops::ControlFlow;

use burn::tensor::Device;
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification};
use rekindle_metrics::{argmax, probabilities};
use rekindle_tokenizer::Tokenizer;
use serde::Serialize;

use crate::batched::logits;
use crate::error::InferError;
use crate::model::PretrainedModel;

/// The prediction of a [`Classifier`]: the fields of transformers' `text-classification` pipeline, and the logits.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Prediction {
    /// The name of the predicted class.
    pub label: String,
    /// Its probability, by softmax.
    pub score: f32,
    /// The logits, in the order of the classes.
    pub logits: Vec<f32>,
}

/// A fine-tuned checkpoint that predicts the classes of texts.
pub struct Classifier {
    config: DistilBertConfig,
    labels: Vec<String>,
    model: DistilBertForSequenceClassification,
    tokenizer: Tokenizer,
    device: Device,
    max_length: usize,
}

/// Shows the classes, and not the weights.
impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classifier").field("labels", &self.labels).finish_non_exhaustive()
    }
}

impl Classifier {
    /// Loads the weights of a checkpoint with a classification head.
    ///
    /// # Errors
    /// Returns an error if the head is missing or has another number of classes, or if the weights cannot be read.
    pub fn new(pretrained: &PretrainedModel, device: &Device) -> Result<Self, InferError> {
        let config = pretrained.config.clone();
        // The seed has no effect, because every tensor must be in the checkpoint.
        let (model, report) =
            DistilBertForSequenceClassification::from_checkpoint(&config, &pretrained.checkpoint, 0, device)?;
        if let Some((tensor, other)) = InferError::missing_head(&report, &["classifier.", "score."]) {
            return Err(InferError::NoHead { model: pretrained.id.clone(), tensor, other });
        }
        let (labels, tokenizer) = (config.labels(), pretrained.tokenizer.clone());
        let model = model.trainable(|_| false);
        let max_length = pretrained.trained_max_length().unwrap_or(config.max_position_embeddings);
        Ok(Self { config, labels, model, tokenizer, device: device.clone(), max_length })
    }

    /// Returns the maximum number of tokens per text that the model was trained with; its number of positions, if the files
    /// do not say.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// Classifies texts, each truncated to `max_length` tokens, in batches of similar length. Returns the predictions in the
    /// order of the texts.
    ///
    /// # Errors
    /// Returns an error if `max_length` is more than the model's positions, if a text cannot be tokenized, or if the device
    /// fails.
    pub fn classify<T: AsRef<str>>(
        &self,
        texts: &[T],
        max_length: usize,
        batch_size: usize,
    ) -> Result<Vec<Prediction>, InferError> {
        let positions = self.config.max_position_embeddings;
        if max_length > positions {
            return Err(InferError::MaxLength { max_length, positions });
        }
        let ids = self.tokenizer.encode_all(texts, max_length)?;
        let mut progress = |_| ControlFlow::Continue(());
        let logits = logits(&self.model, &self.config, &ids, batch_size, &self.device, &mut progress)?;
        Ok(logits.chunks(self.labels.len()).map(|row| self.prediction(row)).collect())
    }

    fn prediction(&self, logits: &[f32]) -> Prediction {
        let best = argmax(logits);
        let score = probabilities(logits).get(best).copied().unwrap_or_default() as f32;
        Prediction { label: self.labels[best].clone(), score, logits: logits.to_vec() }
    }
}
