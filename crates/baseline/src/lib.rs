//! Baselines for text classification: the majority class ([`Majority`]), and TF-IDF with logistic regression
//! ([`TfidfLogisticRegression`]). They reproduce scikit-learn's `DummyClassifier`, `TfidfVectorizer` and
//! `LogisticRegression`. The crate has no tensors and reads no files.
//!
//! [`LogisticRegression`] is the same regression on features that are given: those of an encoder, for a linear probe.
//!
//! For texts with several labels, [`LabelRates`] and [`TfidfOneVsRest`] reproduce `DummyClassifier` and `OneVsRestClassifier`;
//! for texts with a value, [`MeanValue`] and [`TfidfRidge`] reproduce `DummyRegressor` and `Ridge`, which [`Ridge`] is on
//! features.
//!
//! A pretrained model that is not better than both baselines is not worth its cost.
//!
//! ```
//! use rekindle_baseline::{Baseline, LogisticOptions, Majority, TfidfLogisticRegression};
//!
//! # fn main() -> Result<(), rekindle_baseline::BaselineError> {
//! let (texts, labels) = (["good fun", "very good", "so bad"], [1, 1, 0]);
//! let majority = Majority::fit(&labels, 2)?;
//! let words = TfidfLogisticRegression::fit(&texts, &labels, 2, &LogisticOptions { c: 10.0, ..Default::default() })?;
//! let baselines: [&dyn Baseline; 2] = [&majority, &words];
//! assert_eq!(baselines.map(|baseline| baseline.predictions(&["bad, so bad"])), [[1], [0]]);
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs, missing_debug_implementations)]

mod classifier;
mod dense;
mod error;
mod labels;
mod lbfgs;
mod logistic;
mod majority;
mod product;
mod ridge;
mod rows;
mod sparse;
mod tfidf;
mod values;

pub use classifier::TfidfLogisticRegression;
pub use dense::{LogisticRegression, Validation, cross_validate};
pub use error::BaselineError;
pub use labels::{LabelRates, MultilabelBaseline, TfidfOneVsRest};
pub use logistic::LogisticOptions;
pub use majority::Majority;
pub use ridge::{Ridge, RidgeOptions};
pub use rows::DenseRows;
pub use values::{MeanValue, TfidfRidge, ValueBaseline};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// A cheap text classifier.
pub trait Baseline {
    /// Returns the number of classes.
    fn classes(&self) -> usize;

    /// Returns the probability of each class for each text: row-major, with `classes` values per row that sum to 1.
    fn probabilities(&self, texts: &[&str]) -> Vec<f64>;

    /// Returns the most probable class of each text, the first in case of ties.
    fn predictions(&self, texts: &[&str]) -> Vec<usize> {
        let probabilities = self.probabilities(texts);
        probabilities.chunks(self.classes()).map(rekindle_metrics::argmax).collect()
    }
}

#[cfg(test)]
mod tests {
    mod golden;
}
