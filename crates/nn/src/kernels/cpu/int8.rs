//! Linear layers in int8: a weight with a scale per output, and inputs that are quantized row by row.

use burn::tensor::Tensor;
use pulp::Arch;
use rekindle_ops::memory::{each, rows_of, tensor, values};
use rekindle_ops::{CustomTensor, map_local};
use rekindle_raw::int8::{Int8Panels, Step, int8_product};

use crate::int8::Int8Matrix;

/// The steps of the range of a row.
const STEPS: f32 = 255.0;
/// The smallest step: that of a row of zeros.
const LEAST_STEP: f32 = 1e-30;
/// Values that are compared together.
const LANES: usize = 16;
/// Rows that are multiplied together at least.
const ROWS: usize = 8;

/// The weight and the bias of a layer.
#[derive(Clone, Debug)]
pub(crate) struct Int8Layer {
    panels: Int8Panels,
    scales: Vec<f32>,
    bias: Option<Vec<f32>>,
}

impl Int8Layer {
    pub(crate) fn new(weight: &Int8Matrix, bias: Option<Vec<f32>>) -> Self {
        let scales = weight.scales.clone();
        Self { panels: Int8Panels::new(&weight.values, scales.len()), scales, bias }
    }

    /// `[rows, in]` to `[rows, out]`; `None` if the input is not in the memory of this process.
    pub(crate) fn forward(&self, input: &Tensor<2>) -> Option<Tensor<2>> {
        map_local(CustomTensor::of(input)?, |input| {
            let ([rows, inner], columns) = (rows_of(&input), self.scales.len());
            let mut output = vec![0.0; rows * columns];
            let threads = rayon::current_num_threads();
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
        Arch::new().dispatch(|| {
            let parts = input.chunks(inner.max(1)).zip(rows.chunks_mut(stride.max(1)));
            parts.zip(&mut steps).for_each(|((input, row), step)| *step = quantize(input, row));
        });
        int8_product(output, &rows, &steps, &self.panels, &self.scales, self.bias.as_deref());
    }
}

/// Rounds a row to the 256 values between its least and its largest one, and 0. A value that is not finite makes all results NaN.
#[inline(always)]
fn quantize(input: &[f32], row: &mut [u8]) -> Step {
    let (mut least, mut most, mut zeros) = ([0f32; LANES], [0f32; LANES], [0f32; LANES]);
    let (chunks, rest) = input.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &value) in chunk.iter().enumerate() {
            least[lane] = if value < least[lane] { value } else { least[lane] };
            most[lane] = if value > most[lane] { value } else { most[lane] };
            zeros[lane] += value * 0.0;
        }
    }
    let all = |lanes: [f32; LANES]| lanes.into_iter().chain(rest.iter().copied());
    let (least, most) = (all(least).fold(0.0, f32::min), all(most).fold(0.0, f32::max));
    // 0, or NaN.
    let poison = zeros.iter().sum::<f32>() + rest.iter().map(|value| value * 0.0).sum::<f32>();
    let step = ((most - least) / STEPS).max(LEAST_STEP);
    let (inverse, zero) = (1.0 / step, (-least / step).round_ties_even());
    for (row, &value) in row.iter_mut().zip(input) {
        *row = ((value * inverse).round_ties_even() + zero).clamp(0.0, STEPS) as u8;
    }
    Step { step: step + poison, zero: zero as i32 }
}
