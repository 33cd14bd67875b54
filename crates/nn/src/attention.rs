//! Scaled dot-product attention.

use burn::tensor::Tensor;

use crate::batch::SequenceBatch;
use crate::kernels::{self, AttentionOptions};
use crate::mode::Mode;
use crate::selection::TokenSelection;

/// `softmax(scale · query keyᵀ) value` within each sequence and head, with dropout on the probabilities (Vaswani et al., 2017).
///
/// # Shapes
/// - query: `[rows, dim]`, the rows of `selection`
/// - key, value: `[tokens, dim]`
/// - output: `[rows, dim]`
pub fn attention(
    [query, key, value]: [Tensor<2>; 3],
    batch: &SequenceBatch,
    selection: TokenSelection,
    options: AttentionOptions,
    mode: Mode,
) -> Tensor<2> {
    let dropout = mode.dropout(options.dropout);
    kernels::attention([query, key, value], batch.layout(), selection, options, dropout)
}
