//! The operations that a host offers.

use std::sync::Arc;

use burn::server::{CustomOpIr, RemoteServer};
use burn_flex::{Flex, FlexTensor};
use burn_ir::{BackendIr, HandleContainer, ScalarIr};

use crate::differentiable::{Differentiable, Saved};
use crate::memory::contiguous;
use crate::operation::Operation;
use crate::params::OpParams;

/// The tensors of a host.
type Handles = HandleContainer<<Flex as BackendIr>::Handle>;

/// Offers an operation without a derivative.
pub fn offer<O: Operation<M>, const M: usize>(server: RemoteServer) -> RemoteServer {
    server.with_custom_op::<Flex, _>(O::NAME, |handles, call, _| {
        let (mut params, inputs) = received(handles, call);
        answer(handles, call, O::from_params(&mut params).run(inputs));
    })
}

/// Offers an operation and its derivative.
pub fn offer_differentiable<O: Differentiable<N>, const N: usize>(server: RemoteServer) -> RemoteServer {
    let [forward, backward] = O::NAMES;
    let server = server.with_custom_op::<Flex, _>(forward, |handles, call, _| {
        let (mut params, inputs) = received(handles, call);
        let op = O::from_params(&mut params);
        let Ok(inputs) = <[FlexTensor; N]>::try_from(inputs) else { return };
        let (output, mut results) = op.forward(inputs, params.word() != 0);
        results.insert(0, output);
        answer(handles, call, results);
    });
    server.with_custom_op::<Flex, _>(backward, |handles, call, _| {
        let (mut params, inputs) = received(handles, call);
        let op = O::from_params(&mut params);
        let (kept, asked) = (params.word(), params.word());
        let mut inputs = inputs.into_iter();
        let Some(grad) = inputs.next() else { return };
        let kept = std::array::from_fn(|place| at(kept, place, || inputs.next()));
        let saved = Saved { inputs: kept, intermediates: inputs.collect() };
        let mut outputs = call.outputs.iter();
        let mut shape = || outputs.next().map(|output| output.shape.clone());
        let needs_grad = std::array::from_fn(|place| at(asked, place, &mut shape));
        let grads = op.backward(saved, grad, &needs_grad);
        answer(handles, call, grads.into_iter().flatten());
    })
}

/// The parameters and inputs of an operation that a client requests.
fn received(handles: &mut Handles, call: &CustomOpIr) -> (OpParams, Vec<FlexTensor>) {
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
    (OpParams::new(call.scalars.iter().map(word).collect(), integers), inputs)
}

fn answer(handles: &mut Handles, call: &CustomOpIr, results: impl IntoIterator<Item = FlexTensor>) {
    for (output, result) in call.outputs.iter().zip(results) {
        handles.register_float_tensor::<Flex>(&output.id, result);
    }
}

/// The next of some values, if its bit is set.
fn at<T>(bits: u64, place: usize, next: impl FnOnce() -> Option<T>) -> Option<T> {
    if bits & 1 << place == 0 { None } else { next() }
}
