//! How probabilities were calibrated, and what is known of the errors of a model that abstains.

use serde::{Deserialize, Serialize};

use crate::diagnostics::CalibrationBin;
use crate::scores::{Estimate, Scores};

/// The calibration of a run, fitted to examples that its model was not trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CalibrationRecord {
    /// `temperature` or `vector`.
    pub method: String,
    /// The examples that it was fitted to: `validation examples` or `inner folds`.
    pub source: String,
    /// Their number.
    pub examples: usize,
    /// What the logits of each class or label are multiplied by: 1 / temperature.
    pub weights: Vec<f64>,
    /// What is added to them then.
    pub biases: Vec<f64>,
    /// Scores from which the error is bounded, by descending coverage; empty for several labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub promised_errors: Vec<PromisedErrorRecord>,
}

/// A score from which a class is predicted, and what is known of the errors above it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PromisedErrorRecord {
    /// The lowest score that is predicted; 0 for all.
    pub threshold: f64,
    /// The fraction of the examples that are predicted.
    pub coverage: f64,
    /// The upper bound of the fraction of these that are wrong. All bounds of a run hold with a probability of 95 %.
    pub error: f64,
}

impl PromisedErrorRecord {
    /// Returns the record of a threshold.
    pub fn new(threshold: f64, coverage: f64, error: f64) -> Self {
        Self { threshold, coverage, error }
    }
}

/// What a model predicts if it predicts nothing below a score, over test examples of one class per text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AbstentionRecord {
    /// The lowest score that is predicted.
    pub threshold: f64,
    /// The fraction of the examples that are predicted, with Wilson's confidence interval.
    pub coverage: Estimate,
    /// The fraction of the predicted examples that are wrong, with Wilson's confidence interval; absent if none is predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Estimate>,
}

impl AbstentionRecord {
    /// Returns the record of a threshold.
    pub fn new(threshold: f64, coverage: Estimate, error: Option<Estimate>) -> Self {
        Self { threshold, coverage, error }
    }
}

/// How good probabilities are, over all runs at the largest size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProbabilityRecord {
    /// `ece` and `adaptive_ece`, the calibration errors in bins of equal width and of equal numbers of examples; `brier`; and `nll`,
    /// the negative log-likelihood in nats. Intervals are over test examples.
    pub scores: Scores,
    /// Calibration of the probability of the predicted class, in bins of equal width.
    pub calibration: Vec<CalibrationBin>,
    /// The area under the curve of errors against coverage (Geifman, Uziel and El-Yaniv, 2019); absent for several labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aurc: Option<f64>,
    /// Coverage, the fraction of test examples with the highest probabilities, and the accuracy on these; at most a few hundred
    /// points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selective: Vec<(f64, f64)>,
}

impl ProbabilityRecord {
    /// Returns the scores and the calibration of probabilities, without a curve of selective prediction.
    pub fn new(scores: Scores, calibration: Vec<CalibrationBin>) -> Self {
        Self { scores, calibration, aurc: None, selective: Vec::new() }
    }
}
