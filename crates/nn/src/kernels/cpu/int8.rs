//! Linear layers in int8: a weight with a scale per output, and inputs that are quantized row by row.

use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rekindle_ops::memory::{each, rows_of, tensor, values};
use rekindle_ops::{CustomTensor, map_local};
use rekindle_raw::int8::{Int8Panels, MOST_INNER, NARROW, Step, int8_product};

use super::activation::FUSED;
use super::elementwise::Kernel;
use crate::int8::{Int8Matrix, LEAST_STEP, MOST, STEPS};
use crate::kernels::options::Curve;

// The fastest products are those with the weights that are quantized here.
const _: () = assert!(MOST == NARROW as f32);

/// Rows that are multiplied together at least.
const ROWS: usize = 8;
/// Rows of a feed-forward block that are computed one layer after the other: as in the product, their values stay in the cache.
const BLOCK: usize = 64;
/// Smaller products, in multiplications, finish before a second core is awake.
const PARALLEL: usize = 1 << 22;

/// The weight and the bias of a layer.
#[derive(Clone, Debug)]
pub(crate) struct Int8Layer {
    panels: Int8Panels,
    scales: Vec<f32>,
    bias: Option<Vec<f32>>,
}

impl Int8Layer {
    /// Returns `None` if the weight has too many inputs.
    pub(crate) fn new(weight: Int8Matrix, bias: Option<Vec<f32>>) -> Option<Self> {
        let Int8Matrix { values, scales } = weight;
        let fits = values.len() <= MOST_INNER * scales.len();
        fits.then(|| Self { panels: Int8Panels::new(&values, scales.len()), scales, bias })
    }

    /// Returns the weight.
    pub(crate) fn weight(&self) -> Int8Matrix {
        Int8Matrix { values: self.panels.to_columns(), scales: self.scales.clone() }
    }

    /// Returns the number of inputs and of outputs.
    pub(crate) fn shape(&self) -> [usize; 2] {
        self.panels.shape()
    }

    /// `[rows, in]` to `[rows, out]`; `None` if the input is not in the memory of this process.
    pub(crate) fn forward(&self, input: &Tensor<2>) -> Option<Tensor<2>> {
        let shape @ [inner, columns] = self.shape();
        in_parts(input, shape, inner * columns, |input, output| self.rows(input, output, &mut Vec::new()))
    }

    /// `quantized` is for reuse.
    fn rows(&self, input: &[f32], output: &mut [f32], quantized: &mut Vec<u8>) {
        let (inner, stride) = (self.shape()[0], self.panels.stride());
        let count = input.len() / inner.max(1);
        quantized.resize(count * stride, 0);
        let mut steps = vec![Step::default(); count];
        Arch::new().dispatch(Quantize { input, inner, quantized, stride, steps: &mut steps });
        int8_product(output, quantized, &steps, &self.panels, &self.scales, self.bias.as_deref());
    }
}

/// The second layer of a function of the first layer; `None` if the input is not in the memory of this process, or the function has no
/// kernel.
pub(crate) fn feed_forward([first, second]: [&Int8Layer; 2], curve: Curve, input: &Tensor<2>) -> Option<Tensor<2>> {
    if !FUSED.contains(&curve) {
        return None;
    }
    let ([inner, between], [expected, columns]) = (first.shape(), second.shape());
    assert!(between == expected, "the sizes between the layers do not match");
    in_parts(input, [inner, columns], between * (inner + columns), |input, output| {
        let (mut hidden, mut quantized) = (vec![0.0; BLOCK.min(input.len() / inner.max(1)) * between], Vec::new());
        let blocks = input.chunks((BLOCK * inner).max(1)).zip(output.chunks_mut((BLOCK * columns).max(1)));
        for (input, output) in blocks {
            let hidden = &mut hidden[..output.len() / columns * between];
            first.rows(input, hidden, &mut quantized);
            vectorized!(curve.forward(hidden, 0));
            second.rows(hidden, output, &mut quantized);
        }
    })
}

/// Computes `[rows, columns]` from `[rows, inner]`, some rows on each core; `products` is the multiplications per row. `None` if the
/// input is not in the memory of this process.
fn in_parts(
    input: &Tensor<2>,
    [inner, columns]: [usize; 2],
    products: usize,
    work: impl Fn(&[f32], &mut [f32]) + Send + Sync,
) -> Option<Tensor<2>> {
    map_local(CustomTensor::of(input)?, |input| {
        let [rows, found] = rows_of(&input);
        assert!(found == inner, "the inner sizes do not match");
        let mut output = vec![0.0; rows * columns];
        let threads = if rows * products < PARALLEL { 1 } else { rayon::current_num_threads() };
        let at_once = rows.div_ceil(threads).next_multiple_of(ROWS);
        let parts = values(&input).chunks((at_once * inner).max(1)).zip(output.chunks_mut((at_once * columns).max(1)));
        each(parts.collect(), |(input, output)| work(input, output));
        tensor(output, [rows, columns])
    })
}

/// 1.5 · 2²³: a sum with it is rounded to a whole number, whose lowest bits are those of the sum.
const WHOLE: f32 = 12_582_912.0;

/// Rounds each row to the 256 values between its least and its largest one, and 0. A value that is not finite makes all results NaN.
struct Quantize<'a> {
    /// `[rows, inner]`.
    input: &'a [f32],
    inner: usize,
    /// `[rows, stride]`.
    quantized: &'a mut [u8],
    stride: usize,
    /// `[rows]`.
    steps: &'a mut [Step],
}

impl WithSimd for Quantize<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (row, step) in self.steps.iter_mut().enumerate() {
            let input = &self.input[row * self.inner..(row + 1) * self.inner];
            let quantized = &mut self.quantized[row * self.stride..(row + 1) * self.stride];
            *step = quantize(simd, input, quantized);
        }
    }
}

#[inline(always)]
fn quantize<S: Simd>(simd: S, input: &[f32], row: &mut [u8]) -> Step {
    let [least, most, poison] = extremes(simd, input);
    let step = ((most - least) / STEPS).max(LEAST_STEP);
    let inverse = 1.0 / step;
    let zero = (-least * inverse + WHOLE) - WHOLE;
    for (row, &value) in row.iter_mut().zip(input) {
        let whole = value * inverse + (WHOLE + zero);
        let whole = if whole < WHOLE { WHOLE } else { whole };
        let whole = if whole > WHOLE + STEPS { WHOLE + STEPS } else { whole };
        *row = whole.to_bits() as u8;
    }
    Step { step: step + poison, zero: zero as u8 }
}

/// Returns the least value, at most 0; the largest one, at least 0; and 0, or NaN if a value is not finite.
#[inline(always)]
fn extremes<S: Simd>(simd: S, values: &[f32]) -> [f32; 3] {
    // In vectors, because the compiler keeps 48 numbers instead.
    let (vectors, rest) = S::as_simd_f32s(values);
    let none = simd.splat_f32s(0.0);
    let (mut least, mut most, mut poison) = (none, none, none);
    for &vector in vectors {
        least = simd.min_f32s(least, vector);
        most = simd.max_f32s(most, vector);
        poison = simd.mul_add_f32s(vector, none, poison);
    }
    let mut found = [simd.reduce_min_f32s(least), simd.reduce_max_f32s(most), simd.reduce_sum_f32s(poison)];
    for &value in rest {
        found = [found[0].min(value), found[1].max(value), found[2] + value * 0.0];
    }
    found
}
