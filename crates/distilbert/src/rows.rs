//! What works row by row: on host memory by kernels of our own, elsewhere by Burn's.

use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;

/// `input · weight + bias`, `[rows, columns]`.
pub(crate) fn linear(map: &Linear, input: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if let Some(output) = crate::host::linear(map, &input) {
        return output;
    }
    map.forward(input)
}

/// `LayerNorm(a + b)`, each `[rows, dim]`.
pub(crate) fn add_norm(norm: &LayerNorm, a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if let Some(output) = crate::host::add_norm(norm, &a, &b) {
        return output;
    }
    norm.forward(a + b)
}
