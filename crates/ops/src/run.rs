//! Computing operations, and their place in the autodiff graph.

use burn::backend::tensor::FloatTensor;
use burn::backend::{DispatchKindConversion, DispatchTensor, TensorMetadata};
use burn::tensor::{Int, Shape, Tensor};
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::{Flex, FlexTensor};

use crate::backend::{AutodiffOf, CustomBackend, Primitive};
use crate::differentiable::{Differentiable, Saved};
use crate::memory::contiguous;
use crate::operation::Operation;
use crate::tensor::CustomTensor;

/// The output of an operation, as a node of the autodiff graph if an input is on an autodiff device.
///
/// `integers` returns the integers among the operation's parameters, on the device of the inputs, if it has any; it is called
/// if the inputs are on a host.
///
/// # Panics
/// Like Burn's operations, if the inputs are on different devices.
pub fn run<const N: usize, const D: usize>(
    op: impl Differentiable<N>,
    integers: Option<&dyn Fn() -> Tensor<1, Int>>,
    inputs: [CustomTensor; N],
) -> Tensor<D> {
    #[cfg(feature = "remote")]
    if inputs.first().is_some_and(CustomTensor::is_remote) {
        let inputs = inputs.into_iter().filter_map(CustomTensor::remote).collect();
        return run_on::<burn::backend::Remote, _, N, D>(op, integers, inputs);
    }
    run_on::<Flex, _, N, D>(op, integers, inputs.into_iter().filter_map(CustomTensor::local).collect())
}

fn run_on<B: CustomBackend, O: Differentiable<N>, const N: usize, const D: usize>(
    op: O,
    integers: Option<&dyn Fn() -> Tensor<1, Int>>,
    inputs: Vec<Primitive<B>>,
) -> Tensor<D>
where
    DispatchTensor: DispatchKindConversion<B> + DispatchKindConversion<AutodiffOf<B>>,
{
    let Ok(inputs) = <[Primitive<B>; N]>::try_from(inputs) else {
        panic!("the inputs of {} are on different devices", O::NAMES[0])
    };
    let integers = integers.filter(|_| B::IS_REMOTE).map(|integers| integers());
    if inputs.iter().all(|input| matches!(input, Primitive::Plain(_))) {
        let (output, _) = B::forward(&op, integers.as_ref(), inputs.map(Primitive::plain), false);
        return Tensor::from_primitive::<B>(output);
    }
    let inputs = inputs.map(Primitive::autodiff);
    let needs_grad = inputs.each_ref().map(|input| input.is_tracked());
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| input.into_primitive());
    let shapes = inputs.each_ref().map(|input| input.shape());
    let mut reads = op.reads(needs_grad).into_iter();
    let kept = inputs.each_ref().map(|input| reads.next().unwrap_or(false).then(|| input.clone()));
    let (output, intermediates) = B::forward(&op, integers.as_ref(), inputs, needs_grad.contains(&true));
    let node = Node { op, integers };
    let output = match node.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((Saved { inputs: kept, intermediates }, shapes), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Tensor::from_primitive::<AutodiffOf<B>>(output)
}

#[derive(Debug)]
struct Node<O> {
    op: O,
    integers: Option<Tensor<1, Int>>,
}

impl<B: CustomBackend, const N: usize, O: Differentiable<N>> Backward<B, N> for Node<O> {
    /// The saved tensors, and the shapes of all inputs.
    type State = (Saved<FloatTensor<B>, N>, [Shape; N]);

    fn backward(self, ops: Ops<Self::State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let grad = gradients.consume::<B>(&ops.node);
        let (saved, shapes) = ops.state;
        let mut parents = ops.parents.iter();
        let needs_grad = shapes.map(|shape| parents.next().is_some_and(Option::is_some).then_some(shape));
        let grads = B::backward(&self.op, self.integers.as_ref(), saved, grad, &needs_grad);
        for (parent, grad) in ops.parents.into_iter().zip(grads) {
            if let (Some(parent), Some(grad)) = (parent, grad) {
                gradients.register::<B>(parent.id, grad);
            }
        }
    }
}

/// The result of a function of a contiguous tensor in the memory of this process, outside of the autodiff graph; `None` for a tensor
/// on a host.
pub fn map_local<const D: usize>(input: CustomTensor, map: impl FnOnce(FlexTensor) -> FlexTensor) -> Option<Tensor<D>> {
    Some(Tensor::from_primitive::<Flex>(map(contiguous(input.local()?.plain()))))
}

/// The results of an operation on vectors that it [accepts](crate::accepts).
///
/// # Panics
/// Like Burn's operations, if the inputs are on different devices, or if custom operations do not run on them.
pub fn apply<const M: usize>(operation: &impl Operation<M>, inputs: Vec<Tensor<1>>) -> [Tensor<1>; M] {
    let custom: Vec<CustomTensor> = inputs.iter().filter_map(CustomTensor::of).collect();
    drop(inputs);
    #[cfg(feature = "remote")]
    if custom.first().is_some_and(CustomTensor::is_remote) {
        let inputs = custom.into_iter().filter_map(CustomTensor::remote).collect();
        return apply_on::<burn::backend::Remote, _, M>(operation, inputs);
    }
    apply_on::<Flex, _, M>(operation, custom.into_iter().filter_map(CustomTensor::local).collect())
}

fn apply_on<B: CustomBackend, O: Operation<M>, const M: usize>(
    operation: &O,
    inputs: Vec<Primitive<B>>,
) -> [Tensor<1>; M]
where
    DispatchTensor: DispatchKindConversion<B>,
{
    B::apply(operation, inputs.into_iter().map(Primitive::plain).collect()).map(Tensor::from_primitive::<B>)
}
