//! Operations on hosts. A host [`offer`]s them to whoever computes on its CPU devices; a client that knows a device for one of
//! those [`admit`]s it, and from then on the operations are done there and not by Burn's.

use std::sync::{Arc, PoisonError, RwLock};

use burn::backend::tensor::FloatTensor;
use burn::backend::{DispatchDevice, Remote, RemoteDevice, TensorMetadata};
use burn::remote::CustomOpClient;
use burn::server::{CustomOpIr, RemoteServer};
use burn::tensor::{DType, Device, Int, Shape, Tensor};
use burn_flex::{Flex, FlexTensor};
use burn_ir::{BackendIr, HandleContainer, ScalarIr, TensorIr};

use crate::differentiable::{Differentiable, Saved};
use crate::held::{Held, Inner};
use crate::memory::contiguous;
use crate::numbers::Numbers;
use crate::operation::Operation;
use crate::pace;
use crate::place::{At, Place};

/// What a host holds.
type Handles = HandleContainer<<Flex as BackendIr>::Handle>;

/// The devices that were admitted.
static ADMITTED: RwLock<Vec<RemoteDevice>> = RwLock::new(Vec::new());

/// Has operations done by a host's device. The host must offer all of them, in the same version: one that does not ends the
/// session.
pub fn admit(device: &Device) {
    if let DispatchDevice::Remote(device) = device.clone().without_autodiff().as_dispatch() {
        ADMITTED.write().unwrap_or_else(PoisonError::into_inner).push(device.clone());
    }
}

/// Whether a device that does not record was admitted.
pub(crate) fn is_admitted(device: &Device) -> bool {
    let admitted = ADMITTED.read().unwrap_or_else(PoisonError::into_inner);
    matches!(device.as_dispatch(), DispatchDevice::Remote(device) if admitted.contains(device))
}

/// Offers an operation without a derivative.
pub fn offer<O: Operation<M>, const M: usize>(server: RemoteServer) -> RemoteServer {
    server.with_custom_op::<Flex, _>(O::NAME, |handles, call, _| {
        let (mut numbers, inputs) = received(handles, call);
        answer(handles, call, O::read(&mut numbers).run(inputs));
    })
}

/// Offers an operation and its derivative.
pub fn offer_differentiable<O: Differentiable<N>, const N: usize>(server: RemoteServer) -> RemoteServer {
    let [forward, backward] = O::NAMES;
    let server = server.with_custom_op::<Flex, _>(forward, |handles, call, _| {
        let (mut numbers, inputs) = received(handles, call);
        let op = O::read(&mut numbers);
        let Ok(inputs) = <[FlexTensor; N]>::try_from(inputs) else { return };
        let (output, mut results) = op.forward(inputs, numbers.word() != 0);
        results.insert(0, output);
        answer(handles, call, results);
    });
    server.with_custom_op::<Flex, _>(backward, |handles, call, _| {
        let (mut numbers, inputs) = received(handles, call);
        let op = O::read(&mut numbers);
        let (kept, asked) = (numbers.word(), numbers.word());
        let mut inputs = inputs.into_iter();
        let Some(gradient) = inputs.next() else { return };
        let kept = std::array::from_fn(|place| at(kept, place, || inputs.next()));
        let saved = Saved { inputs: kept, made: inputs.collect() };
        let mut outputs = call.outputs.iter();
        let mut shape = || outputs.next().map(|output| output.shape.clone());
        let wanted = std::array::from_fn(|place| at(asked, place, &mut shape));
        let results = op.backward(saved, gradient, &wanted);
        answer(handles, call, results.into_iter().flatten());
    })
}

/// The parameters of an operation that a client asks for, and its inputs.
fn received(handles: &mut Handles, call: &CustomOpIr) -> (Numbers, Vec<FlexTensor>) {
    let (mut integers, mut inputs): (Arc<[u32]>, _) = (Arc::default(), Vec::with_capacity(call.inputs.len()));
    for input in &call.inputs {
        if input.dtype.is_float() {
            inputs.push(contiguous(handles.get_float_tensor::<Flex>(input)));
        } else {
            let data = handles.get_int_tensor::<Flex>(input).into_data();
            integers = data.iter::<u32>().collect();
        }
    }
    let word = |scalar: &ScalarIr| if let ScalarIr::UInt(word) = scalar { *word } else { 0 };
    (Numbers::new(call.scalars.iter().map(word).collect(), integers), inputs)
}

fn answer(handles: &mut Handles, call: &CustomOpIr, results: impl IntoIterator<Item = FlexTensor>) {
    for (output, result) in call.outputs.iter().zip(results) {
        handles.register_float_tensor::<Flex>(&output.id, result);
    }
}

/// Asks a device for the results of an operation.
fn ask(
    name: &'static str,
    device: &RemoteDevice,
    inputs: Vec<FloatTensor<Remote>>,
    integers: Option<&Tensor<1, Int>>,
    numbers: Vec<u64>,
    shapes: Vec<Shape>,
) -> Vec<FloatTensor<Remote>> {
    inputs.iter().take(1).for_each(|input| pace::after(3, input));
    let client = CustomOpClient::new(device);
    let mut inputs: Vec<TensorIr> = inputs.into_iter().map(|input| input.into_ir()).collect();
    let integers = integers.and_then(|integers| integers.clone().try_into_primitive::<Remote>().ok());
    inputs.extend(integers.map(|integers| integers.into_ir()));
    let output = |shape| TensorIr::uninit(client.create_empty_handle(), shape, DType::F32);
    let outputs: Vec<TensorIr> = shapes.into_iter().map(output).collect();
    let scalars = numbers.into_iter().map(ScalarIr::UInt).collect();
    client.register(CustomOpIr::with_scalars(name, &inputs, &outputs, scalars))
}

impl Place for Remote {
    const IS_REMOTE: bool = true;

    fn take(held: Held) -> Option<At<Self>> {
        match held.0 {
            Inner::Here(_) => None,
            Inner::There(at) => Some(at),
        }
    }

    fn apply<O: Operation<M>, const M: usize>(operation: &O, inputs: Vec<FloatTensor<Self>>) -> [FloatTensor<Self>; M] {
        let device = inputs[0].device();
        let shapes: Vec<Shape> = inputs.iter().map(TensorMetadata::shape).collect();
        let shapes = operation.shapes(&shapes).into();
        let mut results = ask(O::NAME, &device, inputs, None, operation.numbers(), shapes).into_iter();
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
        let mut numbers = op.numbers();
        numbers.push(keep.into());
        let mut results = ask(O::NAMES[0], &device, inputs.into(), integers, numbers, shapes);
        let output = results.remove(0);
        (output, results)
    }

    fn backward<O: Differentiable<N>, const N: usize>(
        op: &O,
        integers: Option<&Tensor<1, Int>>,
        saved: Saved<FloatTensor<Self>, N>,
        gradient: FloatTensor<Self>,
        wanted: &[Option<Shape>; N],
    ) -> [Option<FloatTensor<Self>>; N] {
        let device = gradient.device();
        let mut numbers = op.numbers();
        numbers.extend([bits(&saved.inputs), bits(wanted)]);
        let inputs = std::iter::once(gradient).chain(saved.inputs.into_iter().flatten()).chain(saved.made).collect();
        let shapes = wanted.iter().flatten().cloned().collect();
        let mut results = ask(O::NAMES[1], &device, inputs, integers, numbers, shapes).into_iter();
        wanted.each_ref().map(|shape| shape.as_ref().and_then(|_| results.next()))
    }
}

/// Which of some there are, a bit for each.
fn bits<T>(some: &[Option<T>]) -> u64 {
    some.iter().enumerate().map(|(place, one)| u64::from(one.is_some()) << place).sum()
}

/// The one of some that a bit stands for, where it is set.
fn at<T>(bits: u64, place: usize, next: impl FnOnce() -> Option<T>) -> Option<T> {
    if bits & 1 << place == 0 { None } else { next() }
}
