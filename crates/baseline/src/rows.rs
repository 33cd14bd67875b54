//! The rows of a design matrix, sparse or dense, and what logistic regression computes with them.

use pulp::Arch;

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

/// Rows that are computed together, so that a weight is read once for all of them.
const TOGETHER: usize = 4;

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
        let mut scores = vec![0.0; self.len() * outputs];
        Arch::new().dispatch(|| multiply(&self.values, self.columns, weights, outputs, &mut scores));
        scores
    }

    fn add_gradient(&self, share: f64, residuals: &[f64], outputs: usize, gradient: &mut [f64]) {
        let residuals: Vec<f64> = residuals.iter().map(|residual| share * residual).collect();
        Arch::new().dispatch(|| accumulate(&self.values, self.columns, &residuals, outputs, gradient));
    }
}

/// [`Rows::scores`].
#[inline(always)]
fn multiply(values: &[f64], columns: usize, weights: &[f64], outputs: usize, scores: &mut [f64]) {
    let (weights, intercepts) = weights.split_at(columns * outputs);
    if outputs == 1 {
        for (row, score) in values.chunks_exact(columns).zip(scores) {
            *score = dot(row, weights) + intercepts[0];
        }
        return;
    }
    for (rows, scores) in values.chunks(TOGETHER * columns).zip(scores.chunks_mut(TOGETHER * outputs)) {
        scores.chunks_mut(outputs).for_each(|scores| scores.copy_from_slice(intercepts));
        if let Some([r0, r1, r2, r3]) = four(rows, columns) {
            let (s0, rest) = scores.split_at_mut(outputs);
            let (s1, rest) = rest.split_at_mut(outputs);
            let (s2, s3) = rest.split_at_mut(outputs);
            for (column, weights) in weights.chunks_exact(outputs).enumerate() {
                let [x0, x1, x2, x3] = [r0[column], r1[column], r2[column], r3[column]];
                let scores = s0.iter_mut().zip(&mut *s1).zip(&mut *s2).zip(&mut *s3);
                for (weight, (((s0, s1), s2), s3)) in weights.iter().zip(scores) {
                    *s0 += x0 * weight;
                    *s1 += x1 * weight;
                    *s2 += x2 * weight;
                    *s3 += x3 * weight;
                }
            }
        } else {
            for (row, scores) in rows.chunks_exact(columns).zip(scores.chunks_mut(outputs)) {
                for (value, weights) in row.iter().zip(weights.chunks_exact(outputs)) {
                    scores.iter_mut().zip(weights).for_each(|(score, weight)| *score += value * weight);
                }
            }
        }
    }
}

/// [`Rows::add_gradient`], with residuals that are scaled already.
#[inline(always)]
fn accumulate(values: &[f64], columns: usize, residuals: &[f64], outputs: usize, gradient: &mut [f64]) {
    let (gradient, intercepts) = gradient.split_at_mut(columns * outputs);
    for (rows, residuals) in values.chunks(TOGETHER * columns).zip(residuals.chunks(TOGETHER * outputs)) {
        match four(rows, columns).zip(four(residuals, outputs)).filter(|_| outputs > 1) {
            Some(([r0, r1, r2, r3], [e0, e1, e2, e3])) => {
                for (column, gradient) in gradient.chunks_exact_mut(outputs).enumerate() {
                    let [x0, x1, x2, x3] = [r0[column], r1[column], r2[column], r3[column]];
                    let residuals = e0.iter().zip(e1).zip(e2).zip(e3);
                    for (into, (((e0, e1), e2), e3)) in gradient.iter_mut().zip(residuals) {
                        *into += (x0 * e0 + x1 * e1) + (x2 * e2 + x3 * e3);
                    }
                }
            }
            None => {
                for (row, residuals) in rows.chunks_exact(columns).zip(residuals.chunks_exact(outputs)) {
                    if let [residual] = residuals {
                        gradient.iter_mut().zip(row).for_each(|(into, value)| *into += value * residual);
                        continue;
                    }
                    for (value, gradient) in row.iter().zip(gradient.chunks_exact_mut(outputs)) {
                        gradient.iter_mut().zip(residuals).for_each(|(into, residual)| *into += value * residual);
                    }
                }
            }
        }
        for residuals in residuals.chunks_exact(outputs) {
            intercepts.iter_mut().zip(residuals).for_each(|(into, residual)| *into += residual);
        }
    }
}

/// Splits four rows, if there are as many.
#[inline(always)]
fn four(rows: &[f64], columns: usize) -> Option<[&[f64]; TOGETHER]> {
    let mut each = rows.chunks_exact(columns);
    Some([each.next()?, each.next()?, each.next()?, each.next()?])
}

/// A dot product with several sums, which do not wait for each other.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_equal_plain_sums() {
        for (rows, columns, outputs) in [(1, 1, 1), (4, 3, 2), (7, 19, 5), (9, 16, 1), (3, 2, 4)] {
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
