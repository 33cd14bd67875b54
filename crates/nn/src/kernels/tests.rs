//! Each fused kernel against Burn's operations: values, and the gradients of every input.

use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor};

use super::{cpu, portable};
use crate::batch::{InputLimits, SequenceBatch};
use crate::indices::Indices;
use crate::linear::Linear;
use crate::lora::Lora;
use crate::mode::DropoutSpec;
use crate::optimizer::AdamWRates;
use crate::selection::TokenSelection;

fn device() -> Device {
    let device = Device::flex();
    device.seed(1);
    device.autodiff()
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device()).require_grad()
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// The rounding errors of sums of about this many terms, relative to the largest value.
const BOUND: f32 = 2e-6;

fn same(ours: &[f32], theirs: &[f32], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    assert!(largest > 0.0, "{what}: nothing to compare");
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!((ours - theirs).abs() <= BOUND * largest, "{what}[{index}]: {ours} fused, {theirs} by Burn");
    }
}

/// Compares outputs, and gradients of a weighted sum of them by the tensors in `inputs`.
fn compare(fast: Tensor<2>, plain: Tensor<2>, inputs: &[&Tensor<2>], vectors: &[&Tensor<1>]) {
    same(&numbers(fast.clone()), &numbers(plain.clone()), "output");
    let weights = Tensor::<2>::random(fast.shape(), Distribution::Normal(0.0, 1.0), &device());
    let (fast, plain) = ((fast * weights.clone()).sum().backward(), (plain * weights).sum().backward());
    for (index, input) in inputs.iter().enumerate() {
        let gradient = |gradients| numbers(input.grad(gradients).expect("a gradient"));
        same(&gradient(&fast), &gradient(&plain), &format!("gradient of input {index}"));
    }
    for (index, input) in vectors.iter().enumerate() {
        let gradient = |gradients| numbers(input.grad(gradients).expect("a gradient"));
        same(&gradient(&fast), &gradient(&plain), &format!("gradient of vector {index}"));
    }
}

fn layer(inner: usize, columns: usize) -> Linear {
    let (weight, bias) = (Param::from_tensor(random([inner, columns])), Param::from_tensor(random([columns])));
    Linear { weight, bias: Some(bias), lora: None }
}

fn bias(layer: &Linear) -> Tensor<1> {
    layer.bias.as_ref().expect("a bias").val()
}

fn fused(layer: &Linear, input: &Tensor<2>) -> Tensor<2> {
    let adapter = layer.lora.as_ref().map(Lora::parts);
    let bias = layer.bias.as_ref().map(Param::val);
    cpu::linear(input, &layer.weight.val(), bias.as_ref(), adapter.as_ref()).expect("a tensor of flex")
}

fn by_burn(layer: &Linear, input: Tensor<2>) -> Tensor<2> {
    let bias = layer.bias.as_ref().map(Param::val);
    portable::linear(input, layer.weight.val(), bias, layer.lora.as_ref().map(Lora::parts))
}

#[test]
fn linear() {
    for [rows, inner, columns] in [[7, 24, 40], [1, 3, 2], [130, 256, 192]] {
        let layer = layer(inner, columns);
        let (weight, bias) = (layer.weight.val(), bias(&layer));
        let input = random([rows, inner]);
        let fast = fused(&layer, &input);
        compare(fast, by_burn(&layer, input.clone()), &[&input, &weight], &[&bias]);
        let plain = Linear { bias: None, ..layer.clone() };
        compare(fused(&plain, &input), by_burn(&plain, input.clone()), &[&input, &weight], &[]);
        // A column-major input.
        let turned = random([inner, rows]);
        let fast = fused(&layer, &turned.clone().transpose());
        compare(fast, by_burn(&layer, turned.clone().transpose()), &[&turned, &weight], &[&bias]);
    }
}

#[test]
fn linear_with_an_adapter() {
    for [rows, inner, columns, rank] in [[7, 24, 40, 4], [1, 3, 2, 1], [130, 256, 192, 8]] {
        let mut layer = layer(inner, columns);
        let (weight, bias) = (layer.weight.val(), bias(&layer));
        let (a, b, input) = (random([inner, rank]), random([rank, columns]), random([rows, inner]));
        layer.lora = Some(Lora { a: Param::from_tensor(a.clone()), b: Param::from_tensor(b.clone()), scale: 0.5 });
        let fast = fused(&layer, &input);
        compare(fast, by_burn(&layer, input.clone()), &[&input, &weight, &a, &b], &[&bias]);
        layer.bias = None;
        compare(fused(&layer, &input), by_burn(&layer, input.clone()), &[&input, &weight, &a, &b], &[]);
    }
}

#[test]
fn tied_projection() {
    for [rows, dim, entries] in [[7, 24, 40], [1, 3, 2], [130, 192, 500]] {
        let (input, table, bias) = (random([rows, dim]), random([entries, dim]), random([entries]));
        let fast = cpu::tied_projection(&table, &bias, &input).expect("a tensor of flex");
        let plain = portable::tied_projection(table.clone(), bias.clone(), input.clone());
        compare(fast, plain, &[&input, &table], &[&bias]);
    }
}

#[test]
fn only_tracked_tensors_get_a_gradient() {
    let mut layer = layer(8, 4);
    layer.weight = Param::initialized(layer.weight.id, layer.weight.val().without_autodiff());
    layer.bias = Some(Param::from_tensor(bias(&layer).without_autodiff()).no_grad());
    let input = random([3, 8]);
    let gradients = fused(&layer, &input).sum().backward();
    assert!(input.grad(&gradients).is_some() && layer.weight.val().grad(&gradients).is_none());
    let plain = fused(&layer, &input.without_autodiff());
    assert!(!plain.is_autodiff(), "no graph without a tracked input");
}

#[test]
fn norms() {
    for [rows, dim] in [[5, 48], [1, 3], [33, 768]] {
        let (a, b, gamma, beta) = (random([rows, dim]), random([rows, dim]), random([dim]), random([dim]));
        let fast = cpu::add_norm(&a, &b, &gamma, &beta, 1e-12).expect("a tensor of flex");
        let plain = portable::norm(a.clone() + b.clone(), gamma.clone(), Some(beta.clone()), 1e-12);
        compare(fast, plain, &[&a, &b], &[&gamma, &beta]);
        let fast = cpu::norm(&a, &gamma, Some(&beta), 1e-12).expect("a tensor of flex");
        let plain = portable::norm(a.clone(), gamma.clone(), Some(beta.clone()), 1e-12);
        compare(fast, plain, &[&a], &[&gamma, &beta]);
        let fast = cpu::norm(&a, &gamma, None, 1e-12).expect("a tensor of flex");
        compare(fast, portable::norm(a.clone(), gamma.clone(), None, 1e-12), &[&a], &[&gamma]);
    }
}

#[test]
fn gelu() {
    let input = random([70, 300]);
    let fast = cpu::gelu(rekindle_ops::CustomTensor::of(&input).expect("a tensor of flex"));
    compare(fast, burn::tensor::activation::gelu(input.clone()), &[&input], &[]);
}

#[test]
fn gather() {
    let table = random([9, 5]);
    let indices = Indices::new([3, 0, 8, 3, 3].into(), &Device::flex());
    let fast = cpu::gather(&table, &indices).expect("a tensor of flex");
    compare(fast, portable::embedding(table.clone(), &Indices::new(indices.host, &device())), &[&table], &[]);
}

const LIMITS: InputLimits = InputLimits { vocab_size: 10, max_length: 16, first_position: 0, type_vocab_size: 0 };

/// Sequences of different lengths, padding within one; all rows and the first rows.
#[test]
fn attention() {
    let ids = [1; 14];
    let mut mask = [1; 14];
    let packed = SequenceBatch::new(&ids, &mask, &[0, 5, 6, 14], LIMITS, &device()).expect("a batch");
    mask[8] = 0;
    mask[13] = 0;
    let masked = SequenceBatch::new(&ids, &mask, &[0, 5, 6, 14], LIMITS, &device()).expect("a batch");
    for batch in [packed, masked] {
        for rows in [TokenSelection::All, TokenSelection::First] {
            let query = random([if rows == TokenSelection::All { 14 } else { 3 }, 24]);
            let (key, value) = (random([14, 24]), random([14, 24]));
            let inputs = [&query, &key, &value];
            let fast = cpu::attention(inputs, batch.layout(), rows, 3, None).expect("a tensor of flex");
            let plain = portable::attention(inputs.map(Tensor::clone), batch.layout(), rows, 3, None);
            compare(fast, plain, &inputs, &[]);
        }
    }
}

/// Dropout of the probabilities: the gradient is that of the function with the same elements dropped.
#[test]
fn attention_with_dropout() {
    let dropout = Some(DropoutSpec { rate: 0.5, seed: 3 });
    let batch = SequenceBatch::new(&[1; 9], &[1; 9], &[0, 4, 9], LIMITS, &device()).expect("a batch");
    let inputs = [random([9, 8]), random([9, 8]), random([9, 8])];
    let context = |[query, key, value]: [&Tensor<2>; 3]| {
        cpu::attention([query, key, value], batch.layout(), TokenSelection::All, 2, dropout).expect("a tensor of flex")
    };
    let [query, key, value] = &inputs;
    assert_ne!(numbers(context([query, key, value])), numbers(context([query, key, &value.clone().mul_scalar(1.01)])));
    let gradients = context([query, key, value]).sum().backward();
    for (which, input) in inputs.iter().enumerate() {
        let direction = Tensor::<2>::random([9, 8], Distribution::Normal(0.0, 1.0), &device());
        let at = |step: f32| {
            let moved = input.clone() + direction.clone().mul_scalar(step);
            let mut all = [query, key, value];
            all[which] = &moved;
            numbers(context(all).sum().reshape([1]))[0]
        };
        let slope = (at(5e-3) - at(-5e-3)) / 1e-2;
        let gradient = input.grad(&gradients).expect("a gradient") * direction.clone().without_autodiff();
        let expected = numbers(gradient.sum().reshape([1]))[0];
        assert!(
            (slope - expected).abs() < 2e-2 * (1.0 + expected.abs()),
            "input {which}: {expected}, by steps {slope}"
        );
    }
}

#[test]
fn adamw_equals_burns_operations() {
    let device = Device::flex();
    device.seed(1);
    let random = || Tensor::<1>::random([20_001], Distribution::Normal(0.0, 1.0), &device);
    let zeros = || Tensor::<1>::zeros([20_001], &device);
    let mut fast = [random(), zeros(), zeros()];
    let mut plain = fast.clone();
    for step in 1..=5 {
        let rates = AdamWRates {
            keep: 0.999,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            correction: (1.0 - 0.999f32.powi(step)).sqrt().recip(),
            size: 0.1 / (1.0 - 0.9f32.powi(step)),
        };
        let gradient = random();
        let squares: f64 = gradient.to_data().iter::<f32>().map(|value| f64::from(value) * f64::from(value)).sum();
        let [norm, clip] = cpu::clip_grad_norm(std::slice::from_ref(&gradient), 2.0).expect("fused");
        let (norm, factor): (f32, f32) = (norm.into_scalar(), clip.clone().into_scalar());
        assert!((f64::from(norm) - squares.sqrt()).abs() < 1e-6 * squares.sqrt(), "{norm} squared is not {squares}");
        assert!((f64::from(factor) - 2.0 / (squares.sqrt() + 1e-6)).abs() < 1e-8, "{factor}");
        let [value, first, second] = fast;
        fast = cpu::adamw([value, gradient.clone(), first, second, clip.clone()], rates);
        let [value, first, second] = plain;
        plain = portable::adamw([value, gradient, first, second, clip], rates);
        let far: f32 = (fast[0].clone() - plain[0].clone()).abs().max().into_scalar();
        assert!(far < 2e-6, "step {step}: {far}");
    }
}
