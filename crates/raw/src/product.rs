//! Matrix products on slices, with the crate gemm.

use std::ops::Range;

use gemm::Parallelism;

/// A matrix in a slice, with strides for rows and columns.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// Creates a view of a whole row-major matrix. Without columns, it has no rows.
    pub fn new(data: &'a [f32], columns: usize) -> Self {
        Self {
            data,
            rows: data.len().checked_div(columns).unwrap_or(0),
            columns,
            row_stride: columns,
            column_stride: 1,
        }
    }

    /// Returns the transpose, without copying.
    #[must_use]
    pub fn transposed(self) -> Self {
        let Self { data, rows, columns, row_stride, column_stride } = self;
        Self { data, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }

    /// Returns some rows of a whole matrix.
    #[must_use]
    pub fn rows(self, rows: &Range<usize>) -> Self {
        let span = rows.start * self.row_stride..rows.end * self.row_stride;
        Self { data: self.data.get(span).unwrap_or_default(), rows: rows.len(), ..self }
    }

    /// Returns some columns of a row-major matrix.
    #[must_use]
    pub fn columns(self, from: usize, columns: usize) -> Self {
        Self { data: self.data.get(from..).unwrap_or_default(), columns, ..self }
    }

    /// Returns the number of rows and columns, if every value is in the slice.
    fn within(&self) -> Option<(usize, usize)> {
        let Self { rows, columns, .. } = *self;
        let last = |count: usize, stride: usize| count.checked_sub(1)?.checked_mul(stride);
        let end = match last(rows, self.row_stride).zip(last(columns, self.column_stride)) {
            Some((down, right)) => down.checked_add(right)?.checked_add(1)?,
            // No rows, no columns, or an overflow.
            None if rows == 0 || columns == 0 => 0,
            None => return None,
        };
        (end <= self.data.len()).then_some((rows, columns))
    }
}

/// A row-major matrix to write to.
#[derive(Debug)]
pub struct ViewMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

impl<'a> ViewMut<'a> {
    /// Creates a view of a whole matrix. Without columns, it has no rows.
    pub fn new(data: &'a mut [f32], columns: usize) -> Self {
        Self { rows: data.len().checked_div(columns).unwrap_or(0), columns, row_stride: columns, data }
    }

    /// Returns some columns of a whole matrix.
    #[must_use]
    pub fn columns(self, from: usize, columns: usize) -> Self {
        Self { data: self.data.get_mut(from..).unwrap_or_default(), columns, ..self }
    }

    /// Returns the number of rows and columns, if every value is in the slice and in only one row.
    fn within(&self) -> Option<(usize, usize)> {
        let Self { ref data, rows, columns, row_stride } = *self;
        let apart = columns <= row_stride;
        View { data, rows, columns, row_stride, column_stride: 1 }.within().filter(|_| apart)
    }
}

/// How the product is combined with the existing values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The product replaces them.
    Replace,
    /// The product is added to them.
    Add,
}

/// Smaller products, in multiplications, finish before a second core is awake.
const PARALLEL: usize = 1 << 21;

/// Computes `out = scale · a · b`, or `out += scale · a · b`. A product over an empty dimension is 0.
///
/// # Panics
/// Panics if the sizes do not match, or a matrix extends beyond its slice.
pub fn product(out: ViewMut<'_>, a: View<'_>, b: View<'_>, scale: f32, then: Then) {
    let Some((rows, columns)) = out.within() else { panic!("the result extends beyond its slice") };
    assert!(rows == a.rows && columns == b.columns, "the size of the result does not match");
    let ViewMut { data, row_stride, .. } = out;
    if a.columns == 0 && then == Then::Replace {
        data.chunks_mut(row_stride.max(1)).take(rows).for_each(|row| row[..columns].fill(0.0));
    }
    // SAFETY: the result was just checked to be in its slice, which is borrowed mutably.
    unsafe {
        write(data.as_mut_ptr(), row_stride, a, b, scale, then);
    }
}

/// Returns `a · b` in memory that is not cleared first.
///
/// # Panics
/// Panics if the sizes do not match, or a matrix extends beyond its slice.
pub fn fresh(a: View<'_>, b: View<'_>) -> Vec<f32> {
    let Some(count) = a.rows.checked_mul(b.columns) else { panic!("the result is too large for memory") };
    if a.columns == 0 {
        return vec![0.0; count];
    }
    let mut out = Vec::with_capacity(count);
    // SAFETY: the memory has room for `count` values, row after row.
    unsafe {
        write(out.as_mut_ptr(), b.columns, a, b, 1.0, Then::Replace);
    }
    // SAFETY: a replacing product over a non-empty dimension wrote every value.
    unsafe {
        out.set_len(count);
    }
    out
}

/// Writes a product with a distance of `row_stride` between rows; writes nothing if the inner dimension is empty.
///
/// # Safety
/// `out` must be valid for writes of all rows, no two of which overlap, and for reads if the product is added.
unsafe fn write(out: *mut f32, row_stride: usize, a: View<'_>, b: View<'_>, scale: f32, then: Then) {
    let (Some((rows, inner)), Some((fit, columns))) = (a.within(), b.within()) else {
        panic!("a matrix extends beyond its slice")
    };
    assert!(fit == inner, "the inner sizes do not match");
    if rows == 0 || columns == 0 || inner == 0 {
        return;
    }
    let threads = match rows.saturating_mul(columns).saturating_mul(inner) >= PARALLEL {
        true => Parallelism::Rayon(0),
        false => Parallelism::None,
    };
    // SAFETY: both matrices were just checked to be in their slices, the strides are positive, and the caller
    // guarantees `out`.
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
    fn products_match_values_computed_by_hand() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [1.0, 0.0, 2.0, 1.0, 0.0, 3.0];
        let mut out = [9.0; 4];
        product(ViewMut::new(&mut out, 2), View::new(&a, 3), View::new(&b, 2), 1.0, Then::Replace);
        assert_eq!(out, [5.0, 11.0, 14.0, 23.0]);
        // Twice the second column of Aᵀ A, added.
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

    /// Returns the product by its definition.
    fn slow(a: &[f32], b: &[f32], [rows, inner, columns]: [usize; 3]) -> Vec<f32> {
        let cell = |row: usize, column: usize| (0..inner).map(|i| a[row * inner + i] * b[i * columns + column]).sum();
        (0..rows * columns).map(|at| cell(at / columns, at % columns)).collect()
    }

    #[test]
    fn products_of_every_size_match_the_definition() {
        // Whole numbers, so that every order of summation gives the same result.
        let values =
            |count: usize, step: usize| (0..count).map(|i| ((i * step) % 7) as f32 - 3.0).collect::<Vec<f32>>();
        let sizes: &[usize] = if cfg!(miri) { &[1, 3, 17] } else { &[1, 2, 3, 5, 8, 15, 16, 17, 33, 64, 100, 129] };
        for &rows in sizes {
            for &inner in sizes {
                for &columns in sizes {
                    let (a, b) = (values(rows * inner, 3), values(inner * columns, 5));
                    let wanted = slow(&a, &b, [rows, inner, columns]);
                    let (a, b) = (View::new(&a, inner), View::new(&b, columns));
                    assert_eq!(fresh(a, b), wanted, "{rows} x {inner} x {columns}");
                    let mut out = vec![f32::NAN; rows * columns];
                    product(ViewMut::new(&mut out, columns), a, b, 1.0, Then::Replace);
                    assert_eq!(out, wanted);
                    product(ViewMut::new(&mut out, columns), a, b, 1.0, Then::Add);
                    assert_eq!(out, wanted.iter().map(|value| 2.0 * value).collect::<Vec<_>>());
                    let turned = fresh(b.transposed(), a.transposed());
                    let back = (0..rows * columns).map(|at| turned[at % columns * rows + at / columns]);
                    assert_eq!(back.collect::<Vec<_>>(), wanted);
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "a product that uses several threads takes minutes in Miri")]
    fn products_on_several_threads_match_the_definition() {
        let (rows, inner, columns) = (130, 140, 150);
        let values = |count: usize| (0..count).map(|i| (i % 5) as f32 - 2.0).collect::<Vec<f32>>();
        let (a, b) = (values(rows * inner), values(inner * columns));
        assert!(rows * inner * columns >= PARALLEL);
        assert_eq!(fresh(View::new(&a, inner), View::new(&b, columns)), slow(&a, &b, [rows, inner, columns]));
    }

    #[test]
    fn only_the_selected_columns_are_written() {
        let (a, b) = ([1.0; 6], [1.0; 6]);
        let mut out = [7.0; 12];
        product(ViewMut::new(&mut out, 4).columns(1, 2), View::new(&a, 2), View::new(&b[..4], 2), 1.0, Then::Replace);
        assert_eq!(out, [7.0, 2.0, 2.0, 7.0, 7.0, 2.0, 2.0, 7.0, 7.0, 2.0, 2.0, 7.0]);
    }

    #[test]
    fn a_product_over_an_empty_dimension_is_zero() {
        let none = View::new(&[], 4);
        assert_eq!(fresh(none.transposed(), none), [0.0; 16]);
        let mut out = [5.0; 16];
        product(ViewMut::new(&mut out, 4), none.transposed(), none, 1.0, Then::Add);
        assert_eq!(out, [5.0; 16]);
        product(ViewMut::new(&mut out, 4), none.transposed(), none, 1.0, Then::Replace);
        assert_eq!(out, [0.0; 16]);
        assert_eq!(fresh(View::new(&[], 0), View::new(&[], 0)), []);
        assert_eq!(fresh(none, none.transposed()), []);
    }

    #[test]
    fn wrong_sizes_panic_before_anything_is_written() {
        let refused = |work: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err();
        let (a, b) = ([1.0; 6], [1.0; 6]);
        let (tall, wide) = (View::new(&a, 2), View::new(&b, 3));
        assert!(!refused(&|| drop(fresh(tall, wide))));
        let beyond = usize::MAX;
        let cases: [(&str, &dyn Fn()); 8] = [
            ("inner sizes differ", &|| drop(fresh(tall, tall))),
            ("columns beyond the slice", &|| drop(fresh(tall, wide.columns(1, 3)))),
            ("columns beyond all numbers", &|| drop(fresh(tall, wide.columns(0, beyond)))),
            ("rows beyond the slice", &|| drop(fresh(tall.rows(&(1..9)), wide))),
            ("a result too small", &|| product(ViewMut::new(&mut [0.0; 8], 3), tall, wide, 1.0, Then::Add)),
            ("a result too wide", &|| product(ViewMut::new(&mut [0.0; 12], 4), tall, wide, 1.0, Then::Add)),
            ("columns that share values", &|| {
                product(ViewMut::new(&mut [0.0; 9], 2).columns(0, 3), tall, wide, 1.0, Then::Add);
            }),
            ("a result beyond all numbers", &|| {
                product(ViewMut::new(&mut [0.0; 9], 3).columns(0, beyond), tall, wide, 1.0, Then::Add);
            }),
        ];
        for (name, case) in cases {
            assert!(refused(case), "{name}");
        }
    }
}
