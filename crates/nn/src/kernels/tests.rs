//! Each fused kernel against Burn's operations: values, and the gradients of every input.

use std::cell::Cell;

use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, FloatDType, Tensor, TensorData};

use rekindle_ops::CustomTensor;

use super::options::{AdamWRates, AttentionOptions, Curve, RelativePositions, Rotation};
use super::{cpu, portable};
use crate::batch::{InputLimits, SequenceBatch};
use crate::indices::Indices;
use crate::init;
use crate::linear::Linear;
use crate::lora::Lora;
use crate::mode::DropoutSpec;
use crate::selection::TokenSelection;

mod int8;

fn device() -> Device {
    Device::flex().autodiff()
}

/// Other values in each call, the same in each run.
fn normal<const D: usize>(deviation: f32, shape: [usize; D]) -> Tensor<D> {
    thread_local! {
        static SEED: Cell<u64> = const { Cell::new(0) };
    }
    let values = init::normal(deviation, shape.iter().product(), SEED.replace(SEED.get() + 1), "");
    Tensor::from_data(TensorData::new(values, shape), &device())
}

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    normal(1.0, shape).require_grad()
}

/// Small values, so that no probability of attention is close to 1: its gradient would be a difference of nearly equal numbers.
fn small<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    normal(0.5, shape).require_grad()
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
    let weights = normal(1.0, fast.dims());
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
    Linear { weight, bias: Some(bias), ..Linear::new(1, 1, &Device::default()) }
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
fn a_weight_in_bf16_gives_what_its_values_give_in_f32() {
    for [rows, inner, columns, rank] in [[7, 24, 40, 4], [1, 3, 2, 1], [130, 256, 192, 8]] {
        let mut stored = layer(inner, columns);
        let values = numbers(stored.weight.val().without_autodiff().transpose());
        stored.set_bf16(values);
        let mut rounded = stored.clone();
        let in_f32 = stored.weight.val().cast(FloatDType::F32);
        rounded.weight = Param::initialized(rounded.weight.id, in_f32);
        let (a, b, input) = (random([inner, rank]), random([rank, columns]), random([rows, inner]));
        let adapter = Lora { a: Param::from_tensor(a.clone()), b: Param::from_tensor(b.clone()), scale: 0.5 };
        for lora in [None, Some(adapter)] {
            (stored.lora, rounded.lora) = (lora.clone(), lora);
            for compute in [fused, |layer: &Linear, input: &Tensor<2>| by_burn(layer, input.clone())] {
                let outputs = [&stored, &rounded].map(|layer| compute(layer, &input));
                let [ours, theirs] = outputs.each_ref().map(|output| numbers(output.clone()));
                assert_eq!(ours, theirs);
                let [ours, theirs] =
                    outputs.map(|output| numbers(input.grad(&output.square().sum().backward()).expect("a gradient")));
                assert_eq!(ours, theirs);
            }
        }
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
fn gelu_is_that_of_burn() {
    let input = random([70, 300]);
    let fast = cpu::activation(Curve::Gelu, CustomTensor::of(&input).expect("a tensor of flex"));
    compare(fast, burn::tensor::activation::gelu(input.clone()), &[&input], &[]);
}

#[test]
fn activations_and_gates() {
    for curve in cpu::FUSED {
        let input = random([70, 300]);
        let fast = cpu::activation(curve, CustomTensor::of(&input).expect("a tensor of flex"));
        compare(fast, portable::activation(curve, input.clone()), &[&input], &[]);
        for [rows, inner] in [[70, 300], [1, 1], [3, 5000]] {
            let input = random([rows, 2 * inner]);
            let fast = cpu::gated(curve, &input).expect("a tensor of flex");
            compare(fast, portable::gated(curve, input.clone()), &[&input], &[]);
        }
    }
}

#[test]
fn gather() {
    let table = random([9, 5]);
    let indices = Indices::new([3, 0, 8, 3, 3].into(), &Device::flex());
    let fast = cpu::gather(&table, &indices).expect("a tensor of flex");
    compare(fast, portable::embedding(table.clone(), &Indices::new(indices.host, &device())), &[&table], &[]);
}

const LIMITS: InputLimits = InputLimits { vocab_size: 10, max_length: 16, first_position: 0, type_vocab_size: 0 };

/// Three sequences of 14 tokens: complete, with padding, and with selected tokens.
fn batches() -> [SequenceBatch; 3] {
    let mut mask = [1; 14];
    let batch = |mask: &[u8]| SequenceBatch::new(&[1; 14], mask, &[0, 5, 6, 14], LIMITS, &device()).expect("a batch");
    let packed = batch(&mask);
    mask[2..5].fill(0);
    mask[13] = 0;
    let masked = batch(&mask);
    let selected = masked.clone().selecting(&[1, 3, 7, 9, 10]).expect("ascending rows");
    [packed, masked, selected]
}

/// The attention of every kind: with a window, and with each kind of relative positions, for tables of `entries` rows.
fn every_attention(entries: usize, heads: usize, dim: usize) -> Vec<AttentionOptions> {
    let table = || Some(small([entries, dim]));
    let kinds = [
        RelativePositions::None,
        RelativePositions::Bias(small([entries, heads])),
        RelativePositions::Disentangled { keys: table(), queries: table() },
        RelativePositions::Disentangled { keys: table(), queries: None },
        RelativePositions::Disentangled { keys: None, queries: table() },
    ];
    let windows = [None, Some(1), Some(3)];
    let options = AttentionOptions::new(heads, 0.0);
    let with = |positions: &RelativePositions| {
        windows.map(|window| AttentionOptions { window, positions: positions.clone(), ..options.clone() })
    };
    kinds.iter().flat_map(with).collect()
}

/// Attention by its definition, in f64.
fn attention_by_definition(
    qkv: [&Tensor<2>; 3],
    batch: &SequenceBatch,
    selection: TokenSelection,
    options: &AttentionOptions,
) -> Vec<f32> {
    let ([rows, dim], heads) = (qkv[0].dims(), options.heads);
    let width = dim / heads;
    let values = |tensor: &Tensor<2>| numbers(tensor.clone()).into_iter().map(f64::from).collect::<Vec<_>>();
    let [query, key, value] = qkv.map(values);
    let table = |table: &Option<Tensor<2>>| table.as_ref().map(|table| (values(table), table.dims()[0] / 2));
    let (bias, keys, queries) = match &options.positions {
        RelativePositions::None => (None, None, None),
        RelativePositions::Bias(bias) => (table(&Some(bias.clone())), None, None),
        RelativePositions::Disentangled { keys, queries } => (None, table(keys), table(queries)),
    };
    let scale = ((width * options.positions.terms()) as f64).sqrt().recip();
    let layout = &batch.layout().sequences;
    let counts: Vec<usize> = match selection {
        TokenSelection::First => vec![1; batch.sequences()],
        TokenSelection::Selected if !layout.cu_selected.is_empty() => {
            layout.cu_selected.windows(2).map(|pair| pair[1] - pair[0]).collect()
        }
        _ => layout.cu_seqlens.windows(2).map(|pair| pair[1] - pair[0]).collect(),
    };
    let positions = layout.positions(selection);
    let (mut output, mut row) = (vec![0.0; rows * dim], 0);
    for (span, count) in layout.cu_seqlens.windows(2).zip(counts) {
        for _ in 0..count {
            for head in 0..heads {
                let column = |at: usize| at * dim + head * width..at * dim + (head + 1) * width;
                let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                let scores = (span[0]..span[1]).map(|token| {
                    let distance = (token - span[0]) as i64 - i64::from(positions[row]);
                    let hidden = layout.mask.as_ref().is_some_and(|mask| mask[token] == 0);
                    let far = options.window.is_some_and(|window| distance.unsigned_abs() as usize > window);
                    let itself = options.window.is_some() && distance == 0;
                    if far || hidden && !itself {
                        return 0.0;
                    }
                    let at = |middle: &usize| (*middle as i64 + distance) as usize;
                    let (query, key) = (&query[column(row)], &key[column(token)]);
                    let mut score = dot(query, key);
                    score += keys.as_ref().map_or(0.0, |(keys, middle)| dot(query, &keys[column(at(middle))]));
                    score += queries.as_ref().map_or(0.0, |(queries, middle)| dot(key, &queries[column(at(middle))]));
                    let bias = bias.as_ref().map_or(0.0, |(bias, middle)| bias[at(middle) * heads + head]);
                    (score * scale + bias).exp()
                });
                let scores: Vec<f64> = scores.collect();
                let sum: f64 = scores.iter().sum();
                for (score, token) in scores.iter().zip(span[0]..span[1]) {
                    for (output, value) in output[column(row)].iter_mut().zip(&value[column(token)]) {
                        *output += score / sum * value;
                    }
                }
            }
            row += 1;
        }
    }
    output.into_iter().map(|value| value as f32).collect()
}

/// Calls `check` for every kind of batch and selection with queries, keys and values.
fn with_every_selection(check: impl Fn(&SequenceBatch, TokenSelection, [&Tensor<2>; 3])) {
    for batch in batches() {
        for selection in [TokenSelection::All, TokenSelection::First, TokenSelection::Selected] {
            let rows = batch.layout().sequences.positions(selection).len();
            let [query, key, value] = [small([rows, 24]), small([14, 24]), random([14, 24])];
            check(&batch, selection, [&query, &key, &value]);
        }
    }
}

#[test]
fn attention_by_burn_matches_its_definition() {
    with_every_selection(|batch, selection, inputs| {
        for options in every_attention(17, 3, 24) {
            let plain =
                portable::attention(inputs.map(Tensor::clone), batch.layout(), selection, options.clone(), None);
            let expected = attention_by_definition(inputs, batch, selection, &options);
            same(&numbers(plain), &expected, &format!("{selection:?} {options:?}"));
        }
    });
}

#[test]
fn attention() {
    with_every_selection(|batch, selection, inputs| {
        for options in every_attention(17, 3, 24) {
            let fast = cpu::attention(inputs, batch.layout(), selection, &options, None).expect("a tensor of flex");
            let plain =
                portable::attention(inputs.map(Tensor::clone), batch.layout(), selection, options.clone(), None);
            let tables = match &options.positions {
                RelativePositions::None => [None, None],
                RelativePositions::Bias(table) => [Some(table), None],
                RelativePositions::Disentangled { keys, queries } => [keys.as_ref(), queries.as_ref()],
            };
            let all: Vec<_> = inputs.into_iter().chain(tables.into_iter().flatten()).collect();
            compare(fast, plain, &all, &[]);
        }
    });
}

/// Sequences that are longer than a block of scores.
#[test]
fn attention_within_a_window_of_long_sequences() {
    let limits = InputLimits { vocab_size: 10, max_length: 300, ..InputLimits::default() };
    let mut mask = [1; 360];
    mask[200..280].fill(0);
    let batch = SequenceBatch::new(&[1; 360], &mask, &[0, 280, 360], limits, &device()).expect("a batch");
    let batch = batch.selecting(&[3, 70, 150, 199, 230, 290, 359]).expect("ascending rows");
    for selection in [TokenSelection::All, TokenSelection::First, TokenSelection::Selected] {
        let rows = batch.layout().sequences.positions(selection).len();
        let inputs = [&random([rows, 8]), &random([360, 8]), &random([360, 8])];
        let (keys, queries) = (random([559, 8]), random([559, 8]));
        let positions = RelativePositions::Disentangled { keys: Some(keys.clone()), queries: Some(queries.clone()) };
        let options = AttentionOptions { window: Some(20), positions, ..AttentionOptions::new(2, 0.0) };
        let fast = cpu::attention(inputs, batch.layout(), selection, &options, None).expect("a tensor of flex");
        let plain = portable::attention(inputs.map(Tensor::clone), batch.layout(), selection, options, None);
        compare(fast, plain, &[inputs[0], inputs[1], inputs[2], &keys, &queries], &[]);
    }
}

#[test]
fn rotary_embedding_matches_its_definition() {
    for batch in batches() {
        for selection in [TokenSelection::All, TokenSelection::First, TokenSelection::Selected] {
            let positions = batch.layout().sequences.positions(selection);
            let input = random([positions.len(), 24]);
            let rotation = Rotation { selection, width: 8, theta: 100.0 };
            let mut expected = numbers(input.clone());
            for (row, position) in expected.chunks_mut(24).zip(positions) {
                for head in row.chunks_mut(8) {
                    for column in 0..4 {
                        let angle = f64::from(position) * 100f64.powf(column as f64 / -4.0);
                        let (left, right) = (f64::from(head[column]), f64::from(head[column + 4]));
                        head[column] = (left * angle.cos() - right * angle.sin()) as f32;
                        head[column + 4] = (right * angle.cos() + left * angle.sin()) as f32;
                    }
                }
            }
            let plain = portable::rotary(input.clone(), batch.layout(), rotation);
            same(&numbers(plain.clone()), &expected, &format!("{selection:?}"));
            let fast = cpu::rotary(CustomTensor::of(&input).expect("a tensor of flex"), batch.layout(), rotation);
            compare(fast, plain, &[&input], &[]);
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
        let options = AttentionOptions::new(2, 0.0);
        cpu::attention([query, key, value], batch.layout(), TokenSelection::All, &options, dropout)
            .expect("a tensor of flex")
    };
    let [query, key, value] = &inputs;
    assert_ne!(numbers(context([query, key, value])), numbers(context([query, key, &value.clone().mul_scalar(1.01)])));
    let gradients = context([query, key, value]).sum().backward();
    for (which, input) in inputs.iter().enumerate() {
        let direction = normal(1.0, [9, 8]);
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
