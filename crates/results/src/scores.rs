//! Scores with their confidence intervals.

use serde::{Deserialize, Serialize};

/// A mean with its confidence interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Estimate {
    /// The mean over runs.
    pub mean: f64,
    /// Lower and upper end of the interval; absent if `n` is too small for one.
    pub interval: Option<(f64, f64)>,
    /// The confidence level: 0.95.
    pub level: f64,
    /// Number of test examples or folds.
    pub n: usize,
    /// `bootstrap` over test examples, or `corrected t` over folds.
    pub method: String,
}

impl Estimate {
    /// Returns a mean over `n` test examples or folds, with the interval that `method` gives at `level`.
    pub fn new(mean: f64, interval: Option<(f64, f64)>, level: f64, n: usize, method: impl Into<String>) -> Self {
        Self { mean, interval, level, n, method: method.into() }
    }
}

/// Accuracy, F1, loss and the metric that approaches are ranked by, each with its confidence interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Scores {
    /// Fraction of test examples that are classified correctly.
    pub accuracy: Estimate,
    /// F1 of class 1 for two classes, macro F1 for more.
    pub f1: Estimate,
    /// Mean cross-entropy, in nats.
    pub loss: Estimate,
    /// The metric that approaches are ranked by, if it is none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<Estimate>,
}

impl Scores {
    /// Returns the three scores.
    pub fn new(accuracy: Estimate, f1: Estimate, loss: Estimate) -> Self {
        Self { accuracy, f1, loss, other: None }
    }
}

/// A point of a learning curve: the scores at one training size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CurvePoint {
    /// Training examples.
    pub size: usize,
    /// The scores.
    pub scores: Scores,
}

impl CurvePoint {
    /// Returns the scores at `size` training examples.
    pub fn new(size: usize, scores: Scores) -> Self {
        Self { size, scores }
    }
}
