//! Operations on tensors in host memory: values, derivatives, and who is left alone.

use burn::tensor::{Device, Shape, Tensor};
use rekindle_ops::memory::{values, values_mut};
use rekindle_ops::{Differentiable, FlexTensor, Held, Numbers, Operation, Saved, apply, is_held, run};

/// `a² b`, worked out in the place of `a`.
#[derive(Debug)]
struct SquareTimes;

impl Differentiable<2> for SquareTimes {
    const NAMES: [&'static str; 2] = ["test.square_times", "test.square_times.backward"];

    fn shapes(&self, [a, _]: &[Shape; 2], keep: bool) -> Vec<Shape> {
        vec![a.clone(); 1 + usize::from(keep)]
    }

    fn reads(&self, tracked: [bool; 2]) -> [bool; 2] {
        [true, tracked[0]]
    }

    /// Makes `a²` for the backward pass.
    fn forward(&self, [mut a, b]: [FlexTensor; 2], keep: bool) -> (FlexTensor, Vec<FlexTensor>) {
        values_mut(&mut a).iter_mut().for_each(|a| *a *= *a);
        let made = if keep { vec![a.clone()] } else { Vec::new() };
        values_mut(&mut a).iter_mut().zip(values(&b)).for_each(|(a, b)| *a *= b);
        (a, made)
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 2>,
        gradient: FlexTensor,
        wanted: &[Option<Shape>; 2],
    ) -> [Option<FlexTensor>; 2] {
        let Saved { inputs: [Some(mut a), b], made } = saved else { return [None, None] };
        let [square] = &made[..] else { return [None, None] };
        let for_b = wanted[1].as_ref().map(|_| {
            let mut slopes = gradient.clone();
            values_mut(&mut slopes).iter_mut().zip(values(square)).for_each(|(slope, square)| *slope *= square);
            slopes
        });
        let for_a = b.filter(|_| wanted[0].is_some()).map(|b| {
            let factors = values(&b).iter().zip(values(&gradient));
            values_mut(&mut a).iter_mut().zip(factors).for_each(|(a, (b, gradient))| *a *= 2.0 * b * gradient);
            a
        });
        [for_a, for_b]
    }

    fn numbers(&self) -> Vec<u64> {
        Vec::new()
    }

    fn read(_: &mut Numbers) -> Self {
        Self
    }
}

/// The first vector and the second, the other way round, the first one doubled in its place.
#[derive(Debug)]
struct Swap;

impl Operation<2> for Swap {
    const NAME: &'static str = "test.swap";

    fn shapes(&self, inputs: &[Shape]) -> [Shape; 2] {
        [inputs[1].clone(), inputs[0].clone()]
    }

    fn run(&self, inputs: Vec<FlexTensor>) -> [FlexTensor; 2] {
        let Ok([mut first, second]) = <[FlexTensor; 2]>::try_from(inputs) else { panic!("two vectors") };
        values_mut(&mut first).iter_mut().for_each(|value| *value *= 2.0);
        [second, first]
    }

    fn numbers(&self) -> Vec<u64> {
        Vec::new()
    }

    fn read(_: &mut Numbers) -> Self {
        Self
    }
}

fn numbers<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().iter::<f32>().collect()
}

fn matrix(values: [[f32; 2]; 2], device: &Device) -> Tensor<2> {
    Tensor::from_floats(values, device)
}

fn square_times(a: &Tensor<2>, b: &Tensor<2>) -> Tensor<2> {
    run(SquareTimes, None, [a, b].map(|tensor| Held::of(tensor).expect("in host memory")))
}

#[test]
fn values_and_derivatives_also_of_what_lies_column_by_column() {
    let device = Device::flex().autodiff();
    let a = matrix([[1.0, 3.0], [2.0, 4.0]], &device).require_grad();
    let b = matrix([[5.0, 6.0], [7.0, 8.0]], &device).require_grad();
    let output = square_times(&a.clone().transpose(), &b);
    assert_eq!(numbers(&output), [5.0, 24.0, 63.0, 128.0]);
    let gradients = output.sum().backward();
    assert_eq!(numbers(&b.grad(&gradients).expect("a gradient")), [1.0, 4.0, 9.0, 16.0]);
    // 2 a b, in the order of a.
    assert_eq!(numbers(&a.grad(&gradients).expect("a gradient")), [10.0, 42.0, 24.0, 64.0]);
    assert_eq!(numbers(&a), [1.0, 3.0, 2.0, 4.0], "who is still held elsewhere is left as it was");
}

#[test]
fn who_is_not_tracked_gets_no_gradient_and_makes_no_graph() {
    let (plain, recorded) = (Device::flex(), Device::flex().autodiff());
    let (a, b) = (matrix([[1.0, 2.0], [3.0, 4.0]], &plain), matrix([[1.0; 2]; 2], &recorded).require_grad());
    let gradients = square_times(&a, &b).sum().backward();
    assert_eq!(numbers(&b.grad(&gradients).expect("a gradient")), [1.0, 4.0, 9.0, 16.0]);
    assert!(!square_times(&a, &a).is_autodiff());
}

#[test]
fn what_nobody_else_holds_is_worked_on_in_place() {
    let device = Device::flex();
    let address = |tensor: &Tensor<1>| {
        let primitive = tensor.clone().try_into_primitive::<burn::backend::Flex>().expect("in host memory");
        values(&primitive).as_ptr()
    };
    let (first, second) = (Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device), Tensor::from_floats([9.0], &device));
    let (kept, place) = (second.clone(), address(&first));
    let [second, first] = apply(&Swap, vec![first, second]);
    assert_eq!((address(&first), numbers(&first)), (place, vec![2.0, 4.0, 6.0]));
    assert_eq!((numbers(&second), numbers(&kept)), (vec![9.0], vec![9.0]));
    // Now somebody does.
    let kept = first.clone();
    let [_, doubled] = apply(&Swap, vec![first, second]);
    assert_eq!((numbers(&doubled), numbers(&kept)), (vec![4.0, 8.0, 12.0], vec![2.0, 4.0, 6.0]));
}

#[test]
fn tensors_of_other_numbers_are_not_held() {
    let device = Device::flex();
    let half = Tensor::<1>::from_floats([1.0], &device).cast(burn::tensor::DType::F16);
    assert!(!is_held(&half) && Held::of(&half).is_none());
    assert!(is_held(&Tensor::<1>::from_floats([1.0], &device.autodiff())));
}
