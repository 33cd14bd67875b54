//! Linear regression with L2 regularization.

use std::sync::atomic::AtomicBool;

use crate::error::{BaselineError, check_stop};
use crate::lbfgs::{add, dot};
use crate::rows::{DenseRows, Rows};

/// The norm of the residual of the normal equations at the solution, relative to that at the start.
const TOLERANCE: f64 = 1e-12;
/// That norm if rounding ends the search: a millionth of scikit-learn's `tol`.
const ACCEPTED: f64 = 1e-10;

/// The options of the regression, with scikit-learn's names.
#[derive(Clone, Copy, Debug)]
pub struct RidgeOptions<'a> {
    /// The strength of L2 regularization, positive. Default: 1.
    pub alpha: f64,
    /// The maximum number of iterations of the conjugate gradient method. Default: 10,000; about a hundred are usual.
    pub max_iterations: u64,
    /// Ends the search with [`BaselineError::Stopped`] before the next iteration once it is true. Default: none.
    pub stop: Option<&'a AtomicBool>,
}

impl Default for RidgeOptions<'_> {
    fn default() -> Self {
        Self { alpha: 1.0, max_iterations: 10_000, stop: None }
    }
}

/// scikit-learn's `Ridge` on dense features: L2 regularization, an intercept without.
#[derive(Clone, Debug, PartialEq)]
pub struct Ridge {
    columns: usize,
    /// The coefficients, then the intercept.
    weights: Vec<f64>,
}

impl Ridge {
    /// Fits rows of features and their values.
    ///
    /// # Errors
    /// Returns an error if there are no rows, the numbers of rows and values differ, a value is not finite, the options are out
    /// of range, or the search does not converge.
    pub fn fit(rows: &DenseRows, values: &[f64], options: &RidgeOptions<'_>) -> Result<Self, BaselineError> {
        if rows.len() != values.len() {
            return Err(BaselineError::Length { texts: rows.len(), labels: values.len() });
        }
        let columns = rows.columns();
        Ok(Self { columns, weights: fit(rows, columns, values, options)? })
    }

    /// Returns the coefficient of each column.
    pub fn coefficients(&self) -> &[f64] {
        &self.weights[..self.columns]
    }

    /// Returns the intercept.
    pub fn intercept(&self) -> f64 {
        self.weights[self.columns]
    }

    /// Returns the predicted value of each row; nothing for rows of another number of columns.
    pub fn predictions(&self, rows: &DenseRows) -> Vec<f64> {
        if rows.columns() == self.columns { rows.scores(&self.weights, 1) } else { Vec::new() }
    }
}

/// Returns the mean of values.
pub(crate) fn mean(values: &[f64]) -> Result<f64, BaselineError> {
    if let Some((row, &value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(BaselineError::Value { row, value });
    }
    if values.is_empty() { Err(BaselineError::Empty) } else { Ok(values.iter().sum::<f64>() / values.len() as f64) }
}

/// Returns the coefficients that minimise the squared errors plus `alpha` times the squared coefficients, then the intercept.
///
/// They solve the normal equations of the centred rows, by the conjugate gradient method. The centred rows are not computed:
/// sparse rows would become dense.
pub(crate) fn fit(
    rows: &impl Rows,
    columns: usize,
    values: &[f64],
    options: &RidgeOptions<'_>,
) -> Result<Vec<f64>, BaselineError> {
    let RidgeOptions { alpha, max_iterations, stop } = *options;
    if !(alpha > 0.0 && alpha.is_finite()) {
        return Err(BaselineError::Alpha { alpha });
    }
    let mean_value = mean(values)?;
    let mut means = vec![0.0; columns + 1];
    rows.add_gradient(1.0 / values.len() as f64, &vec![1.0; values.len()], 1, &mut means);
    means.truncate(columns);
    let centred = Centred { rows, means: &means, alpha };

    let deviations: Vec<f64> = values.iter().map(|value| value - mean_value).collect();
    let mut residual = centred.transposed(&deviations);
    let mut weights = vec![0.0; columns];
    let mut direction = residual.clone();
    let start = dot(&residual, &residual);
    let (mut norm, mut iterations) = (start, 0);
    while norm > TOLERANCE * TOLERANCE * start && iterations < max_iterations {
        check_stop(stop)?;
        let product = centred.normal(&direction);
        let step = norm / dot(&direction, &product);
        add(&mut weights, step, &direction);
        add(&mut residual, -step, &product);
        let next = dot(&residual, &residual);
        direction
            .iter_mut()
            .zip(&residual)
            .for_each(|(direction, residual)| *direction = residual + next / norm * *direction);
        (norm, iterations) = (next, iterations + 1);
    }
    let residual = (norm / start.max(f64::MIN_POSITIVE)).sqrt();
    if residual.is_nan() || residual > ACCEPTED {
        return Err(BaselineError::RidgeNotConverged { iterations, residual });
    }
    let intercept = mean_value - dot(&means, &weights);
    weights.push(intercept);
    Ok(weights)
}

/// Rows minus the mean of each column.
struct Centred<'a, R> {
    rows: &'a R,
    means: &'a [f64],
    alpha: f64,
}

impl<R: Rows> Centred<'_, R> {
    /// Returns the product of the transposed rows with a number per row.
    fn transposed(&self, numbers: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.means.len() + 1];
        self.rows.add_gradient(1.0, numbers, 1, &mut sums);
        let total = sums.pop().unwrap_or_default();
        add(&mut sums, -total, self.means);
        sums
    }

    /// Returns the product of the matrix of the normal equations with weights.
    fn normal(&self, weights: &[f64]) -> Vec<f64> {
        let mut with_intercept = weights.to_vec();
        with_intercept.push(-dot(self.means, weights));
        let mut product = self.transposed(&self.rows.scores(&with_intercept, 1));
        add(&mut product, self.alpha, weights);
        product
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shrunk_towards_the_mean() {
        let rows = DenseRows::new(vec![-1.0, 0.0, 1.0], 1);
        let fitted = Ridge::fit(&rows, &[1.0, 3.0, 5.0], &RidgeOptions::default()).expect("valid");
        // Squares of the centred column are 2, products with the values 4: 4 / (2 + 1).
        assert!((fitted.coefficients()[0] - 4.0 / 3.0).abs() < 1e-12 && (fitted.intercept() - 3.0).abs() < 1e-12);
        assert!(fitted.predictions(&DenseRows::new(vec![0.0; 2], 2)).is_empty());
    }

    #[test]
    fn equal_values_or_rows_leave_the_mean() {
        let rows = DenseRows::new(vec![-1.0, 0.0, 4.0], 1);
        let fitted = Ridge::fit(&rows, &[2.0; 3], &RidgeOptions::default()).expect("valid");
        assert_eq!((fitted.coefficients(), fitted.intercept()), (&[0.0][..], 2.0));
        let fitted =
            Ridge::fit(&DenseRows::new(vec![1.0; 2], 1), &[0.0, 1.0], &RidgeOptions::default()).expect("valid");
        assert_eq!((fitted.coefficients(), fitted.intercept()), (&[0.0][..], 0.5));
    }

    #[test]
    fn a_search_that_does_not_converge_is_an_error() {
        let rows = DenseRows::new(vec![1.0, 0.0, 0.0, 2.0, 3.0, 1.0], 2);
        let short = RidgeOptions { max_iterations: 1, ..Default::default() };
        let error = Ridge::fit(&rows, &[0.0, 1.0, 2.0], &short).expect_err("too short");
        assert!(matches!(error, BaselineError::RidgeNotConverged { iterations: 1, .. }), "{error}");
        let huge = DenseRows::new(vec![1e200, -1e200, 0.0, 1e200], 2);
        let error = Ridge::fit(&huge, &[0.0, 1.0], &RidgeOptions::default()).expect_err("overflow");
        assert!(matches!(error, BaselineError::RidgeNotConverged { .. }), "{error}");
    }
}
