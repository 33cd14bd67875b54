//! Linear layers.

use burn::tensor::{Shape, Tensor};
use rekindle_ops::memory::{rows_of, stored_values, tensor, values, values_mut};
use rekindle_ops::{CustomTensor, Differentiable, FlexTensor, OpParams, Saved, run};
use rekindle_raw::product::{Then, View, ViewMut, fresh, product};

use super::sums::column_sums;
use crate::kernels::adapter::Adapter;

/// [`linear`](crate::kernels::linear), if it runs on the tensors.
pub(crate) fn linear(
    input: &Tensor<2>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
    adapter: Option<&Adapter>,
) -> Option<Tensor<2>> {
    let (input, weight) = (CustomTensor::of(input)?, CustomTensor::of_stored(weight)?);
    let Some(bias) = bias else {
        return Some(match adapter {
            None => run(Product, None, [input, weight]),
            Some(Adapter { a, b, scale }) => {
                let inputs = [input, weight, CustomTensor::of(a)?, CustomTensor::of(b)?];
                run(AdaptedProduct(Adapted { scale: *scale }), None, inputs)
            }
        });
    };
    let bias = CustomTensor::of(bias)?;
    Some(match adapter {
        None => run(Affine, None, [input, weight, bias]),
        Some(Adapter { a, b, scale }) => {
            let adapted = Adapted { scale: *scale };
            run(adapted, None, [input, weight, bias, CustomTensor::of(a)?, CustomTensor::of(b)?])
        }
    })
}

#[cfg(feature = "remote")]
pub(super) fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    use rekindle_ops::remote::offer_differentiable;
    let server = offer_differentiable::<Affine, 3>(server);
    let server = offer_differentiable::<Product, 2>(server);
    let server = offer_differentiable::<Adapted, 5>(server);
    let server = offer_differentiable::<AdaptedProduct, 4>(server);
    offer_differentiable::<Tied, 3>(server)
}

/// Inputs: `[rows, inner]`, `[inner, columns]`, `[columns]`. The second, which may be stored in bf16, is read as f32 in each pass, so that
/// the graph keeps it as it is stored.
#[derive(Debug)]
struct Affine;

impl Differentiable<3> for Affine {
    const NAMES: [&'static str; 2] = ["rekindle.affine", "rekindle.affine.backward"];

    fn shapes(&self, [input, weight, _]: &[Shape; 3], _: bool) -> Vec<Shape> {
        vec![Shape::from([input[0], weight[1]])]
    }

    /// The input for the gradient of the weight, and the weight for that of the input.
    fn reads(&self, needs_grad: [bool; 3]) -> [bool; 3] {
        [needs_grad[1], needs_grad[0], false]
    }

    fn forward(&self, [input, weight, bias]: [FlexTensor; 3], _: bool) -> (FlexTensor, Vec<FlexTensor>) {
        let ([rows, _], [_, columns]) = (rows_of(&input), rows_of(&weight));
        let mut output = Vec::with_capacity(rows * columns);
        for _ in 0..rows {
            output.extend_from_slice(values(&bias));
        }
        let weight = stored_values(&weight);
        product(ViewMut::new(&mut output, columns), matrix(&input), View::new(&weight, columns), 1.0, Then::Add);
        (tensor(output, [rows, columns]), Vec::new())
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 3>,
        grad: FlexTensor,
        needs_grad: &[Option<Shape>; 3],
    ) -> [Option<FlexTensor>; 3] {
        let [input, weight, _] = &saved.inputs;
        affine_backward([input.as_ref(), weight.as_ref()], &grad, needs_grad.each_ref().map(Option::is_some))
    }

    fn params(&self) -> Vec<u64> {
        Vec::new()
    }

    fn from_params(_: &mut OpParams) -> Self {
        Self
    }
}

/// The gradients of input, weight and bias that are needed. Those of input and weight need the other.
fn affine_backward(
    [input, weight]: [Option<&FlexTensor>; 2],
    grad: &FlexTensor,
    needs_grad: [bool; 3],
) -> [Option<FlexTensor>; 3] {
    let [rows, columns] = rows_of(grad);
    let grads = matrix(grad);
    let for_input = weight.filter(|_| needs_grad[0]).map(|weight| {
        let [inner, _] = rows_of(weight);
        let weight = stored_values(weight);
        tensor(fresh(grads, View::new(&weight, columns).transposed()), [rows, inner])
    });
    let for_weight = input.filter(|_| needs_grad[1]).map(|input| {
        let [_, inner] = rows_of(input);
        tensor(fresh(matrix(input).transposed(), grads), [inner, columns])
    });
    let for_bias = needs_grad[2].then(|| tensor(column_sums(values(grad), columns), [columns]));
    [for_input, for_weight, for_bias]
}

/// A linear layer without a bias. Inputs: `[rows, inner]`, `[inner, columns]`.
#[derive(Debug)]
struct Product;

impl Differentiable<2> for Product {
    const NAMES: [&'static str; 2] = ["rekindle.product", "rekindle.product.backward"];

    fn shapes(&self, [input, weight]: &[Shape; 2], _: bool) -> Vec<Shape> {
        vec![Shape::from([input[0], weight[1]])]
    }

    /// The input for the gradient of the weight, and the weight for that of the input.
    fn reads(&self, needs_grad: [bool; 2]) -> [bool; 2] {
        [needs_grad[1], needs_grad[0]]
    }

    fn forward(&self, [input, weight]: [FlexTensor; 2], _: bool) -> (FlexTensor, Vec<FlexTensor>) {
        (product_of(&input, &weight), Vec::new())
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 2>,
        grad: FlexTensor,
        needs_grad: &[Option<Shape>; 2],
    ) -> [Option<FlexTensor>; 2] {
        let [input, weight] = &saved.inputs;
        let [for_input, for_weight] = needs_grad.each_ref().map(Option::is_some);
        let [for_input, for_weight, _] =
            affine_backward([input.as_ref(), weight.as_ref()], &grad, [for_input, for_weight, false]);
        [for_input, for_weight]
    }

    fn params(&self) -> Vec<u64> {
        Vec::new()
    }

    fn from_params(_: &mut OpParams) -> Self {
        Self
    }
}

/// `a · b`, of which `b` may be stored in bf16.
fn product_of(a: &FlexTensor, b: &FlexTensor) -> FlexTensor {
    let ([rows, _], [_, columns]) = (rows_of(a), rows_of(b));
    let b = stored_values(b);
    tensor(fresh(matrix(a), View::new(&b, columns)), [rows, columns])
}

/// A linear layer with an adapter. Inputs: those of [`Affine`], and the adapter's `[inner, rank]` and `[rank, columns]`.
#[derive(Debug)]
struct Adapted {
    scale: f64,
}

impl Adapted {
    /// Adds the output of the adapter to that of the layer, and returns it with `input · a`, which the derivative reads.
    fn add(&self, output: FlexTensor, low: FlexTensor, b: &FlexTensor, keep: bool) -> (FlexTensor, Vec<FlexTensor>) {
        let mut output = output;
        let [_, columns] = rows_of(&output);
        let sums = ViewMut::new(values_mut(&mut output), columns);
        product(sums, matrix(&low), matrix(b), self.scale as f32, Then::Add);
        (output, if keep { vec![low] } else { Vec::new() })
    }

    /// The gradients of input, weight, bias, and the adapter's matrices that are needed.
    fn gradients(
        &self,
        [input, weight, a, b]: [Option<&FlexTensor>; 4],
        intermediates: &[FlexTensor],
        grad: &FlexTensor,
        needs_grad: [bool; 5],
    ) -> [Option<FlexTensor>; 5] {
        let (Some(input), Some(a), Some(b), [low]) = (input, a, b, intermediates) else {
            return [const { None }; 5];
        };
        let grads = matrix(grad);
        let scaled = |mut values: Vec<f32>| {
            values.iter_mut().for_each(|value| *value *= self.scale as f32);
            values
        };
        let [_, rank] = rows_of(low);
        let for_low = scaled(fresh(grads, matrix(b).transposed()));
        let for_low = View::new(&for_low, rank);
        let for_a = needs_grad[3].then(|| tensor(fresh(matrix(input).transposed(), for_low), rows_of(a)));
        let for_b = needs_grad[4].then(|| tensor(scaled(fresh(matrix(low).transposed(), grads)), rows_of(b)));
        let [for_input, for_weight, for_bias] =
            affine_backward([Some(input), weight], grad, [needs_grad[0], needs_grad[1], needs_grad[2]]);
        let for_input = for_input.map(|mut sums| {
            let [_, inner] = rows_of(&sums);
            product(ViewMut::new(values_mut(&mut sums), inner), for_low, matrix(a).transposed(), 1.0, Then::Add);
            sums
        });
        [for_input, for_weight, for_bias, for_a, for_b]
    }
}

impl Differentiable<5> for Adapted {
    const NAMES: [&'static str; 2] = ["rekindle.adapted", "rekindle.adapted.backward"];

    fn shapes(&self, [input, weight, _, a, _]: &[Shape; 5], keep: bool) -> Vec<Shape> {
        let (output, low) = (Shape::from([input[0], weight[1]]), Shape::from([input[0], a[1]]));
        if keep { vec![output, low] } else { vec![output] }
    }

    fn reads(&self, needs_grad: [bool; 5]) -> [bool; 5] {
        [true, needs_grad[0], false, true, true]
    }

    fn forward(&self, inputs: [FlexTensor; 5], keep: bool) -> (FlexTensor, Vec<FlexTensor>) {
        let [input, weight, bias, a, b] = inputs;
        let low = product_of(&input, &a);
        let (output, _) = Affine.forward([input, weight, bias], false);
        self.add(output, low, &b, keep)
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 5>,
        grad: FlexTensor,
        needs_grad: &[Option<Shape>; 5],
    ) -> [Option<FlexTensor>; 5] {
        let [input, weight, _, a, b] = saved.inputs.each_ref().map(Option::as_ref);
        let needs_grad = needs_grad.each_ref().map(Option::is_some);
        self.gradients([input, weight, a, b], &saved.intermediates, &grad, needs_grad)
    }

    fn params(&self) -> Vec<u64> {
        vec![self.scale.to_bits()]
    }

    fn from_params(params: &mut OpParams) -> Self {
        Self { scale: params.float() }
    }
}

/// [`Adapted`] without a bias.
#[derive(Debug)]
struct AdaptedProduct(Adapted);

impl Differentiable<4> for AdaptedProduct {
    const NAMES: [&'static str; 2] = ["rekindle.adapted_product", "rekindle.adapted_product.backward"];

    fn shapes(&self, [input, weight, a, _]: &[Shape; 4], keep: bool) -> Vec<Shape> {
        let (output, low) = (Shape::from([input[0], weight[1]]), Shape::from([input[0], a[1]]));
        if keep { vec![output, low] } else { vec![output] }
    }

    fn reads(&self, needs_grad: [bool; 4]) -> [bool; 4] {
        [true, needs_grad[0], true, true]
    }

    fn forward(&self, [input, weight, a, b]: [FlexTensor; 4], keep: bool) -> (FlexTensor, Vec<FlexTensor>) {
        let (output, low) = (product_of(&input, &weight), product_of(&input, &a));
        self.0.add(output, low, &b, keep)
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 4>,
        grad: FlexTensor,
        needs_grad: &[Option<Shape>; 4],
    ) -> [Option<FlexTensor>; 4] {
        let [for_input, for_weight, for_a, for_b] = needs_grad.each_ref().map(Option::is_some);
        let needs_grad = [for_input, for_weight, false, for_a, for_b];
        let inputs = saved.inputs.each_ref().map(Option::as_ref);
        let [for_input, for_weight, _, for_a, for_b] =
            self.0.gradients(inputs, &saved.intermediates, &grad, needs_grad);
        [for_input, for_weight, for_a, for_b]
    }

    fn params(&self) -> Vec<u64> {
        self.0.params()
    }

    fn from_params(params: &mut OpParams) -> Self {
        Self(Adapted::from_params(params))
    }
}

/// A contiguous tensor as a matrix.
fn matrix(tensor: &FlexTensor) -> View<'_> {
    View::new(values(tensor), rows_of(tensor)[1])
}

/// [`tied_projection`](crate::kernels::tied_projection), if it runs on the tensors.
pub(crate) fn tied_projection(table: &Tensor<2>, bias: &Tensor<1>, input: &Tensor<2>) -> Option<Tensor<2>> {
    Some(run(Tied, None, [CustomTensor::of(input)?, CustomTensor::of(table)?, CustomTensor::of(bias)?]))
}

/// Inputs: `[rows, dim]`, `[entries, dim]`, `[entries]`. Neither pass transposes the table in memory.
#[derive(Debug)]
struct Tied;

impl Differentiable<3> for Tied {
    const NAMES: [&'static str; 2] = ["rekindle.tied", "rekindle.tied.backward"];

    fn shapes(&self, [input, table, _]: &[Shape; 3], _: bool) -> Vec<Shape> {
        vec![Shape::from([input[0], table[0]])]
    }

    /// The input for the gradient of the table, and the table for that of the input.
    fn reads(&self, needs_grad: [bool; 3]) -> [bool; 3] {
        [needs_grad[1], needs_grad[0], false]
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
        grad: FlexTensor,
        needs_grad: &[Option<Shape>; 3],
    ) -> [Option<FlexTensor>; 3] {
        let [input, table, _] = &saved.inputs;
        let needs_grad = needs_grad.each_ref().map(Option::is_some);
        let [rows, entries] = rows_of(&grad);
        let grads = matrix(&grad);
        let for_input = table.as_ref().filter(|_| needs_grad[0]).map(|table| {
            let [_, dim] = rows_of(table);
            tensor(fresh(grads, matrix(table)), [rows, dim])
        });
        let for_table = input.as_ref().filter(|_| needs_grad[1]).map(|input| {
            let [_, dim] = rows_of(input);
            tensor(fresh(grads.transposed(), matrix(input)), [entries, dim])
        });
        let for_bias = needs_grad[2].then(|| tensor(column_sums(values(&grad), entries), [entries]));
        [for_input, for_table, for_bias]
    }

    fn params(&self) -> Vec<u64> {
        Vec::new()
    }

    fn from_params(_: &mut OpParams) -> Self {
        Self
    }
}
