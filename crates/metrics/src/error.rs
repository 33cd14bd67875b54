//! The errors of this crate.

use thiserror::Error;

/// Why a score cannot be computed.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// There are no rows.
    #[error("there are no rows to score")]
    Empty,
    /// Two inputs have different lengths.
    #[error("{truth} labels but {other} {what}")]
    Length {
        /// The number of labels.
        truth: usize,
        /// The length of the other input.
        other: usize,
        /// The content of the other input.
        what: &'static str,
    },
    /// A label is not below the number of classes.
    #[error("row {row}: class {label} is not below the number of classes, {classes}")]
    Label {
        /// The row, from 0.
        row: usize,
        /// The label.
        label: usize,
        /// The number of classes.
        classes: usize,
    },
    /// The values of rows with several labels are not a multiple of the number of labels.
    #[error("{values} values are not rows of {labels} labels")]
    LabelRows {
        /// The number of values.
        values: usize,
        /// The number of labels per row.
        labels: usize,
    },
    /// A score is NaN or infinite, or a probability is not in [0, 1].
    #[error("row {row}: score {value} is not finite or not in the valid range")]
    Score {
        /// The row, from 0.
        row: usize,
        /// The value.
        value: f64,
    },
    /// All rows are positive, or all are negative.
    #[error("the ROC curve of class {class} is undefined: all rows are positive, or all are negative")]
    OneClass {
        /// The positive class.
        class: usize,
    },
    /// The scores of two classifiers are not of the same rows or resamples.
    #[error("{a} values of one classifier but {b} of the other; a paired comparison needs equal numbers")]
    Unpaired {
        /// The number of values of the first classifier.
        a: usize,
        /// The number of values of the second classifier.
        b: usize,
    },
    /// There are too few values for the computation.
    #[error("{found} {what}, but {needed} are needed")]
    TooFew {
        /// What the values are.
        what: &'static str,
        /// The number of values.
        found: usize,
        /// The number of values needed.
        needed: usize,
    },
    /// A confidence level is not between 0 and 1.
    #[error("confidence level {level} is not between 0 and 1; use 0.95 for 95 %")]
    Level {
        /// The confidence level.
        level: f64,
    },
    /// The ratio of test rows to training rows is negative, NaN or infinite.
    #[error("{ratio} is not a valid ratio of test rows to training rows; use 0.25 if a fifth of the rows is tested")]
    Ratio {
        /// The ratio.
        ratio: f64,
    },
    /// A string that is not the name of a metric.
    #[error(
        "unknown metric `{name}`: expected accuracy, balanced_accuracy, f1, f1_micro, f1_macro, f1_weighted, f1_samples, average_precision, hamming_loss, matthews_corrcoef, quadratic_weighted_kappa, mse, rmse, mae, r2, pearson, spearman or loss"
    )]
    UnknownMetric {
        /// The given value.
        name: String,
    },
    /// A metric of another task.
    #[error("metric `{name}` is not defined for {task}: expected {expected}")]
    MetricOfOtherTask {
        /// The metric.
        name: &'static str,
        /// The task.
        task: &'static str,
        /// The metrics of the task.
        expected: String,
    },
    /// A statistic is NaN or infinite for some rows.
    #[error("the statistic is {value} on a resample; it must be finite for any selection of rows")]
    Statistic {
        /// The value.
        value: f64,
    },
}
