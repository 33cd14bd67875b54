//! Confusion matrix, ROC curves and calibration of an approach.

use serde::{Deserialize, Serialize};

/// Confusion matrix, ROC curves and calibration, over all runs at the largest size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Diagnostics {
    /// Test examples per true class (row) and predicted class (column).
    pub confusion: Vec<Vec<u64>>,
    /// ROC curves: of class 1 for two classes, of each class against all others for more. A class that no test example has, or
    /// that all have, has no curve.
    pub roc: Vec<RocRecord>,
    /// Calibration of the probability of the predicted class, in bins of equal width.
    pub calibration: Vec<CalibrationBin>,
    /// Expected calibration error (Guo et al., 2017).
    pub ece: f64,
    /// Brier score (Brier, 1950): mean squared distance of probabilities and truth, summed over classes.
    pub brier: f64,
}

impl Diagnostics {
    /// Returns the diagnostics of an approach.
    pub fn new(
        confusion: Vec<Vec<u64>>,
        roc: Vec<RocRecord>,
        calibration: Vec<CalibrationBin>,
        ece: f64,
        brier: f64,
    ) -> Self {
        Self { confusion, roc, calibration, ece, brier }
    }
}

/// The ROC curve of a class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RocRecord {
    /// The index of the positive class.
    pub class: usize,
    /// Area under the curve.
    pub auc: f64,
    /// False positive rate and true positive rate, ascending; at most a few hundred points.
    pub points: Vec<(f64, f64)>,
}

impl RocRecord {
    /// Returns the curve of `class`.
    pub fn new(class: usize, auc: f64, points: Vec<(f64, f64)>) -> Self {
        Self { class, auc, points }
    }
}

/// The test examples whose predicted class has a probability within a range.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CalibrationBin {
    /// Lower and upper end of the range.
    pub range: (f64, f64),
    /// Number of examples.
    pub count: u64,
    /// Their mean probability.
    pub confidence: f64,
    /// The fraction of them that is classified correctly.
    pub accuracy: f64,
}

impl CalibrationBin {
    /// Returns a bin of `count` examples.
    pub fn new(range: (f64, f64), count: u64, confidence: f64, accuracy: f64) -> Self {
        Self { range, count, confidence, accuracy }
    }
}
