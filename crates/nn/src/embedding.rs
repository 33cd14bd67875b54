//! Lookups in a table, and the projection that is tied to it.

use burn::module::Param;
use burn::nn::Embedding;
use burn::tensor::Tensor;

use crate::indices::Indices;
use crate::kernels;

/// The rows of a table.
///
/// # Shapes
/// - indices: `[tokens]`
/// - output: `[tokens, dim]`
pub fn embedding(table: &Embedding, indices: &Indices) -> Tensor<2> {
    kernels::embedding(table.weight.val(), indices)
}

/// `input · tableᵀ + bias`: the scores of all words, from the table that also embeds them.
///
/// # Shapes
/// - table: `[entries, dim]`
/// - bias: `[entries]`
/// - input: `[rows, dim]`
/// - output: `[rows, entries]`
pub fn tied_projection(table: &Embedding, bias: &Param<Tensor<1>>, input: Tensor<2>) -> Tensor<2> {
    kernels::tied_projection(table.weight.val(), bias.val(), input)
}
