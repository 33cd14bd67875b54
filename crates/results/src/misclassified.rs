//! The misclassified test examples of an experiment.

use serde::{Deserialize, Serialize};

use crate::target::TargetRecord;

/// Misclassified test examples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Misclassified {
    /// Number of examples that an approach misclassified in at least one run.
    pub total: usize,
    /// The best approach of those that are not undertrained; empty in files of earlier releases.
    #[serde(default, rename = "best")]
    pub approach: String,
    /// Number of examples that this approach misclassified in at least one run.
    #[serde(default)]
    pub total_of_approach: usize,
    /// The first of them: those that this approach misclassified, by descending probability of the most probable wrong class;
    /// then those that others misclassified. In files of earlier releases, those that most runs misclassified come first.
    #[serde(rename = "sentences")]
    pub examples: Vec<MisclassifiedExample>,
}

impl Misclassified {
    /// Returns the first `examples` of `total`, of which `approach` misclassified `total_of_approach`.
    pub fn new(
        total: usize,
        approach: impl Into<String>,
        total_of_approach: usize,
        examples: Vec<MisclassifiedExample>,
    ) -> Self {
        Self { total, approach: approach.into(), total_of_approach, examples }
    }
}

/// A test example that an approach misclassified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MisclassifiedExample {
    /// Its row in the test data, from 0; with folds, its row in all data.
    pub row: usize,
    /// The line of its file on which it begins, from 1, or the row in formats without lines
    /// ([`DataRecord::unit`](crate::DataRecord::unit)); 0 in files of earlier releases.
    #[serde(default)]
    pub line: u64,
    /// The text.
    pub text: String,
    /// The second text of a text pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// Its true class, labels or number.
    pub label: TargetRecord,
    /// The prediction of each approach, in the order of the approaches.
    #[serde(rename = "approaches")]
    pub predictions: Vec<Prediction>,
    /// Which words spoke for the wrong prediction of the best approach, of the first examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<ExplanationRecord>,
}

impl MisclassifiedExample {
    /// Returns the record of an example of one text with the true `label`.
    pub fn new(
        row: usize,
        line: u64,
        text: impl Into<String>,
        label: TargetRecord,
        predictions: Vec<Prediction>,
    ) -> Self {
        Self { row, line, text: text.into(), text_pair: None, label, predictions, explanation: None }
    }
}

/// The words that spoke for and against an output of a model, by integrated gradients of its logit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExplanationRecord {
    /// The class or label that was predicted wrongly.
    pub label: String,
    /// The words that the model read, in the order of the text.
    pub words: Vec<WordRecord>,
}

impl ExplanationRecord {
    /// Returns the record of the `words` for `label`.
    pub fn new(label: impl Into<String>, words: Vec<WordRecord>) -> Self {
        Self { label: label.into(), words }
    }
}

/// A word of a text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WordRecord {
    /// The first byte of the word in the text.
    pub start: usize,
    /// The byte behind the word.
    pub end: usize,
    /// What it adds to the logit; negative if the word speaks against the label.
    pub attribution: f64,
}

impl WordRecord {
    /// Returns the record of a word.
    pub fn new(start: usize, end: usize, attribution: f64) -> Self {
        Self { start, end, attribution }
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
    /// Mean probability of each class or label; for a regression, the mean prediction alone.
    pub probabilities: Vec<f64>,
}

impl Prediction {
    /// Returns the mean `probabilities` over `runs`, of which `wrong` misclassified the example.
    pub fn new(runs: usize, wrong: usize, probabilities: Vec<f64>) -> Self {
        Self { runs, wrong, probabilities }
    }
}
