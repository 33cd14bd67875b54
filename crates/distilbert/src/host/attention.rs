//! Attention within each sentence of a packed batch, without a rectangle.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Shape, Tensor};
use pulp::Arch;
use rekindle_ops::memory::{cut, each, rows_of, tensor, values};
use rekindle_ops::{Differentiable, FlexTensor, Held, Numbers, Saved, run};
use rekindle_raw::product::{Then, View, ViewMut, product};

use super::elementwise::{Dropout, Kernel, exp_negative};
use crate::attention::Rows;
use crate::dropout::Mode;
use crate::input::TokenBatch;
use crate::spans::Spans;

/// `softmax(q kᵀ / sqrt(width)) v` in every sentence and head, with dropout on the weights, where all are held.
///
/// # Shapes
/// - query: `[tokens, dim]`, or as many rows as [`Rows`] says; so is the output
/// - key, value: `[tokens, dim]`
pub(crate) fn attention(
    [query, key, value]: [&Tensor<2>; 3],
    batch: &TokenBatch,
    rows: Rows,
    heads: usize,
    rate: f64,
    mode: Mode,
) -> Option<Tensor<2>> {
    let dropout = mode.seed().filter(|_| rate > 0.0).map(|seed| Dropout::new(rate, seed));
    let [_, dim] = query.dims();
    let op = Attention { spans: batch.spans.clone(), rows, heads, width: dim / heads, dropout };
    Some(run(op, Some(&|| batch.numbers()), [Held::of(query)?, Held::of(key)?, Held::of(value)?]))
}

#[cfg(feature = "remote")]
pub(super) fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    rekindle_ops::remote::offer_differentiable::<Attention, 3>(server)
}

/// Made for the backward pass: the weights of every sentence and head, before dropout, one after the other.
#[derive(Debug)]
struct Attention {
    spans: Arc<Spans>,
    rows: Rows,
    heads: usize,
    width: usize,
    dropout: Option<Dropout>,
}

/// One sentence.
struct Span {
    /// Its queries among all.
    queries: Range<usize>,
    /// Its tokens among all.
    tokens: Range<usize>,
    /// Where its weights begin.
    weights: usize,
}

impl Span {
    /// Elements of the weights of one head.
    fn area(&self) -> usize {
        self.queries.len() * self.tokens.len()
    }
}

impl Attention {
    fn sentences(&self) -> Vec<Span> {
        let mut weights = 0;
        let span = |(index, pair): (usize, &[usize])| {
            let tokens = pair[0]..pair[1];
            let queries = match (self.rows, self.spans.picked.get(index..index + 2)) {
                (Rows::All, _) | (Rows::Picked, None) => tokens.clone(),
                (Rows::First, _) => index..index + 1,
                (Rows::Picked, Some(picked)) => picked[0]..picked[1],
            };
            let span = Span { queries, tokens, weights };
            weights += self.heads * span.area();
            span
        };
        self.spans.offsets.windows(2).enumerate().map(span).collect()
    }

    /// The weights of one head, from `scale · q kᵀ` in place.
    fn soften(&self, weights: &mut [f32], span: &Span) {
        let mask = self.spans.mask.as_ref().map(|mask| &mask[span.tokens.clone()]);
        Arch::new().dispatch(|| {
            for row in weights.chunks_exact_mut(span.tokens.len()) {
                for (value, &mask) in row.iter_mut().zip(mask.unwrap_or_default()) {
                    *value = if mask == 0 { f32::NEG_INFINITY } else { *value };
                }
                softmax(row);
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
fn softmax(row: &mut [f32]) {
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
            let weights: usize = self.sentences().iter().map(|span| self.heads * span.area()).sum();
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
        let spans = self.sentences();
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
                self.soften(&mut weights, span);
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
        gradient: FlexTensor,
        wanted: &[Option<Shape>; 3],
    ) -> [Option<FlexTensor>; 3] {
        let ([Some(query), Some(key), Some(value)], [weights]) = (&saved.inputs, &saved.made[..]) else {
            return [const { None }; 3];
        };
        let shapes = [query, key, value].map(rows_of);
        let [query, key, value] = [query, key, value].map(values);
        let (weights, gradient) = (values(weights), values(&gradient));
        let dim = shapes[0][1];
        let spans = self.sentences();
        let mut results = shapes.map(|[rows, dim]| vec![0.0; rows * dim]);
        let [for_query, for_key, for_value] = &mut results;
        let tasks = spans
            .iter()
            .zip(cut(for_query, spans.iter().map(|span| span.queries.len() * dim)))
            .zip(cut(for_key, spans.iter().map(|span| span.tokens.len() * dim)))
            .zip(cut(for_value, spans.iter().map(|span| span.tokens.len() * dim)));
        each(tasks.collect(), |(((span, for_query), for_key), for_value)| {
            let (area, tokens, width) = (span.area(), span.tokens.len(), self.width);
            let (mut dropped, mut slopes) = (vec![0.0; area], vec![0.0; area]);
            for head in 0..self.heads {
                let from = head * width;
                let [query, gradient] =
                    [query, gradient].map(|all| View::new(all, dim).rows(&span.queries).columns(from, width));
                let [key, value] = [key, value].map(|all| View::new(all, dim).rows(&span.tokens).columns(from, width));
                let start = span.weights + head * area;
                let weights = &weights[start..start + area];

                dropped.copy_from_slice(weights);
                self.drop(&mut dropped, start);
                let for_value = ViewMut::new(for_value, dim).columns(from, width);
                product(for_value, View::new(&dropped, tokens).transposed(), gradient, 1.0, Then::Replace);

                product(ViewMut::new(&mut slopes, tokens), gradient, value.transposed(), 1.0, Then::Replace);
                self.drop(&mut slopes, start);
                for (slopes, weights) in slopes.chunks_exact_mut(tokens).zip(weights.chunks_exact(tokens)) {
                    softmax_slope(slopes, weights);
                }
                let for_query = ViewMut::new(for_query, dim).columns(from, width);
                product(for_query, View::new(&slopes, tokens), key, self.scale(), Then::Replace);
                let for_key = ViewMut::new(for_key, dim).columns(from, width);
                product(for_key, View::new(&slopes, tokens).transposed(), query, self.scale(), Then::Replace);
            }
        });
        let [for_query, for_key, for_value] = results;
        [(for_query, 0), (for_key, 1), (for_value, 2)]
            .map(|(result, input)| wanted[input].as_ref().map(|_| tensor(result, shapes[input])))
    }

    fn numbers(&self) -> Vec<u64> {
        let rows = [Rows::All, Rows::First, Rows::Picked].iter().position(|rows| *rows == self.rows).unwrap_or(0);
        let mut numbers = [rows, self.heads, self.width].map(|number| number as u64).to_vec();
        // A rate of 0 stands for none.
        numbers.extend(self.dropout.unwrap_or(Dropout::new(0.0, 0)).numbers());
        numbers
    }

    fn read(numbers: &mut Numbers) -> Self {
        let rows = [Rows::All, Rows::First, Rows::Picked][numbers.size().min(2)];
        let (heads, width) = (numbers.size(), numbers.size());
        let dropout = Some(Dropout::read(numbers)).filter(Dropout::acts);
        Self { spans: Spans::read(&numbers.integers()).into(), rows, heads, width, dropout }
    }
}

/// From the gradient of a row of weights to that of its scores: `w (g - Σ g w / Σ w)`.
///
/// Σ w is 1 but for rounding. Its part in f64 keeps the sum of a row at 0, and with it the gradient of the key's bias,
/// which Adam would scale up.
fn softmax_slope(slopes: &mut [f32], weights: &[f32]) {
    let (mut along, mut total) = (0f64, 0f64);
    for (&slope, &weight) in slopes.iter().zip(weights) {
        along += f64::from(slope) * f64::from(weight);
        total += f64::from(weight);
    }
    let mean = (along / total) as f32;
    for (slope, weight) in slopes.iter_mut().zip(weights) {
        *slope = weight * (*slope - mean);
    }
}
