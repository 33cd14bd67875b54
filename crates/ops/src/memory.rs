//! What operations in host memory share: values of tensors, and work cut up for the cores.

use burn::tensor::TensorData;
use burn_flex::FlexTensor;
use rayon::prelude::*;

/// Values that a core takes at a time: they stay in its cache.
pub const CHUNK: usize = 8 * 1024;

/// The tensor, in the order of its indices and without gaps.
pub(crate) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
}

/// The values of a contiguous tensor of f32; none of any other.
pub fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice::<f32>().unwrap_or_default()
}

/// The values of a tensor of f32, to be worked on in place where nobody else holds them, and else in a copy.
pub fn values_mut(tensor: &mut FlexTensor) -> &mut [f32] {
    let count = tensor.layout().num_elements();
    if tensor.layout().contiguous_offsets() != Some((0, count)) {
        *tensor = tensor.to_contiguous();
    }
    &mut tensor.storage_mut::<f32>()[..count]
}

/// A tensor of these values.
pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// A tensor as a matrix: the product of all extents but the last, and the last.
pub fn rows_of(tensor: &FlexTensor) -> [usize; 2] {
    let columns = tensor.layout().shape().last().copied().unwrap_or(1);
    [tensor.layout().num_elements() / columns.max(1), columns]
}

/// Does every task, on all cores where there is more than one.
pub fn each<T: Send>(tasks: Vec<T>, work: impl Fn(T) + Sync + Send) {
    if tasks.len() == 1 {
        tasks.into_iter().for_each(work);
    } else {
        tasks.into_par_iter().for_each(work);
    }
}

/// A slice cut into pieces of these lengths.
pub fn cut<T>(mut slice: &mut [T], lengths: impl Iterator<Item = usize>) -> Vec<&mut [T]> {
    lengths
        .map(|length| {
            let (piece, rest) = std::mem::take(&mut slice).split_at_mut(length);
            slice = rest;
            piece
        })
        .collect()
}
