//! Attention within each sequence of a packed batch, without padding.

use std::sync::Arc;

use burn::tensor::{Shape, Tensor};
use rekindle_ops::memory::{cut, each, rows_of, tensor, values};
use rekindle_ops::{CustomTensor, Differentiable, FlexTensor, OpParams, Saved, run};
use rekindle_raw::product::{Then, View, ViewMut, product};

use super::elementwise::{Dropout, Kernel, exp_negative};
use super::relative::{Head, Kind, Rows, Term, Terms};
use super::spans::{Span, spans};
use crate::device_layout::DeviceLayout;
use crate::kernels::options::{AttentionOptions, RelativePositions};
use crate::layout::SequenceLayout;
use crate::mode::DropoutSpec;
use crate::selection::TokenSelection;

/// [`attention`](crate::kernels::attention), if it runs on the tensors.
pub(crate) fn attention(
    [query, key, value]: [&Tensor<2>; 3],
    layout: &DeviceLayout,
    selection: TokenSelection,
    options: &AttentionOptions,
    dropout: Option<DropoutSpec>,
) -> Option<Tensor<2>> {
    let [_, dim] = query.dims();
    let AttentionOptions { heads, window, .. } = *options;
    let (terms, tables) = match &options.positions {
        RelativePositions::None => (Terms::None, [None, None]),
        RelativePositions::Bias(table) => (Terms::Bias, [Some(table), None]),
        RelativePositions::Disentangled { keys, queries } => match (keys, queries) {
            (None, None) => (Terms::None, [None, None]),
            (Some(keys), None) => (Terms::Keys, [Some(keys), None]),
            (None, Some(queries)) => (Terms::Queries, [Some(queries), None]),
            (Some(keys), Some(queries)) => (Terms::KeysAndQueries, [Some(keys), Some(queries)]),
        },
    };
    let (sequences, dropout) = (layout.sequences.clone(), dropout.map(Dropout::new));
    let spec = Spec { layout: sequences, selection, heads, width: dim / heads, window, terms, dropout };
    let integers: &dyn Fn() -> _ = &|| layout.integers();
    let [query, key, value] = [CustomTensor::of(query)?, CustomTensor::of(key)?, CustomTensor::of(value)?];
    Some(match tables {
        [Some(first), Some(second)] => {
            let inputs = [query, key, value, CustomTensor::of(first)?, CustomTensor::of(second)?];
            run(Attention::<5>(spec), Some(integers), inputs)
        }
        [Some(table), None] => run(Attention::<4>(spec), Some(integers), [query, key, value, CustomTensor::of(table)?]),
        _ => run(Attention::<3>(spec), Some(integers), [query, key, value]),
    })
}

#[cfg(feature = "remote")]
pub(super) fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    use rekindle_ops::remote::offer_differentiable;
    let server = offer_differentiable::<Attention<3>, 3>(server);
    offer_differentiable::<Attention<5>, 5>(offer_differentiable::<Attention<4>, 4>(server))
}

/// Inputs: query, key and value, and the tables of relative positions. Intermediate result: the probabilities of every block
/// and head, before dropout, one after the other.
#[derive(Debug)]
struct Attention<const N: usize>(Spec);

#[derive(Debug)]
struct Spec {
    layout: Arc<SequenceLayout>,
    selection: TokenSelection,
    heads: usize,
    width: usize,
    window: Option<usize>,
    terms: Terms,
    dropout: Option<Dropout>,
}

/// The number of tasks that accumulate gradients of tables, each with tables of its own.
const TABLE_TASKS: usize = 8;

impl Spec {
    fn spans(&self) -> Vec<Span> {
        spans(&self.layout, self.selection, self.heads, self.window, self.terms != Terms::None)
    }

    fn head(&self, index: usize) -> Head {
        Head { index, width: self.width, dim: self.heads * self.width, scale: self.scale() }
    }

    /// Replaces the scores of one head by probabilities.
    fn softmax(&self, weights: &mut [f32], span: &Span) {
        let mask = self.layout.mask.as_ref().map(|mask| &mask[span.tokens.clone()]);
        vectorized!({
            for (index, row) in weights.chunks_exact_mut(span.tokens.len()).enumerate() {
                // The key at the position of the query, which is not before the first one.
                let itself = self.window.map(|window| (window, span.distances[index].unsigned_abs()));
                let score = itself.map(|(_, place)| row[place]);
                for (value, &mask) in row.iter_mut().zip(mask.unwrap_or_default()) {
                    *value = if mask == 0 { f32::NEG_INFINITY } else { *value };
                }
                if let (Some((window, place)), Some(score)) = (itself, score) {
                    row[..place.saturating_sub(window)].fill(f32::NEG_INFINITY);
                    row.iter_mut().skip(place + window + 1).for_each(|value| *value = f32::NEG_INFINITY);
                    row[place] = score;
                }
                softmax_row(row);
            }
        });
    }

    fn drop(&self, weights: &mut [f32], start: usize) {
        if let Some(dropout) = &self.dropout {
            vectorized!(dropout.forward(weights, start));
        }
    }

    fn scale(&self) -> f32 {
        ((self.width * self.terms.count()) as f32).sqrt().recip()
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

impl<const N: usize> Differentiable<N> for Attention<N> {
    const NAMES: [&'static str; 2] = match N {
        3 => ["rekindle.attention", "rekindle.attention.backward"],
        4 => ["rekindle.attention_with_table", "rekindle.attention_with_table.backward"],
        _ => ["rekindle.attention_with_tables", "rekindle.attention_with_tables.backward"],
    };

    fn shapes(&self, inputs: &[Shape; N], keep: bool) -> Vec<Shape> {
        let mut shapes = vec![inputs[0].clone()];
        if keep {
            let weights: usize = self.0.spans().iter().map(|span| self.0.heads * span.area()).sum();
            shapes.push(Shape::from([weights]));
        }
        shapes
    }

    fn reads(&self, _: [bool; N]) -> [bool; N] {
        std::array::from_fn(|input| self.0.terms != Terms::Bias || input < 3)
    }

    fn forward(&self, inputs: [FlexTensor; N], keep: bool) -> (FlexTensor, Vec<FlexTensor>) {
        let spec = &self.0;
        let [query, key, value] = [&inputs[0], &inputs[1], &inputs[2]].map(values);
        let [queries, dim] = rows_of(&inputs[0]);
        let spans = spec.spans();
        let mut output = vec![0.0; queries * dim];
        let total = if keep { spans.iter().map(|span| spec.heads * span.area()).sum() } else { 0 };
        let mut kept = vec![0.0; total];
        let areas = spans.iter().map(|span| if keep { spec.heads * span.area() } else { 0 });
        let pieces = cut(&mut output, spans.iter().map(|span| span.queries.len() * dim));
        let tasks = spans.iter().zip(pieces).zip(cut(&mut kept, areas));
        each(tasks.collect(), |((span, output), kept)| {
            let (area, tokens, width) = (span.area(), span.tokens.len(), spec.width);
            let tables = spec.terms.tables().iter().zip(&inputs[3..]);
            let terms: Vec<Term<'_>> = tables
                .map(|(&kind, table)| Term { kind, table: Some(table), rows: Rows::new(span, rows_of(table)[0]) })
                .collect();
            let mut weights = vec![0.0; area];
            for head in 0..spec.heads {
                let from = head * width;
                let query = View::new(query, dim).rows(&span.queries).columns(from, width);
                let [key, value] = [key, value].map(|all| View::new(all, dim).rows(&span.tokens).columns(from, width));
                product(ViewMut::new(&mut weights, tokens), query, key.transposed(), spec.scale(), Then::Replace);
                terms.iter().for_each(|term| term.add(spec.head(head), [query, key], &mut weights));
                spec.softmax(&mut weights, span);
                if keep {
                    kept[head * area..(head + 1) * area].copy_from_slice(&weights);
                }
                spec.drop(&mut weights, span.weights + head * area);
                let output = ViewMut::new(output, dim).columns(from, width);
                product(output, View::new(&weights, tokens), value, 1.0, Then::Replace);
            }
        });
        (tensor(output, [queries, dim]), if keep { vec![tensor(kept, [total])] } else { Vec::new() })
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, N>,
        grad: FlexTensor,
        needs_grad: &[Option<Shape>; N],
    ) -> [Option<FlexTensor>; N] {
        let ([Some(query), Some(key), Some(value), tables @ ..], [weights]) =
            (&saved.inputs[..], &saved.intermediates[..])
        else {
            return [const { None }; N];
        };
        let shapes = [query, key, value].map(rows_of);
        let inputs = Inputs { query: values(query), key: values(key), value: values(value), tables };
        let spans = self.0.spans();
        let tasks = tasks(&self.0.layout, &spans, needs_grad[3..].iter().any(Option::is_some));
        let dim = shapes[0][1];
        let mut results = shapes.map(|[rows, dim]| vec![0.0; rows * dim]);
        let table = |shape: &Option<Shape>| shape.as_ref().map(|shape| vec![0.0; shape[0] * shape[1]]);
        let mut for_tables: Vec<Vec<Option<Vec<f32>>>> =
            tasks.iter().map(|_| needs_grad[3..].iter().map(table).collect()).collect();
        let [for_query, for_key, for_value] = &mut results;
        let pieces = tasks
            .iter()
            .zip(cut(for_query, tasks.iter().map(|task| task.queries() * dim)))
            .zip(cut(for_key, tasks.iter().map(|task| task.tokens.len() * dim)))
            .zip(cut(for_value, tasks.iter().map(|task| task.tokens.len() * dim)))
            .zip(&mut for_tables);
        each(pieces.collect(), |((((task, mut for_query), for_key), for_value), for_tables)| {
            for span in task.spans {
                let (now, later) = std::mem::take(&mut for_query).split_at_mut(span.queries.len() * dim);
                for_query = later;
                let keys = (span.tokens.start - task.tokens.start) * dim..(span.tokens.end - task.tokens.start) * dim;
                let grads = Grads {
                    query: now,
                    key: &mut for_key[keys.clone()],
                    value: &mut for_value[keys],
                    tables: for_tables,
                };
                self.0.span_backward(span, &inputs, values(weights), values(&grad), grads);
            }
        });
        let [for_query, for_key, for_value] = results;
        let mut results: Vec<Option<Vec<f32>>> = [for_query, for_key, for_value].into_iter().map(Some).collect();
        results.extend(sums(for_tables, N - 3));
        let mut results = results.into_iter();
        needs_grad.each_ref().map(|shape| {
            let result = results.next().flatten();
            shape.as_ref().zip(result).map(|(shape, result)| tensor(result, [shape[0], shape[1]]))
        })
    }

    fn params(&self) -> Vec<u64> {
        let spec = &self.0;
        let selection = SELECTIONS.iter().position(|selection| *selection == spec.selection).unwrap_or(0);
        let terms = Terms::ALL.iter().position(|terms| *terms == spec.terms).unwrap_or(0);
        // 0 stands for no window.
        let window = spec.window.map_or(0, |window| window + 1);
        let mut params = [selection, spec.heads, spec.width, window, terms].map(|number| number as u64).to_vec();
        // A rate of 0 stands for no dropout.
        params.extend(spec.dropout.unwrap_or(Dropout::new(DropoutSpec { rate: 0.0, seed: 0 })).params());
        params
    }

    fn from_params(params: &mut OpParams) -> Self {
        let selection = SELECTIONS[params.size().min(SELECTIONS.len() - 1)];
        let (heads, width, window) = (params.size(), params.size(), params.size().checked_sub(1));
        let terms = Terms::ALL[params.size().min(Terms::ALL.len() - 1)];
        let dropout = Some(Dropout::from_params(params)).filter(Dropout::is_active);
        let layout = SequenceLayout::from_integers(&params.integers()).into();
        Self(Spec { layout, selection, heads, width, window, terms, dropout })
    }
}

/// What the backward pass reads.
struct Inputs<'a> {
    query: &'a [f32],
    key: &'a [f32],
    value: &'a [f32],
    tables: &'a [Option<FlexTensor>],
}

/// The gradients of the queries and keys of a block, and of the tables.
struct Grads<'a> {
    query: &'a mut [f32],
    key: &'a mut [f32],
    value: &'a mut [f32],
    tables: &'a mut [Option<Vec<f32>>],
}

impl Spec {
    /// Adds the gradients of a block, of which `weights` has the probabilities and `grad` the gradients of the outputs of all.
    fn span_backward(&self, span: &Span, inputs: &Inputs<'_>, weights: &[f32], grad: &[f32], into: Grads<'_>) {
        let (area, tokens, width, dim) = (span.area(), span.tokens.len(), self.width, self.heads * self.width);
        let (mut dropped, mut grads) = (vec![0.0; area], vec![0.0; area]);
        let kinds = self.terms.tables().iter().zip(inputs.tables).zip(&mut *into.tables);
        let mut terms: Vec<_> = kinds
            .filter_map(|((&kind, table), for_table)| {
                let entries = table.as_ref().map(|table| rows_of(table)[0]);
                let columns = if kind == Kind::Bias { self.heads } else { dim };
                let entries = entries.or(for_table.as_ref().map(|values| values.len() / columns))?;
                Some((Term { kind, table: table.as_ref(), rows: Rows::new(span, entries) }, for_table))
            })
            .collect();
        // Blocks of one sequence have keys in common.
        let then = if self.window.is_some() { Then::Add } else { Then::Replace };
        for head in 0..self.heads {
            let from = head * width;
            let [query, grad] =
                [inputs.query, grad].map(|all| View::new(all, dim).rows(&span.queries).columns(from, width));
            let [key, value] =
                [inputs.key, inputs.value].map(|all| View::new(all, dim).rows(&span.tokens).columns(from, width));
            let start = span.weights + head * area;
            let weights = &weights[start..start + area];

            dropped.copy_from_slice(weights);
            self.drop(&mut dropped, start);
            let for_value = ViewMut::new(into.value, dim).columns(from, width);
            product(for_value, View::new(&dropped, tokens).transposed(), grad, 1.0, then);

            product(ViewMut::new(&mut grads, tokens), grad, value.transposed(), 1.0, Then::Replace);
            self.drop(&mut grads, start);
            vectorized!({
                for (grads, weights) in grads.chunks_exact_mut(tokens).zip(weights.chunks_exact(tokens)) {
                    softmax_backward(grads, weights);
                }
            });
            let for_query = ViewMut::new(into.query, dim).columns(from, width);
            product(for_query, View::new(&grads, tokens), key, self.scale(), Then::Replace);
            let for_key = ViewMut::new(into.key, dim).columns(from, width);
            product(for_key, View::new(&grads, tokens).transposed(), query, self.scale(), then);
            for (term, for_table) in &mut terms {
                let into = [&mut *into.query, &mut *into.key];
                term.backward(self.head(head), [query, key], &grads, into, for_table.as_deref_mut());
            }
        }
    }
}

/// Some sequences, whose gradients one thread computes.
struct Task<'a> {
    spans: &'a [Span],
    /// Their tokens among all.
    tokens: std::ops::Range<usize>,
}

impl Task<'_> {
    fn queries(&self) -> usize {
        self.spans.iter().map(|span| span.queries.len()).sum()
    }
}

/// The work of a backward pass: a sequence each, or [`TABLE_TASKS`] if gradients of tables are accumulated.
fn tasks<'a>(layout: &SequenceLayout, spans: &'a [Span], with_tables: bool) -> Vec<Task<'a>> {
    let sequences = layout.cu_seqlens.len() - 1;
    let each = if with_tables { sequences.div_ceil(TABLE_TASKS) } else { 1 };
    let task = |start: usize| {
        let end = sequences.min(start + each);
        let before = |sequence| spans.partition_point(|span| span.sequence < sequence);
        Task { spans: &spans[before(start)..before(end)], tokens: layout.cu_seqlens[start]..layout.cu_seqlens[end] }
    };
    (0..sequences).step_by(each.max(1)).map(task).collect()
}

/// The sums of the tables of all tasks, in their order.
fn sums(tasks: Vec<Vec<Option<Vec<f32>>>>, tables: usize) -> Vec<Option<Vec<f32>>> {
    let add = |mut sums: Vec<Option<Vec<f32>>>, task: Vec<Option<Vec<f32>>>| {
        for (sums, values) in sums.iter_mut().zip(task) {
            if let (Some(sums), Some(values)) = (sums, values) {
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
        sums
    };
    tasks.into_iter().reduce(add).unwrap_or_else(|| vec![None; tables])
}

/// The numbers of selections, as they are sent to a host.
pub(super) const SELECTIONS: [TokenSelection; 3] =
    [TokenSelection::All, TokenSelection::First, TokenSelection::Selected];

/// Replaces the gradient of a row of probabilities by that of its scores: `w (g - Σ g w / Σ w)`.
///
/// Σ w is 1 except for rounding errors. Computing it in f64 keeps the sum of a row at 0, and with it the gradient of the key's
/// bias, which Adam would scale up.
#[inline(always)]
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

#[cfg(test)]
mod tests {
    use super::super::assert_sent;
    use super::*;

    #[test]
    fn a_host_receives_the_options_of_attention() {
        let layout = SequenceLayout {
            cu_seqlens: vec![0, 2, 5],
            mask: Some([1, 1, 1, 0, 1].into()),
            cu_selected: vec![0, 1, 2],
            selected: [1, 3].into(),
        };
        let integers = layout.to_integers();
        let layout = Arc::new(layout);
        for (selection, window) in SELECTIONS.into_iter().zip([None, Some(0), Some(64)]) {
            for terms in Terms::ALL {
                let dropout = window.map(|window| Dropout::new(DropoutSpec { rate: 0.1, seed: window as u64 }));
                let layout = layout.clone();
                let spec = || Spec { layout: layout.clone(), selection, heads: 3, width: 8, window, terms, dropout };
                match terms.tables().len() {
                    0 => assert_sent(&Attention::<3>(spec()), &integers),
                    1 => assert_sent(&Attention::<4>(spec()), &integers),
                    _ => assert_sent(&Attention::<5>(spec()), &integers),
                }
            }
        }
    }
}
