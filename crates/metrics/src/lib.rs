//! Scores for classification and what they prove: predictions and labels in, scikit-learn's numbers out. No tensor, no
//! file.
//!
//! [`ConfusionMatrix`] counts predictions against truth and gives accuracy, precision, recall, F1 ([`Average`] says
//! over which classes) and Matthews' coefficient. [`roc_auc`] and [`roc_curve`] rank scores, [`log_loss`] and
//! [`brier_score`] weigh probabilities, [`reliability_bins`] and [`expected_calibration_error`] tell whether they can be
//! believed. Where a quotient has no denominator the value is 0 and the [`Score`] says so.
//!
//! What a score proves depends on what varied. Over test rows: [`bootstrap`] and, for two classifiers,
//! [`mcnemar_exact`]. Over splits of the same data: [`corrected_t_interval`] and [`corrected_paired_t`]. [`holm`]
//! adjusts the p-values of several comparisons.
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
mod error;
mod inference;
mod probability;
mod ranking;
mod roc;

pub use calibration::{ReliabilityBin, expected_calibration_error, reliability_bins};
pub use confusion::{Average, ConfusionMatrix, Score};
pub use error::MetricsError;
pub use inference::{
    Interval, McNemar, PairedTest, bootstrap, corrected_paired_t, corrected_t_interval, holm, mcnemar_exact, smallest_p,
};
pub use probability::{brier_score, log_loss};
pub use ranking::{roc_auc, roc_auc_ovr};
pub use roc::{RocPoint, roc_curve};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
