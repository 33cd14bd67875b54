//! Operations on tensors of flex: values, gradients, and tensors that must not change.

use burn::tensor::{Device, Shape, Tensor};
use rekindle_ops::memory::{values, values_mut};
use rekindle_ops::{CustomTensor, Differentiable, FlexTensor, OpParams, Operation, Saved, accepts, apply, run};

/// `a² b`, computed in place of `a`.
#[derive(Debug)]
struct SquareTimes;

impl Differentiable<2> for SquareTimes {
    const NAMES: [&'static str; 2] = ["test.square_times", "test.square_times.backward"];

    fn shapes(&self, [a, _]: &[Shape; 2], keep: bool) -> Vec<Shape> {
        vec![a.clone(); 1 + usize::from(keep)]
    }

    fn reads(&self, needs_grad: [bool; 2]) -> [bool; 2] {
        [true, needs_grad[0]]
    }

    /// Keeps `a²` for the backward pass.
    fn forward(&self, [mut a, b]: [FlexTensor; 2], keep: bool) -> (FlexTensor, Vec<FlexTensor>) {
        values_mut(&mut a).iter_mut().for_each(|a| *a *= *a);
        let intermediates = if keep { vec![a.clone()] } else { Vec::new() };
        values_mut(&mut a).iter_mut().zip(values(&b)).for_each(|(a, b)| *a *= b);
        (a, intermediates)
    }

    fn backward(
        &self,
        saved: Saved<FlexTensor, 2>,
        grad: FlexTensor,
        needs_grad: &[Option<Shape>; 2],
    ) -> [Option<FlexTensor>; 2] {
        let Saved { inputs: [Some(mut a), b], intermediates } = saved else { return [None, None] };
        let [square] = &intermediates[..] else { return [None, None] };
        let for_b = needs_grad[1].as_ref().map(|_| {
            let mut result = grad.clone();
            values_mut(&mut result).iter_mut().zip(values(square)).for_each(|(grad, square)| *grad *= square);
            result
        });
        let for_a = b.filter(|_| needs_grad[0].is_some()).map(|b| {
            let factors = values(&b).iter().zip(values(&grad));
            values_mut(&mut a).iter_mut().zip(factors).for_each(|(a, (b, grad))| *a *= 2.0 * b * grad);
            a
        });
        [for_a, for_b]
    }

    fn params(&self) -> Vec<u64> {
        Vec::new()
    }

    fn from_params(_: &mut OpParams) -> Self {
        Self
    }
}

/// Exchanges two vectors and doubles the first in place.
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

    fn params(&self) -> Vec<u64> {
        Vec::new()
    }

    fn from_params(_: &mut OpParams) -> Self {
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
    run(SquareTimes, None, [a, b].map(|tensor| CustomTensor::of(tensor).expect("a tensor of flex")))
}

#[test]
fn values_and_gradients_also_of_transposed_inputs() {
    let device = Device::flex().autodiff();
    let a = matrix([[1.0, 3.0], [2.0, 4.0]], &device).require_grad();
    let b = matrix([[5.0, 6.0], [7.0, 8.0]], &device).require_grad();
    let output = square_times(&a.clone().transpose(), &b);
    assert_eq!(numbers(&output), [5.0, 24.0, 63.0, 128.0]);
    let gradients = output.sum().backward();
    assert_eq!(numbers(&b.grad(&gradients).expect("a gradient")), [1.0, 4.0, 9.0, 16.0]);
    // 2 a b, in the order of a.
    assert_eq!(numbers(&a.grad(&gradients).expect("a gradient")), [10.0, 42.0, 24.0, 64.0]);
    assert_eq!(numbers(&a), [1.0, 3.0, 2.0, 4.0], "a tensor that is still held elsewhere is unchanged");
}

#[test]
fn inputs_that_are_not_tracked_get_no_gradient_and_build_no_graph() {
    let (plain, recorded) = (Device::flex(), Device::flex().autodiff());
    let (a, b) = (matrix([[1.0, 2.0], [3.0, 4.0]], &plain), matrix([[1.0; 2]; 2], &recorded).require_grad());
    let gradients = square_times(&a, &b).sum().backward();
    assert_eq!(numbers(&b.grad(&gradients).expect("a gradient")), [1.0, 4.0, 9.0, 16.0]);
    assert!(!square_times(&a, &a).is_autodiff());
}

#[test]
fn tensors_that_nobody_else_holds_are_modified_in_place() {
    let device = Device::flex();
    let address = |tensor: &Tensor<1>| {
        let primitive = tensor.clone().try_into_primitive::<burn::backend::Flex>().expect("a tensor of flex");
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
fn only_f32_tensors_are_accepted() {
    let device = Device::flex();
    let half = Tensor::<1>::from_floats([1.0], &device).cast(burn::tensor::DType::F16);
    assert!(!accepts(&half) && CustomTensor::of(&half).is_none());
    assert!(accepts(&Tensor::<1>::from_floats([1.0], &device.autodiff())));
}
