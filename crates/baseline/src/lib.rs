//! The floor under every comparison: what labels alone give ([`Majority`]), and what words alone give
//! ([`TfidfLogisticRegression`]). scikit-learn's `DummyClassifier`, `TfidfVectorizer` and `LogisticRegression`, number by
//! number; no tensor, no file.
//!
//! A pretrained model that does not beat both has learned nothing that its cost would pay for.
//!
//! ```
//! use rekindle_baseline::{Baseline, LogisticOptions, Majority, TfidfLogisticRegression};
//!
//! # fn main() -> Result<(), rekindle_baseline::BaselineError> {
//! let (texts, labels) = (["good fun", "very good", "so bad"], [1, 1, 0]);
//! let majority = Majority::fit(&labels, 2)?;
//! let words = TfidfLogisticRegression::fit(&texts, &labels, 2, &LogisticOptions { c: 10.0, ..Default::default() })?;
//! let floors: [&dyn Baseline; 2] = [&majority, &words];
//! assert_eq!(floors.map(|floor| floor.predictions(&["bad, so bad"])), [[1], [0]]);
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs, missing_debug_implementations)]

mod classifier;
mod error;
#[cfg(test)]
mod golden;
mod logistic;
mod majority;
mod sparse;
mod tfidf;

pub use classifier::TfidfLogisticRegression;
pub use error::BaselineError;
pub use logistic::LogisticOptions;
pub use majority::Majority;

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// A classifier of texts that costs next to nothing.
pub trait Baseline {
    /// The number of classes.
    fn classes(&self) -> usize;

    /// The probability of each class for each text: row-major, `classes` a row, each row with the sum 1.
    fn probabilities(&self, texts: &[&str]) -> Vec<f64>;

    /// The likeliest class of each text; of classes equally likely the first.
    fn predictions(&self, texts: &[&str]) -> Vec<usize> {
        let probabilities = self.probabilities(texts);
        probabilities.chunks(self.classes()).map(likeliest).collect()
    }
}

fn likeliest(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
}
