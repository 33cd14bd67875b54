//! Matrices in int8, and products with them as ONNX's dynamic quantization computes them, simulated in f32.

use burn::tensor::Tensor;

/// A matrix in int8, with a scale per column.
#[derive(Clone, Debug, PartialEq)]
pub struct Int8Matrix {
    /// Row-major.
    pub values: Vec<i8>,
    /// What the values of each column are multiplied by.
    pub scales: Vec<f32>,
}

/// The largest integer of a matrix: weights of 7 bits, as ONNX Runtime's `reduce_range`. Processors without VNNI add two products with
/// activations of 8 bits in 16 bits, and would clip those of larger weights.
pub(crate) const MOST: f32 = 63.0;
/// The steps of the range of activations.
pub(crate) const STEPS: f32 = 255.0;
/// The smallest step: that of activations which are all 0.
pub(crate) const LEAST_STEP: f32 = 1e-30;

impl Int8Matrix {
    /// Quantizes each column symmetrically: its largest magnitude becomes the largest integer.
    pub fn new(values: &[f32], columns: usize) -> Self {
        let mut largest = vec![0f32; columns];
        for row in values.chunks(columns) {
            largest.iter_mut().zip(row).for_each(|(largest, value)| *largest = largest.max(value.abs()));
        }
        // A column of zeros may have any scale.
        let scales: Vec<f32> = largest.iter().map(|&most| if most > 0.0 { most / MOST } else { 1.0 }).collect();
        let rounded = |(value, scale): (&f32, &f32)| (value / scale).round_ties_even().clamp(-MOST, MOST) as i8;
        let values = values.chunks(columns).flat_map(|row| row.iter().zip(&scales).map(rounded)).collect();
        Self { values, scales }
    }

    /// Returns the matrix in f32, row-major.
    pub fn dequantize(&self) -> Vec<f32> {
        let columns = self.scales.len().max(1);
        let scaled = |(value, scale): (&i8, &f32)| f32::from(*value) * scale;
        self.values.chunks(columns).flat_map(|row| row.iter().zip(&self.scales).map(scaled)).collect()
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
    fn a_column_has_a_scale_of_its_own() {
        let matrix = Int8Matrix::new(&[63.0, 0.0, 6.3, -31.5, 0.0, -0.05], 3);
        assert_eq!(matrix.values, [63, 0, 63, -32, 0, 0], "ties are rounded to even");
        assert_eq!(matrix.scales, [1.0, 1.0, 0.1]);
        assert_eq!(matrix.dequantize(), [63.0, 0.0, 6.3, -32.0, 0.0, 0.0]);
    }
}
