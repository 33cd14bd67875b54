//! Sums that the compiler can vectorize, and sums of columns.

use rekindle_ops::memory::{CHUNK, each};

/// The number of partial sums.
const LANES: usize = 16;

/// The sum of a function of each value.
#[inline(always)]
pub(super) fn sum(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (sum, &value) in sums.iter_mut().zip(block) {
            *sum += of(value);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|&value| of(value)).sum::<f32>()
}

/// The sum of the products of values in the same place.
#[inline(always)]
pub(super) fn sum_of_products(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<LANES>(), right.as_chunks::<LANES>());
    for (left, right) in left.iter().zip(right) {
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum += left * right;
        }
    }
    sums.iter().sum::<f32>() + left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum::<f32>()
}

/// The sum of each column, accumulated in f64: some gradients of biases are zero except for rounding errors, which Adam would
/// scale up.
pub(super) fn column_sums(matrix: &[f32], columns: usize) -> Vec<f32> {
    let mut sums = vec![0.0; columns];
    let width = (CHUNK * columns / matrix.len().max(1)).next_multiple_of(64);
    each(sums.chunks_mut(width).enumerate().collect(), |(index, sums): (usize, &mut [f32])| {
        let mut exact = vec![0f64; sums.len()];
        vectorized!({
            for row in matrix.chunks_exact(columns) {
                for (sum, &value) in exact.iter_mut().zip(&row[index * width..]) {
                    *sum += f64::from(value);
                }
            }
        });
        for (sum, exact) in sums.iter_mut().zip(exact) {
            *sum = exact as f32;
        }
    });
    sums
}
