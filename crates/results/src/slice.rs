//! Scores of a part of the test examples.

use serde::{Deserialize, Serialize};

use crate::scores::Scores;

/// The scores of an approach on the test examples that have the same value in a column of their table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SliceRecord {
    /// The name of the column.
    pub column: String,
    /// Its value; empty for examples without one.
    pub value: String,
    /// Number of examples.
    pub n: usize,
    /// The name of the approach.
    pub approach: String,
    /// The scores, without those that these examples do not define.
    pub scores: Scores,
}

impl SliceRecord {
    /// Returns the scores of an approach on the `n` examples with this value.
    pub fn new(column: &str, value: &str, n: usize, approach: &str, scores: Scores) -> Self {
        Self { column: column.into(), value: value.into(), n, approach: approach.into(), scores }
    }
}
