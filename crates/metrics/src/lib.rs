//! Scores for classification: predictions and labels in, scikit-learn's numbers out. No tensor, no file.
//!
//! [`ConfusionMatrix`] counts predictions against truth and gives accuracy, precision, recall, F1 ([`Average`] says
//! over which classes) and Matthews' coefficient. [`roc_auc`] ranks scores, [`log_loss`] weighs probabilities. Where a
//! quotient has no denominator the value is 0 and the [`Score`] says so.
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
#![deny(missing_docs)]

mod confusion;
mod error;
mod probability;
mod ranking;

pub use confusion::{Average, ConfusionMatrix, Score};
pub use error::MetricsError;
pub use probability::log_loss;
pub use ranking::{roc_auc, roc_auc_ovr};
