//! The errors of this crate.

use thiserror::Error;

/// The errors of fitting a baseline.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// There are no labels.
    #[error("there are no labels to fit")]
    Empty,
    /// The numbers of texts or rows and of labels differ.
    #[error("{texts} rows but {labels} labels")]
    Length {
        /// The number of texts or rows.
        texts: usize,
        /// The number of labels.
        labels: usize,
    },
    /// The number of class weights is not that of the classes.
    #[error("{weights} class weights for {classes} classes")]
    ClassWeights {
        /// The number of weights.
        weights: usize,
        /// The number of classes.
        classes: usize,
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
    /// All labels are the same class.
    #[error("all labels are class {class}; logistic regression needs at least two classes; use the majority class")]
    OneClass {
        /// The class.
        class: usize,
    },
    /// No text contains a word.
    #[error("no text has a word of at least two letters or digits; use the majority class")]
    NoWords,
    /// The regularization strength is not a positive number.
    #[error("c is {c}, but must be positive; scikit-learn's default is 1, and smaller values regularize more")]
    Regularization {
        /// The value.
        c: f64,
    },
    /// The optimizer stopped before it converged.
    #[error(
        "logistic regression did not converge in {iterations} iterations (gradient norm {gradient:e}); increase max_iterations, or use a c closer to 1"
    )]
    NotConverged {
        /// The number of iterations.
        iterations: u64,
        /// The norm of the gradient of the mean loss.
        gradient: f64,
    },
}
