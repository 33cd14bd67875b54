//! Sparse rows, which store only values other than 0.

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

    /// Returns the number of rows.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
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
