//! The outputs of a classifier, with what its head reads.

use std::ops::ControlFlow;

use burn::tensor::{Tensor, TensorData};
use rekindle_encoders::Mode;

use crate::batched::{features, read, sentence_embeddings};
use crate::encode::encode;
use crate::error::InferError;
use crate::forward_error::ForwardError;
use crate::predictor::{Model, Predictor};

/// The logits of texts, and the features that the head reads.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Outputs {
    /// The logits, row-major `[texts, classes]`.
    pub logits: Vec<f32>,
    /// The pooled output of the encoder, or the sentence embedding, row-major `[texts, hidden_size]`.
    pub features: Vec<f32>,
}

impl Predictor {
    /// Returns the logits and features of texts, each with or without a second one, in the order of the texts. The features of
    /// the windows of a long text are pooled as its logits.
    ///
    /// # Errors
    /// As [`classify`](Self::classify).
    pub fn pair_outputs<T: AsRef<str>>(
        &self,
        pairs: &[(T, Option<T>)],
        max_length: usize,
        batch_size: usize,
    ) -> Result<Outputs, InferError> {
        let (config, device) = (self.config(), self.device());
        let positions = config.max_length();
        if max_length > positions {
            return Err(InferError::MaxLength { max_length, positions });
        }
        if pairs.is_empty() {
            return Ok(Outputs::default());
        }
        let encoded = encode(self.tokenizer(), config, pairs, max_length, self.long_texts())?;
        let (sequences, windows) = (encoded.sequences(), &encoded.windows);
        let mut progress = |_| ControlFlow::Continue(());
        let (classes, dim) = (config.num_labels(), config.hidden_size);
        let (logits, features) = match self.model() {
            Model::Sequence(model) => {
                let values = features(model, config, &sequences, batch_size, device, &mut progress);
                let values = values.map_err(|error| windows.in_text(error))?;
                let shape = [values.len() / dim, dim];
                let pooled = Tensor::from_data(TensorData::new(values.clone(), shape), device);
                let logits = read(model.classify(pooled, Mode::Eval))?;
                (windows.pooled_values(logits, classes), windows.pooled_values(values, dim))
            }
            Model::Sentence(model) => {
                let texts = (sequences.as_slice(), windows);
                match sentence_embeddings(model, config, texts, batch_size, device, &mut progress)? {
                    Some(embeddings) => (read(model.classifier.forward(embeddings.clone()))?, read(embeddings)?),
                    None => (Vec::new(), Vec::new()),
                }
            }
        };
        match logits.iter().position(|logit| !logit.is_finite()) {
            Some(place) => Err(ForwardError::NotFinite { text: place / classes }.into()),
            None => Ok(Outputs { logits, features }),
        }
    }
}
