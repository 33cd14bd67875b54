//! The operations of the layers by Burn's operations, for any backend.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

use burn::tensor::activation::{relu, sigmoid, softmax};
use burn::tensor::module::{embedding as lookup, layer_norm};
use burn::tensor::{Bool, Device, Distribution, FloatDType, Int, Tensor};

use super::adapter::Adapter;
use super::options::{AdamWRates, AttentionOptions, Curve, RelativePositions, Rotation};
use super::throttle::throttle;
use crate::device_layout::DeviceLayout;
use crate::indices::Indices;
use crate::layout::longest;
use crate::mode::DropoutSpec;
use crate::padded::Padding;
use crate::selection::TokenSelection;

pub(super) fn linear(
    input: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    adapter: Option<Adapter>,
) -> Tensor<2> {
    let low = adapter.map(|Adapter { a, b, scale }| input.clone().matmul(a).matmul(b).mul_scalar(scale));
    let output = input.matmul(weight.cast(FloatDType::F32));
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
    options: AttentionOptions,
    dropout: Option<DropoutSpec>,
) -> Tensor<2> {
    let AttentionOptions { heads, window, positions, .. } = options;
    let [_, dim] = query.dims();
    let cu_seqlens = &layout.sequences.cu_seqlens;
    let (sequences, longest) = (cu_seqlens.len() - 1, longest(cu_seqlens));
    let padded = layout.padded();
    let (padding, length) = match (selection, &padded.selected) {
        (TokenSelection::All, _) | (TokenSelection::Selected, None) => (padded.padding.as_ref(), longest),
        (TokenSelection::First, _) => (None, 1),
        (TokenSelection::Selected, Some(selected)) => (Some(&selected.padding), selected.most),
    };
    let query = pad(query, padding, [sequences, length, heads]);
    let [key, value] =
        [key, value].map(|rows| throttle(pad(rows, padded.padding.as_ref(), [sequences, longest, heads])));
    let scale = ((dim / heads * positions.terms()) as f64).sqrt().recip();
    let query = query.mul_scalar(scale);
    let scores = query.clone().matmul(key.clone().swap_dims(2, 3));
    let scores = match positions {
        RelativePositions::None => scores,
        RelativePositions::Bias(table) => scores + biases(table, distances(layout, selection)),
        RelativePositions::Disentangled { keys, queries } => {
            let distances = distances(layout, selection);
            let scores = match keys {
                Some(keys) => scores + by_distance(query, keys, distances.clone()),
                None => scores,
            };
            match queries {
                Some(queries) => {
                    let terms = by_distance(key.mul_scalar(scale), queries, distances.swap_dims(2, 3));
                    throttle(scores + terms.swap_dims(2, 3))
                }
                None => scores,
            }
        }
    };
    let masked = match window {
        Some(window) => Some(outside(window, distances(layout, selection), padded.masked.as_ref())),
        None => padded.masked.clone(),
    };
    let scores = match masked {
        Some(masked) => {
            let shape = scores.dims();
            scores.mask_fill(masked.expand(shape), f32::NEG_INFINITY)
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

/// The position of each key minus that of each query, `[1 or sequences, 1, length, longest]`.
fn distances(layout: &DeviceLayout, selection: TokenSelection) -> Tensor<4, Int> {
    let longest = longest(&layout.sequences.cu_seqlens) as i64;
    let count = |count| Tensor::arange(0..count, &layout.device);
    let queries = match (selection, &layout.padded().selected) {
        (TokenSelection::All, _) | (TokenSelection::Selected, None) => count(longest).reshape([1, 1, -1, 1]),
        (TokenSelection::First, _) => count(1).reshape([1, 1, 1, 1]),
        (TokenSelection::Selected, Some(selected)) => {
            selected.positions.clone().reshape([-1, 1, selected.most as i32, 1])
        }
    };
    let [batches, _, length, _] = queries.dims();
    let shape = [batches, 1, length, longest as usize];
    count(longest).reshape([1, 1, 1, -1]).expand(shape) - queries.expand(shape)
}

/// A column of the table per head, `[1 or sequences, heads, length, longest]`.
fn biases(table: Tensor<2>, distances: Tensor<4, Int>) -> Tensor<4> {
    let ([entries, heads], [batches, _, length, longest]) = (table.dims(), distances.dims());
    let rows = distances.add_scalar(entries as i64 / 2).reshape([-1]);
    throttle(table.select(0, rows).reshape([batches, length, longest, heads]).permute([0, 3, 1, 2]))
}

/// The products of rows with the row of the table for a distance.
///
/// # Shapes
/// - rows: `[sequences, heads, length, width]`
/// - table: `[entries, heads * width]`
/// - distances: `[1 or sequences, 1, length, others]`
/// - output: `[sequences, heads, length, others]`
fn by_distance(rows: Tensor<4>, table: Tensor<2>, distances: Tensor<4, Int>) -> Tensor<4> {
    let ([sequences, heads, length, width], [_, _, _, others]) = (rows.dims(), distances.dims());
    let [entries, _] = table.dims();
    let table = table.reshape([1, entries, heads, width]).permute([0, 2, 3, 1]);
    let indices = distances.add_scalar(entries as i64 / 2).expand([sequences, heads, length, others]);
    throttle(rows.matmul(table).gather(3, indices))
}

/// True for keys that are farther away than the window, or masked, unless they are the query itself.
fn outside(window: usize, distances: Tensor<4, Int>, masked: Option<&Tensor<4, Bool>>) -> Tensor<4, Bool> {
    let [batches, _, length, longest] = distances.dims();
    let far = distances.clone().abs().greater_elem(window as i64);
    let Some(masked) = masked else { return far };
    let [sequences, ..] = masked.dims();
    let shape = [sequences.max(batches), 1, length, longest];
    let other = distances.not_equal_elem(0);
    far.expand(shape).bool_or(masked.clone().expand(shape).bool_and(other.expand(shape)))
}

pub(super) fn rotary(input: Tensor<2>, layout: &DeviceLayout, rotation: Rotation) -> Tensor<2> {
    let ([rows, dim], half) = (input.dims(), rotation.width / 2);
    let heads = input.reshape([rows, dim / rotation.width, rotation.width]);
    let (left, right) = (heads.clone().narrow(2, 0, half), heads.narrow(2, half, half));
    let [cos, sin] = layout.cos_sin(rotation);
    let turned = left.clone() * cos.clone() - right.clone() * sin.clone();
    throttle(Tensor::cat(vec![turned, right * cos + left * sin], 2).reshape([rows, dim]))
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
