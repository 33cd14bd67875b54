//! Linear maps.

use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use rekindle_raw::product::{Then, View, ViewMut, fresh, product};

use super::{CHUNK, Host, Op, contiguous, each, rows_of, run, tensor, values};
use crate::linear::Linear;

/// `input · weight + bias`, and what an adapter adds, where all lie in host memory.
pub(crate) fn linear(map: &Linear, input: &Tensor<2>) -> Option<Tensor<2>> {
    let (input, weight, bias) = (Host::of(input)?, Host::of(&map.weight.val())?, Host::of(&map.bias.val())?);
    Some(match &map.lora {
        None => run(Affine, [input, weight, bias]),
        Some(lora) => {
            let (a, b) = (Host::of(&lora.a.val())?, Host::of(&lora.b.val())?);
            run(Adapted { scale: lora.scale as f32 }, [input, weight, bias, a, b])
        }
    })
}

/// Inputs: `[rows, inner]`, `[inner, columns]`, `[columns]`.
#[derive(Debug)]
struct Affine;

impl Op<3> for Affine {
    /// The input, where the weight is tracked, and the weight, where the input is.
    type Saved = [Option<FlexTensor>; 2];

    fn forward(&self, inputs: [FlexTensor; 3], tracked: [bool; 3]) -> (FlexTensor, Self::Saved) {
        let [input, weight, bias] = inputs.map(contiguous);
        let ([rows, inner], [_, columns]) = (rows_of(&input), rows_of(&weight));
        let mut output = Vec::with_capacity(rows * columns);
        for _ in 0..rows {
            output.extend_from_slice(values(&bias));
        }
        let (a, b) = (View::new(values(&input), inner), View::new(values(&weight), columns));
        product(ViewMut::new(&mut output, columns), a, b, 1.0, Then::Add);
        let saved = [tracked[1].then_some(input), tracked[0].then_some(weight)];
        (tensor(output, [rows, columns]), saved)
    }

    fn backward(&self, saved: Self::Saved, gradient: FlexTensor, tracked: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let [input, weight] = saved;
        let [rows, columns] = rows_of(&gradient);
        let slopes = View::new(values(&gradient), columns);
        let for_input = weight.filter(|_| tracked[0]).map(|weight| {
            let [inner, _] = rows_of(&weight);
            tensor(fresh(slopes, View::new(values(&weight), columns).transposed()), [rows, inner])
        });
        let for_weight = input.filter(|_| tracked[1]).map(|input| {
            let [_, inner] = rows_of(&input);
            tensor(fresh(View::new(values(&input), inner).transposed(), slopes), [inner, columns])
        });
        let for_bias = tracked[2].then(|| tensor(column_sums(values(&gradient), columns), [columns]));
        [for_input, for_weight, for_bias]
    }
}

/// A linear map with an adapter. Inputs: as [`Affine`]'s, and the adapter's `[inner, rank]` and `[rank, columns]`.
#[derive(Debug)]
struct Adapted {
    scale: f32,
}

impl Op<5> for Adapted {
    /// As [`Affine`]'s; where anything is tracked, also input, `input · a`, `a` and `b`.
    type Saved = (<Affine as Op<3>>::Saved, Option<[FlexTensor; 4]>);

    fn forward(&self, inputs: [FlexTensor; 5], tracked: [bool; 5]) -> (FlexTensor, Self::Saved) {
        let [input, weight, bias, a, b] = inputs.map(contiguous);
        let ([rows, _], [_, rank]) = (rows_of(&input), rows_of(&a));
        let (output, saved) = Affine.forward([input.clone(), weight, bias], [tracked[0], tracked[1], tracked[2]]);
        let [_, columns] = rows_of(&output);
        let low = fresh(matrix(&input), matrix(&a));
        let mut output = output;
        let sums = ViewMut::new(output.storage_mut::<f32>(), columns);
        product(sums, View::new(&low, rank), matrix(&b), self.scale, Then::Add);
        let low = tensor(low, [rows, rank]);
        (output, (saved, tracked.contains(&true).then_some([input, low, a, b])))
    }

    fn backward(&self, saved: Self::Saved, gradient: FlexTensor, tracked: [bool; 5]) -> [Option<FlexTensor>; 5] {
        let (saved, Some([input, low, a, b])) = saved else { return [const { None }; 5] };
        let slopes = matrix(&gradient);
        let scaled = |mut values: Vec<f32>| {
            values.iter_mut().for_each(|value| *value *= self.scale);
            values
        };
        let [_, rank] = rows_of(&low);
        let for_low = scaled(fresh(slopes, matrix(&b).transposed()));
        let for_low = View::new(&for_low, rank);
        let for_a = tracked[3].then(|| tensor(fresh(matrix(&input).transposed(), for_low), rows_of(&a)));
        let for_b = tracked[4].then(|| tensor(scaled(fresh(matrix(&low).transposed(), slopes)), rows_of(&b)));
        let [for_input, for_weight, for_bias] =
            Affine.backward(saved, gradient.clone(), [tracked[0], tracked[1], tracked[2]]);
        let for_input = for_input.map(|mut sums| {
            let [_, inner] = rows_of(&sums);
            product(ViewMut::new(sums.storage_mut::<f32>(), inner), for_low, matrix(&a).transposed(), 1.0, Then::Add);
            sums
        });
        [for_input, for_weight, for_bias, for_a, for_b]
    }
}

/// A contiguous tensor as a matrix.
fn matrix(tensor: &FlexTensor) -> View<'_> {
    View::new(values(tensor), rows_of(tensor)[1])
}

/// `input · tableᵀ + bias`, where all three lie in host memory.
pub(crate) fn tied(table: &Tensor<2>, bias: &Tensor<1>, input: &Tensor<2>) -> Option<Tensor<2>> {
    Some(run(Tied, [Host::of(input)?, Host::of(table)?, Host::of(bias)?]))
}

/// Inputs: `[rows, dim]`, `[entries, dim]`, `[entries]`. The table is read as it lies, in both passes.
#[derive(Debug)]
struct Tied;

impl Op<3> for Tied {
    /// The input, where the table is tracked, and the table, where the input is.
    type Saved = [Option<FlexTensor>; 2];

    fn forward(&self, inputs: [FlexTensor; 3], tracked: [bool; 3]) -> (FlexTensor, Self::Saved) {
        let [input, table, bias] = inputs.map(contiguous);
        let ([rows, dim], [entries, _]) = (rows_of(&input), rows_of(&table));
        let mut output = values(&bias).repeat(rows);
        let (a, b) = (View::new(values(&input), dim), View::new(values(&table), dim).transposed());
        product(ViewMut::new(&mut output, entries), a, b, 1.0, Then::Add);
        let saved = [tracked[1].then_some(input), tracked[0].then_some(table)];
        (tensor(output, [rows, entries]), saved)
    }

    fn backward(&self, saved: Self::Saved, gradient: FlexTensor, tracked: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let [input, table] = saved;
        let [rows, entries] = rows_of(&gradient);
        let slopes = View::new(values(&gradient), entries);
        let for_input = table.filter(|_| tracked[0]).map(|table| {
            let [_, dim] = rows_of(&table);
            tensor(fresh(slopes, View::new(values(&table), dim)), [rows, dim])
        });
        let for_table = input.filter(|_| tracked[1]).map(|input| {
            let [_, dim] = rows_of(&input);
            tensor(fresh(slopes.transposed(), View::new(values(&input), dim)), [entries, dim])
        });
        let for_bias = tracked[2].then(|| tensor(column_sums(values(&gradient), entries), [entries]));
        [for_input, for_table, for_bias]
    }
}

/// The sum of each column, added up in f64: some gradients of biases are zero but for rounding, and Adam scales what
/// little there is.
pub(super) fn column_sums(matrix: &[f32], columns: usize) -> Vec<f32> {
    let mut sums = vec![0.0; columns];
    let width = (CHUNK * columns / matrix.len().max(1)).next_multiple_of(64);
    each(sums.chunks_mut(width).enumerate().collect(), |(index, sums): (usize, &mut [f32])| {
        let mut exact = vec![0f64; sums.len()];
        for row in matrix.chunks_exact(columns) {
            for (sum, &value) in exact.iter_mut().zip(&row[index * width..]) {
                *sum += f64::from(value);
            }
        }
        for (sum, exact) in sums.iter_mut().zip(exact) {
            *sum = exact as f32;
        }
    });
    sums
}
