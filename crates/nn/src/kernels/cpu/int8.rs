//! Linear layers in int8: a weight with a scale per output, and inputs that are quantized row by row.

use burn::tensor::Tensor;
use pulp::Arch;
use rekindle_ops::memory::{each, rows_of, tensor, values};
use rekindle_ops::{CustomTensor, map_local};
use rekindle_raw::int8::{Int8Panels, MOST_INNER, NARROW, Step, int8_product};

use crate::int8::{Int8Matrix, LEAST_STEP, MOST, STEPS};

// The fastest products are those with the weights that are quantized here.
const _: () = assert!(MOST == NARROW as f32);

/// Values that are compared together.
const LANES: usize = 16;
/// Rows that are multiplied together at least.
const ROWS: usize = 8;
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
        map_local(CustomTensor::of(input)?, |input| {
            let ([rows, inner], [expected, columns]) = (rows_of(&input), self.shape());
            assert!(inner == expected, "the inner sizes do not match");
            let mut output = vec![0.0; rows * columns];
            let threads = if rows * inner * columns < PARALLEL { 1 } else { rayon::current_num_threads() };
            let at_once = rows.div_ceil(threads).next_multiple_of(ROWS);
            let parts =
                values(&input).chunks((at_once * inner).max(1)).zip(output.chunks_mut((at_once * columns).max(1)));
            each(parts.collect(), |(input, output)| self.rows(input, output, inner));
            tensor(output, [rows, columns])
        })
    }

    fn rows(&self, input: &[f32], output: &mut [f32], inner: usize) {
        let stride = self.panels.stride();
        let count = input.len() / inner.max(1);
        let (mut rows, mut steps) = (vec![0; count * stride], vec![Step::default(); count]);
        // A loop, because closures in it would be compiled for any CPU.
        Arch::new().dispatch(|| {
            for (count, step) in steps.iter_mut().enumerate() {
                let row = &mut rows[count * stride..(count + 1) * stride];
                *step = quantize(&input[count * inner..(count + 1) * inner], row);
            }
        });
        int8_product(output, &rows, &steps, &self.panels, &self.scales, self.bias.as_deref());
    }
}

/// 1.5 · 2²³: a sum with it is rounded to a whole number, whose lowest bits are those of the sum.
const WHOLE: f32 = 12_582_912.0;

/// Rounds a row to the 256 values between its least and its largest one, and 0. A value that is not finite makes all results NaN.
#[inline(always)]
fn quantize(input: &[f32], row: &mut [u8]) -> Step {
    let (mut lows, mut highs, mut zeros) = ([0f32; LANES], [0f32; LANES], [0f32; LANES]);
    let (chunks, rest) = input.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            let value = chunk[lane];
            lows[lane] = if value < lows[lane] { value } else { lows[lane] };
            highs[lane] = if value > highs[lane] { value } else { highs[lane] };
            zeros[lane] += value * 0.0;
        }
    }
    // 0, or NaN.
    let (mut least, mut most, mut poison) = (0f32, 0f32, 0f32);
    for lane in 0..LANES {
        (least, most, poison) = (least.min(lows[lane]), most.max(highs[lane]), poison + zeros[lane]);
    }
    for &value in rest {
        (least, most, poison) = (least.min(value), most.max(value), poison + value * 0.0);
    }
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
