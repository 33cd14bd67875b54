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
    #[error("a ROC curve is not defined where only one class occurs (class {class})")]
    OneClass {
        /// The class that stands against all others.
        class: usize,
    },
    /// Two classifiers to compare were not seen on the same rows or resamples.
    #[error("{a} values of one classifier but {b} of the other; a comparison needs pairs")]
    Unpaired {
        /// Values of the first.
        a: usize,
        /// Values of the second.
        b: usize,
    },
    /// There are too few values for what is asked.
    #[error("{found} {what}, but {needed} are needed")]
    TooFew {
        /// What there is too little of.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// A level of confidence is not between 0 and 1.
    #[error("the level {level} is not between 0 and 1; say 0.95 for 95 %")]
    Level {
        /// The level.
        level: f64,
    },
    /// The ratio of test rows to training rows is negative, NaN or infinite.
    #[error("{ratio} is not a ratio of test rows to training rows; say 0.25 for a test on a fifth of the rows")]
    Ratio {
        /// The ratio.
        ratio: f64,
    },
    /// A statistic is NaN or infinite for some rows.
    #[error("the statistic is {value} on some resample; it must be defined for any choice of rows")]
    Statistic {
        /// The value.
        value: f64,
    },
}
