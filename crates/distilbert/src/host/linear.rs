//! Linear maps.

use burn::tensor::{Shape, Tensor};
use rekindle_ops::memory::{CHUNK, each, rows_of, tensor, values, values_mut};
use rekindle_ops::{Differentiable, FlexTensor, Held, Numbers, Saved, run};
use rekindle_raw::product::{Then, View, ViewMut, fresh, product};

use crate::linear::Linear;

/// `input · weight + bias`, and what an adapter adds, where all are held.
pub(crate) fn linear(map: &Linear, input: &Tensor<2>) -> Option<Tensor<2>> {
    let (input, weight, bias) = (Held::of(input)?, Held::of(&map.weight.val())?, Held::of(&map.bias.val())?);
    Some(match &map.lora {
        None => run(Affine, None, [input, weight, bias]),
        Some(lora) => {
            let (a, b) = (Held::of(&lora.a.val())?, Held::of(&lora.b.val())?);
            run(Adapted { scale: lora.scale }, None, [input, weight, bias, a, b])
        }
    })
}

#[cfg(feature = "remote")]
pub(super) fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    use rekindle_ops::remote::offer_differentiable;
    let server = offer_differentiable::<Affine, 3>(server);
    let server = offer_differentiable::<Adapted, 5>(server);
    offer_differentiable::<Tied, 3>(server)
}

/// Inputs: `[rows, inner]`, `[inner, columns]`, `[columns]`.
#[derive(Debug)]
struct Affine;

impl Differentiable<3> for Affine {
    const NAMES: [&'static str; 2] = ["rekindle.affine", "rekindle.affine.backward"];

    fn shapes(&self, [input, weight, _]: &[Shape; 3], _: bool) -> Vec<Shape> {
        vec![Shape::from([input[0], weight[1]])]
    }

    /// The input, where the weight is tracked, and the weight, where the input is.
    fn reads(&self, tracked: [bool; 3]) -> [bool; 3] {
        [tracked[1], tracked[0], false]
    }

    fn forward(&self, [input, weight, bias]: [FlexTensor; 3], _: bool) -> (FlexTensor, Vec<FlexTensor>) {
        let ([rows, inner], [_, columns]) = (rows_of(&input), rows_of(&weight));
        let mut output = Vec::with_capacity(rows * columns);
        for _ in 0..rows {
            output.extend_from_slice(values(&bias));
        }
        let (a, b) = (View::new(values(&input), inner), View::new(values(&weight), columns));
        product(ViewMut::new(&mut output, columns), a, b, 1.0, Then::Add);
        (tensor(output, [rows, columns]), Vec::new())
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 3>,
        gradient: FlexTensor,
        wanted: &[Option<Shape>; 3],
    ) -> [Option<FlexTensor>; 3] {
        let [input, weight, _] = &saved.inputs;
        slopes_of_affine([input.as_ref(), weight.as_ref()], &gradient, wanted.each_ref().map(Option::is_some))
    }

    fn numbers(&self) -> Vec<u64> {
        Vec::new()
    }

    fn read(_: &mut Numbers) -> Self {
        Self
    }
}

/// The gradients of input, weight and bias that are wanted. Each of input and weight is there where the other's is wanted.
fn slopes_of_affine(
    [input, weight]: [Option<&FlexTensor>; 2],
    gradient: &FlexTensor,
    wanted: [bool; 3],
) -> [Option<FlexTensor>; 3] {
    let [rows, columns] = rows_of(gradient);
    let slopes = matrix(gradient);
    let for_input = weight.filter(|_| wanted[0]).map(|weight| {
        let [inner, _] = rows_of(weight);
        tensor(fresh(slopes, matrix(weight).transposed()), [rows, inner])
    });
    let for_weight = input.filter(|_| wanted[1]).map(|input| {
        let [_, inner] = rows_of(input);
        tensor(fresh(matrix(input).transposed(), slopes), [inner, columns])
    });
    let for_bias = wanted[2].then(|| tensor(column_sums(values(gradient), columns), [columns]));
    [for_input, for_weight, for_bias]
}

/// A linear map with an adapter. Inputs: as [`Affine`]'s, and the adapter's `[inner, rank]` and `[rank, columns]`.
#[derive(Debug)]
struct Adapted {
    scale: f64,
}

impl Differentiable<5> for Adapted {
    const NAMES: [&'static str; 2] = ["rekindle.adapted", "rekindle.adapted.backward"];

    fn shapes(&self, [input, weight, _, a, _]: &[Shape; 5], keep: bool) -> Vec<Shape> {
        let (output, low) = (Shape::from([input[0], weight[1]]), Shape::from([input[0], a[1]]));
        if keep { vec![output, low] } else { vec![output] }
    }

    fn reads(&self, tracked: [bool; 5]) -> [bool; 5] {
        [true, tracked[0], false, true, true]
    }

    fn forward(&self, inputs: [FlexTensor; 5], keep: bool) -> (FlexTensor, Vec<FlexTensor>) {
        let [input, weight, bias, a, b] = inputs;
        let ([rows, _], [_, rank]) = (rows_of(&input), rows_of(&a));
        let low = fresh(matrix(&input), matrix(&a));
        let (mut output, _) = Affine.forward([input, weight, bias], false);
        let [_, columns] = rows_of(&output);
        let sums = ViewMut::new(values_mut(&mut output), columns);
        product(sums, View::new(&low, rank), matrix(&b), self.scale as f32, Then::Add);
        (output, if keep { vec![tensor(low, [rows, rank])] } else { Vec::new() })
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 5>,
        gradient: FlexTensor,
        wanted: &[Option<Shape>; 5],
    ) -> [Option<FlexTensor>; 5] {
        let ([Some(input), weight, _, Some(a), Some(b)], [low]) = (&saved.inputs, &saved.made[..]) else {
            return [const { None }; 5];
        };
        let wanted = wanted.each_ref().map(Option::is_some);
        let slopes = matrix(&gradient);
        let scaled = |mut values: Vec<f32>| {
            values.iter_mut().for_each(|value| *value *= self.scale as f32);
            values
        };
        let [_, rank] = rows_of(low);
        let for_low = scaled(fresh(slopes, matrix(b).transposed()));
        let for_low = View::new(&for_low, rank);
        let for_a = wanted[3].then(|| tensor(fresh(matrix(input).transposed(), for_low), rows_of(a)));
        let for_b = wanted[4].then(|| tensor(scaled(fresh(matrix(low).transposed(), slopes)), rows_of(b)));
        let [for_input, for_weight, for_bias] =
            slopes_of_affine([Some(input), weight.as_ref()], &gradient, [wanted[0], wanted[1], wanted[2]]);
        let for_input = for_input.map(|mut sums| {
            let [_, inner] = rows_of(&sums);
            product(ViewMut::new(values_mut(&mut sums), inner), for_low, matrix(a).transposed(), 1.0, Then::Add);
            sums
        });
        [for_input, for_weight, for_bias, for_a, for_b]
    }

    fn numbers(&self) -> Vec<u64> {
        vec![self.scale.to_bits()]
    }

    fn read(numbers: &mut Numbers) -> Self {
        Self { scale: numbers.float() }
    }
}

/// A contiguous tensor as a matrix.
fn matrix(tensor: &FlexTensor) -> View<'_> {
    View::new(values(tensor), rows_of(tensor)[1])
}

/// `input · tableᵀ + bias`, where all three are held.
pub(crate) fn tied(table: &Tensor<2>, bias: &Tensor<1>, input: &Tensor<2>) -> Option<Tensor<2>> {
    Some(run(Tied, None, [Held::of(input)?, Held::of(table)?, Held::of(bias)?]))
}

/// Inputs: `[rows, dim]`, `[entries, dim]`, `[entries]`. The table is read as it lies, in both passes.
#[derive(Debug)]
struct Tied;

impl Differentiable<3> for Tied {
    const NAMES: [&'static str; 2] = ["rekindle.tied", "rekindle.tied.backward"];

    fn shapes(&self, [input, table, _]: &[Shape; 3], _: bool) -> Vec<Shape> {
        vec![Shape::from([input[0], table[0]])]
    }

    /// The input, where the table is tracked, and the table, where the input is.
    fn reads(&self, tracked: [bool; 3]) -> [bool; 3] {
        [tracked[1], tracked[0], false]
    }

    fn forward(&self, [input, table, bias]: [FlexTensor; 3], _: bool) -> (FlexTensor, Vec<FlexTensor>) {
        let ([rows, dim], [entries, _]) = (rows_of(&input), rows_of(&table));
        let mut output = values(&bias).repeat(rows);
        let (a, b) = (View::new(values(&input), dim), View::new(values(&table), dim).transposed());
        product(ViewMut::new(&mut output, entries), a, b, 1.0, Then::Add);
        (tensor(output, [rows, entries]), Vec::new())
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 3>,
        gradient: FlexTensor,
        wanted: &[Option<Shape>; 3],
    ) -> [Option<FlexTensor>; 3] {
        let [input, table, _] = &saved.inputs;
        let wanted = wanted.each_ref().map(Option::is_some);
        let [rows, entries] = rows_of(&gradient);
        let slopes = matrix(&gradient);
        let for_input = table.as_ref().filter(|_| wanted[0]).map(|table| {
            let [_, dim] = rows_of(table);
            tensor(fresh(slopes, matrix(table)), [rows, dim])
        });
        let for_table = input.as_ref().filter(|_| wanted[1]).map(|input| {
            let [_, dim] = rows_of(input);
            tensor(fresh(slopes.transposed(), matrix(input)), [entries, dim])
        });
        let for_bias = wanted[2].then(|| tensor(column_sums(values(&gradient), entries), [entries]));
        [for_input, for_table, for_bias]
    }

    fn numbers(&self) -> Vec<u64> {
        Vec::new()
    }

    fn read(_: &mut Numbers) -> Self {
        Self
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
