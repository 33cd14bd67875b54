//! The errors of this crate.

use thiserror::Error;

/// Why there is no baseline to be learned.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// There is nothing to learn from.
    #[error("no labels to learn from")]
    Empty,
    /// Texts and labels differ in number.
    #[error("{texts} texts but {labels} labels")]
    Length {
        /// Texts given.
        texts: usize,
        /// Labels given.
        labels: usize,
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
    /// Only one class occurs, and nothing can be told apart.
    #[error("all labels are class {class}; a regression needs two, and the majority class is all there is to predict")]
    OneClass {
        /// The class.
        class: usize,
    },
    /// No text has a word.
    #[error("no text has a word of two letters or digits; the majority class is all there is to predict")]
    NoWords,
    /// The strength of regularization is not a positive number.
    #[error("c is {c}, but must be positive; 1 is scikit-learn's default, and less means stronger regularization")]
    Regularization {
        /// The value.
        c: f64,
    },
    /// The optimizer ended before it came near to the minimum.
    #[error(
        "not converged after {iterations} iterations, the gradient's norm is {gradient:e}; raise max_iterations, or take a c nearer 1"
    )]
    NotConverged {
        /// How far it came.
        iterations: u64,
        /// The norm of the gradient of the mean loss.
        gradient: f64,
    },
}
