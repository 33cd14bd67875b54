//! Operations with a derivative.

use std::fmt::Debug;

use burn::backend::tensor::FloatTensor;
use burn::backend::{DispatchKindConversion, DispatchTensor, TensorMetadata};
use burn::tensor::{Int, Shape, Tensor};
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::{Flex, FlexTensor};

use crate::held::Held;
use crate::numbers::Numbers;
use crate::place::{At, Place, Tracked};

/// An operation of `N` inputs of f32, with its derivative.
///
/// All tensors that it is given are contiguous, and no one else's where that can be: they may be worked on in place.
pub trait Differentiable<const N: usize>: Debug + Send + Sized + 'static {
    /// What hosts know it by: itself, and its derivative.
    const NAMES: [&'static str; 2];

    /// The shape of the output; behind it, those of what else is made where a backward pass will follow.
    fn shapes(&self, inputs: &[Shape; N], keep: bool) -> Vec<Shape>;

    /// Which inputs the backward pass reads, where some of them are `tracked`.
    fn reads(&self, tracked: [bool; N]) -> [bool; N];

    /// The output, and what else is made for the backward pass, where one will follow: where `keep` is true.
    fn forward(&self, inputs: [FlexTensor; N], keep: bool) -> (FlexTensor, Vec<FlexTensor>);

    /// The gradients of the inputs that are wanted, each in its shape, from that of the output.
    fn backward(
        &self,
        saved: Saved<FlexTensor, N>,
        gradient: FlexTensor,
        wanted: &[Option<Shape>; N],
    ) -> [Option<FlexTensor>; N];

    /// The parameters, always as many; the whole numbers that [`run`] is given are not among them.
    fn numbers(&self) -> Vec<u64>;

    /// From the parameters that [`numbers`](Self::numbers) gave.
    fn read(numbers: &mut Numbers) -> Self;
}

/// What a backward pass has of the forward one.
#[derive(Clone, Debug)]
pub struct Saved<T, const N: usize> {
    /// The inputs that it reads.
    pub inputs: [Option<T>; N],
    /// What was made for it.
    pub made: Vec<T>,
}

/// Runs an operation, as a node of the autodiff graph where an input is on a device that records.
///
/// `integers` gives the whole numbers among the operation's parameters, on the inputs' device, where there are any; it is
/// called where they lie on a host.
///
/// # Panics
/// As Burn's operations, where the inputs lie on different devices.
pub fn run<const N: usize, const D: usize>(
    op: impl Differentiable<N>,
    integers: Option<&dyn Fn() -> Tensor<1, Int>>,
    inputs: [Held; N],
) -> Tensor<D> {
    #[cfg(feature = "remote")]
    if matches!(inputs.first(), Some(Held(crate::held::Inner::There(_)))) {
        return run_at::<burn::backend::Remote, _, N, D>(op, integers, inputs);
    }
    run_at::<Flex, _, N, D>(op, integers, inputs)
}

fn run_at<P: Place, O: Differentiable<N>, const N: usize, const D: usize>(
    op: O,
    integers: Option<&dyn Fn() -> Tensor<1, Int>>,
    inputs: [Held; N],
) -> Tensor<D>
where
    DispatchTensor: DispatchKindConversion<P> + DispatchKindConversion<Tracked<P>>,
{
    let inputs: Vec<At<P>> = inputs.into_iter().filter_map(P::take).collect();
    let Ok(inputs) = <[At<P>; N]>::try_from(inputs) else {
        panic!("the inputs of {} lie on different devices", O::NAMES[0])
    };
    let integers = integers.filter(|_| P::IS_REMOTE).map(|integers| integers());
    if inputs.iter().all(|input| matches!(input, At::Plain(_))) {
        let (output, _) = P::forward(&op, integers.as_ref(), inputs.map(At::plain), false);
        return Tensor::from_primitive::<P>(output);
    }
    let inputs = inputs.map(At::tracked);
    let tracked = inputs.each_ref().map(|input| input.is_tracked());
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| input.into_primitive());
    let shapes = inputs.each_ref().map(|input| input.shape());
    let reads = op.reads(tracked);
    let mut read = reads.into_iter();
    let kept = inputs.each_ref().map(|input| read.next().unwrap_or(false).then(|| input.clone()));
    let (output, made) = P::forward(&op, integers.as_ref(), inputs, tracked.contains(&true));
    let node = Node { op, integers };
    let output = match node.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((Saved { inputs: kept, made }, shapes), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Tensor::from_primitive::<Tracked<P>>(output)
}

#[derive(Debug)]
struct Node<O> {
    op: O,
    integers: Option<Tensor<1, Int>>,
}

impl<P: Place, const N: usize, O: Differentiable<N>> Backward<P, N> for Node<O> {
    /// What was saved, and the shapes of all inputs.
    type State = (Saved<FloatTensor<P>, N>, [Shape; N]);

    fn backward(self, ops: Ops<Self::State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<P>(&ops.node);
        let (saved, shapes) = ops.state;
        let mut parents = ops.parents.iter();
        let wanted = shapes.map(|shape| parents.next().is_some_and(Option::is_some).then_some(shape));
        let results = P::backward(&self.op, self.integers.as_ref(), saved, gradient, &wanted);
        for (parent, result) in ops.parents.into_iter().zip(results) {
            if let (Some(parent), Some(result)) = (parent, result) {
                gradients.register::<P>(parent.id, result);
            }
        }
    }
}
