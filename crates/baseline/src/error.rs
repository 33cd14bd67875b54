//! The errors of this crate.

use std::sync::atomic::{AtomicBool, Ordering};

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
    /// The values of rows with several labels are not a multiple of the number of labels.
    #[error("{values} values are not rows of {labels} labels")]
    LabelRows {
        /// The number of values.
        values: usize,
        /// The number of labels per row.
        labels: usize,
    },
    /// A value is NaN or infinite.
    #[error("row {row}: value {value} is not finite")]
    Value {
        /// The row, from 0.
        row: usize,
        /// The value.
        value: f64,
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
    /// The search was asked to stop.
    #[error("stopped on request")]
    Stopped,
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
    /// The regularization strength of the ridge regression is not a positive number.
    #[error("alpha is {alpha}, but must be positive; scikit-learn's default is 1, and greater values regularize more")]
    Alpha {
        /// The value.
        alpha: f64,
    },
    /// The ridge regression stopped before it converged.
    #[error(
        "ridge regression did not converge in {iterations} iterations (relative residual {residual:e}); increase max_iterations, or use a greater alpha"
    )]
    RidgeNotConverged {
        /// The number of iterations.
        iterations: u64,
        /// The norm of the residual of the normal equations, relative to that at the start.
        residual: f64,
    },
}

/// Returns an error if a search is asked to stop.
pub(crate) fn check_stop(stop: Option<&AtomicBool>) -> Result<(), BaselineError> {
    if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) { Err(BaselineError::Stopped) } else { Ok(()) }
}
