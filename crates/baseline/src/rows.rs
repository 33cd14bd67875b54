//! The rows of a design matrix, sparse or dense, and what logistic regression computes with them.

use pulp::{Arch, NullaryFnOnce};

use crate::lbfgs::dot;
use crate::product::{Left, add_product};

/// The rows that a regression is fitted to.
pub(crate) trait Rows {
    /// Returns the number of rows.
    fn len(&self) -> usize;

    /// Returns the products of each row with each weight vector, plus the intercepts: row-major `[rows, outputs]`.
    ///
    /// `weights` has a row of `outputs` weights per column, followed by a row of intercepts.
    fn scores(&self, weights: &[f64], outputs: usize) -> Vec<f64>;

    /// Adds to the gradient of the weights: `share` times the sum over rows of the row, and 1 for the intercept, times its
    /// residuals, which are row-major `[rows, outputs]`.
    fn add_gradient(&self, share: f64, residuals: &[f64], outputs: usize, gradient: &mut [f64]);
}

/// Rows of features, each of the same number of columns.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseRows {
    values: Vec<f64>,
    columns: usize,
}

impl DenseRows {
    /// Creates rows from row-major values. An incomplete last row is dropped; without columns there are no rows.
    pub fn new(mut values: Vec<f64>, columns: usize) -> Self {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        values.truncate(rows * columns);
        Self { values, columns }
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.columns).unwrap_or(0)
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns some of the rows, in the order given. Rows that do not exist are left out.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let row = |&row: &usize| self.values.get(row * self.columns..(row + 1) * self.columns).unwrap_or_default();
        Self { values: rows.iter().flat_map(row).copied().collect(), columns: self.columns }
    }
}

impl Rows for DenseRows {
    fn len(&self) -> usize {
        self.len()
    }

    fn scores(&self, weights: &[f64], outputs: usize) -> Vec<f64> {
        if outputs == 1 {
            let mut scores = vec![0.0; self.len()];
            Arch::new().dispatch(Scores { rows: self, weights, scores: &mut scores });
            return scores;
        }
        let (weights, intercepts) = weights.split_at(self.columns * outputs);
        let mut scores = intercepts.repeat(self.len());
        add_product(Left::new(&self.values, self.columns), weights, outputs, &mut scores);
        scores
    }

    fn add_gradient(&self, share: f64, residuals: &[f64], outputs: usize, gradient: &mut [f64]) {
        let residuals: Vec<f64> = residuals.iter().map(|residual| share * residual).collect();
        if outputs == 1 {
            return Arch::new().dispatch(Gradient { rows: self, residuals: &residuals, gradient });
        }
        let (gradient, intercepts) = gradient.split_at_mut(self.columns * outputs);
        add_product(Left::new(&self.values, self.columns).transposed(), &residuals, outputs, gradient);
        for residuals in residuals.chunks_exact(outputs) {
            intercepts.iter_mut().zip(residuals).for_each(|(into, residual)| *into += residual);
        }
    }
}

/// [`Rows::scores`] with one output. Not a closure, because one that is called, not inlined, is compiled for any CPU.
struct Scores<'a> {
    rows: &'a DenseRows,
    weights: &'a [f64],
    scores: &'a mut [f64],
}

impl NullaryFnOnce for Scores<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (weights, intercept) = self.weights.split_at(self.rows.columns);
        for (row, score) in self.rows.values.chunks_exact(self.rows.columns).zip(self.scores) {
            *score = dot(row, weights) + intercept[0];
        }
    }
}

/// [`Rows::add_gradient`] with one output, with residuals that are scaled already.
struct Gradient<'a> {
    rows: &'a DenseRows,
    residuals: &'a [f64],
    gradient: &'a mut [f64],
}

impl NullaryFnOnce for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (gradient, intercept) = self.gradient.split_at_mut(self.rows.columns);
        for (row, residual) in self.rows.values.chunks_exact(self.rows.columns).zip(self.residuals) {
            for (into, value) in gradient.iter_mut().zip(row) {
                *into += value * residual;
            }
        }
        intercept[0] += self.residuals.iter().sum::<f64>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_equal_plain_sums() {
        for (rows, columns, outputs) in
            [(1, 1, 1), (4, 3, 2), (7, 19, 5), (9, 16, 1), (3, 2, 4), (3, 600, 30), (1030, 2, 50)]
        {
            let number = |index: usize| ((index * 7919 % 101) as f64).sin();
            let values: Vec<f64> = (0..rows * columns).map(number).collect();
            let weights: Vec<f64> = (0..(columns + 1) * outputs).map(|index| number(index + 5)).collect();
            let dense = DenseRows::new(values.clone(), columns);
            let scores = dense.scores(&weights, outputs);
            let mut gradient = vec![0.5; weights.len()];
            dense.add_gradient(0.25, &scores, outputs, &mut gradient);
            for row in 0..rows {
                for output in 0..outputs {
                    let plain: f64 = (0..columns)
                        .map(|column| values[row * columns + column] * weights[column * outputs + output])
                        .sum::<f64>()
                        + weights[columns * outputs + output];
                    assert!((scores[row * outputs + output] - plain).abs() < 1e-12, "{rows} x {columns} x {outputs}");
                }
            }
            for (place, found) in gradient.iter().enumerate() {
                let (column, output) = (place / outputs, place % outputs);
                let value = |row: usize| if column == columns { 1.0 } else { values[row * columns + column] };
                let sum: f64 = (0..rows).map(|row| value(row) * scores[row * outputs + output]).sum();
                assert!((found - 0.5 - 0.25 * sum).abs() < 1e-12, "{rows} x {columns} x {outputs}, {place}");
            }
        }
    }

    #[test]
    fn rows_without_columns_are_none() {
        assert!(DenseRows::new(vec![1.0], 0).is_empty());
        let rows = DenseRows::new(vec![1.0, 2.0, 3.0, 4.0, 5.0], 2);
        assert_eq!((rows.len(), rows.select(&[1, 0, 2]).values), (2, vec![3.0, 4.0, 1.0, 2.0]));
    }
}
