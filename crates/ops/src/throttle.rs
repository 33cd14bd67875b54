//! Throttling of operations on hosts.
//!
//! The queue between the caller of an operation and Burn's thread for the device holds two times 32 tasks; dropping a tensor is
//! a task, too. A caller that finds the queue full spins, for milliseconds if the two share a core.

use std::cell::Cell;

use burn::backend::tensor::FloatTensor;
use burn::backend::{DispatchDevice, Remote};
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use crate::backend::{AutodiffOf, CustomBackend, Primitive};

/// The most tasks that may be queued.
const TASKS: u32 = 18;
/// The approximate number of tasks between two calls of [`throttle`].
const BETWEEN: u32 = 9;

/// Counts queued tasks, and blocks until the queue drains once there are many.
pub(crate) fn flush_after(tasks: u32, tensor: &FloatTensor<Remote>) {
    thread_local!(static WAITING: Cell<u32> = const { Cell::new(0) });
    WAITING.set(WAITING.get() + tasks);
    if WAITING.get() >= TASKS {
        WAITING.set(0);
        // If the thread has ended, reading a result returns the error.
        let _ = tensor.client.run(|| ());
    }
}

/// Returns `tensor`. For remote tensors, blocks until queued operations drain, here and in the backward pass.
///
/// Call it after every few of Burn's operations.
pub fn throttle<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if !matches!(tensor.device().without_autodiff().as_dispatch(), DispatchDevice::Remote(_)) {
        return tensor;
    }
    match Remote::primitive(&tensor) {
        Some(Primitive::Plain(plain)) => flush_after(BETWEEN, &plain),
        Some(Primitive::Autodiff(tracked)) => {
            drop(tensor);
            let (node, primitive) = (tracked.node(), tracked.into_primitive());
            flush_after(BETWEEN, &primitive);
            return Tensor::from_primitive::<AutodiffOf<Remote>>(
                match Throttled.prepare::<NoCheckpointing>([node]).compute_bound().stateful() {
                    OpsKind::Tracked(prepared) => prepared.finish((), primitive),
                    OpsKind::UnTracked(prepared) => prepared.finish(primitive),
                },
            );
        }
        None => {}
    }
    tensor
}

#[derive(Debug)]
struct Throttled;

impl Backward<Remote, 1> for Throttled {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let grad = gradients.consume::<Remote>(&ops.node);
        flush_after(BETWEEN, &grad);
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            gradients.register::<Remote>(parent.id, grad);
        }
    }
}
