//! The misclassified test examples of an experiment.

use serde::{Deserialize, Serialize};

/// Misclassified test examples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Misclassified {
    /// Number of examples that an approach misclassified in at least one run.
    pub total: usize,
    /// The first of them; those that most runs misclassified come first.
    #[serde(rename = "sentences")]
    pub examples: Vec<MisclassifiedExample>,
}

impl Misclassified {
    /// Returns the first `examples` of `total`.
    pub fn new(total: usize, examples: Vec<MisclassifiedExample>) -> Self {
        Self { total, examples }
    }
}

/// A test example that an approach misclassified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MisclassifiedExample {
    /// Its row in the test data, from 0; with folds, its row in all data.
    pub row: usize,
    /// The text.
    pub text: String,
    /// The index of its true class.
    pub label: usize,
    /// The prediction of each approach, in the order of the approaches.
    #[serde(rename = "approaches")]
    pub predictions: Vec<Prediction>,
}

impl MisclassifiedExample {
    /// Returns the record of an example with the true class `label`.
    pub fn new(row: usize, text: impl Into<String>, label: usize, predictions: Vec<Prediction>) -> Self {
        Self { row, text: text.into(), label, predictions }
    }
}

/// The prediction of an approach for an example, over all runs that tested on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Prediction {
    /// Runs that tested on the example.
    pub runs: usize,
    /// Runs that misclassified it.
    pub wrong: usize,
    /// Mean probability of each class.
    pub probabilities: Vec<f64>,
}

impl Prediction {
    /// Returns the mean `probabilities` over `runs`, of which `wrong` misclassified the example.
    pub fn new(runs: usize, wrong: usize, probabilities: Vec<f64>) -> Self {
        Self { runs, wrong, probabilities }
    }
}
