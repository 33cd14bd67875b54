//! Operations without a derivative.

use std::fmt::Debug;

use burn::backend::{DispatchKindConversion, DispatchTensor};
use burn::tensor::{Shape, Tensor};
use burn_flex::{Flex, FlexTensor};

use crate::held::Held;
use crate::numbers::Numbers;
use crate::place::{At, Place};

/// An operation on tensors of f32 with `M` results, without a derivative.
pub trait Operation<const M: usize>: Debug + Sized {
    /// What hosts know it by.
    const NAME: &'static str;

    /// The shapes of the results.
    fn shapes(&self, inputs: &[Shape]) -> [Shape; M];

    /// The results. The inputs are contiguous, and no one else's where that can be: they may be worked on in place.
    fn run(&self, inputs: Vec<FlexTensor>) -> [FlexTensor; M];

    /// The parameters, always as many.
    fn numbers(&self) -> Vec<u64>;

    /// From the parameters that [`numbers`](Self::numbers) gave.
    fn read(numbers: &mut Numbers) -> Self;
}

/// The results of an operation on vectors that [are held](crate::is_held).
///
/// # Panics
/// As Burn's operations, where they lie on different devices; and where they are not held.
pub fn apply<const M: usize>(operation: &impl Operation<M>, inputs: Vec<Tensor<1>>) -> [Tensor<1>; M] {
    let held: Vec<Held> = inputs.iter().filter_map(Held::of).collect();
    drop(inputs);
    #[cfg(feature = "remote")]
    if matches!(held.first(), Some(Held(crate::held::Inner::There(_)))) {
        return apply_at::<burn::backend::Remote, _, M>(operation, held);
    }
    apply_at::<Flex, _, M>(operation, held)
}

fn apply_at<P: Place, O: Operation<M>, const M: usize>(operation: &O, held: Vec<Held>) -> [Tensor<1>; M]
where
    DispatchTensor: DispatchKindConversion<P>,
{
    let inputs = held.into_iter().filter_map(P::take).map(At::plain).collect();
    P::apply(operation, inputs).map(Tensor::from_primitive::<P>)
}
