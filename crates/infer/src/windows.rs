//! The windows of long texts, and the pooling of their outputs.

use burn::tensor::Tensor;

use crate::forward_error::ForwardError;
use crate::long_texts::WindowPool;

/// How many consecutive sequences are the windows of each text, and how their outputs are pooled. Most texts have one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    counts: Vec<usize>,
    pool: WindowPool,
}

impl Windows {
    /// Describes texts with so many windows each: at least one.
    pub fn new(counts: Vec<usize>, pool: WindowPool) -> Self {
        Self { counts, pool }
    }

    /// Returns the number of windows of each text.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// Returns how outputs are pooled.
    pub fn pool(&self) -> WindowPool {
        self.pool
    }

    /// Returns whether every text is one sequence, so that nothing is pooled.
    pub fn are_texts(&self) -> bool {
        self.counts.iter().all(|&count| count == 1)
    }

    /// Pools a row per window to a row per text. Gradients go through all windows; those of the maximum go to the window that
    /// has it.
    ///
    /// # Shapes
    /// - rows: `[windows, width]`
    /// - output: `[texts, width]`
    pub fn pooled(&self, rows: Tensor<2>) -> Tensor<2> {
        if self.are_texts() {
            return rows;
        }
        let mut first = 0;
        let mut of_text = |&count: &usize| {
            let windows = rows.clone().narrow(0, first, count);
            first += count;
            match (count, self.pool) {
                (1, _) => windows,
                (_, WindowPool::Mean) => windows.mean_dim(0),
                (_, WindowPool::Max) => windows.max_dim(0),
            }
        };
        Tensor::cat(self.counts.iter().map(&mut of_text).collect(), 0)
    }

    /// Pools rows of so many values, row-major, as [`pooled`](Self::pooled).
    pub fn pooled_values(&self, values: Vec<f32>, width: usize) -> Vec<f32> {
        if self.are_texts() {
            return values;
        }
        let mut pooled = Vec::with_capacity(self.counts.len() * width);
        let mut rest = &values[..];
        for &count in &self.counts {
            let (windows, others) = rest.split_at(count * width);
            rest = others;
            let column = |column: usize| windows.iter().skip(column).step_by(width).copied();
            pooled.extend((0..width).map(|index| match self.pool {
                WindowPool::Mean => (column(index).map(f64::from).sum::<f64>() / count as f64) as f32,
                WindowPool::Max => column(index).fold(f32::NEG_INFINITY, f32::max),
            }));
        }
        pooled
    }

    /// Names the text instead of the window in an error.
    pub fn in_text(&self, error: ForwardError) -> ForwardError {
        let ForwardError::NotFinite { text: window } = error else { return error };
        let mut end = 0;
        let contains = |count: &usize| {
            end += count;
            window < end
        };
        let text = self.counts.iter().position(contains).unwrap_or(window);
        ForwardError::NotFinite { text }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::*;

    #[test]
    fn rows_are_pooled_by_text() {
        let values = vec![1.0, -4.0, 3.0, 2.0, 5.0, 5.0, 8.0, 11.0];
        let rows = Tensor::<1>::from_data(&*values, &Device::default()).reshape([4, 2]);
        for (pool, expected) in
            [(WindowPool::Mean, [2.0, -1.0, 5.0, 5.0, 8.0, 11.0]), (WindowPool::Max, [3.0, 2.0, 5.0, 5.0, 8.0, 11.0])]
        {
            let windows = Windows::new(vec![2, 1, 1], pool);
            assert_eq!(windows.pooled_values(values.clone(), 2), expected);
            let pooled = windows.pooled(rows.clone()).into_data();
            assert_eq!(pooled.iter::<f32>().collect::<Vec<_>>(), expected);
        }
        let texts = Windows::new(vec![1; 4], WindowPool::Max);
        assert_eq!(texts.pooled_values(values.clone(), 2), values);
    }

    #[test]
    fn errors_name_the_text() {
        let windows = Windows::new(vec![2, 1, 3], WindowPool::Mean);
        let texts = [0, 1, 2, 3, 5].map(|text| windows.in_text(ForwardError::NotFinite { text }));
        let found = texts.map(|error| if let ForwardError::NotFinite { text } = error { text } else { 9 });
        assert_eq!(found, [0, 0, 1, 2, 2]);
    }
}
