//! The tensors of a low-rank adapter.

use burn::tensor::Tensor;

/// Adds `scale · (input · a) · b` to the output of a linear layer.
pub(crate) struct Adapter {
    /// `[in, r]`.
    pub(crate) a: Tensor<2>,
    /// `[r, out]`.
    pub(crate) b: Tensor<2>,
    /// `lora_alpha / r`.
    pub(crate) scale: f64,
}
