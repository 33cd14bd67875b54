//! Each operation against Burn's own: values, and the gradients of every input.

use burn::module::Param;
use burn::nn::{EmbeddingConfig, LayerNormConfig};
use burn::tensor::{Device, Distribution, Tensor, activation};

use crate::attention::{Rows, SelfAttention};
use crate::config::DistilBertConfig;
use crate::dropout::Mode;
use crate::input::{Indices, TokenBatch};
use crate::linear::Linear;
use crate::lora::Lora;

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

/// Roundings of sums of this many terms or so, relative to the largest value.
const BOUND: f32 = 2e-6;

fn same(ours: &[f32], theirs: &[f32], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    assert!(largest > 0.0, "{what}: nothing to compare");
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!((ours - theirs).abs() <= BOUND * largest, "{what}[{index}]: {ours} here, {theirs} in Burn");
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

fn map(inner: usize, columns: usize) -> Linear {
    let (weight, bias) = (Param::from_tensor(random([inner, columns])), Param::from_tensor(random([columns])));
    Linear { weight, bias, lora: None }
}

/// A linear map by Burn's own operations.
fn by_burn(map: &Linear, input: Tensor<2>) -> Tensor<2> {
    let output = input.clone().matmul(map.weight.val()) + map.bias.val().unsqueeze();
    match &map.lora {
        Some(lora) => output + lora.forward(input),
        None => output,
    }
}

#[test]
fn linear() {
    for [rows, inner, columns] in [[7, 24, 40], [1, 3, 2], [130, 256, 192]] {
        let map = map(inner, columns);
        let (weight, bias) = (map.weight.val(), map.bias.val());
        let input = random([rows, inner]);
        let fast = super::linear(&map, &input).expect("host memory");
        compare(fast, by_burn(&map, input.clone()), &[&input, &weight], &[&bias]);
        // A column-major input.
        let turned = random([inner, rows]);
        let fast = super::linear(&map, &turned.clone().transpose()).expect("host memory");
        compare(fast, by_burn(&map, turned.clone().transpose()), &[&turned, &weight], &[&bias]);
    }
}

#[test]
fn linear_with_an_adapter() {
    for [rows, inner, columns, rank] in [[7, 24, 40, 4], [1, 3, 2, 1], [130, 256, 192, 8]] {
        let mut map = map(inner, columns);
        let (weight, bias) = (map.weight.val(), map.bias.val());
        let (a, b, input) = (random([inner, rank]), random([rank, columns]), random([rows, inner]));
        map.lora = Some(Lora { a: Param::from_tensor(a.clone()), b: Param::from_tensor(b.clone()), scale: 0.5 });
        let fast = super::linear(&map, &input).expect("host memory");
        compare(fast, by_burn(&map, input.clone()), &[&input, &weight, &a, &b], &[&bias]);
    }
}

#[test]
fn tied() {
    for [rows, dim, entries] in [[7, 24, 40], [1, 3, 2], [130, 192, 500]] {
        let (input, table, bias) = (random([rows, dim]), random([entries, dim]), random([entries]));
        let fast = super::tied(&table, &bias, &input).expect("host memory");
        let plain = input.clone().matmul(table.clone().transpose()) + bias.clone().unsqueeze();
        compare(fast, plain, &[&input, &table], &[&bias]);
    }
}

#[test]
fn only_what_is_tracked_gets_a_gradient() {
    let mut map = map(8, 4);
    map.weight = Param::initialized(map.weight.id, map.weight.val().without_autodiff());
    map.bias = Param::initialized(map.bias.id, map.bias.val().without_autodiff());
    let input = random([3, 8]);
    let gradients = super::linear(&map, &input).expect("host memory").sum().backward();
    assert!(input.grad(&gradients).is_some() && map.weight.val().grad(&gradients).is_none());
    let plain = super::linear(&map, &input.without_autodiff()).expect("host memory");
    assert!(!plain.is_autodiff(), "no graph without a tracked input");
}

#[test]
fn add_norm() {
    for [rows, dim] in [[5, 48], [1, 3], [33, 768]] {
        let mut norm = LayerNormConfig::new(dim).with_epsilon(1e-12).init(&device());
        norm.gamma = Param::from_tensor(random([dim]));
        norm.beta = Some(Param::from_tensor(random([dim])));
        let (scale, shift) = (norm.gamma.val(), norm.beta.as_ref().expect("a shift").val());
        let (a, b) = (random([rows, dim]), random([rows, dim]));
        let fast = super::add_norm(&norm, &a, &b).expect("host memory");
        compare(fast, norm.forward(a.clone() + b.clone()), &[&a, &b], &[&scale, &shift]);
    }
}

#[test]
fn gelu() {
    let input = random([70, 300]);
    let fast = super::gelu(rekindle_ops::Held::of(&input).expect("host memory"));
    compare(fast, activation::gelu(input.clone()), &[&input], &[]);
}

#[test]
fn embedding() {
    let table = EmbeddingConfig::new(9, 5).init(&device());
    let weight = table.weight.val();
    let indices = Indices::new([3, 0, 8, 3, 3].into(), &Device::flex());
    let host = Tensor::<2, burn::tensor::Int>::from_data([[3, 0, 8, 3, 3]], &device());
    let fast = super::embedding(&table.weight.val(), &indices).expect("host memory");
    compare(fast, table.forward(host).squeeze_dim(0), &[&weight], &[]);
}

/// Ragged sentences, padding within one, all rows and the first alone.
#[test]
fn attention() {
    let config = DistilBertConfig { dim: 24, n_heads: 3, attention_dropout: 0.0, ..DistilBertConfig::default() };
    let layer = SelfAttention::new(&config, &device());
    let ids = [1; 14];
    let mut mask = [1; 14];
    let packed = TokenBatch::new(&ids, &mask, &[0, 5, 6, 14], &config, &device()).expect("a batch");
    mask[8] = 0;
    mask[13] = 0;
    let masked = TokenBatch::new(&ids, &mask, &[0, 5, 6, 14], &config, &device()).expect("a batch");
    for batch in [packed, masked] {
        for rows in [Rows::All, Rows::First] {
            let query = random([if rows == Rows::All { 14 } else { 3 }, 24]);
            let (key, value) = (random([14, 24]), random([14, 24]));
            let inputs = [&query, &key, &value];
            let fast = super::attention(inputs, &batch, rows, 3, 0.0, Mode::Eval).expect("host memory");
            let plain = layer.rectangular(query.clone(), key.clone(), value.clone(), &batch, rows, Mode::Eval);
            compare(fast, plain, &inputs, &[]);
        }
    }
}

/// Dropout of the weights: its derivative is that of the function with the same elements dropped.
#[test]
fn attention_with_dropout() {
    let config = DistilBertConfig { dim: 8, n_heads: 2, ..DistilBertConfig::default() };
    let batch = TokenBatch::new(&[1; 9], &[1; 9], &[0, 4, 9], &config, &device()).expect("a batch");
    let inputs = [random([9, 8]), random([9, 8]), random([9, 8])];
    let context = |[query, key, value]: [&Tensor<2>; 3]| {
        super::attention([query, key, value], &batch, Rows::All, 2, 0.5, Mode::Train { seed: 3 }).expect("host memory")
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

/// The halves of a batch side by side give what the whole gives, row by row, where nothing is dropped.
#[test]
fn halves() {
    let config = DistilBertConfig {
        vocab_size: 40,
        dim: 24,
        hidden_dim: 48,
        n_heads: 3,
        n_layers: 2,
        max_position_embeddings: 32,
        ..DistilBertConfig::default()
    };
    let device = Device::flex();
    device.seed(1);
    let model = crate::model::DistilBertModel::new(&config, &device);
    let ids: Vec<u32> = (0..60).map(|index| index % 40).collect();
    let offsets = [0, 9, 30, 31, 47, 60];
    let batch = TokenBatch::new(&ids, &[1; 60], &offsets, &config, &Device::flex()).expect("a batch");
    let (first, second) = batch.halves().expect("long enough to be cut");
    assert_eq!((first.tokens(), second.tokens()), (30, 30));
    for rows in [Rows::All, Rows::First] {
        let whole = numbers(model.forward(&batch, rows, Mode::Eval));
        let alone: Vec<f32> = offsets
            .windows(2)
            .flat_map(|pair| {
                let ids = &ids[pair[0]..pair[1]];
                let mask = vec![1; ids.len()];
                let batch = TokenBatch::new(ids, &mask, &[0, ids.len()], &config, &Device::flex()).expect("a batch");
                assert!(batch.halves().is_none());
                numbers(model.forward(&batch, rows, Mode::Eval))
            })
            .collect();
        same(&whole, &alone, "hidden states");
    }
}
