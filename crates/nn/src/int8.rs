//! Matrices in int8, and products with them as ONNX's dynamic quantization computes them, simulated in f32.

use burn::tensor::Tensor;

/// The weight of a linear layer in int8, with a scale per output.
#[derive(Clone, Debug, PartialEq)]
pub struct Int8Matrix {
    /// `[outputs, inputs]`, row-major, as checkpoints store it.
    pub values: Vec<i8>,
    /// What the values of each output are multiplied by.
    pub scales: Vec<f32>,
}

/// The largest integer of weights that are quantized here: 7 bits, as ONNX Runtime's `reduce_range`. Processors without VNNI add two
/// products with activations of 8 bits in 16 bits, and would clip those of larger weights.
pub(crate) const MOST: f32 = 63.0;
/// The steps of the range of activations.
pub(crate) const STEPS: f32 = 255.0;
/// The smallest step: that of activations which are all 0.
pub(crate) const LEAST_STEP: f32 = 1e-30;

impl Int8Matrix {
    /// Quantizes a weight, `[outputs, inputs]`, symmetrically: the largest magnitude of each output becomes the largest integer.
    pub fn new(values: &[f32], outputs: usize) -> Self {
        let inputs = values.len().checked_div(outputs).unwrap_or(0);
        let (mut rounded, mut scales) = (Vec::with_capacity(values.len()), Vec::with_capacity(outputs));
        for row in 0..outputs {
            let row = &values[row * inputs..(row + 1) * inputs];
            let most = row.iter().fold(0f32, |most, value| if value.abs() > most { value.abs() } else { most });
            // A row of zeros may have any scale.
            let scale = if most > 0.0 { most / MOST } else { 1.0 };
            rounded.extend(row.iter().map(|value| (value / scale).round_ties_even().clamp(-MOST, MOST) as i8));
            scales.push(scale);
        }
        Self { values: rounded, scales }
    }

    /// Returns the values of the transpose, `[inputs, outputs]`.
    pub fn transposed(&self) -> Vec<i8> {
        let (outputs, inputs) = (self.scales.len(), self.values.len().checked_div(self.scales.len()).unwrap_or(0));
        (0..inputs).flat_map(|input| (0..outputs).map(move |output| self.values[output * inputs + input])).collect()
    }

    /// Returns the weight in f32.
    pub fn dequantize(&self) -> Vec<f32> {
        let inputs = self.values.len().checked_div(self.scales.len()).unwrap_or(0).max(1);
        let scaled =
            |(row, scale): (&[i8], &f32)| row.iter().map(|&value| f32::from(value) * scale).collect::<Vec<_>>();
        self.values.chunks(inputs).zip(&self.scales).flat_map(scaled).collect()
    }
}

/// Rounds activations to the 256 values between their least and their largest one, and 0, as ONNX's `DynamicQuantizeLinear`.
pub(crate) fn round_activations(input: Tensor<2>) -> Tensor<2> {
    let [least, most] = [input.clone().min().clamp_max(0.0), input.clone().max().clamp_min(0.0)];
    let step = ((most - least.clone()) / STEPS).clamp_min(LEAST_STEP).reshape([1, 1]);
    let zero = (least.reshape([1, 1]) / step.clone()).neg().round();
    let rounded = ((input / step.clone()).round() + zero.clone()).clamp(0.0, STEPS);
    (rounded - zero) * step
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn activations_are_those_of_dynamic_quantize_linear() {
        // The examples of ONNX's specification of the operator.
        let cases = [
            (vec![-1.0, -2.1, -1.3, -2.5, -3.34, -4.0], [191, 121, 172, 96, 42, 0], 0.015_686_275, 255),
            (vec![1.0, 2.1, 1.3, 2.5, 3.34, 4.0], [64, 134, 83, 159, 213, 255], 0.015_686_275, 0),
        ];
        for (input, integers, step, zero) in cases {
            let input = Tensor::<1>::from_data(input.as_slice(), &Device::default()).reshape([2, 3]);
            let found: Vec<f32> = round_activations(input).into_data().iter::<f32>().collect();
            for (found, integer) in found.into_iter().zip(integers) {
                assert!((found - (integer - zero) as f32 * step).abs() < 1e-6, "{found}, {integer}");
            }
        }
        let zeros = round_activations(Tensor::zeros([1, 2], &Device::default()));
        assert_eq!(zeros.into_data().iter::<f32>().collect::<Vec<_>>(), [0.0, 0.0]);
    }

    #[test]
    fn an_output_has_a_scale_of_its_own() {
        let matrix = Int8Matrix::new(&[63.0, -31.5, 0.0, 0.0, 6.3, -0.05], 3);
        assert_eq!(matrix.values, [63, -32, 0, 0, 63, 0], "ties are rounded to even");
        assert_eq!(matrix.scales, [1.0, 1.0, 0.1]);
        assert_eq!(matrix.dequantize(), [63.0, -32.0, 0.0, 0.0, 6.3, 0.0]);
        assert_eq!(matrix.transposed(), [63, 0, 63, -32, 0, 0]);
    }
}
