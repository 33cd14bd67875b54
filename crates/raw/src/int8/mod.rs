//! Products of rows in unsigned int8 with a matrix in signed int8, summed in 32 bits: exact, so that every kernel gives the same result.

#[cfg(target_arch = "aarch64")]
mod arm;
#[cfg(target_arch = "x86_64")]
mod x86;

/// The columns of a panel.
const WIDTH: usize = 16;
/// The values of a column that are multiplied and summed by one instruction.
const GROUP: usize = 4;
/// The largest magnitude of the values of a narrow matrix: two products with a `u8` fit 16 bits, in which AVX2 adds them. It computes
/// products with other matrices in more steps.
pub const NARROW: i8 = 63;
/// The largest inner dimension whose sums fit 32 bits.
pub const MOST_INNER: usize = i32::MAX as usize / (u8::MAX as usize * i8::MIN.unsigned_abs() as usize);
/// Rows that a kernel computes together at most.
const ROWS: usize = 8;
/// Rows whose results stay in the cache while the panels are multiplied one after the other.
const BLOCK: usize = 64;
/// Panels that a kernel computes together at most.
const PANELS: usize = 3;

/// A matrix in int8, arranged for the kernels: panels of 16 columns, in which four values of a column follow each other.
#[derive(Clone, Debug)]
pub struct Int8Panels {
    values: Vec<i8>,
    /// The sum of each column, with those of the padding.
    sums: Vec<i32>,
    inner: usize,
    columns: usize,
    is_narrow: bool,
}

impl Int8Panels {
    /// Arranges a matrix, column by column: `[columns, inner]`, row-major.
    ///
    /// # Panics
    /// Panics if the values are no whole columns, or there are more than [`MOST_INNER`] per column.
    pub fn new(values: &[i8], columns: usize) -> Self {
        let inner = values.len().checked_div(columns).unwrap_or(0);
        assert!(values.len() == inner * columns, "the values are no whole columns");
        assert!(inner <= MOST_INNER, "a matrix in int8 has at most {MOST_INNER} values per column");
        let is_narrow = values.iter().fold(true, |narrow, value| narrow & (-NARROW..=NARROW).contains(value));
        let panels = columns.div_ceil(WIDTH);
        let mut arranged = vec![0; panels * WIDTH * inner.next_multiple_of(GROUP)];
        let mut sums = vec![0; panels * WIDTH];
        let matrix = Self { values: Vec::new(), sums: Vec::new(), inner, columns, is_narrow };
        for (column, values) in values.chunks_exact(inner.max(1)).enumerate() {
            sums[column] = values.iter().map(|&value| i32::from(value)).sum();
            for (values, at) in values.chunks(GROUP).zip(matrix.groups(column)) {
                arranged[at..at + values.len()].copy_from_slice(values);
            }
        }
        Self { values: arranged, sums, ..matrix }
    }

    /// Returns the matrix as [`new`](Self::new) takes it.
    pub fn to_columns(&self) -> Vec<i8> {
        let mut values = Vec::with_capacity(self.columns * self.inner);
        for column in 0..self.columns {
            let groups = self.groups(column).flat_map(|at| &self.values[at..at + GROUP]);
            values.extend(groups.take(self.inner));
        }
        values
    }

    /// Returns where the groups of a column begin.
    fn groups(&self, column: usize) -> impl Iterator<Item = usize> + use<> {
        let groups = self.inner.div_ceil(GROUP);
        let first = column / WIDTH * groups * WIDTH + column % WIDTH;
        (0..groups).map(move |group| (first + group * WIDTH) * GROUP)
    }

    /// Returns the number of values per row of the other factor, with padding.
    pub fn stride(&self) -> usize {
        self.inner.div_ceil(GROUP) * GROUP
    }

    /// Returns the number of rows and of columns.
    pub fn shape(&self) -> [usize; 2] {
        [self.inner, self.columns]
    }

    fn panel(&self, index: usize) -> &[i8] {
        let size = self.stride() * WIDTH;
        &self.values[index * size..]
    }
}

/// A row that stands for `step * (value - zero)` of its values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// The distance of two values.
    pub step: f32,
    /// The value that stands for 0.
    pub zero: u8,
}

/// Writes `rows · matrix` with the scale of each column, and adds a bias. `rows` has [`Int8Panels::stride`] values per row, of which
/// those of the padding have no effect.
///
/// # Panics
/// Panics if the sizes do not match.
pub fn int8_product(
    out: &mut [f32],
    rows: &[u8],
    steps: &[Step],
    matrix: &Int8Panels,
    scales: &[f32],
    bias: Option<&[f32]>,
) {
    let columns = matrix.columns;
    assert!(out.len() == steps.len() * columns, "the size of the result does not match");
    assert!(rows.len() == steps.len() * matrix.stride(), "the size of the rows does not match");
    assert!(
        scales.len() == columns && bias.is_none_or(|bias| bias.len() == columns),
        "the number of columns does not match"
    );
    let finish = Finish { matrix, scales, bias };
    Kernel::of_this_cpu().product(out, rows, steps, &finish);
}

/// What turns sums into results.
struct Finish<'a> {
    matrix: &'a Int8Panels,
    scales: &'a [f32],
    bias: Option<&'a [f32]>,
}

impl Finish<'_> {
    /// Writes a part of a row from the sums of consecutive columns.
    #[inline(always)]
    fn write(&self, out: &mut [f32], first: usize, sums: &[i32], step: Step) {
        let count = out.len();
        let (sums, offsets) = (&sums[..count], &self.matrix.sums[first..first + count]);
        let scales = &self.scales[first..first + count];
        // Loops over numbers, because closures would be compiled for any CPU.
        for at in 0..count {
            out[at] = (sums[at] - i32::from(step.zero) * offsets[at]) as f32 * (step.step * scales[at]);
        }
        if let Some(bias) = self.bias {
            let bias = &bias[first..first + count];
            for at in 0..count {
                out[at] += bias[at];
            }
        }
    }
}

/// The instructions that compute the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kernel {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

/// The sums of some rows and panels.
type Sums = [[i32; PANELS * WIDTH]; ROWS];

impl Kernel {
    /// All kernels, the fastest first.
    const ALL: &[Self] = &[
        #[cfg(target_arch = "x86_64")]
        Self::Avx512Vnni,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "aarch64")]
        Self::Neon,
        Self::Portable,
    ];

    fn of_this_cpu() -> Self {
        Self::ALL.iter().copied().find(|kernel| kernel.runs_here()).unwrap_or(Self::Portable)
    }

    /// Whether this CPU has the instructions.
    fn runs_here(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni"),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
        }
    }

    fn product(self, out: &mut [f32], rows: &[u8], steps: &[Step], finish: &Finish<'_>) {
        let (columns, stride) = (finish.matrix.columns, finish.matrix.stride());
        for top in (0..steps.len()).step_by(BLOCK) {
            let end = (top + BLOCK).min(steps.len());
            let (out, rows) = (&mut out[top * columns..end * columns], &rows[top * stride..end * stride]);
            self.block(out, rows, &steps[top..end], finish);
        }
    }

    /// Computes some rows, for which the panels are read from memory once.
    fn block(self, out: &mut [f32], rows: &[u8], steps: &[Step], finish: &Finish<'_>) {
        let (columns, stride) = (finish.matrix.columns, finish.matrix.stride());
        let mut sums: Sums = [[0; PANELS * WIDTH]; ROWS];
        for first in (0..columns).step_by(PANELS * WIDTH) {
            let last = (first + PANELS * WIDTH).min(columns);
            let panels = (last - first).div_ceil(WIDTH);
            for top in (0..steps.len()).step_by(ROWS) {
                let steps = &steps[top..(top + ROWS).min(steps.len())];
                let rows = &rows[top * stride..(top + steps.len()) * stride];
                self.sums(&mut sums, rows, finish.matrix, first / WIDTH, (steps.len(), panels));
                for (row, (&step, sums)) in steps.iter().zip(&sums).enumerate() {
                    let start = (top + row) * columns;
                    self.write(finish, &mut out[start + first..start + last], first, sums, step);
                }
            }
        }
    }

    /// Writes a part of a row with the vectors of this CPU.
    fn write(self, finish: &Finish<'_>, out: &mut [f32], first: usize, sums: &[i32], step: Step) {
        match self {
            // SAFETY: the CPU has the instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => unsafe { x86::write_512(finish, out, first, sums, step) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { x86::write_256(finish, out, first, sums, step) },
            _ => finish.write(out, first, sums, step),
        }
    }

    /// Computes the sums of up to eight rows and three panels.
    fn sums(self, sums: &mut Sums, rows: &[u8], matrix: &Int8Panels, panel: usize, (count, width): (usize, usize)) {
        let (panels, stride) = (matrix.panel(panel), matrix.stride());
        assert!(
            count <= ROWS && width <= PANELS && rows.len() == count * stride && panels.len() >= width * stride * WIDTH
        );
        match self {
            Self::Portable => portable(sums, rows, panels, width, stride),
            // SAFETY: the CPU has the instructions, and the sizes were just checked.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => unsafe { x86::vnni(sums, rows, panels, (count, width), stride) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { x86::avx2(sums, rows, panels, (count, width), stride, matrix.is_narrow) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Self::Neon => unsafe { arm::neon(sums, rows, panels, (count, width), stride) },
        }
    }
}

fn portable(sums: &mut Sums, rows: &[u8], panels: &[i8], width: usize, stride: usize) {
    if stride == 0 {
        sums.iter_mut().for_each(|sums| sums.fill(0));
        return;
    }
    for (row, sums) in rows.chunks_exact(stride).zip(sums) {
        for (panel, sums) in panels.chunks_exact(stride * WIDTH).take(width).zip(sums.chunks_exact_mut(WIDTH)) {
            sums.fill(0);
            for (group, values) in row.as_chunks::<GROUP>().0.iter().zip(panel.as_chunks::<{ WIDTH * GROUP }>().0) {
                for (sum, column) in sums.iter_mut().zip(values.as_chunks::<GROUP>().0) {
                    let products = group.iter().zip(column).map(|(&row, &value)| i32::from(row) * i32::from(value));
                    *sum += products.sum::<i32>();
                }
            }
        }
    }
}

/// The number of rows of the next tile: the largest power of two of at most `most` that is left.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn next_rows(left: usize, most: usize) -> usize {
    if left >= most { most } else { 1 << left.ilog2() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the product by its definition.
    fn slow(
        rows: &[u8],
        steps: &[Step],
        values: &[i8],
        scales: &[f32],
        bias: Option<&[f32]>,
        stride: usize,
    ) -> Vec<f32> {
        let columns = scales.len();
        let cell = |at: usize| {
            let (row, column) = (at / columns, at % columns);
            let Step { step, zero } = steps[row];
            let inner = values.len() / columns;
            let terms = rows[row * stride..].iter().zip(&values[column * inner..(column + 1) * inner]);
            let sum: i32 = terms.map(|(&row, &value)| (i32::from(row) - i32::from(zero)) * i32::from(value)).sum();
            let product = sum as f32 * (step * scales[column]);
            bias.map_or(product, |bias| product + bias[column])
        };
        (0..steps.len() * columns).map(cell).collect()
    }

    #[test]
    fn every_kernel_computes_the_product_by_its_definition() {
        let sizes: &[usize] =
            if cfg!(miri) { &[1, 5, 17] } else { &[1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 33, 48, 49, 100] };
        for &count in sizes {
            for &inner in sizes {
                for &columns in sizes {
                    // The extremes of narrow matrices, or of all, are among the values.
                    let narrow = (count + inner).is_multiple_of(2);
                    let value =
                        |at: usize| if narrow { (at * 37 % 127) as i8 - NARROW } else { (at * 37 % 256) as u8 as i8 };
                    let values: Vec<i8> = (0..inner * columns).map(value).collect();
                    let matrix = Int8Panels::new(&values, columns);
                    assert_eq!(matrix.to_columns(), values);
                    let stride = matrix.stride();
                    let rows: Vec<u8> = (0..count * stride).map(|at| ((at * 101) % 256) as u8).collect();
                    let steps: Vec<Step> =
                        (0..count).map(|row| Step { step: 0.25 + row as f32, zero: (row * 50 % 256) as u8 }).collect();
                    let scales: Vec<f32> = (0..columns).map(|column| 1.0 + column as f32 / 8.0).collect();
                    let bias: Vec<f32> = (0..columns).map(|column| column as f32 - 3.0).collect();
                    for bias in [None, Some(&bias[..])] {
                        let wanted = slow(&rows, &steps, &values, &scales, bias, stride);
                        for kernel in Kernel::ALL.iter().copied().filter(|kernel| kernel.runs_here()) {
                            let mut out = vec![f32::NAN; count * columns];
                            let finish = Finish { matrix: &matrix, scales: &scales, bias };
                            kernel.product(&mut out, &rows, &steps, &finish);
                            assert_eq!(out, wanted, "{kernel:?}, {count} x {inner} x {columns}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_largest_values_do_not_overflow() {
        let (inner, columns) = (1000, 3);
        for (value, wanted) in [(NARROW, 16_065_000.0), (i8::MAX, 32_385_000.0), (i8::MIN, -32_640_000.0)] {
            let matrix = Int8Panels::new(&vec![value; inner * columns], columns);
            let (steps, scales) = ([Step { step: 1.0, zero: 0 }], [1.0, 0.5, 0.25]);
            for kernel in Kernel::ALL.iter().copied().filter(|kernel| kernel.runs_here()) {
                let mut out = [0.0; 3];
                let finish = Finish { matrix: &matrix, scales: &scales, bias: None };
                kernel.product(&mut out, &vec![255; matrix.stride()], &steps, &finish);
                assert_eq!(out, [wanted, wanted / 2.0, wanted / 4.0], "{kernel:?}");
            }
        }
    }

    #[test]
    fn a_product_over_an_empty_dimension_is_the_bias() {
        let matrix = Int8Panels::new(&[], 2);
        assert_eq!((matrix.stride(), matrix.shape()), (0, [0, 2]));
        let mut out = [9.0; 4];
        int8_product(&mut out, &[], &[Step::default(); 2], &matrix, &[1.0; 2], Some(&[1.0, 2.0]));
        assert_eq!(out, [1.0, 2.0, 1.0, 2.0]);
        int8_product(&mut [], &[], &[], &Int8Panels::new(&[], 0), &[], None);
    }

    #[test]
    fn wrong_sizes_and_values_panic_before_anything_is_written() {
        let refused = |work: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err();
        let matrix = Int8Panels::new(&[1; 8], 2);
        let product = |out: usize, rows: usize, steps: usize, scales: usize, bias: usize| {
            let (rows, steps, bias) = (vec![1; rows], vec![Step::default(); steps], vec![0.0; bias]);
            int8_product(&mut vec![0.0; out], &rows, &steps, &matrix, &vec![1.0; scales], Some(&bias));
        };
        assert!(!refused(&|| product(4, 8, 2, 2, 2)));
        for [out, rows, steps, scales, bias] in
            [[3, 8, 2, 2, 2], [4, 7, 2, 2, 2], [4, 8, 1, 2, 2], [4, 8, 2, 1, 2], [4, 8, 2, 2, 3]]
        {
            assert!(refused(&|| product(out, rows, steps, scales, bias)), "{out} {rows} {steps} {scales} {bias}");
        }
        assert!(refused(&|| drop(Int8Panels::new(&[1; 5], 2))));
        assert!(refused(&|| drop(Int8Panels::new(&[1], 0))));
        assert!(refused(&|| drop(Int8Panels::new(&vec![0; MOST_INNER + 1], 1))));
    }
}
