//! The predictions of all runs, for `predictions.csv`.

use crate::run::RunKey;

/// The predictions of all runs for their test examples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// The examples that runs were tested on.
    pub examples: Vec<TestExample>,
    /// The runs of all approaches and baselines, in the order of the results.
    pub runs: Vec<RunPredictions>,
}

/// A test example.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestExample {
    /// The line of its file on which it begins, from 1, or the row in formats without lines.
    pub line: u64,
    /// The text.
    pub text: String,
    /// The second text of a text pair.
    pub text_pair: Option<String>,
    /// The index of its true class.
    pub label: usize,
}

/// The predictions of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunPredictions {
    /// The name of the approach or baseline.
    pub approach: String,
    /// The run of the approach.
    pub run: RunKey,
    /// The indices of the test examples in [`Predictions::examples`].
    pub examples: Vec<usize>,
    /// The index of the predicted class per test example.
    pub predictions: Vec<usize>,
    /// `[test examples, classes]`, row-major.
    pub probabilities: Vec<f32>,
}
