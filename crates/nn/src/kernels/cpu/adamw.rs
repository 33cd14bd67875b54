//! AdamW and gradient clipping: one pass over each tensor, in place.
//!
//! As tensor operations, an update reads and writes every value about ten times, each time into new memory.

use burn::tensor::{Shape, Tensor};
use rayon::prelude::*;
use rekindle_ops::memory::{CHUNK, tensor, values, values_mut};
use rekindle_ops::{FlexTensor, OpParams, Operation, accepts, apply};

use crate::kernels::options::AdamWRates;

/// The number of partial sums, so that the compiler can use vectors.
const LANES: usize = 16;

#[cfg(feature = "remote")]
pub(super) fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    rekindle_ops::remote::offer::<Update, 3>(rekindle_ops::remote::offer::<Clip, 2>(server))
}

pub(in crate::kernels) fn clip_grad_norm(gradients: &[Tensor<1>], max_norm: f64) -> Option<[Tensor<1>; 2]> {
    let fused = !gradients.is_empty() && gradients.iter().all(accepts);
    fused.then(|| apply(&Clip { max_norm }, gradients.to_vec()))
}

/// The tensors are values, gradient, first moment, second moment and the clipping factor.
pub(in crate::kernels) fn adamw(tensors: [Tensor<1>; 5], rates: AdamWRates) -> [Tensor<1>; 3] {
    apply(&Update(rates), tensors.into())
}

/// The norm over all gradients, `[1]`, and the factor that limits it to `max_norm`, `[1]`.
#[derive(Debug)]
struct Clip {
    max_norm: f64,
}

impl Operation<2> for Clip {
    const NAME: &'static str = "rekindle.clip";

    fn shapes(&self, _: &[Shape]) -> [Shape; 2] {
        [Shape::from([1]), Shape::from([1])]
    }

    fn run(&self, gradients: Vec<FlexTensor>) -> [FlexTensor; 2] {
        let squares: f64 = gradients.iter().map(|gradient| sum_of_squares(values(gradient))).sum();
        let norm = squares.sqrt();
        let factor = (self.max_norm / (norm + 1e-6)).min(1.0);
        [norm, factor].map(|number| tensor(vec![number as f32], [1]))
    }

    fn params(&self) -> Vec<u64> {
        vec![self.max_norm.to_bits()]
    }

    fn from_params(params: &mut OpParams) -> Self {
        Self { max_norm: params.float() }
    }
}

/// The same for any number of threads.
fn sum_of_squares(values: &[f32]) -> f64 {
    let parts: Vec<f64> = values.par_chunks(CHUNK).map(|chunk| vectorized!(chunk_squares(chunk))).collect();
    parts.iter().sum()
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

/// A step. Inputs: values, gradient, first and second moment, and the clipping factor, `[1]`. Results: values and moments.
#[derive(Debug)]
struct Update(AdamWRates);

impl Operation<3> for Update {
    const NAME: &'static str = "rekindle.adamw";

    fn shapes(&self, inputs: &[Shape]) -> [Shape; 3] {
        [(); 3].map(|()| inputs[0].clone())
    }

    fn run(&self, inputs: Vec<FlexTensor>) -> [FlexTensor; 3] {
        let Ok([mut value, gradient, mut first, mut second, clip]) = <[FlexTensor; 5]>::try_from(inputs) else {
            panic!("values, their gradient, its moments and a factor");
        };
        let clip = values(&clip).first().copied().unwrap_or(1.0);
        values_mut(&mut value)
            .par_chunks_mut(CHUNK)
            .zip(values(&gradient).par_chunks(CHUNK))
            .zip(values_mut(&mut first).par_chunks_mut(CHUNK).zip(values_mut(&mut second).par_chunks_mut(CHUNK)))
            .for_each(|((values, gradient), (first, second))| {
                vectorized!({
                    for (((value, &gradient), first), second) in
                        values.iter_mut().zip(gradient).zip(&mut *first).zip(&mut *second)
                    {
                        self.0.apply(value, gradient * clip, first, second);
                    }
                });
            });
        [value, first, second]
    }

    fn params(&self) -> Vec<u64> {
        let AdamWRates { keep, beta1, beta2, epsilon, correction, size } = self.0;
        [keep, beta1, beta2, epsilon, correction, size].map(|rate| rate.to_bits().into()).to_vec()
    }

    fn from_params(params: &mut OpParams) -> Self {
        let mut rate = || f32::from_bits(params.word() as u32);
        let [keep, beta1, beta2] = [rate(), rate(), rate()];
        let [epsilon, correction, size] = [rate(), rate(), rate()];
        Self(AdamWRates { keep, beta1, beta2, epsilon, correction, size })
    }
}

impl AdamWRates {
    #[inline(always)]
    fn apply(&self, value: &mut f32, gradient: f32, first: &mut f32, second: &mut f32) {
        *first = *first * self.beta1 + gradient * (1.0 - self.beta1);
        *second = *second * self.beta2 + gradient * gradient * (1.0 - self.beta2);
        *value = *value * self.keep - *first / (second.sqrt() * self.correction + self.epsilon) * self.size;
    }
}
