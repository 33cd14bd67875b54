//! Activation functions, and gated linear units.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use burn::tensor::{Shape, Tensor};
use rekindle_ops::memory::{CHUNK, each, rows_of, tensor, values};
use rekindle_ops::{CustomTensor, Differentiable, FlexTensor, OpParams, Saved, run};

use super::elementwise::{Elementwise, Kernel, exp_negative, gelu_at};
use crate::kernels::options::Curve;

/// [`activation`](crate::kernels::activation), for functions with a kernel.
pub(crate) fn activation(curve: Curve, input: CustomTensor) -> Tensor<2> {
    run(Elementwise(curve), None, [input])
}

/// [`gated`](crate::kernels::gated), if it runs on the tensor and the function has a kernel.
pub(crate) fn gated(curve: Curve, input: &Tensor<2>) -> Option<Tensor<2>> {
    FUSED.contains(&curve).then(|| CustomTensor::of(input))?.map(|input| run(Gated(curve), None, [input]))
}

#[cfg(feature = "remote")]
pub(super) fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    use rekindle_ops::remote::offer_differentiable;
    offer_differentiable::<Gated, 1>(offer_differentiable::<Elementwise<Curve>, 1>(server))
}

/// The functions with a kernel, as they are sent to a host. Others occur only in heads, on few rows.
pub(crate) const FUSED: [Curve; 4] = [Curve::Gelu, Curve::GeluTanh, Curve::QuickGelu, Curve::Silu];

/// Calls a function with these arguments and the curve, which returns a value and the derivative. Each curve has its own loop.
macro_rules! with_curve {
    ($curve:expr, $function:ident($($argument:expr),+)) => {
        match $curve {
            Curve::GeluTanh => $function($($argument),+, gelu_tanh),
            Curve::QuickGelu => $function($($argument),+, quick_gelu),
            Curve::Silu => $function($($argument),+, silu),
            _ => $function($($argument),+, gelu_at),
        }
    };
}

impl Kernel for Curve {
    const NAMES: [&'static str; 2] = ["rekindle.activation", "rekindle.activation.backward"];
    const KEEPS_INPUT: bool = true;

    #[inline(always)]
    fn forward(&self, values: &mut [f32], _: usize) {
        with_curve!(self, apply(values));
    }

    #[inline(always)]
    fn backward(&self, grad: &mut [f32], inputs: &[f32], _: usize) {
        with_curve!(self, apply_backward(grad, inputs));
    }

    fn params(&self) -> Vec<u64> {
        vec![FUSED.iter().position(|curve| curve == self).unwrap_or(0) as u64]
    }

    fn from_params(params: &mut OpParams) -> Self {
        FUSED[params.size().min(FUSED.len() - 1)]
    }
}

#[inline(always)]
fn apply(values: &mut [f32], curve: impl Fn(f32) -> (f32, f32)) {
    for value in values {
        *value = curve(*value).0;
    }
}

#[inline(always)]
fn apply_backward(grad: &mut [f32], inputs: &[f32], curve: impl Fn(f32) -> (f32, f32)) {
    for (grad, &input) in grad.iter_mut().zip(inputs) {
        *grad *= curve(input).1;
    }
}

#[inline(always)]
fn gelu_tanh(x: f32) -> (f32, f32) {
    // (1 + tanh(z / 2)) / 2 = σ(z).
    const TWICE: f32 = (2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2) as f32;
    const CUBIC: f32 = 0.044_715;
    let square = x * x;
    gated_by_sigmoid(x, TWICE * x * (1.0 + CUBIC * square), TWICE * (1.0 + 3.0 * CUBIC * square))
}

#[inline(always)]
fn quick_gelu(x: f32) -> (f32, f32) {
    gated_by_sigmoid(x, 1.702 * x, 1.702)
}

#[inline(always)]
fn silu(x: f32) -> (f32, f32) {
    gated_by_sigmoid(x, x, 1.0)
}

/// `x · σ(z)` and its derivative, where `slope` is that of `z`.
#[inline(always)]
fn gated_by_sigmoid(x: f32, z: f32, slope: f32) -> (f32, f32) {
    let exponential = exp_negative(-z.abs());
    let larger = 1.0 / (1.0 + exponential);
    let smaller = exponential * larger;
    let sigmoid = if z < 0.0 { smaller } else { larger };
    (x * sigmoid, sigmoid + x * slope * (smaller * larger))
}

/// A function of the first half of each row, times the second half. Input: `[rows, 2 * inner]`.
#[derive(Debug)]
struct Gated(Curve);

impl Differentiable<1> for Gated {
    const NAMES: [&'static str; 2] = ["rekindle.gated", "rekindle.gated.backward"];

    fn shapes(&self, [input]: &[Shape; 1], _: bool) -> Vec<Shape> {
        vec![Shape::from([input[0], input[1] / 2])]
    }

    fn reads(&self, needs_grad: [bool; 1]) -> [bool; 1] {
        needs_grad
    }

    fn forward(&self, [input]: [FlexTensor; 1], _: bool) -> (FlexTensor, Vec<FlexTensor>) {
        let [rows, columns] = rows_of(&input);
        let inner = columns / 2;
        let mut output = vec![0.0; rows * inner];
        let count = (CHUNK / columns.max(1)).max(1);
        let tasks = output.chunks_mut(count * inner.max(1)).zip(values(&input).chunks(count * columns.max(1)));
        each(tasks.collect(), |(output, input): (&mut [f32], &[f32])| {
            vectorized!({
                for (output, input) in output.chunks_exact_mut(inner).zip(input.chunks_exact(columns)) {
                    with_curve!(self.0, gate(output, input.split_at(inner)));
                }
            });
        });
        (tensor(output, [rows, inner]), Vec::new())
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 1>,
        grad: FlexTensor,
        _: &[Option<Shape>; 1],
    ) -> [Option<FlexTensor>; 1] {
        let [Some(input)] = &saved.inputs else { return [None] };
        let [rows, columns] = rows_of(input);
        let inner = columns / 2;
        let mut result = vec![0.0; rows * columns];
        let count = (CHUNK / columns.max(1)).max(1);
        let inputs = values(input).chunks(count * columns.max(1)).zip(values(&grad).chunks(count * inner.max(1)));
        let tasks = result.chunks_mut(count * columns.max(1)).zip(inputs);
        each(tasks.collect(), |(result, (input, grad)): (&mut [f32], (&[f32], &[f32]))| {
            vectorized!({
                let inputs = input.chunks_exact(columns).zip(grad.chunks_exact(inner));
                for (result, (input, grad)) in result.chunks_exact_mut(columns).zip(inputs) {
                    let (result, input) = (result.split_at_mut(inner), input.split_at(inner));
                    with_curve!(self.0, gate_backward(result, input, grad));
                }
            });
        });
        [Some(tensor(result, [rows, columns]))]
    }

    fn params(&self) -> Vec<u64> {
        self.0.params()
    }

    fn from_params(params: &mut OpParams) -> Self {
        Self(Curve::from_params(params))
    }
}

#[inline(always)]
fn gate(output: &mut [f32], (input, gate): (&[f32], &[f32]), curve: impl Fn(f32) -> (f32, f32)) {
    for ((output, &input), gate) in output.iter_mut().zip(input).zip(gate) {
        *output = curve(input).0 * gate;
    }
}

#[inline(always)]
fn gate_backward(
    (for_input, for_gate): (&mut [f32], &mut [f32]),
    (input, gate): (&[f32], &[f32]),
    grad: &[f32],
    curve: impl Fn(f32) -> (f32, f32),
) {
    for ((((for_input, for_gate), &input), gate), grad) in
        for_input.iter_mut().zip(for_gate).zip(input).zip(gate).zip(grad)
    {
        let (value, slope) = curve(input);
        *for_input = grad * gate * slope;
        *for_gate = grad * value;
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_sent;
    use super::*;

    #[test]
    fn a_host_receives_the_function() {
        for curve in FUSED {
            assert_sent(&Elementwise(curve), &[]);
            assert_sent(&Gated(curve), &[]);
        }
    }
}
