//! Helpers for operations: the values of tensors, and the division of work over the cores.

use std::borrow::Cow;

use burn::tensor::{TensorData, bf16};
use burn_flex::FlexTensor;
use rayon::prelude::*;

/// The number of values that a core processes at a time, so that they stay in its cache.
pub const CHUNK: usize = 8 * 1024;

/// The tensor in contiguous memory.
pub(crate) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.layout().contiguous_offsets().is_some() { tensor } else { tensor.to_contiguous() }
}

/// The values of a contiguous f32 tensor; empty for any other.
pub fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice::<f32>().unwrap_or_default()
}

/// The values of a contiguous tensor in f32 or bf16, as f32.
pub fn stored_values(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    let Some(stored) = tensor.as_slice::<bf16>() else { return Cow::Borrowed(values(tensor)) };
    let mut values = vec![0.0; stored.len()];
    let chunks = values.par_chunks_mut(CHUNK).zip(stored.par_chunks(CHUNK));
    chunks.for_each(|(values, stored)| {
        values.iter_mut().zip(stored).for_each(|(value, stored)| *value = stored.to_f32())
    });
    Cow::Owned(values)
}

/// The values of an f32 tensor, to be modified: in place if nobody else holds them, in a copy otherwise.
pub fn values_mut(tensor: &mut FlexTensor) -> &mut [f32] {
    let count = tensor.layout().num_elements();
    if tensor.layout().contiguous_offsets() != Some((0, count)) {
        *tensor = tensor.to_contiguous();
    }
    &mut tensor.storage_mut::<f32>()[..count]
}

/// A tensor with these values.
pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// The shape of a tensor as a matrix: the product of all dimensions but the last, and the last.
pub fn rows_of(tensor: &FlexTensor) -> [usize; 2] {
    let columns = tensor.layout().shape().last().copied().unwrap_or(1);
    [tensor.layout().num_elements() / columns.max(1), columns]
}

/// Processes all tasks; in parallel if there is more than one.
pub fn each<T: Send>(tasks: Vec<T>, work: impl Fn(T) + Sync + Send) {
    if tasks.len() == 1 {
        tasks.into_iter().for_each(work);
    } else {
        tasks.into_par_iter().for_each(work);
    }
}

/// A slice divided into pieces of these lengths.
pub fn cut<T>(mut slice: &mut [T], lengths: impl Iterator<Item = usize>) -> Vec<&mut [T]> {
    lengths
        .map(|length| {
            let (piece, rest) = std::mem::take(&mut slice).split_at_mut(length);
            slice = rest;
            piece
        })
        .collect()
}
