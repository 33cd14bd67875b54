//! LayerNorm of rows, and of a sum.

use burn::tensor::{Shape, Tensor};
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
    Some(run(AddNorm(Norm { epsilon }), None, inputs))
}

/// [`norm`](crate::kernels::norm), if it runs on the tensors.
pub(crate) fn norm(rows: &Tensor<2>, gamma: &Tensor<1>, beta: Option<&Tensor<1>>, epsilon: f64) -> Option<Tensor<2>> {
    let (rows, gamma, norm) = (CustomTensor::of(rows)?, CustomTensor::of(gamma)?, Norm { epsilon });
    Some(match beta {
        Some(beta) => run(norm, None, [rows, gamma, CustomTensor::of(beta)?]),
        None => run(UnshiftedNorm(norm), None, [rows, gamma]),
    })
}

#[cfg(feature = "remote")]
pub(super) fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    use rekindle_ops::remote::offer_differentiable;
    let server = offer_differentiable::<AddNorm, 4>(server);
    offer_differentiable::<UnshiftedNorm, 2>(offer_differentiable::<Norm, 3>(server))
}

/// LayerNorm. Inputs: `[rows, dim]`, then scale and shift, `[dim]`. Intermediate results: the rows before scale and shift, and
/// the inverse of their deviations.
#[derive(Debug)]
struct Norm {
    epsilon: f64,
}

impl Norm {
    fn shapes_of(rows: &Shape, keep: bool) -> Vec<Shape> {
        let mut shapes = vec![rows.clone()];
        if keep {
            shapes.extend([rows.clone(), Shape::from([rows[0]])]);
        }
        shapes
    }

    /// The output and the intermediate results, of the rows `a`, or `a + b`.
    fn normalized(
        &self,
        a: &FlexTensor,
        b: Option<&FlexTensor>,
        scale: &FlexTensor,
        shift: Option<&FlexTensor>,
        keep: bool,
    ) -> (FlexTensor, Vec<FlexTensor>) {
        let [count, dim] = rows_of(a);
        let mut output = vec![0.0; count * dim];
        let mut normalized = vec![0.0; if keep { count * dim } else { 0 }];
        let mut inverse = vec![0.0; count];
        let chunk = rows_at_a_time(dim);
        let pieces = count.div_ceil(chunk);
        let kept: Vec<Option<&mut [f32]>> = match keep {
            true => normalized.chunks_mut(chunk * dim).map(Some).collect(),
            false => (0..pieces).map(|_| None).collect(),
        };
        let others: Vec<Option<&[f32]>> = match b {
            Some(b) => values(b).chunks(chunk * dim).map(Some).collect(),
            None => vec![None; pieces],
        };
        let sums = values(a).chunks(chunk * dim).zip(others);
        let tasks = sums.zip(output.chunks_mut(chunk * dim)).zip(inverse.chunks_mut(chunk)).zip(kept);
        let (scale, shift) = (values(scale), shift.map(values));
        each(tasks.collect(), |((((a, b), output), inverse), mut kept)| {
            vectorized!({
                for (row, inverse) in inverse.iter_mut().enumerate() {
                    let span = row * dim..(row + 1) * dim;
                    let output = &mut output[span.clone()];
                    match b {
                        Some(b) => add(output, &a[span.clone()], &b[span.clone()]),
                        None => output.copy_from_slice(&a[span.clone()]),
                    }
                    *inverse = normalize(output, self.epsilon as f32);
                    if let Some(kept) = &mut kept {
                        kept[span].copy_from_slice(output);
                    }
                    scale_and_shift(output, scale, shift);
                }
            });
        });
        let intermediates =
            if keep { vec![tensor(normalized, [count, dim]), tensor(inverse, [count])] } else { Vec::new() };
        (tensor(output, [count, dim]), intermediates)
    }

    /// The gradients of rows, scale and shift that are needed.
    fn gradients(
        scale: Option<&FlexTensor>,
        intermediates: &[FlexTensor],
        grad: &FlexTensor,
        needs_grad: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let (Some(scale), [rows, inverse]) = (scale, intermediates) else {
            return [const { None }; 3];
        };
        let [count, dim] = rows_of(rows);
        let for_rows = needs_grad[0].then(|| {
            let mut result = vec![0.0; count * dim];
            let chunk = rows_at_a_time(dim);
            let inputs = values(grad).chunks(chunk * dim).zip(values(rows).chunks(chunk * dim));
            let tasks = result.chunks_mut(chunk * dim).zip(inputs).zip(values(inverse).chunks(chunk));
            each(tasks.collect(), |((result, (grad, rows)), inverse)| {
                vectorized!({
                    for (row, &inverse) in inverse.iter().enumerate() {
                        let span = row * dim..(row + 1) * dim;
                        let (grad, normalized) = (&grad[span.clone()], &rows[span.clone()]);
                        row_backward(&mut result[span], grad, normalized, values(scale), inverse);
                    }
                });
            });
            tensor(result, [count, dim])
        });
        let for_scale = needs_grad[1].then(|| {
            let products: Vec<f32> = values(grad).iter().zip(values(rows)).map(|(grad, row)| grad * row).collect();
            tensor(column_sums(&products, dim), [dim])
        });
        let for_shift = needs_grad[2].then(|| tensor(column_sums(values(grad), dim), [dim]));
        [for_rows, for_scale, for_shift]
    }
}

impl Differentiable<3> for Norm {
    const NAMES: [&'static str; 2] = ["rekindle.norm", "rekindle.norm.backward"];

    fn shapes(&self, [rows, ..]: &[Shape; 3], keep: bool) -> Vec<Shape> {
        Self::shapes_of(rows, keep)
    }

    fn reads(&self, _: [bool; 3]) -> [bool; 3] {
        [false, true, false]
    }

    fn forward(&self, [rows, scale, shift]: [FlexTensor; 3], keep: bool) -> (FlexTensor, Vec<FlexTensor>) {
        self.normalized(&rows, None, &scale, Some(&shift), keep)
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 3>,
        grad: FlexTensor,
        needs_grad: &[Option<Shape>; 3],
    ) -> [Option<FlexTensor>; 3] {
        let needs_grad = needs_grad.each_ref().map(Option::is_some);
        Self::gradients(saved.inputs[1].as_ref(), &saved.intermediates, &grad, needs_grad)
    }

    fn params(&self) -> Vec<u64> {
        vec![self.epsilon.to_bits()]
    }

    fn from_params(params: &mut OpParams) -> Self {
        Self { epsilon: params.float() }
    }
}

/// [`Norm`] without a shift.
#[derive(Debug)]
struct UnshiftedNorm(Norm);

impl Differentiable<2> for UnshiftedNorm {
    const NAMES: [&'static str; 2] = ["rekindle.unshifted_norm", "rekindle.unshifted_norm.backward"];

    fn shapes(&self, [rows, _]: &[Shape; 2], keep: bool) -> Vec<Shape> {
        Norm::shapes_of(rows, keep)
    }

    fn reads(&self, _: [bool; 2]) -> [bool; 2] {
        [false, true]
    }

    fn forward(&self, [rows, scale]: [FlexTensor; 2], keep: bool) -> (FlexTensor, Vec<FlexTensor>) {
        self.0.normalized(&rows, None, &scale, None, keep)
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 2>,
        grad: FlexTensor,
        needs_grad: &[Option<Shape>; 2],
    ) -> [Option<FlexTensor>; 2] {
        let [for_rows, for_scale] = needs_grad.each_ref().map(Option::is_some);
        let needs_grad = [for_rows, for_scale, false];
        let [for_rows, for_scale, _] =
            Norm::gradients(saved.inputs[1].as_ref(), &saved.intermediates, &grad, needs_grad);
        [for_rows, for_scale]
    }

    fn params(&self) -> Vec<u64> {
        self.0.params()
    }

    fn from_params(params: &mut OpParams) -> Self {
        Self(Norm::from_params(params))
    }
}

/// [`Norm`] of a sum. Inputs: two of `[rows, dim]`, then scale and shift.
#[derive(Debug)]
struct AddNorm(Norm);

impl Differentiable<4> for AddNorm {
    const NAMES: [&'static str; 2] = ["rekindle.add_norm", "rekindle.add_norm.backward"];

    fn shapes(&self, [rows, ..]: &[Shape; 4], keep: bool) -> Vec<Shape> {
        Norm::shapes_of(rows, keep)
    }

    fn reads(&self, _: [bool; 4]) -> [bool; 4] {
        [false, false, true, false]
    }

    fn forward(&self, [a, b, scale, shift]: [FlexTensor; 4], keep: bool) -> (FlexTensor, Vec<FlexTensor>) {
        self.0.normalized(&a, Some(&b), &scale, Some(&shift), keep)
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 4>,
        grad: FlexTensor,
        needs_grad: &[Option<Shape>; 4],
    ) -> [Option<FlexTensor>; 4] {
        let [a, b, scale, shift] = needs_grad.each_ref().map(Option::is_some);
        let needs_grad = [a || b, scale, shift];
        let [for_sum, for_scale, for_shift] =
            Norm::gradients(saved.inputs[2].as_ref(), &saved.intermediates, &grad, needs_grad);
        [for_sum.clone().filter(|_| a), for_sum.filter(|_| b), for_scale, for_shift]
    }

    fn params(&self) -> Vec<u64> {
        self.0.params()
    }

    fn from_params(params: &mut OpParams) -> Self {
        Self(Norm::from_params(params))
    }
}

fn rows_at_a_time(dim: usize) -> usize {
    (CHUNK / dim.max(1)).max(1)
}

#[inline(always)]
fn add(output: &mut [f32], a: &[f32], b: &[f32]) {
    for ((output, a), b) in output.iter_mut().zip(a).zip(b) {
        *output = a + b;
    }
}

#[inline(always)]
fn scale_and_shift(output: &mut [f32], scale: &[f32], shift: Option<&[f32]>) {
    match shift {
        Some(shift) => {
            for ((output, scale), shift) in output.iter_mut().zip(scale).zip(shift) {
                *output = *output * scale + shift;
            }
        }
        None => {
            for (output, scale) in output.iter_mut().zip(scale) {
                *output *= scale;
            }
        }
    }
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
