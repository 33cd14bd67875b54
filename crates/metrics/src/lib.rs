//! Metrics of classification and regression with confidence intervals and significance tests, as in scikit-learn, scipy and statsmodels.
//! The crate has no tensors and reads no files.
//!
//! [`ConfusionMatrix`] counts predicted against true classes and computes accuracy, precision, recall, F1 (averaged as
//! [`Average`] says) and the Matthews correlation coefficient. [`roc_auc`], [`roc_curve`], [`average_precision`] and
//! [`precision_recall_curve`] evaluate rankings, [`log_loss`] and [`brier_score`] probabilities, and [`reliability_bins`] and
//! [`expected_calibration_error`] calibration. [`LogitScaling`] calibrates logits, and [`promised_errors`] finds the confidence from
//! which a model is rarely wrong. [`MultilabelPredictions`] and [`LabelRankings`] score rows with several labels,
//! and [`ValuePredictions`] predicted values. If a quotient has the denominator 0, its value is 0 and the [`Score`] is flagged.
//!
//! The right interval or test depends on what varies. If test rows vary, use [`bootstrap`] and, for two classifiers,
//! [`mcnemar_exact`] for accuracy and [`paired_permutation`] for any other metric. If splits of the same data vary, use [`corrected_t_interval`] and [`corrected_paired_t`].
//! [`wilson_interval`] is for a proportion of rows, however few.
//! [`friedman`], [`wilcoxon_signed_rank`] and [`bayesian_signed_rank`] compare classifiers over several data sets.
//! [`holm`] adjusts the p-values of several comparisons. A [`Scorer`] is a metric by name.
//!
//! [`LabelIssues`] finds rows whose label is probably wrong, as cleanlab. [`diverse_uncertain_rows`] chooses rows to label next, and
//! [`learning_curve_gain`] says what more of them would bring.
//!
//! ```
//! use rekindle_metrics::{Average, ConfusionMatrix};
//!
//! # fn main() -> Result<(), rekindle_metrics::MetricsError> {
//! let matrix = ConfusionMatrix::new(&[1, 1, 0, 0], &[1, 0, 0, 0], 2)?;
//! assert_eq!(matrix.accuracy(), 0.75);
//! assert_eq!(matrix.precision(Average::Binary { positive: 1 }).value, 1.0);
//! assert_eq!(matrix.recall(Average::Binary { positive: 1 }).value, 0.5);
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs, missing_debug_implementations)]

mod calibration;
mod confusion;
mod correlation;
mod diverse_rows;
mod error;
mod inference;
mod label_issues;
mod label_ranking;
mod logits;
mod multilabel;
mod ordinal;
mod outcome;
mod precision_recall;
mod probability;
mod probability_rows;
mod ranking;
mod regression;
mod roc;
mod scaling;
mod scorer;
mod selective;
mod target;

pub use calibration::{
    ReliabilityBin, adaptive_bins, adaptive_calibration_error, expected_calibration_error, reliability_bins,
};
pub use confusion::{Average, ConfusionMatrix, Score};
pub use diverse_rows::diverse_uncertain_rows;
pub use error::MetricsError;
pub use inference::{
    Friedman, Interval, McNemar, PairedEffect, PairedTest, Practical, bayesian_signed_rank, bootstrap,
    cluster_bootstrap, corrected_paired_t, corrected_t_interval, corrected_t_power, critical_difference, friedman,
    holm, learning_curve_gain, mcnemar_exact, mcnemar_power, paired_permutation, smallest_p, wilcoxon_signed_rank,
    wilson_interval,
};
pub use label_issues::{LabelIssueFilter, LabelIssues, LabelQuality};
pub use label_ranking::LabelRankings;
pub use logits::{argmax, probabilities, sigmoid, softmax};
pub use multilabel::{MultilabelConfusion, MultilabelPredictions};
pub use outcome::Outcome;
pub use precision_recall::{PrecisionRecallPoint, average_precision, precision_recall_curve};
pub use probability::{brier_score, log_loss};
pub use probability_rows::{ProbabilityRows, ProbabilityScore};
pub use ranking::{roc_auc, roc_auc_ovr};
pub use regression::{RegressionScores, ValuePredictions};
pub use roc::{RocPoint, roc_curve};
pub use scaling::{LogitScaling, Scaling};
pub use scorer::Scorer;
pub use selective::{PromisedError, RiskCoverage, promised_errors, risk_coverage};
pub use target::TargetKind;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
