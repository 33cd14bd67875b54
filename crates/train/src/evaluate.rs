//! Evaluation: loss and scores of a classifier on a data set.

use burn::tensor::Device;
use rekindle_encoders::{EncoderConfig, Mode, SequenceClassifier};
use rekindle_infer::{logits, read};
use rekindle_metrics::{Average, ConfusionMatrix, argmax, probabilities};

use crate::dataset::EncodedDataset;
use crate::error::TrainError;
use crate::event::{Event, Observer};
use crate::pooled_features::PooledFeatures;

/// The evaluation of a classifier on a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Row-major `[examples, classes]`, in the order of the data set.
    pub logits: Vec<f32>,
    /// The class with the largest logit, per example.
    pub predictions: Vec<usize>,
    /// Mean cross-entropy over the examples, in nats.
    pub loss: f64,
    /// The confusion matrix.
    pub confusion: ConfusionMatrix,
}

impl Evaluation {
    /// Scores logits, row-major `[examples, classes]`, against the class of each example.
    ///
    /// # Errors
    /// Returns an error if the number of logits is not that of examples times classes, a logit is not finite, or a label
    /// is not below `classes`.
    pub fn new(logits: Vec<f32>, labels: &[usize], classes: usize) -> Result<Self, TrainError> {
        if logits.len() != labels.len() * classes {
            return Err(TrainError::Shape { logits: logits.len(), sentences: labels.len(), classes });
        }
        if let Some(place) = logits.iter().position(|logit| !logit.is_finite()) {
            return Err(TrainError::Logits { sentence: place / classes.max(1) });
        }
        let predictions: Vec<usize> = logits.chunks(classes).map(argmax).collect();
        let loss = logits.chunks(classes).zip(labels).map(|(row, &label)| cross_entropy(row, label)).sum::<f64>();
        let confusion = ConfusionMatrix::new(labels, &predictions, classes)?;
        Ok(Self { logits, predictions, loss: loss / labels.len() as f64, confusion })
    }

    /// Returns the fraction of examples that are predicted correctly.
    pub fn accuracy(&self) -> f64 {
        self.confusion.accuracy()
    }

    /// Returns F1 of class 1 for two classes, macro F1 for more.
    pub fn f1(&self) -> rekindle_metrics::Score {
        self.confusion.f1(Average::usual(self.confusion.classes()))
    }

    /// Returns the softmax probability of each class, row-major `[examples, classes]`.
    pub fn probabilities(&self) -> Vec<f64> {
        self.logits.chunks(self.confusion.classes()).flat_map(probabilities).collect()
    }
}

/// Evaluates a classifier without dropout, in the batches of [`logits`]. With `features` of the texts, which must come from
/// the encoder of this model, only the head is computed.
///
/// # Errors
/// Returns an error if the data set is empty or does not fit the model, a logit is not finite, or the observer cancels.
pub fn evaluate(
    model: &SequenceClassifier,
    config: &EncoderConfig,
    data: &EncodedDataset,
    features: Option<&PooledFeatures>,
    batch_size: usize,
    device: &Device,
    observer: &mut Observer<'_>,
) -> Result<Evaluation, TrainError> {
    if data.is_empty() {
        return Err(TrainError::Empty { purpose: "evaluate" });
    }
    // Parameters that are not trainable need no autodiff graph.
    let model = model.trainable(|_| false);
    let (sequences, windows) = (data.sequences(), data.windows());
    let total = sequences.len();
    let mut progress = |done| observer(&Event::Evaluating { done, total });
    let logits = match features.filter(|features| features.cover(data)) {
        Some(features) => read(model.classify(features.rows(data), Mode::Eval))?,
        None => logits(&model, config, &sequences, batch_size, device, &mut progress)
            .map_err(|error| windows.in_text(error))?,
    };
    let logits = windows.pooled_values(logits, config.num_labels());
    Evaluation::new(logits, data.labels(), config.num_labels())
}

fn cross_entropy(row: &[f32], label: usize) -> f64 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|value| f64::from(value - largest).exp()).sum();
    sum.ln() - f64::from(row[label] - largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cross_entropy_by_hand() {
        assert!((cross_entropy(&[0.0, 0.0], 1) - std::f64::consts::LN_2).abs() < 1e-12);
        assert!((cross_entropy(&[1000.0, 0.0], 1) - 1000.0).abs() < 1e-9);
    }
}
