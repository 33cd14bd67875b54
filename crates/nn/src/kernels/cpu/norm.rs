//! LayerNorm of a sum.

use burn::tensor::{Shape, Tensor};
use pulp::Arch;
use rekindle_ops::memory::{CHUNK, each, rows_of, tensor, values};
use rekindle_ops::{CustomTensor, Differentiable, FlexTensor, OpParams, Saved, run};

use super::sums::{column_sums, sum, sum_of_products};

/// [`add_norm`](crate::kernels::add_norm), if it runs on the tensors.
pub(crate) fn add_norm(
    a: &Tensor<2>,
    b: &Tensor<2>,
    gamma: &Tensor<1>,
    beta: &Tensor<1>,
    epsilon: f64,
) -> Option<Tensor<2>> {
    let inputs = [CustomTensor::of(a)?, CustomTensor::of(b)?, CustomTensor::of(gamma)?, CustomTensor::of(beta)?];
    Some(run(AddNorm { epsilon }, None, inputs))
}

#[cfg(feature = "remote")]
pub(super) fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    rekindle_ops::remote::offer_differentiable::<AddNorm, 4>(server)
}

/// Inputs: two of `[rows, dim]`, then scale and shift, `[dim]`. Intermediate results: the rows before scale and shift, and the
/// inverse of their deviations.
#[derive(Debug)]
struct AddNorm {
    epsilon: f64,
}

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
                    *inverse = normalize(output, self.epsilon as f32);
                    if let Some(kept) = &mut kept {
                        kept[span].copy_from_slice(output);
                    }
                    for ((output, scale), shift) in output.iter_mut().zip(values(&scale)).zip(values(&shift)) {
                        *output = *output * scale + shift;
                    }
                }
            });
        });
        let intermediates =
            if keep { vec![tensor(normalized, [count, dim]), tensor(inverse, [count])] } else { Vec::new() };
        (tensor(output, [count, dim]), intermediates)
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 4>,
        grad: FlexTensor,
        needs_grad: &[Option<Shape>; 4],
    ) -> [Option<FlexTensor>; 4] {
        let ([_, _, Some(scale), _], [rows, inverse]) = (&saved.inputs, &saved.intermediates[..]) else {
            return [const { None }; 4];
        };
        let [count, dim] = rows_of(rows);
        let needs_grad = needs_grad.each_ref().map(Option::is_some);
        let for_sum = (needs_grad[0] || needs_grad[1]).then(|| {
            let mut result = vec![0.0; count * dim];
            let chunk = rows_at_a_time(dim);
            let inputs = values(&grad).chunks(chunk * dim).zip(values(rows).chunks(chunk * dim));
            let tasks = result.chunks_mut(chunk * dim).zip(inputs).zip(values(inverse).chunks(chunk));
            let arch = Arch::new();
            each(tasks.collect(), |((result, (grad, rows)), inverse)| {
                arch.dispatch(|| {
                    for (row, &inverse) in inverse.iter().enumerate() {
                        let span = row * dim..(row + 1) * dim;
                        let (grad, normalized) = (&grad[span.clone()], &rows[span.clone()]);
                        row_backward(&mut result[span], grad, normalized, values(scale), inverse);
                    }
                });
            });
            tensor(result, [count, dim])
        });
        let for_scale = needs_grad[2].then(|| {
            let products: Vec<f32> = values(&grad).iter().zip(values(rows)).map(|(grad, row)| grad * row).collect();
            tensor(column_sums(&products, dim), [dim])
        });
        let for_shift = needs_grad[3].then(|| tensor(column_sums(values(&grad), dim), [dim]));
        [for_sum.clone().filter(|_| needs_grad[0]), for_sum.filter(|_| needs_grad[1]), for_scale, for_shift]
    }

    fn params(&self) -> Vec<u64> {
        vec![self.epsilon.to_bits()]
    }

    fn from_params(params: &mut OpParams) -> Self {
        Self { epsilon: params.float() }
    }
}

fn rows_at_a_time(dim: usize) -> usize {
    (CHUNK / dim.max(1)).max(1)
}

/// Normalizes a row to mean 0 and variance 1, and returns the inverse of its deviation.
#[inline(always)]
fn normalize(row: &mut [f32], epsilon: f32) -> f32 {
    let count = row.len() as f32;
    let mean = sum(row, |value| value) / count;
    let variance = sum(row, |value| (value - mean) * (value - mean)) / count;
    let inverse = 1.0 / (variance + epsilon).sqrt();
    for value in row {
        *value = (*value - mean) * inverse;
    }
    inverse
}

/// The gradient of a row, `(g - mean(g) - x mean(g x)) inverse` with g the gradient times the scale.
#[inline(always)]
fn row_backward(result: &mut [f32], grad: &[f32], normalized: &[f32], scale: &[f32], inverse: f32) {
    for ((result, grad), scale) in result.iter_mut().zip(grad).zip(scale) {
        *result = grad * scale;
    }
    let count = result.len() as f32;
    let mean = sum(result, |value| value) / count;
    let along = sum_of_products(result, normalized) / count;
    for (result, normalized) in result.iter_mut().zip(normalized) {
        *result = (*result - mean - normalized * along) * inverse;
    }
}
