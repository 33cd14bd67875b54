//! The predictions of all runs, for `predictions.csv`.

use crate::run::RunKey;
use crate::target::TargetRecord;

/// The predictions of all runs for their test examples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// The examples that runs were tested on.
    pub examples: Vec<TestExample>,
    /// The runs of all approaches and baselines, in the order of the results.
    pub runs: Vec<RunPredictions>,
}

/// A test example.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestExample {
    /// The line of its file on which it begins, from 1, or the row in formats without lines.
    pub line: u64,
    /// The text.
    pub text: String,
    /// The second text of a text pair.
    pub text_pair: Option<String>,
    /// Its class, labels or number.
    pub label: TargetRecord,
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
    /// The prediction for each test example.
    pub predictions: Vec<TargetRecord>,
    /// `[test examples, classes]`, row-major; empty for a regression.
    pub probabilities: Vec<f32>,
}
