//! LayerNorm of a sum.

use burn::nn::LayerNorm;
use burn::tensor::{Shape, Tensor};
use pulp::Arch;
use rekindle_ops::memory::{CHUNK, each, rows_of, tensor, values};
use rekindle_ops::{Differentiable, FlexTensor, Held, Numbers, Saved, run};

use super::linear::column_sums;
use crate::embeddings::LAYER_NORM_EPS;

/// `LayerNorm(a + b)` over the last extent, where all are held.
pub(crate) fn add_norm(norm: &LayerNorm, a: &Tensor<2>, b: &Tensor<2>) -> Option<Tensor<2>> {
    let beta = norm.beta.as_ref()?.val();
    Some(run(AddNorm, None, [Held::of(a)?, Held::of(b)?, Held::of(&norm.gamma.val())?, Held::of(&beta)?]))
}

#[cfg(feature = "remote")]
pub(super) fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    rekindle_ops::remote::offer_differentiable::<AddNorm, 4>(server)
}

/// Inputs: twice `[rows, dim]`, then scale and shift, `[dim]`. Made for the backward pass: the rows before scale and shift,
/// and by what they were divided.
#[derive(Debug)]
struct AddNorm;

impl Differentiable<4> for AddNorm {
    const NAMES: [&'static str; 2] = ["rekindle.add_norm", "rekindle.add_norm.backward"];

    fn shapes(&self, [rows, ..]: &[Shape; 4], keep: bool) -> Vec<Shape> {
        let mut shapes = vec![rows.clone()];
        if keep {
            shapes.extend([rows.clone(), Shape::from([rows[0]])]);
        }
        shapes
    }

    fn reads(&self, _: [bool; 4]) -> [bool; 4] {
        [false, false, true, false]
    }

    fn forward(&self, [a, b, scale, shift]: [FlexTensor; 4], keep: bool) -> (FlexTensor, Vec<FlexTensor>) {
        let [count, dim] = rows_of(&a);
        let mut output = vec![0.0; count * dim];
        let mut normalized = vec![0.0; if keep { count * dim } else { 0 }];
        let mut inverse = vec![0.0; count];
        let chunk = rows_at_a_time(dim);
        let kept: Vec<Option<&mut [f32]>> = match keep {
            true => normalized.chunks_mut(chunk * dim).map(Some).collect(),
            false => (0..count.div_ceil(chunk)).map(|_| None).collect(),
        };
        let sums = values(&a).chunks(chunk * dim).zip(values(&b).chunks(chunk * dim));
        let tasks = sums.zip(output.chunks_mut(chunk * dim)).zip(inverse.chunks_mut(chunk)).zip(kept);
        let arch = Arch::new();
        each(tasks.collect(), |((((a, b), output), inverse), mut kept)| {
            arch.dispatch(|| {
                for (row, inverse) in inverse.iter_mut().enumerate() {
                    let span = row * dim..(row + 1) * dim;
                    let output = &mut output[span.clone()];
                    for ((output, a), b) in output.iter_mut().zip(&a[span.clone()]).zip(&b[span.clone()]) {
                        *output = a + b;
                    }
                    *inverse = normalize(output);
                    if let Some(kept) = &mut kept {
                        kept[span].copy_from_slice(output);
                    }
                    for ((output, scale), shift) in output.iter_mut().zip(values(&scale)).zip(values(&shift)) {
                        *output = *output * scale + shift;
                    }
                }
            });
        });
        let made = if keep { vec![tensor(normalized, [count, dim]), tensor(inverse, [count])] } else { Vec::new() };
        (tensor(output, [count, dim]), made)
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 4>,
        gradient: FlexTensor,
        wanted: &[Option<Shape>; 4],
    ) -> [Option<FlexTensor>; 4] {
        let ([_, _, Some(scale), _], [rows, inverse]) = (&saved.inputs, &saved.made[..]) else {
            return [const { None }; 4];
        };
        let [count, dim] = rows_of(rows);
        let wanted = wanted.each_ref().map(Option::is_some);
        let for_sum = (wanted[0] || wanted[1]).then(|| {
            let mut result = vec![0.0; count * dim];
            let chunk = rows_at_a_time(dim);
            let inputs = values(&gradient).chunks(chunk * dim).zip(values(rows).chunks(chunk * dim));
            let tasks = result.chunks_mut(chunk * dim).zip(inputs).zip(values(inverse).chunks(chunk));
            let arch = Arch::new();
            each(tasks.collect(), |((result, (gradient, rows)), inverse)| {
                arch.dispatch(|| {
                    for (row, &inverse) in inverse.iter().enumerate() {
                        let span = row * dim..(row + 1) * dim;
                        let (gradient, normalized) = (&gradient[span.clone()], &rows[span.clone()]);
                        slope(&mut result[span], gradient, normalized, values(scale), inverse);
                    }
                });
            });
            tensor(result, [count, dim])
        });
        let for_scale = wanted[2].then(|| {
            let products: Vec<f32> =
                values(&gradient).iter().zip(values(rows)).map(|(gradient, row)| gradient * row).collect();
            tensor(column_sums(&products, dim), [dim])
        });
        let for_shift = wanted[3].then(|| tensor(column_sums(values(&gradient), dim), [dim]));
        [for_sum.clone().filter(|_| wanted[0]), for_sum.filter(|_| wanted[1]), for_scale, for_shift]
    }

    fn numbers(&self) -> Vec<u64> {
        Vec::new()
    }

    fn read(_: &mut Numbers) -> Self {
        Self
    }
}

fn rows_at_a_time(dim: usize) -> usize {
    (CHUNK / dim.max(1)).max(1)
}

/// Brings a row to mean 0 and variance 1; the factor that did the latter.
#[inline(always)]
fn normalize(row: &mut [f32]) -> f32 {
    let count = row.len() as f32;
    let mean = sum(row, |value| value) / count;
    let variance = sum(row, |value| (value - mean) * (value - mean)) / count;
    let inverse = 1.0 / (variance + LAYER_NORM_EPS as f32).sqrt();
    for value in row {
        *value = (*value - mean) * inverse;
    }
    inverse
}

/// The gradient of a row, `(g - mean(g) - x mean(g x)) inverse` with g the gradient times the scale.
#[inline(always)]
fn slope(result: &mut [f32], gradient: &[f32], normalized: &[f32], scale: &[f32], inverse: f32) {
    for ((result, gradient), scale) in result.iter_mut().zip(gradient).zip(scale) {
        *result = gradient * scale;
    }
    let count = result.len() as f32;
    let mean = sum(result, |value| value) / count;
    let along = sum_of_products(result, normalized) / count;
    for (result, normalized) in result.iter_mut().zip(normalized) {
        *result = (*result - mean - normalized * along) * inverse;
    }
}

/// Sums that run side by side, so that the compiler may use vectors.
const LANES: usize = 16;

#[inline(always)]
fn sum(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (sum, &value) in sums.iter_mut().zip(block) {
            *sum += of(value);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|&value| of(value)).sum::<f32>()
}

#[inline(always)]
fn sum_of_products(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<LANES>(), right.as_chunks::<LANES>());
    for (left, right) in left.iter().zip(right) {
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum += left * right;
        }
    }
    sums.iter().sum::<f32>() + left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum::<f32>()
}
