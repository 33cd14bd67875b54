//! Operations on tensors in host memory, with their derivatives: one pass over the data, on all cores, with the widest
//! vectors of the machine.
//!
//! This is the one place that reaches beneath Burn's tensors, by its extension point for custom operations. What stands
//! here is what a profile of training showed outside the matrix products, and the products themselves, whose results
//! Burn's CPU backend clears and copies once more. Any other backend keeps Burn's own operations.

mod attention;
mod elementwise;
mod embedding;
mod linear;
mod norm;
mod pair;
#[cfg(test)]
mod tests;

use std::fmt::Debug;

use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Tensor, TensorData};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::{Flex, FlexTensor};
use rayon::prelude::*;

pub(crate) use attention::attention;
pub(crate) use elementwise::{dropout, gelu};
pub(crate) use embedding::embedding;
pub(crate) use linear::{linear, tied};
pub(crate) use norm::add_norm;
pub(crate) use pair::both;

/// The autodiff backend around the CPU one.
type Tracked = Autodiff<Flex, NoCheckpointing>;

/// A tensor of f32 in host memory.
pub(crate) enum Host {
    /// On a plain device.
    Plain(FlexTensor),
    /// On a device that records for the backward pass.
    Tracked(FloatTensor<Tracked>),
}

impl Host {
    /// The tensor, where it lies in host memory. Drop `tensor` before working on it, so that the work may be in place.
    pub(crate) fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        if !is_host(tensor) {
            None
        } else if tensor.device().is_autodiff() {
            tensor.clone().try_into_primitive::<Tracked>().ok().map(Self::Tracked)
        } else {
            tensor.clone().try_into_primitive::<Flex>().ok().map(Self::Plain)
        }
    }

    fn plain(self) -> FlexTensor {
        match self {
            Self::Plain(tensor) => tensor,
            Self::Tracked(tensor) => tensor.into_primitive(),
        }
    }

    fn tracked(self) -> FloatTensor<Tracked> {
        match self {
            Self::Plain(tensor) => FloatTensor::<Tracked>::new(tensor),
            Self::Tracked(tensor) => tensor,
        }
    }
}

/// Whether a tensor of f32 lies in host memory.
pub(crate) fn is_host<const D: usize>(tensor: &Tensor<D>) -> bool {
    let host = |tensor: Tensor<D>| tensor.try_into_primitive::<Flex>().is_ok_and(|tensor| tensor.dtype() == DType::F32);
    host(tensor.clone().without_autodiff())
}

/// An operation of `N` inputs with its derivative.
trait Op<const N: usize>: Send + Debug + Sized + 'static {
    /// What the backward pass reads of the forward one.
    type Saved: Clone + Send + Debug + 'static;

    /// The output, and what to save when some of the inputs are `tracked`.
    fn forward(&self, inputs: [FlexTensor; N], tracked: [bool; N]) -> (FlexTensor, Self::Saved);

    /// The gradients of the inputs that are `tracked`, from that of the output.
    fn backward(&self, saved: Self::Saved, gradient: FlexTensor, tracked: [bool; N]) -> [Option<FlexTensor>; N];
}

/// Runs an operation, as a node of the autodiff graph where an input is on a device that records.
fn run<const N: usize, const D: usize>(op: impl Op<N>, inputs: [Host; N]) -> Tensor<D> {
    if inputs.iter().all(|input| matches!(input, Host::Plain(_))) {
        let (output, _) = op.forward(inputs.map(Host::plain), [false; N]);
        return Tensor::from_primitive::<Flex>(output);
    }
    let inputs = inputs.map(Host::tracked);
    let tracked = inputs.each_ref().map(|input| input.is_tracked());
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| input.into_primitive());
    let (output, saved) = op.forward(inputs, tracked);
    let output = match Node(op).prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(saved, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Tensor::from_primitive::<Tracked>(output)
}

#[derive(Debug)]
struct Node<O>(O);

impl<const N: usize, O: Op<N>> Backward<Flex, N> for Node<O> {
    type State = O::Saved;

    fn backward(self, ops: Ops<O::Saved, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let tracked = ops.parents.each_ref().map(Option::is_some);
        let results = self.0.backward(ops.state, contiguous(gradient), tracked);
        for (parent, result) in ops.parents.into_iter().zip(results) {
            if let (Some(parent), Some(result)) = (parent, result) {
                gradients.register::<Flex>(parent.id, result);
            }
        }
    }
}

/// Values that a core takes at a time: they stay in its cache.
const CHUNK: usize = 8 * 1024;

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
}

/// The values of a contiguous tensor.
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice::<f32>().unwrap_or_default()
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// The last extent of a shape, and the product of the others.
fn rows_of(tensor: &FlexTensor) -> [usize; 2] {
    let shape = tensor.layout().shape();
    let columns = shape.last().copied().unwrap_or(1);
    [tensor.layout().num_elements() / columns.max(1), columns]
}

/// Does every task, on all cores where there is more than one.
fn each<T: Send>(tasks: Vec<T>, work: impl Fn(T) + Sync + Send) {
    if tasks.len() == 1 {
        tasks.into_iter().for_each(work);
    } else {
        tasks.into_par_iter().for_each(work);
    }
}

/// A slice cut into pieces of these lengths.
fn cut<T>(mut slice: &mut [T], lengths: impl Iterator<Item = usize>) -> Vec<&mut [T]> {
    lengths
        .map(|length| {
            let (piece, rest) = std::mem::take(&mut slice).split_at_mut(length);
            slice = rest;
            piece
        })
        .collect()
}
