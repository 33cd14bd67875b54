//! Dropout.

use burn::tensor::Tensor;

use crate::kernels;
use crate::mode::Mode;

/// Zeroes each element with probability `rate` and scales the others by `1 / (1 - rate)`, if `mode` activates dropout.
///
/// Source: Srivastava et al., 2014.
pub fn dropout<const D: usize>(input: Tensor<D>, rate: f64, mode: Mode) -> Tensor<D> {
    match mode.dropout(rate) {
        Some(dropout) => kernels::dropout(input, dropout),
        None => input,
    }
}
