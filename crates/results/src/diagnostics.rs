//! Scores per class, confusion matrix, curves and calibration of an approach.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::calibration::{AbstentionRecord, ProbabilityRecord};
use crate::scores::Estimate;

/// Scores per class, confusion matrix, curves and calibration, over all runs at the largest size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Diagnostics {
    /// Test examples per true class (row) and predicted class (column).
    pub confusion: Vec<Vec<u64>>,
    /// Precision, recall and F1 of each class, in the order of the classes; empty in files of earlier releases.
    #[serde(default, rename = "per_class")]
    pub classes: Vec<ClassRecord>,
    /// The pairs of classes that were confused most, at most 20; empty in files of earlier releases.
    #[serde(default)]
    pub confused: Vec<ConfusedPair>,
    /// ROC curves: of class 1 for two classes, of each class against all others for more. A class that no test example has, or
    /// that all have, has no curve.
    pub roc: Vec<RocRecord>,
    /// Precision-recall curves, of the same classes; empty in files of earlier releases.
    #[serde(default)]
    pub precision_recall: Vec<PrecisionRecallRecord>,
    /// Calibration of the probability of the predicted class, in bins of equal width.
    pub calibration: Vec<CalibrationBin>,
    /// Expected calibration error (Guo et al., 2017).
    pub ece: f64,
    /// Brier score (Brier, 1950): mean squared distance of probabilities and truth, summed over classes.
    pub brier: f64,
    /// The scores of the probabilities, with confidence intervals; absent for a regression and in files of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probabilities: Option<ProbabilityRecord>,
    /// The same scores without calibration; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncalibrated: Option<ProbabilityRecord>,
    /// What the model predicts if it abstains below a score; absent unless this was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abstention: Option<AbstentionRecord>,
    /// True and predicted numbers of a regression, of at most a few thousand test examples; empty for classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<(f64, f64)>,
}

impl Diagnostics {
    /// Returns the diagnostics of an approach, without scores per class and precision-recall curves.
    pub fn new(
        confusion: Vec<Vec<u64>>,
        roc: Vec<RocRecord>,
        calibration: Vec<CalibrationBin>,
        ece: f64,
        brier: f64,
    ) -> Self {
        let (classes, confused, precision_recall) = (Vec::new(), ConfusedPair::most(&confusion), Vec::new());
        Self { confusion, classes, confused, roc, precision_recall, calibration, ece, brier, ..Self::default() }
    }
}

/// Precision, recall and F1 of a class, with Wilson's confidence intervals over test examples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassRecord {
    /// The index of the class.
    pub class: usize,
    /// Test examples of the class.
    pub support: usize,
    /// The fraction of the examples predicted as the class that belong to it; 0 of `n` = 0 if there are none.
    pub precision: Estimate,
    /// The fraction of the examples of the class that are predicted as it; 0 of `n` = 0 if there are none.
    pub recall: Estimate,
    /// The harmonic mean of precision and recall; 0 of `n` = 0 if the class neither occurs nor is predicted.
    pub f1: Estimate,
}

impl ClassRecord {
    /// Returns the record of `class`, which has `support` test examples.
    pub fn new(class: usize, support: usize, precision: Estimate, recall: Estimate, f1: Estimate) -> Self {
        Self { class, support, precision, recall, f1 }
    }
}

/// A class whose examples were predicted as another class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConfusedPair {
    /// The index of the true class.
    pub label: usize,
    /// The index of the predicted class.
    pub prediction: usize,
    /// Number of examples, over all runs.
    pub count: u64,
    /// Number of examples of the true class, over all runs.
    pub of: u64,
}

impl ConfusedPair {
    /// Maximum number of pairs in a record.
    const MOST: usize = 20;

    /// Returns the most frequent pairs of a confusion matrix, in descending order.
    fn most(confusion: &[Vec<u64>]) -> Vec<Self> {
        let mut pairs = Vec::new();
        for (label, counts) in confusion.iter().enumerate() {
            let of = counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
            let wrong = counts.iter().enumerate().filter(|(prediction, count)| *prediction != label && **count > 0);
            pairs.extend(wrong.map(|(prediction, &count)| Self { label, prediction, count, of }));
        }
        pairs.sort_by_key(|pair| (Reverse(pair.count), pair.label, pair.prediction));
        pairs.truncate(Self::MOST);
        pairs
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

/// The precision-recall curve of a class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PrecisionRecallRecord {
    /// The index of the positive class.
    pub class: usize,
    /// Average precision.
    pub average_precision: f64,
    /// The fraction of test examples that belong to the class: the precision of chance.
    pub prevalence: f64,
    /// Recall and precision, by ascending recall; at most a few hundred points.
    pub points: Vec<(f64, f64)>,
}

impl PrecisionRecallRecord {
    /// Returns the curve of `class`.
    pub fn new(class: usize, average_precision: f64, prevalence: f64, points: Vec<(f64, f64)>) -> Self {
        Self { class, average_precision, prevalence, points }
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
