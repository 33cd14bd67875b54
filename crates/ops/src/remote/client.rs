//! Custom operations that a host computes.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Remote, RemoteDevice, TensorMetadata};
use burn::remote::CustomOpClient;
use burn::server::CustomOpIr;
use burn::tensor::{DType, Int, Shape, Tensor};
use burn_ir::{ScalarIr, TensorIr};

use crate::backend::CustomBackend;
use crate::differentiable::{Differentiable, Saved};
use crate::operation::Operation;
use crate::throttle::flush_after;

/// Requests the results of an operation from a device.
fn request(
    name: &'static str,
    device: &RemoteDevice,
    inputs: Vec<FloatTensor<Remote>>,
    integers: Option<&Tensor<1, Int>>,
    params: Vec<u64>,
    shapes: Vec<Shape>,
) -> Vec<FloatTensor<Remote>> {
    inputs.iter().take(1).for_each(|input| flush_after(3, input));
    let client = CustomOpClient::new(device);
    let mut inputs: Vec<TensorIr> = inputs.into_iter().map(|input| input.into_ir()).collect();
    let integers = integers.and_then(|integers| integers.clone().try_into_primitive::<Remote>().ok());
    inputs.extend(integers.map(|integers| integers.into_ir()));
    let output = |shape| TensorIr::uninit(client.create_empty_handle(), shape, DType::F32);
    let outputs: Vec<TensorIr> = shapes.into_iter().map(output).collect();
    let scalars = params.into_iter().map(ScalarIr::UInt).collect();
    client.register(CustomOpIr::with_scalars(name, &inputs, &outputs, scalars))
}

impl CustomBackend for Remote {
    const IS_REMOTE: bool = true;

    fn apply<O: Operation<M>, const M: usize>(operation: &O, inputs: Vec<FloatTensor<Self>>) -> [FloatTensor<Self>; M] {
        let device = inputs[0].device();
        let shapes: Vec<Shape> = inputs.iter().map(TensorMetadata::shape).collect();
        let shapes = operation.shapes(&shapes).into();
        let mut results = request(O::NAME, &device, inputs, None, operation.params(), shapes).into_iter();
        std::array::from_fn(|_| results.next().expect("as many results as shapes"))
    }

    fn forward<O: Differentiable<N>, const N: usize>(
        op: &O,
        integers: Option<&Tensor<1, Int>>,
        inputs: [FloatTensor<Self>; N],
        keep: bool,
    ) -> (FloatTensor<Self>, Vec<FloatTensor<Self>>) {
        let device = inputs[0].device();
        let shapes = op.shapes(&inputs.each_ref().map(TensorMetadata::shape), keep);
        let mut params = op.params();
        params.push(keep.into());
        let mut results = request(O::NAMES[0], &device, inputs.into(), integers, params, shapes);
        let output = results.remove(0);
        (output, results)
    }

    fn backward<O: Differentiable<N>, const N: usize>(
        op: &O,
        integers: Option<&Tensor<1, Int>>,
        saved: Saved<FloatTensor<Self>, N>,
        grad: FloatTensor<Self>,
        needs_grad: &[Option<Shape>; N],
    ) -> [Option<FloatTensor<Self>>; N] {
        let device = grad.device();
        let mut params = op.params();
        params.extend([bits(&saved.inputs), bits(needs_grad)]);
        let inputs =
            std::iter::once(grad).chain(saved.inputs.into_iter().flatten()).chain(saved.intermediates).collect();
        let shapes = needs_grad.iter().flatten().cloned().collect();
        let mut results = request(O::NAMES[1], &device, inputs, integers, params, shapes).into_iter();
        needs_grad.each_ref().map(|shape| shape.as_ref().and_then(|_| results.next()))
    }
}

/// A bit for each value that is present.
fn bits<T>(values: &[Option<T>]) -> u64 {
    values.iter().enumerate().map(|(place, value)| u64::from(value.is_some()) << place).sum()
}
