//! Attention within each sequence of a packed batch, without padding.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Shape, Tensor};
use pulp::Arch;
use rekindle_ops::memory::{cut, each, rows_of, tensor, values};
use rekindle_ops::{CustomTensor, Differentiable, FlexTensor, OpParams, Saved, run};
use rekindle_raw::product::{Then, View, ViewMut, product};

use super::elementwise::{Dropout, Kernel, exp_negative};
use crate::device_layout::DeviceLayout;
use crate::layout::SequenceLayout;
use crate::mode::DropoutSpec;
use crate::selection::TokenSelection;

/// [`attention`](crate::kernels::attention), if it runs on the tensors.
pub(crate) fn attention(
    [query, key, value]: [&Tensor<2>; 3],
    layout: &DeviceLayout,
    selection: TokenSelection,
    heads: usize,
    dropout: Option<DropoutSpec>,
) -> Option<Tensor<2>> {
    let [_, dim] = query.dims();
    let (sequences, dropout) = (layout.sequences.clone(), dropout.map(Dropout::new));
    let op = Attention { layout: sequences, selection, heads, width: dim / heads, dropout };
    let inputs = [CustomTensor::of(query)?, CustomTensor::of(key)?, CustomTensor::of(value)?];
    Some(run(op, Some(&|| layout.integers()), inputs))
}

#[cfg(feature = "remote")]
pub(super) fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    rekindle_ops::remote::offer_differentiable::<Attention, 3>(server)
}

/// Intermediate result: the probabilities of every sequence and head, before dropout, one after the other.
#[derive(Debug)]
struct Attention {
    layout: Arc<SequenceLayout>,
    selection: TokenSelection,
    heads: usize,
    width: usize,
    dropout: Option<Dropout>,
}

/// One sequence.
struct Span {
    /// Its queries among all.
    queries: Range<usize>,
    /// Its tokens among all.
    tokens: Range<usize>,
    /// The index of its first probability.
    weights: usize,
}

impl Span {
    /// The number of probabilities of one head.
    fn area(&self) -> usize {
        self.queries.len() * self.tokens.len()
    }
}

impl Attention {
    fn spans(&self) -> Vec<Span> {
        let mut weights = 0;
        let span = |(index, pair): (usize, &[usize])| {
            let tokens = pair[0]..pair[1];
            let queries = match (self.selection, self.layout.cu_selected.get(index..index + 2)) {
                (TokenSelection::All, _) | (TokenSelection::Selected, None) => tokens.clone(),
                (TokenSelection::First, _) => index..index + 1,
                (TokenSelection::Selected, Some(selected)) => selected[0]..selected[1],
            };
            let span = Span { queries, tokens, weights };
            weights += self.heads * span.area();
            span
        };
        self.layout.cu_seqlens.windows(2).enumerate().map(span).collect()
    }

    /// Replaces the scores of one head, `scale · q kᵀ`, by probabilities.
    fn softmax(&self, weights: &mut [f32], span: &Span) {
        let mask = self.layout.mask.as_ref().map(|mask| &mask[span.tokens.clone()]);
        Arch::new().dispatch(|| {
            for row in weights.chunks_exact_mut(span.tokens.len()) {
                for (value, &mask) in row.iter_mut().zip(mask.unwrap_or_default()) {
                    *value = if mask == 0 { f32::NEG_INFINITY } else { *value };
                }
                softmax_row(row);
            }
        });
    }

    fn drop(&self, weights: &mut [f32], start: usize) {
        if let Some(dropout) = &self.dropout {
            Arch::new().dispatch(|| dropout.forward(weights, start));
        }
    }

    fn scale(&self) -> f32 {
        (self.width as f32).sqrt().recip()
    }
}

#[inline(always)]
fn softmax_row(row: &mut [f32]) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for value in row.iter_mut() {
        *value = exp_negative(*value - largest);
    }
    for value in row.iter() {
        sum += value;
    }
    for value in row {
        *value /= sum;
    }
}

impl Differentiable<3> for Attention {
    const NAMES: [&'static str; 2] = ["rekindle.attention", "rekindle.attention.backward"];

    fn shapes(&self, [query, ..]: &[Shape; 3], keep: bool) -> Vec<Shape> {
        let mut shapes = vec![query.clone()];
        if keep {
            let weights: usize = self.spans().iter().map(|span| self.heads * span.area()).sum();
            shapes.push(Shape::from([weights]));
        }
        shapes
    }

    fn reads(&self, _: [bool; 3]) -> [bool; 3] {
        [true; 3]
    }

    fn forward(&self, inputs: [FlexTensor; 3], keep: bool) -> (FlexTensor, Vec<FlexTensor>) {
        let [query, key, value] = inputs.each_ref().map(values);
        let [queries, dim] = rows_of(&inputs[0]);
        let spans = self.spans();
        let mut output = vec![0.0; queries * dim];
        let total = if keep { spans.iter().map(|span| self.heads * span.area()).sum() } else { 0 };
        let mut kept = vec![0.0; total];
        let areas = spans.iter().map(|span| if keep { self.heads * span.area() } else { 0 });
        let pieces = cut(&mut output, spans.iter().map(|span| span.queries.len() * dim));
        let tasks = spans.iter().zip(pieces).zip(cut(&mut kept, areas));
        each(tasks.collect(), |((span, output), kept)| {
            let (area, tokens, width) = (span.area(), span.tokens.len(), self.width);
            let mut weights = vec![0.0; area];
            for head in 0..self.heads {
                let from = head * width;
                let query = View::new(query, dim).rows(&span.queries).columns(from, width);
                let [key, value] = [key, value].map(|all| View::new(all, dim).rows(&span.tokens).columns(from, width));
                product(ViewMut::new(&mut weights, tokens), query, key.transposed(), self.scale(), Then::Replace);
                self.softmax(&mut weights, span);
                if keep {
                    kept[head * area..(head + 1) * area].copy_from_slice(&weights);
                }
                self.drop(&mut weights, span.weights + head * area);
                let output = ViewMut::new(output, dim).columns(from, width);
                product(output, View::new(&weights, tokens), value, 1.0, Then::Replace);
            }
        });
        (tensor(output, [queries, dim]), if keep { vec![tensor(kept, [total])] } else { Vec::new() })
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 3>,
        grad: FlexTensor,
        needs_grad: &[Option<Shape>; 3],
    ) -> [Option<FlexTensor>; 3] {
        let ([Some(query), Some(key), Some(value)], [weights]) = (&saved.inputs, &saved.intermediates[..]) else {
            return [const { None }; 3];
        };
        let shapes = [query, key, value].map(rows_of);
        let [query, key, value] = [query, key, value].map(values);
        let (weights, grad) = (values(weights), values(&grad));
        let dim = shapes[0][1];
        let spans = self.spans();
        let mut results = shapes.map(|[rows, dim]| vec![0.0; rows * dim]);
        let [for_query, for_key, for_value] = &mut results;
        let tasks = spans
            .iter()
            .zip(cut(for_query, spans.iter().map(|span| span.queries.len() * dim)))
            .zip(cut(for_key, spans.iter().map(|span| span.tokens.len() * dim)))
            .zip(cut(for_value, spans.iter().map(|span| span.tokens.len() * dim)));
        each(tasks.collect(), |(((span, for_query), for_key), for_value)| {
            let (area, tokens, width) = (span.area(), span.tokens.len(), self.width);
            let (mut dropped, mut grads) = (vec![0.0; area], vec![0.0; area]);
            for head in 0..self.heads {
                let from = head * width;
                let [query, grad] =
                    [query, grad].map(|all| View::new(all, dim).rows(&span.queries).columns(from, width));
                let [key, value] = [key, value].map(|all| View::new(all, dim).rows(&span.tokens).columns(from, width));
                let start = span.weights + head * area;
                let weights = &weights[start..start + area];

                dropped.copy_from_slice(weights);
                self.drop(&mut dropped, start);
                let for_value = ViewMut::new(for_value, dim).columns(from, width);
                product(for_value, View::new(&dropped, tokens).transposed(), grad, 1.0, Then::Replace);

                product(ViewMut::new(&mut grads, tokens), grad, value.transposed(), 1.0, Then::Replace);
                self.drop(&mut grads, start);
                for (grads, weights) in grads.chunks_exact_mut(tokens).zip(weights.chunks_exact(tokens)) {
                    softmax_backward(grads, weights);
                }
                let for_query = ViewMut::new(for_query, dim).columns(from, width);
                product(for_query, View::new(&grads, tokens), key, self.scale(), Then::Replace);
                let for_key = ViewMut::new(for_key, dim).columns(from, width);
                product(for_key, View::new(&grads, tokens).transposed(), query, self.scale(), Then::Replace);
            }
        });
        let [for_query, for_key, for_value] = results;
        [(for_query, 0), (for_key, 1), (for_value, 2)]
            .map(|(result, input)| needs_grad[input].as_ref().map(|_| tensor(result, shapes[input])))
    }

    fn params(&self) -> Vec<u64> {
        let selection = SELECTIONS.iter().position(|selection| *selection == self.selection).unwrap_or(0);
        let mut params = [selection, self.heads, self.width].map(|number| number as u64).to_vec();
        // A rate of 0 stands for no dropout.
        params.extend(self.dropout.unwrap_or(Dropout::new(DropoutSpec { rate: 0.0, seed: 0 })).params());
        params
    }

    fn from_params(params: &mut OpParams) -> Self {
        let selection = SELECTIONS[params.size().min(SELECTIONS.len() - 1)];
        let (heads, width) = (params.size(), params.size());
        let dropout = Some(Dropout::from_params(params)).filter(Dropout::is_active);
        let layout = SequenceLayout::from_integers(&params.integers()).into();
        Self { layout, selection, heads, width, dropout }
    }
}

/// The numbers of selections, as they are sent to a host.
const SELECTIONS: [TokenSelection; 3] = [TokenSelection::All, TokenSelection::First, TokenSelection::Selected];

/// Replaces the gradient of a row of probabilities by that of its scores: `w (g - Σ g w / Σ w)`.
///
/// Σ w is 1 except for rounding errors. Computing it in f64 keeps the sum of a row at 0, and with it the gradient of the key's
/// bias, which Adam would scale up.
fn softmax_backward(grads: &mut [f32], weights: &[f32]) {
    let (mut along, mut total) = (0f64, 0f64);
    for (&grad, &weight) in grads.iter().zip(weights) {
        along += f64::from(grad) * f64::from(weight);
        total += f64::from(weight);
    }
    let mean = (along / total) as f32;
    for (grad, weight) in grads.iter_mut().zip(weights) {
        *grad = weight * (*grad - mean);
    }
}
