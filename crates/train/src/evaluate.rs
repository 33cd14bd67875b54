//! Evaluation: logits, loss and scores of a data set.

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use rekindle_distilbert::{DistilBertConfig, DistilBertForSequenceClassification, Mode, SequenceBatch};
use rekindle_metrics::{Average, ConfusionMatrix};

use crate::dataset::EncodedDataset;
use crate::error::TrainError;
use crate::event::{Event, Observer};
use crate::pooled_features::{PooledFeatures, by_length};

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
        check_finite(&logits, classes)?;
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
        self.logits.chunks(self.confusion.classes()).flat_map(softmax).collect()
    }
}

fn softmax(row: &[f32]) -> Vec<f64> {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = row.iter().map(|value| f64::from(value - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Evaluates a classifier without dropout, in the batches of [`logits`]. With `features` of the texts, which must come from
/// the encoder of this model, only the head is computed.
///
/// # Errors
/// Returns an error if the data set is empty or does not fit the model, a logit is not finite, or the observer cancels.
pub fn evaluate(
    model: &DistilBertForSequenceClassification,
    config: &DistilBertConfig,
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
    let total = data.len();
    let mut progress = |done| observer(&Event::Evaluating { done, total });
    let logits = match features.filter(|features| features.cover(data)) {
        Some(features) => read(model.classify(features.rows(data, 0..total), Mode::Eval))?,
        None => logits(&model, config, &data.sentences(), batch_size, device, &mut progress)?,
    };
    Evaluation::new(logits, data.labels(), config.num_labels())
}

/// Returns an error if a value is not finite.
fn check_finite(values: &[f32], width: usize) -> Result<(), TrainError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(place) => Err(TrainError::Logits { sentence: place / width.max(1) }),
        None => Ok(()),
    }
}

/// Returns the logits of tokenized texts, without dropout: row-major `[texts, classes]`, in the order given.
///
/// The model is used as it is. If its parameters are trainable, this builds an autodiff graph that nobody reads: pass
/// `model.trainable(|_| false)` instead.
///
/// Batches hold texts of similar length, the longest first, and at most as many tokens as `batch_size` of the longest
/// texts. `progress` receives the number of texts done, and may cancel.
///
/// # Errors
/// Returns an error if a text does not fit the model, a logit is not finite, or `progress` cancels.
pub fn logits<R: AsRef<[u32]>>(
    model: &DistilBertForSequenceClassification,
    config: &DistilBertConfig,
    sentences: &[R],
    batch_size: usize,
    device: &Device,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<f32>, TrainError> {
    let forward = |batch: &SequenceBatch| model.forward(batch, Mode::Eval);
    finite(by_length(sentences, config, batch_size, device, progress, forward)?, config.num_labels())
}

/// Returns the pooled features of tokenized texts, without dropout: row-major `[texts, dim]`, in the order given, in the
/// batches of [`logits`].
///
/// # Errors
/// Returns an error if a text does not fit the model, a value is not finite, or `progress` cancels.
pub fn features<R: AsRef<[u32]>>(
    model: &DistilBertForSequenceClassification,
    config: &DistilBertConfig,
    sentences: &[R],
    batch_size: usize,
    device: &Device,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<f32>, TrainError> {
    let forward = |batch: &SequenceBatch| model.pool(batch, Mode::Eval);
    finite(by_length(sentences, config, batch_size, device, progress, forward)?, config.dim)
}

/// Reads rows, and checks that they are finite.
fn finite(rows: Option<Tensor<2>>, width: usize) -> Result<Vec<f32>, TrainError> {
    let values = rows.map_or(Ok(Vec::new()), read)?;
    check_finite(&values, width)?;
    Ok(values)
}

/// Reads the values of a tensor from its device.
pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, TrainError> {
    let data = tensor.try_into_data().map_err(|error| TrainError::Device(root_cause(&error.to_string()).into()))?;
    Ok(data.iter::<f32>().collect())
}

/// Returns the last of a chain of causes. Burn puts each cause below a line `Caused by:`, followed by a stack trace.
fn root_cause(error: &str) -> &str {
    let root = error.rsplit("Caused by:").next().unwrap_or(error);
    root.trim().lines().next().unwrap_or(error)
}

/// Returns the first index of the largest value, as NumPy's argmax.
fn argmax(row: &[f32]) -> usize {
    row.iter().enumerate().fold(0, |best, (index, value)| if *value > row[best] { index } else { best })
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
    fn the_root_of_a_failure() {
        let error = "An error happened\nCaused by:\n  An IO error\nCaused by:\n  can't allocate 8 bytes\nNo backtrace available";
        assert_eq!(root_cause(error), "can't allocate 8 bytes");
        assert_eq!(root_cause("gone"), "gone");
    }

    #[test]
    fn cross_entropy_by_hand() {
        assert!((cross_entropy(&[0.0, 0.0], 1) - std::f64::consts::LN_2).abs() < 1e-12);
        assert!((cross_entropy(&[1000.0, 0.0], 1) - 1000.0).abs() < 1e-9);
    }

    #[test]
    fn argmax_takes_the_first_of_equals() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
    }
}
