//! AdamW on host memory: one pass over each tensor, in place, on all cores.
//!
//! Written as tensor operations an update reads and writes every value some ten times, into fresh memory each time.

use burn::tensor::{DType, Tensor};
use burn_flex::{Flex, FlexTensor};
use pulp::Arch;
use rayon::prelude::*;

use crate::optimizer::Rates;

/// Elements that a core takes at a time.
const CHUNK: usize = 8 * 1024;
/// Sums that run side by side, so that the compiler may use vectors.
const LANES: usize = 16;

/// The first and second moments of a tensor's gradient.
pub(crate) struct Moments {
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
}

/// The sum of squares of a gradient in host memory; the same for any number of threads.
pub(crate) fn sum_of_squares(gradient: &Tensor<1>) -> Option<f64> {
    let primitive = of(gradient)?;
    let values = primitive.as_slice::<f32>()?;
    let arch = Arch::new();
    let parts: Vec<f64> = values.par_chunks(CHUNK).map(|chunk| arch.dispatch(|| chunk_squares(chunk))).collect();
    Some(parts.iter().sum())
}

#[inline(always)]
fn chunk_squares(chunk: &[f32]) -> f64 {
    let mut sums = [0f32; LANES];
    let (rows, rest) = chunk.as_chunks::<LANES>();
    for row in rows {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value * value;
        }
    }
    sums.iter().chain(&rest.iter().map(|value| value * value).collect::<Vec<_>>()).map(|&part| f64::from(part)).sum()
}

/// The tensor, where it lies in host memory. Drop `tensor` before updating it, so that the update is in place.
pub(crate) fn of(tensor: &Tensor<1>) -> Option<FlexTensor> {
    tensor.clone().try_into_primitive::<Flex>().ok().filter(|tensor| tensor.dtype() == DType::F32)
}

/// Updates a tensor by its gradient.
pub(crate) fn update(
    mut primitive: FlexTensor,
    gradient: FlexTensor,
    moments: &mut Option<Moments>,
    rates: &Rates,
) -> Tensor<1> {
    let gradient = gradient.to_contiguous();
    let count = primitive.layout().num_elements();
    if primitive.layout().contiguous_offsets() != Some((0, count)) {
        primitive = primitive.to_contiguous();
    }
    let zeros = || Moments { first: vec![0.0; count], second: vec![0.0; count] };
    let Moments { first, second } = moments.get_or_insert_with(zeros);
    let arch = Arch::new();
    primitive.storage_mut::<f32>()[..count]
        .par_chunks_mut(CHUNK)
        .zip(gradient.as_slice::<f32>().unwrap_or_default().par_chunks(CHUNK))
        .zip(first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK)))
        .for_each(|((values, gradient), (first, second))| {
            arch.dispatch(|| {
                for (((value, &gradient), first), second) in values.iter_mut().zip(gradient).zip(first).zip(second) {
                    rates.apply(value, gradient, first, second);
                }
            });
        });
    Tensor::from_primitive::<Flex>(primitive)
}

impl Rates {
    #[inline(always)]
    fn apply(&self, value: &mut f32, gradient: f32, first: &mut f32, second: &mut f32) {
        let gradient = gradient * self.clip;
        *first = *first * self.beta1 + gradient * (1.0 - self.beta1);
        *second = *second * self.beta2 + gradient * gradient * (1.0 - self.beta2);
        *value = *value * self.keep - *first / (second.sqrt() * self.correction + self.epsilon) * self.size;
    }
}
