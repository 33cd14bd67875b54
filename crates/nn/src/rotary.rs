//! Rotary position embeddings.

use burn::tensor::Tensor;

use crate::batch::SequenceBatch;
use crate::kernels::{self, Rotation};
use crate::selection::TokenSelection;

/// Rotates the queries or keys of each head by their positions in their sequences (RoPE; Su et al., 2021).
///
/// In each head of `width` columns, columns `i` and `i + width / 2` are rotated by `position / theta ^ (2 i / width)`, as
/// transformers' `rotate_half`.
///
/// # Shapes
/// - input: `[rows, dim]`, the rows of `selection`; `heads` divides `dim` into an even width
/// - output: `[rows, dim]`
pub fn rotary_embedding(
    input: Tensor<2>,
    batch: &SequenceBatch,
    selection: TokenSelection,
    heads: usize,
    theta: f64,
) -> Tensor<2> {
    let [_, dim] = input.dims();
    kernels::rotary(input, batch.layout(), Rotation { selection, width: dim / heads, theta })
}
