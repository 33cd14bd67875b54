//! Suspected label errors, for `label_issues.csv`.

use serde::{Deserialize, Serialize};

/// The examples whose given label is probably wrong, by the predictions of runs that were not trained on them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LabelIssuesRecord {
    /// The approach whose probabilities are used, the mean over its runs.
    pub approach: String,
    /// The filter: a value of `filter_by` of cleanlab's `find_label_issues`.
    pub method: String,
    /// Number of examples with such probabilities.
    pub examples: usize,
    /// The suspected label errors, by ascending margin.
    pub issues: Vec<LabelIssueRecord>,
}

impl LabelIssuesRecord {
    /// Returns the suspected label errors among `examples`, by the probabilities of an approach and a filter.
    pub fn new(
        approach: impl Into<String>,
        method: impl Into<String>,
        examples: usize,
        issues: Vec<LabelIssueRecord>,
    ) -> Self {
        Self { approach: approach.into(), method: method.into(), examples, issues }
    }
}

/// An example whose given label is probably wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LabelIssueRecord {
    /// Its row in the data, from 0.
    pub row: usize,
    /// The line of its file on which it begins, from 1, or the row in formats without lines.
    pub line: u64,
    /// The text.
    pub text: String,
    /// The second text of a text pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// The index of its class in the data.
    pub given: usize,
    /// The index of the most probable other class.
    pub suspected: usize,
    /// The probability of the given class minus that of the suspected one, in [-1, 1].
    pub margin: f64,
}

impl LabelIssueRecord {
    /// Returns the record of an example of one text.
    pub fn new(row: usize, line: u64, text: impl Into<String>, [given, suspected]: [usize; 2], margin: f64) -> Self {
        Self { row, line, text: text.into(), text_pair: None, given, suspected, margin }
    }
}
