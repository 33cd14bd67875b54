//! A trained model at work on plain text.

use std::fmt;

use burn::tensor::Device;
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification};
use rekindle_tokenizer::Tokenizer;
use rekindle_train::logits;
use serde::Serialize;

use crate::error::ExperimentError;
use crate::model::PretrainedModel;

/// What a [`Classifier`] says of a text: the fields of transformers' `text-classification` pipeline, and the logits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The name of the likeliest class.
    pub label: String,
    /// Its probability, by softmax.
    pub score: f32,
    /// The logits, in the order of the classes.
    pub logits: Vec<f32>,
}

/// A fine-tuned checkpoint: texts in, classes out.
pub struct Classifier {
    config: DistilBertConfig,
    labels: Vec<String>,
    model: DistilBertForSequenceClassification,
    tokenizer: Tokenizer,
    device: Device,
}

/// Its classes, without its weights.
impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classifier").field("labels", &self.labels).finish_non_exhaustive()
    }
}

impl Classifier {
    /// Reads the weights of a checkpoint that has a classification head.
    ///
    /// # Errors
    /// When the head is missing or of another size than the classes, or the weights cannot be read.
    pub fn new(pretrained: &PretrainedModel, device: &Device) -> Result<Self, ExperimentError> {
        let config = pretrained.config.clone();
        // The seed does not matter: nothing fresh is accepted.
        let (model, report) =
            DistilBertForSequenceClassification::from_checkpoint(&config, &pretrained.checkpoint, 0, device)?;
        let absent = report.missing.first().or(report.mismatched.first().map(|tensor| &tensor.name));
        if let Some(tensor) = absent {
            return Err(ExperimentError::NoHead { model: pretrained.id.clone(), tensor: tensor.clone() });
        }
        let (labels, tokenizer) = (config.labels(), pretrained.tokenizer.clone());
        Ok(Self { config, labels, model, tokenizer, device: device.clone() })
    }

    /// The longest text in tokens: longer ones can only be cut.
    pub fn max_length(&self) -> usize {
        self.config.max_position_embeddings
    }

    /// Classifies texts, each cut to `max_length` tokens, in batches of like length; answers in the order given.
    ///
    /// # Errors
    /// When `max_length` is more than the model's positions, or a text cannot be tokenized.
    pub fn classify<T: AsRef<str>>(
        &self,
        texts: &[T],
        max_length: usize,
        batch_size: usize,
    ) -> Result<Vec<Prediction>, ExperimentError> {
        let positions = self.max_length();
        if max_length > positions {
            return Err(ExperimentError::MaxLength { max_length, positions });
        }
        let sentences = self.tokenizer.encode_all(texts, max_length)?;
        let logits = logits(&self.model, &self.config, &sentences, batch_size, &self.device, &mut |_| {
            std::ops::ControlFlow::Continue(())
        })
        .map_err(ExperimentError::Prediction)?;
        Ok(logits.chunks(self.labels.len()).map(|row| self.prediction(row)).collect())
    }

    fn prediction(&self, logits: &[f32]) -> Prediction {
        let best =
            logits.iter().enumerate().fold(0, |best, (index, logit)| if *logit > logits[best] { index } else { best });
        let sum: f64 = logits.iter().map(|logit| f64::from(logit - logits[best]).exp()).sum();
        Prediction { label: self.labels[best].clone(), score: sum.recip() as f32, logits: logits.to_vec() }
    }
}
