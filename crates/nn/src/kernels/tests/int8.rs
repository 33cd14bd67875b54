//! Layers in int8 against the same layers in f32.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};

use super::{numbers, random};
use crate::activation::Activation;
use crate::linear::Linear;

/// `input · weight + bias` in int8, and in f32.
fn in_int8(weight: Tensor<2>, bias: Tensor<1>, input: &Tensor<2>) -> [Vec<f32>; 2] {
    let [inner, columns] = weight.dims();
    let (weight, bias) = (Param::from_tensor(weight), Some(Param::from_tensor(bias)));
    let mut layer = Linear { weight, bias, ..Linear::new(inner, columns, &Device::default()) };
    let exact = layer.forward(input.clone());
    layer.quantize().expect("the CPU");
    [layer.forward(input.clone()), exact].map(numbers)
}

#[test]
fn a_layer_in_int8_is_exact_for_values_of_int8() {
    for [rows, inner, columns] in [[1, 3, 2], [9, 24, 17], [70, 130, 49]] {
        let whole = |count: usize, step: usize, least: i32, range: usize| {
            (0..count).map(|at| ((at * step) % range) as f32 + least as f32).collect::<Vec<f32>>()
        };
        // Every column has a 63, and every row -128 and 127: the scales are 1.
        let mut weight = whole(inner * columns, 37, -63, 127);
        weight[..columns].fill(63.0);
        let mut input = whole(rows * inner, 101, -128, 256);
        for row in input.chunks_mut(inner) {
            row[..2].copy_from_slice(&[-128.0, 127.0]);
        }
        let weight = Tensor::from_data(TensorData::new(weight, [inner, columns]), &Device::flex());
        let input = Tensor::from_data(TensorData::new(input, [rows, inner]), &Device::flex());
        let bias = Tensor::from_data(TensorData::new(whole(columns, 5, -3, 7), [columns]), &Device::flex());
        let [ours, exact] = in_int8(weight, bias, &input);
        assert_eq!(ours, exact, "{rows} x {inner} x {columns}");
    }
}

#[test]
fn a_layer_in_int8_is_within_the_rounding_of_weights_and_inputs() {
    let (rows, inner, columns) = (33, 96, 40);
    let [weight, input] = [[inner, columns], [rows, inner]].map(|shape| random(shape).without_autodiff());
    let bias = random([columns]).without_autodiff();
    let [ours, exact] = in_int8(weight.clone(), bias.clone(), &input);
    let (weights, inputs) = (numbers(weight), numbers(input.clone()));
    let column = |column: usize| weights.iter().skip(column).step_by(columns).copied();
    let largest = |values: &mut dyn Iterator<Item = f32>| values.fold(0f32, |most, value| most.max(value.abs()));
    for (at, (ours, exact)) in ours.iter().zip(&exact).enumerate() {
        let row = &inputs[at / columns * inner..][..inner];
        let (least, most) = row.iter().fold((0f32, 0f32), |(least, most), &value| (least.min(value), most.max(value)));
        let (step, scale) = ((most - least) / 255.0, largest(&mut column(at % columns)) / 63.0);
        // Each weight is off by half a step at most, each input by one: its value is rounded, and 0 is.
        let of = |(input, weight): (&f32, f32)| input.abs() * scale / 2.0 + (weight.abs() + scale / 2.0) * step;
        let bound: f32 = row.iter().zip(column(at % columns)).map(of).sum();
        assert!((ours - exact).abs() <= bound, "{at}: {ours}, {exact} +- {bound}");
    }
    // A row does not depend on the others.
    let alone = in_int8(
        Tensor::from_data(TensorData::new(weights, [inner, columns]), &Device::flex()),
        bias,
        &input.narrow(0, 7, 1),
    );
    assert_eq!(alone[0], ours[7 * columns..8 * columns]);
}

#[test]
fn a_feed_forward_block_in_int8_equals_its_layers() {
    let layer = |inner, columns| {
        let weight = Param::from_tensor(random([inner, columns]).without_autodiff());
        let mut layer = Linear { weight, ..Linear::new(inner, columns, &Device::flex()) };
        layer.quantize().expect("the CPU");
        layer
    };
    for [rows, inner, between, columns] in [[1, 8, 4, 3], [64, 16, 33, 7], [131, 21, 50, 18]] {
        let (first, second) = (layer(inner, between), layer(between, columns));
        let input = random([rows, inner]).without_autodiff();
        for activation in
            [Activation::Gelu, Activation::GeluNew, Activation::QuickGelu, Activation::Silu, Activation::Relu]
        {
            let wanted = second.forward(activation.forward(first.forward(input.clone())));
            let found = activation.forward_between([&first, &second], input.clone());
            assert_eq!(numbers(found), numbers(wanted), "{activation:?}, {rows} rows");
        }
    }
}

#[test]
fn what_is_not_finite_stays_so_in_int8_and_weights_are_refused() {
    let ones = |shape: [usize; 2]| Tensor::<2>::ones(shape, &Device::flex());
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in [0, 20] {
            let mut input = vec![1.0; 2 * 21];
            input[place] = value;
            let input = Tensor::from_data(TensorData::new(input, [2, 21]), &Device::flex());
            let [ours, _] = in_int8(ones([21, 3]), Tensor::zeros([3], &Device::flex()), &input);
            assert!(ours[..3].iter().all(|value| value.is_nan()), "{value} at {place}: {ours:?}");
            assert!(ours[3..].iter().all(|value| (value - 21.0).abs() < 1e-4), "{ours:?}");
        }
        let mut layer = Linear::new(2, 2, &Device::flex());
        layer.weight = Param::from_tensor(Tensor::from_data([[1.0, value], [0.0, 1.0]], &Device::flex()));
        assert!(layer.quantize().expect_err("refused").to_string().contains("not finite"));
    }
}

#[test]
fn a_layer_in_int8_is_neither_changed_nor_given_another_width() {
    let device = Device::flex();
    let mut layer = Linear::new(8, 4, &device);
    layer.quantize().expect("the CPU");
    layer.quantize().expect("nothing to do");
    assert_eq!(layer.int8_weights(), 32);
    let refused = |work: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err();
    assert!(!refused(&|| drop(layer.forward(Tensor::ones([2, 8], &device)))));
    for width in [7, 9] {
        assert!(refused(&|| drop(layer.forward(Tensor::ones([2, width], &device)))), "{width}");
    }
    assert!(refused(&|| drop(layer.select_outputs(&[0]))));
    assert!(refused(&|| drop(layer.with_scaled_outputs(&[1.0; 4], &[0.0; 4]))));
    assert!(refused(&|| layer.clone().add_adapter(2, 1.0, 0, "")));
    assert!(refused(&|| layer.clone().simulate_int8()));
}
