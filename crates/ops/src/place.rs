//! Where tensors are held.

use std::fmt::Debug;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, DispatchKindConversion, DispatchTensor};
use burn::tensor::{Int, Shape, Tensor};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_flex::{Flex, FlexTensor};

use crate::differentiable::{Differentiable, Saved};
use crate::held::{Held, Inner};
use crate::memory::contiguous;
use crate::operation::Operation;

/// The autodiff backend around another.
pub(crate) type Tracked<P> = Autodiff<P, NoCheckpointing>;

/// A tensor at a place.
#[derive(Debug)]
pub(crate) enum At<P: Place> {
    /// On a plain device.
    Plain(FloatTensor<P>),
    /// On a device that records for the backward pass.
    Tracked(FloatTensor<Tracked<P>>),
}

impl<P: Place> At<P> {
    pub(crate) fn plain(self) -> FloatTensor<P> {
        match self {
            Self::Plain(tensor) => tensor,
            Self::Tracked(tensor) => tensor.into_primitive(),
        }
    }

    pub(crate) fn tracked(self) -> FloatTensor<Tracked<P>> {
        match self {
            Self::Plain(tensor) => FloatTensor::<Tracked<P>>::new(tensor),
            Self::Tracked(tensor) => tensor,
        }
    }
}

/// A backend on which operations of our own are done.
pub(crate) trait Place: Backend {
    /// Whether the operations are done by another program.
    const IS_REMOTE: bool;

    /// The tensor, where it lies here.
    fn find<const D: usize>(tensor: &Tensor<D>) -> Option<At<Self>>
    where
        DispatchTensor: DispatchKindConversion<Self> + DispatchKindConversion<Tracked<Self>>,
    {
        if tensor.device().is_autodiff() {
            tensor.clone().try_into_primitive::<Tracked<Self>>().ok().map(At::Tracked)
        } else {
            tensor.clone().try_into_primitive::<Self>().ok().map(At::Plain)
        }
    }

    /// What is held here.
    fn take(held: Held) -> Option<At<Self>>;

    /// [`Operation::run`].
    fn apply<O: Operation<M>, const M: usize>(operation: &O, inputs: Vec<FloatTensor<Self>>) -> [FloatTensor<Self>; M];

    /// [`Differentiable::forward`]. `integers` are the operation's own.
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
        gradient: FloatTensor<Self>,
        wanted: &[Option<Shape>; N],
    ) -> [Option<FloatTensor<Self>>; N];
}

impl Place for Flex {
    const IS_REMOTE: bool = false;

    fn take(held: Held) -> Option<At<Self>> {
        match held.0 {
            Inner::Here(at) => Some(at),
            #[cfg(feature = "remote")]
            Inner::There(_) => None,
        }
    }

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
        gradient: FlexTensor,
        wanted: &[Option<Shape>; N],
    ) -> [Option<FlexTensor>; N] {
        let Saved { inputs, made } = saved;
        let saved = Saved { inputs: inputs.map(|input| input.map(contiguous)), made };
        op.backward(saved, contiguous(gradient), wanted)
    }
}
