//! Evaluation: loss and scores of a classifier on a data set.

use burn::tensor::Device;
use rekindle_checkpoint::Problem;
use rekindle_data::{Target, Targets};
use rekindle_encoders::{EncoderConfig, SequenceClassifier};
use rekindle_infer::logits;
use rekindle_metrics::{Outcome, Scorer, sigmoid};

use crate::dataset::EncodedDataset;
use crate::error::TrainError;
use crate::event::{Event, Observer};
use crate::frozen_features::FrozenFeatures;
use crate::task::{example_loss, predicted, task_of};

/// The evaluation of a classifier on a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Row-major `[examples, outputs]`, in the order of the data set.
    pub logits: Vec<f32>,
    /// Mean loss over the examples, as training computes it, without weights.
    pub loss: f64,
    /// What the logits predict, beside the truth.
    pub outcome: Outcome,
}

impl Evaluation {
    /// Scores logits, row-major `[examples, outputs]`, against the target of each example; `problem` says what they mean.
    ///
    /// # Errors
    /// Returns an error if the number of logits is not that of examples times outputs, a logit is not finite, or a target
    /// does not fit the outputs.
    pub fn new(logits: Vec<f32>, targets: &Targets, outputs: usize, problem: &Problem) -> Result<Self, TrainError> {
        if logits.len() != targets.len() * outputs {
            return Err(TrainError::Shape { logits: logits.len(), sentences: targets.len(), classes: outputs });
        }
        if let Some(place) = logits.iter().position(|logit| !logit.is_finite()) {
            return Err(TrainError::Logits { sentence: place / outputs.max(1) });
        }
        let outcome = outcome(&logits, targets, outputs, problem)?;
        Ok(Self { loss: outcome.loss(), outcome, logits })
    }

    /// Returns the fraction of examples that are predicted correctly, of several labels completely; NaN for a regression.
    pub fn accuracy(&self) -> f64 {
        self.outcome.score(Scorer::Accuracy)
    }

    /// Returns accuracy and F1 (of class 1 for two classes, macro F1 for more or for several labels), if the outputs are
    /// classes or labels.
    pub fn accuracy_and_f1(&self) -> Option<[f64; 2]> {
        let f1 = [Scorer::F1, Scorer::MacroF1].map(|metric| self.outcome.score(metric));
        let f1 = f1.into_iter().find(|value| value.is_finite())?;
        Some([self.accuracy(), f1])
    }
}

/// Returns what logits predict, beside the truth and the loss of each example.
fn outcome(logits: &[f32], targets: &Targets, outputs: usize, problem: &Problem) -> Result<Outcome, TrainError> {
    let task = task_of(problem);
    let rows = || logits.chunks(outputs);
    let losses = rows().enumerate().map(|(row, logits)| example_loss(task, logits, &targets.get(row))).collect();
    let predicted: Vec<Target> = rows().map(|logits| predicted(problem, logits)).collect();
    let predicted = Targets::collect(&predicted);
    let outcome = match (targets, &predicted) {
        (Targets::Classes(truth), Targets::Classes(predicted)) => {
            Outcome::of_classes(truth, predicted, outputs, losses)?
        }
        (Targets::Labels { values: truth, labels }, Targets::Labels { values: predicted, .. }) => {
            let scores: Vec<f64> = logits.iter().map(|&logit| sigmoid(f64::from(logit))).collect();
            Outcome::of_labels(truth, predicted, &scores, *labels, losses)?
        }
        (Targets::Values(truth), Targets::Values(predicted)) => Outcome::of_values(truth, predicted, losses)?,
        _ => {
            return Err(TrainError::argument(
                "problem_type",
                format!("{task} does not fit the labels of the examples"),
            ));
        }
    };
    Ok(outcome)
}

/// Evaluates a classifier without dropout, in the batches of [`logits`]. With `features` of the texts, which must come from
/// layers of this model, only what follows these layers is computed.
///
/// # Errors
/// Returns an error if the data set is empty or does not fit the model, a logit is not finite, or the observer cancels.
pub fn evaluate(
    model: &SequenceClassifier,
    config: &EncoderConfig,
    data: &EncodedDataset,
    features: Option<&FrozenFeatures>,
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
        Some(features) => features.evaluate(&model, config, data, (batch_size, device), &mut progress),
        None => logits(&model, config, &sequences, batch_size, device, &mut progress),
    };
    let logits = logits.map_err(|error| windows.in_text(error))?;
    let logits = windows.pooled_values(logits, config.num_labels());
    Evaluation::new(logits, data.targets(), config.num_labels(), &config.problem)
}
