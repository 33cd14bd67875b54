//! Sparse rows, which store only values other than 0.

use crate::rows::Rows;

/// A sparse matrix in compressed row format (CSR), with ascending columns within a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct SparseRows {
    ends: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl SparseRows {
    /// Appends a row.
    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = (u32, f64)>) {
        for (column, value) in row {
            self.columns.push(column);
            self.values.push(value);
        }
        self.ends.push(self.columns.len());
    }

    /// Returns the rows as pairs of column and value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = impl Iterator<Item = (usize, f64)> + Clone> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| {
            let columns = self.columns[start..end].iter().map(|&column| column as usize);
            columns.zip(self.values[start..end].iter().copied())
        })
    }
}

impl Rows for SparseRows {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn scores(&self, weights: &[f64], outputs: usize) -> Vec<f64> {
        let intercepts = &weights[weights.len() - outputs..];
        let mut all = intercepts.repeat(self.len());
        for (row, scores) in self.iter().zip(all.chunks_mut(outputs)) {
            for (column, value) in row {
                let weights = &weights[column * outputs..][..outputs];
                scores.iter_mut().zip(weights).for_each(|(score, weight)| *score += value * weight);
            }
        }
        all
    }

    fn add_gradient(&self, share: f64, residuals: &[f64], outputs: usize, gradient: &mut [f64]) {
        let intercepts = gradient.len() - outputs;
        for (row, residuals) in self.iter().zip(residuals.chunks(outputs)) {
            let mut add = |start: usize, value: f64| {
                let into = &mut gradient[start..start + outputs];
                into.iter_mut().zip(residuals).for_each(|(into, residual)| *into += share * value * residual);
            };
            row.for_each(|(column, value)| add(column * outputs, value));
            add(intercepts, 1.0);
        }
    }
}
