//! Products of dense matrices, with the vector instructions of the machine.

use pulp::{Arch, Simd, WithSimd};

/// Rows of the result that are computed together, so that a vector of the right matrix is read once for all of them.
const ROWS: usize = 4;
/// Vectors of a row of the result that are computed together: with [`ROWS`], as many sums as fit into registers.
const VECTORS: usize = 3;
/// Terms of a sum that are added in one go, so that what is read again stays in the cache.
const DEPTH: usize = 512;

/// The left matrix, at any distance between its rows and columns: a row-major matrix, or the transpose of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left<'a> {
    values: &'a [f64],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Left<'a> {
    /// Takes a row-major matrix.
    pub(crate) fn new(values: &'a [f64], columns: usize) -> Self {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    pub(crate) fn transposed(self) -> Self {
        let Self { values, rows, columns, row_stride, column_stride } = self;
        Self { values, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }

    /// Copies some columns of [`ROWS`] rows, column by column. Rows beyond the last are 0.
    fn pack(&self, first: usize, columns: std::ops::Range<usize>, into: &mut Vec<[f64; ROWS]>) {
        into.clear();
        let rows = ROWS.min(self.rows - first);
        into.extend(columns.map(|column| {
            let start = first * self.row_stride + column * self.column_stride;
            let mut packed = [0.0; ROWS];
            for (row, packed) in packed.iter_mut().enumerate().take(rows) {
                *packed = self.values[start + row * self.row_stride];
            }
            packed
        }));
    }
}

/// Adds `left` times `right` to `out`. Both are row-major with `outputs` columns.
pub(crate) fn add_product(left: Left<'_>, right: &[f64], outputs: usize, out: &mut [f64]) {
    Arch::new().dispatch(AddProduct { left, right, outputs, out });
}

struct AddProduct<'a> {
    left: Left<'a>,
    right: &'a [f64],
    outputs: usize,
    out: &'a mut [f64],
}

impl WithSimd for AddProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { left, right, outputs, out } = self;
        let width = VECTORS * S::F64_LANES;
        let (mut panels, mut packed, mut sums) = (Vec::new(), Vec::with_capacity(DEPTH), vec![0.0; ROWS * width]);
        for start in (0..left.columns).step_by(DEPTH) {
            let depth = start..left.columns.min(start + DEPTH);
            pack_panels(&right[depth.start * outputs..depth.end * outputs], outputs, S::F64_LANES, &mut panels);
            for first in (0..left.rows).step_by(ROWS) {
                left.pack(first, depth.clone(), &mut packed);
                let mut rest = &panels[..];
                for column in (0..outputs).step_by(width) {
                    let wide = width.min(outputs - column);
                    let vectors = wide.div_ceil(S::F64_LANES);
                    let (panel, after) = rest.split_at(depth.len() * vectors * S::F64_LANES);
                    rest = after;
                    match vectors {
                        1 => tile::<S, 1>(simd, &packed, panel, &mut sums),
                        2 => tile::<S, 2>(simd, &packed, panel, &mut sums),
                        _ => tile::<S, VECTORS>(simd, &packed, panel, &mut sums),
                    }
                    let rows = out[first * outputs..].chunks_mut(outputs);
                    for (row, sums) in rows.zip(sums.chunks_exact(vectors * S::F64_LANES).take(ROWS)) {
                        row[column..column + wide].iter_mut().zip(sums).for_each(|(into, sum)| *into += sum);
                    }
                }
            }
        }
    }
}

/// Copies rows of the right matrix into panels of at most [`VECTORS`] vectors, each row after row. Incomplete vectors are filled
/// with 0.
#[inline(always)]
fn pack_panels(right: &[f64], outputs: usize, lanes: usize, panels: &mut Vec<f64>) {
    panels.clear();
    for column in (0..outputs).step_by(VECTORS * lanes) {
        let wide = (VECTORS * lanes).min(outputs - column);
        for row in right.chunks_exact(outputs) {
            panels.extend_from_slice(&row[column..column + wide]);
            panels.resize(panels.len() + wide.next_multiple_of(lanes) - wide, 0.0);
        }
    }
}

/// Computes the product of packed rows with a panel of `V` vectors, row-major.
#[inline(always)]
fn tile<S: Simd, const V: usize>(simd: S, packed: &[[f64; ROWS]], panel: &[f64], sums: &mut [f64]) {
    let (panel, _) = S::as_simd_f64s(panel);
    let (panel, _) = panel.as_chunks::<V>();
    let mut all = [[simd.splat_f64s(0.0); V]; ROWS];
    for (values, vectors) in packed.iter().zip(panel) {
        for (sums, value) in all.iter_mut().zip(values) {
            let value = simd.splat_f64s(*value);
            for (sum, vector) in sums.iter_mut().zip(vectors) {
                *sum = simd.mul_add_e_f64s(value, *vector, *sum);
            }
        }
    }
    let (sums, _) = S::as_mut_simd_f64s(sums);
    sums.iter_mut().zip(all.as_flattened()).for_each(|(into, sum)| *into = *sum);
}
