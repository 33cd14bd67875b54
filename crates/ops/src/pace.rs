//! Operations on hosts, no faster than they are taken up.
//!
//! Between whoever calls an operation and Burn's thread for the device there is room for two times 32 tasks, a dropped tensor
//! being one too. Who finds it full spins, for milliseconds where the two share a core.

use std::cell::Cell;

use burn::backend::tensor::FloatTensor;
use burn::backend::{DispatchDevice, Remote};
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use crate::place::{At, Place, Tracked};

/// As many tasks as may wait.
const TASKS: u32 = 18;
/// What Burn's operations between two calls of [`pace`] come to, roughly.
const BETWEEN: u32 = 9;

/// After some tasks more, waits until all are taken up, where there have been many.
pub(crate) fn after(tasks: u32, tensor: &FloatTensor<Remote>) {
    thread_local!(static WAITING: Cell<u32> = const { Cell::new(0) });
    WAITING.set(WAITING.get() + tasks);
    if WAITING.get() >= TASKS {
        WAITING.set(0);
        // Where that thread is gone, whoever reads a result hears of it.
        let _ = tensor.client.run(|| ());
    }
}

/// The same tensor. On a host it waits, here and in the backward pass, until what Burn's operations have sent is taken up: to be
/// called after every few of them.
pub fn pace<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if !matches!(tensor.device().without_autodiff().as_dispatch(), DispatchDevice::Remote(_)) {
        return tensor;
    }
    match Remote::find(&tensor) {
        Some(At::Plain(plain)) => after(BETWEEN, &plain),
        Some(At::Tracked(tracked)) => {
            drop(tensor);
            let (node, primitive) = (tracked.node(), tracked.into_primitive());
            after(BETWEEN, &primitive);
            return Tensor::from_primitive::<Tracked<Remote>>(
                match Paced.prepare::<NoCheckpointing>([node]).compute_bound().stateful() {
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
struct Paced;

impl Backward<Remote, 1> for Paced {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Remote>(&ops.node);
        after(BETWEEN, &gradient);
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            gradients.register::<Remote>(parent.id, gradient);
        }
    }
}
