//! Matrix products on slices.

use std::ops::Range;

use gemm::Parallelism;

/// A matrix in a slice; rows or columns need not lie together.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// A whole matrix, row by row.
    pub(super) fn new(data: &'a [f32], columns: usize) -> Self {
        Self { data, rows: data.len() / columns, columns, row_stride: columns, column_stride: 1 }
    }

    pub(super) fn transposed(self) -> Self {
        let Self { data, rows, columns, row_stride, column_stride } = self;
        Self { data, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }

    /// Some rows of a whole matrix.
    pub(super) fn rows(self, rows: &Range<usize>) -> Self {
        let span = rows.start * self.row_stride..rows.end * self.row_stride;
        Self { data: self.data.get(span).unwrap_or_default(), rows: rows.len(), ..self }
    }

    /// Some columns of a matrix that lies row by row.
    pub(super) fn columns(self, from: usize, columns: usize) -> Self {
        Self { data: self.data.get(from..).unwrap_or_default(), columns, ..self }
    }
}

/// A matrix to be written, row by row.
pub(super) struct ViewMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

impl<'a> ViewMut<'a> {
    /// A whole matrix.
    pub(super) fn new(data: &'a mut [f32], columns: usize) -> Self {
        Self { rows: data.len() / columns, columns, row_stride: columns, data }
    }

    /// Some columns of a whole matrix.
    pub(super) fn columns(self, from: usize, columns: usize) -> Self {
        Self { data: self.data.get_mut(from..).unwrap_or_default(), columns, ..self }
    }
}

/// What becomes of the values that were there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The product takes their place.
    Replace,
    /// The product is added to them.
    Add,
}

/// Products with fewer multiplications than this are done before a second core is awake.
const PARALLEL: usize = 1 << 21;

/// `out = scale · a · b`, or `out += scale · a · b`.
pub(super) fn product(out: ViewMut<'_>, a: View<'_>, b: View<'_>, scale: f32, then: Then) {
    assert!(out.rows == a.rows && out.columns == b.columns, "a result that does not fit");
    assert!(
        out.rows == 0 || (out.rows - 1) * out.row_stride + out.columns <= out.data.len(),
        "a result beyond its slice"
    );
    // SAFETY: the result was just shown to lie within its slice, which is borrowed alone.
    #[allow(unsafe_code)]
    unsafe {
        write(out.data.as_mut_ptr(), out.row_stride, a, b, scale, then);
    }
}

/// `a · b` in memory that nobody cleared before.
pub(super) fn fresh(a: View<'_>, b: View<'_>) -> Vec<f32> {
    let count = a.rows * b.columns;
    if a.columns == 0 {
        return vec![0.0; count];
    }
    let mut out = Vec::with_capacity(count);
    // SAFETY: the memory holds `count` values, and the product that replaces writes every one of them.
    #[allow(unsafe_code)]
    unsafe {
        write(out.as_mut_ptr(), b.columns, a, b, 1.0, Then::Replace);
        out.set_len(count);
    }
    out
}

/// Writes a product, rows by `row_stride` apart.
///
/// # Safety
/// `out` must be valid for writes of all rows, and for reads where the product is added.
#[allow(unsafe_code)]
unsafe fn write(out: *mut f32, row_stride: usize, a: View<'_>, b: View<'_>, scale: f32, then: Then) {
    let (rows, inner, columns) = (a.rows, a.columns, b.columns);
    assert!(b.rows == inner, "matrices that do not fit");
    if rows * columns * inner == 0 {
        return;
    }
    let last = |matrix: &View| (matrix.rows - 1) * matrix.row_stride + (matrix.columns - 1) * matrix.column_stride;
    assert!(last(&a) < a.data.len() && last(&b) < b.data.len(), "a matrix beyond its slice");
    let threads = if rows * columns * inner >= PARALLEL { Parallelism::Rayon(0) } else { Parallelism::None };
    // SAFETY: both matrices were just shown to lie within their slices, strides are positive, and `out` is the caller's.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            out,
            1,
            row_stride as isize,
            then == Then::Add,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            threads,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [1.0, 0.0, 2.0, 1.0, 0.0, 3.0];
        let mut out = [9.0; 4];
        product(ViewMut::new(&mut out, 2), View::new(&a, 3), View::new(&b, 2), 1.0, Then::Replace);
        assert_eq!(out, [5.0, 11.0, 14.0, 23.0]);
        // Aᵀ A, its second column, twice, added.
        let mut out = [1.0; 3];
        let tall = View::new(&a, 3);
        product(ViewMut::new(&mut out, 1), tall.transposed(), tall.columns(1, 1), 2.0, Then::Add);
        assert_eq!(out, [1.0 + 2.0 * 22.0, 1.0 + 2.0 * 29.0, 1.0 + 2.0 * 36.0]);
        let mut out = [0.0; 4];
        product(
            ViewMut::new(&mut out, 2).columns(1, 1),
            View::new(&a[..2], 1),
            View::new(&[3.0], 1),
            1.0,
            Then::Replace,
        );
        assert_eq!(out, [0.0, 3.0, 0.0, 6.0]);
    }
}
