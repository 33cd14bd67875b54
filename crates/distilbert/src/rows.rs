//! What works row by row: by kernels of our own where the tensors are held, elsewhere by Burn's.

use std::f64::consts::FRAC_1_SQRT_2;

use burn::module::Param;
use burn::nn::LayerNorm;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::config::Activation;
use crate::input::Indices;

/// `input · tableᵀ + bias`, `[rows, entries]`, for a table of `[entries, dim]`.
pub(crate) fn tied(table: &Param<Tensor<2>>, bias: &Param<Tensor<1>>, input: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if let Some(output) = crate::host::tied(&table.val(), &bias.val(), &input) {
        return output;
    }
    input.matmul(table.val().transpose()) + bias.val().unsqueeze()
}

/// `LayerNorm(a + b)`, each `[rows, dim]`.
pub(crate) fn add_norm(norm: &LayerNorm, a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if let Some(output) = crate::host::add_norm(norm, &a, &b) {
        return output;
    }
    pace(norm.forward(a + b))
}

/// The rows at these places, `[places, dim]`.
pub(crate) fn select(rows: Tensor<2>, places: &Indices) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if let Some(output) = crate::host::embedding(&rows, places) {
        return output;
    }
    rows.select(0, places.tensor())
}

/// The non-linearity of the feed-forward blocks.
pub(crate) fn activate(activation: Activation, input: Tensor<2>) -> Tensor<2> {
    match activation {
        Activation::Gelu => exact_gelu(input),
        Activation::Relu => relu(input),
    }
}

/// `x · Φ(x)`, by the error function (Hendrycks and Gimpel, 2016), as transformers' `gelu`.
///
/// Burn's own has the derivative of the approximation by tanh on most backends, which is off by up to 8.7e-4.
fn exact_gelu(input: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if let Some(held) = rekindle_ops::Held::of(&input) {
        drop(input);
        return crate::host::gelu(held);
    }
    let half = input.clone() * 0.5;
    pace(half.clone() * (input * FRAC_1_SQRT_2).erf() + half)
}

#[cfg(all(feature = "flex", feature = "remote"))]
pub(crate) use rekindle_ops::pace;

#[cfg(not(all(feature = "flex", feature = "remote")))]
pub(crate) fn pace<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    tensor
}
