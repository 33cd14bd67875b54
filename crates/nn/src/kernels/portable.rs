//! The operations of the layers by Burn's operations, for any backend.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

use burn::tensor::activation::{relu, sigmoid, softmax};
use burn::tensor::module::{embedding as lookup, layer_norm};
use burn::tensor::{Device, Distribution, Tensor};

use super::adapter::Adapter;
use super::throttle::throttle;
use crate::activation::Curve;
use crate::device_layout::DeviceLayout;
use crate::indices::Indices;
use crate::layout::longest;
use crate::mode::DropoutSpec;
use crate::optimizer::AdamWRates;
use crate::padded::Padding;
use crate::selection::TokenSelection;

pub(super) fn linear(
    input: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    adapter: Option<Adapter>,
) -> Tensor<2> {
    let low = adapter.map(|Adapter { a, b, scale }| input.clone().matmul(a).matmul(b).mul_scalar(scale));
    let output = input.matmul(weight);
    let output = match bias {
        Some(bias) => output + bias.unsqueeze(),
        None => output,
    };
    throttle(match low {
        Some(low) => output + low,
        None => output,
    })
}

pub(super) fn tied_projection(table: Tensor<2>, bias: Tensor<1>, input: Tensor<2>) -> Tensor<2> {
    input.matmul(table.transpose()) + bias.unsqueeze()
}

pub(super) fn embedding(table: Tensor<2>, indices: &Indices) -> Tensor<2> {
    lookup(table, indices.tensor().unsqueeze()).squeeze_dim(0)
}

pub(super) fn select_rows(rows: Tensor<2>, indices: &Indices) -> Tensor<2> {
    rows.select(0, indices.tensor())
}

pub(super) fn norm(rows: Tensor<2>, gamma: Tensor<1>, beta: Option<Tensor<1>>, epsilon: f64) -> Tensor<2> {
    throttle(layer_norm(rows, gamma, beta, epsilon))
}

/// GELU by the error function: on most backends, Burn's GELU has the derivative of the approximation by tanh, which is off by up
/// to 8.7e-4.
pub(super) fn activation(curve: Curve, input: Tensor<2>) -> Tensor<2> {
    throttle(match curve {
        Curve::Gelu => {
            let half = input.clone() * 0.5;
            half.clone() * (input * FRAC_1_SQRT_2).erf() + half
        }
        Curve::GeluTanh => {
            let cubic = input.clone().square().mul_scalar(0.044_715).add_scalar(1.0);
            let tanh = (input.clone() * cubic).mul_scalar(FRAC_2_PI.sqrt()).tanh();
            input.mul_scalar(0.5) * tanh.add_scalar(1.0)
        }
        Curve::QuickGelu => input.clone() * sigmoid(input.mul_scalar(1.702)),
        Curve::Silu => input.clone() * sigmoid(input),
        Curve::Relu => relu(input),
        Curve::Relu2 => relu(input).square(),
        Curve::Tanh => input.tanh(),
        Curve::Sigmoid => sigmoid(input),
        Curve::Linear => input,
    })
}

pub(super) fn gated(curve: Curve, input: Tensor<2>) -> Tensor<2> {
    let [_, columns] = input.dims();
    let inner = columns / 2;
    throttle(activation(curve, input.clone().narrow(1, 0, inner)) * input.narrow(1, inner, inner))
}

pub(super) fn dropout<const D: usize>(input: Tensor<D>, DropoutSpec { rate, seed }: DropoutSpec) -> Tensor<D> {
    let keep = 1.0 - rate;
    let device = input.device().without_autodiff();
    device.seed(seed);
    let mask = Tensor::<D>::random(input.shape(), Distribution::Bernoulli(keep), &device);
    throttle(input * mask.mul_scalar(1.0 / keep))
}

/// Does not wait for the device.
pub(super) fn clip_grad_norm(gradients: Vec<Tensor<1>>, max_norm: f64, device: &Device) -> [Tensor<1>; 2] {
    let squares = gradients.into_iter().map(|gradient| throttle(gradient.square().sum()));
    let sum = squares.reduce(|sum, squares| sum + squares);
    let norm = sum.unwrap_or_else(|| Tensor::zeros([1], device)).sqrt();
    let factor = (norm.clone().add_scalar(1e-6).recip() * max_norm).clamp_max(1.0);
    [norm, factor]
}

pub(super) fn adamw([value, gradient, first, second, clip]: [Tensor<1>; 5], rates: AdamWRates) -> [Tensor<1>; 3] {
    let AdamWRates { keep, beta1, beta2, epsilon, correction, size } = rates;
    let gradient = gradient * clip;
    let square = gradient.clone().square() * (1.0 - beta2);
    let first = first.mul_scalar(beta1) + gradient * (1.0 - beta1);
    let second = second.mul_scalar(beta2) + square;
    let denominator = second.clone().sqrt().mul_scalar(correction).add_scalar(epsilon);
    let kept = if keep == 1.0 { value } else { value.mul_scalar(keep) };
    let updated = kept - first.clone().div(denominator).mul_scalar(size);
    [updated, first, second].map(throttle)
}

/// On the padded batch, `[sequences, heads, longest, width]`.
pub(super) fn attention(
    [query, key, value]: [Tensor<2>; 3],
    layout: &DeviceLayout,
    selection: TokenSelection,
    heads: usize,
    dropout: Option<DropoutSpec>,
) -> Tensor<2> {
    let [_, dim] = query.dims();
    let cu_seqlens = &layout.sequences.cu_seqlens;
    let (sequences, longest) = (cu_seqlens.len() - 1, longest(cu_seqlens));
    let padded = layout.padded();
    let (padding, length) = match (selection, &padded.selected) {
        (TokenSelection::All, _) | (TokenSelection::Selected, None) => (padded.padding.as_ref(), longest),
        (TokenSelection::First, _) => (None, 1),
        (TokenSelection::Selected, Some((padding, most))) => (Some(padding), *most),
    };
    let query = pad(query, padding, [sequences, length, heads]);
    let [key, value] =
        [key, value].map(|rows| throttle(pad(rows, padded.padding.as_ref(), [sequences, longest, heads])));
    let scale = ((dim / heads) as f64).sqrt().recip();
    let scores = query.mul_scalar(scale).matmul(key.swap_dims(2, 3));
    let scores = match &padded.masked {
        Some(masked) => {
            let shape = scores.dims();
            scores.mask_fill(masked.clone().expand(shape), f32::NEG_INFINITY)
        }
        None => scores,
    };
    let probabilities = throttle(softmax(scores, 3));
    let probabilities = match dropout {
        Some(dropout) => self::dropout(probabilities, dropout),
        None => probabilities,
    };
    let cells = probabilities.matmul(value).swap_dims(1, 2).reshape([sequences * length, dim]);
    match padding {
        Some(padding) => cells.select(0, padding.rows.clone()),
        None => cells,
    }
}

/// Packed rows to `[sequences, heads, length, width]`.
fn pad(rows: Tensor<2>, padding: Option<&Padding>, [sequences, length, heads]: [usize; 3]) -> Tensor<4> {
    let [_, dim] = rows.dims();
    let cells = match padding {
        Some(padding) => rows.select(0, padding.cells.clone()),
        None => rows,
    };
    cells.reshape([sequences, length, heads, dim / heads]).swap_dims(1, 2)
}
