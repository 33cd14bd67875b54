//! The errors of this crate.

use thiserror::Error;

/// Why a score cannot be computed.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// There is nothing to score.
    #[error("no rows to score")]
    Empty,
    /// Two inputs that belong together differ in length.
    #[error("{truth} labels but {other} {what}")]
    Length {
        /// Labels given.
        truth: usize,
        /// The length of the other input.
        other: usize,
        /// What the other input holds.
        what: &'static str,
    },
    /// A label is not below the number of classes.
    #[error("row {row}: class {label} is not below {classes}")]
    Label {
        /// The row, from 0.
        row: usize,
        /// The label.
        label: usize,
        /// The number of classes.
        classes: usize,
    },
    /// A score is NaN or infinite, or a probability is not in [0, 1].
    #[error("row {row}: {value} is not a valid score")]
    Score {
        /// The row, from 0.
        row: usize,
        /// The value.
        value: f64,
    },
    /// A ranking needs rows of both kinds.
    #[error("ROC AUC is not defined where only one class occurs (class {class})")]
    OneClass {
        /// The class that stands against all others.
        class: usize,
    },
}
