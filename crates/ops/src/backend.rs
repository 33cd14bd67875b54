//! The backends on which custom operations run.

use std::fmt::Debug;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, DispatchKindConversion, DispatchTensor};
use burn::tensor::{Int, Shape, Tensor};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_flex::{Flex, FlexTensor};

use crate::differentiable::{Differentiable, Saved};
use crate::memory::contiguous;
use crate::operation::Operation;

/// The autodiff backend over another.
pub(crate) type AutodiffOf<B> = Autodiff<B, NoCheckpointing>;

/// The primitive of a tensor.
#[derive(Debug)]
pub(crate) enum Primitive<B: CustomBackend> {
    /// On a plain device.
    Plain(FloatTensor<B>),
    /// On an autodiff device.
    Autodiff(FloatTensor<AutodiffOf<B>>),
}

impl<B: CustomBackend> Primitive<B> {
    pub(crate) fn plain(self) -> FloatTensor<B> {
        match self {
            Self::Plain(tensor) => tensor,
            Self::Autodiff(tensor) => tensor.into_primitive(),
        }
    }

    pub(crate) fn autodiff(self) -> FloatTensor<AutodiffOf<B>> {
        match self {
            Self::Plain(tensor) => FloatTensor::<AutodiffOf<B>>::new(tensor),
            Self::Autodiff(tensor) => tensor,
        }
    }
}

/// A backend on which custom operations run.
pub(crate) trait CustomBackend: Backend {
    /// Whether another process computes the operations.
    const IS_REMOTE: bool;

    /// The primitive of a tensor, if it belongs to this backend.
    fn primitive<const D: usize>(tensor: &Tensor<D>) -> Option<Primitive<Self>>
    where
        DispatchTensor: DispatchKindConversion<Self> + DispatchKindConversion<AutodiffOf<Self>>,
    {
        if tensor.device().is_autodiff() {
            tensor.clone().try_into_primitive::<AutodiffOf<Self>>().ok().map(Primitive::Autodiff)
        } else {
            tensor.clone().try_into_primitive::<Self>().ok().map(Primitive::Plain)
        }
    }

    /// [`Operation::run`].
    fn apply<O: Operation<M>, const M: usize>(operation: &O, inputs: Vec<FloatTensor<Self>>) -> [FloatTensor<Self>; M];

    /// [`Differentiable::forward`]. `integers` are those of the operation.
    fn forward<O: Differentiable<N>, const N: usize>(
        op: &O,
        integers: Option<&Tensor<1, Int>>,
        inputs: [FloatTensor<Self>; N],
        keep: bool,
    ) -> (FloatTensor<Self>, Vec<FloatTensor<Self>>);

    /// [`Differentiable::backward`].
    fn backward<O: Differentiable<N>, const N: usize>(
        op: &O,
        integers: Option<&Tensor<1, Int>>,
        saved: Saved<FloatTensor<Self>, N>,
        grad: FloatTensor<Self>,
        needs_grad: &[Option<Shape>; N],
    ) -> [Option<FloatTensor<Self>>; N];
}

impl CustomBackend for Flex {
    const IS_REMOTE: bool = false;

    fn apply<O: Operation<M>, const M: usize>(operation: &O, inputs: Vec<FlexTensor>) -> [FlexTensor; M] {
        operation.run(inputs.into_iter().map(contiguous).collect())
    }

    fn forward<O: Differentiable<N>, const N: usize>(
        op: &O,
        _: Option<&Tensor<1, Int>>,
        inputs: [FlexTensor; N],
        keep: bool,
    ) -> (FlexTensor, Vec<FlexTensor>) {
        op.forward(inputs.map(contiguous), keep)
    }

    fn backward<O: Differentiable<N>, const N: usize>(
        op: &O,
        _: Option<&Tensor<1, Int>>,
        saved: Saved<FlexTensor, N>,
        grad: FlexTensor,
        needs_grad: &[Option<Shape>; N],
    ) -> [Option<FlexTensor>; N] {
        let Saved { inputs, intermediates } = saved;
        let saved = Saved { inputs: inputs.map(|input| input.map(contiguous)), intermediates };
        op.backward(saved, contiguous(grad), needs_grad)
    }
}
