//! Operations without a derivative.

use std::fmt::Debug;

use burn::tensor::Shape;
use burn_flex::FlexTensor;

use crate::params::OpParams;

/// An operation on tensors of f32 with `M` results, without a derivative.
pub trait Operation<const M: usize>: Debug + Sized {
    /// The name by which hosts know the operation.
    const NAME: &'static str;

    /// The shapes of the results.
    fn shapes(&self, inputs: &[Shape]) -> [Shape; M];

    /// The results. The inputs are contiguous. Where possible, nobody else holds them, so that it can work in place.
    fn run(&self, inputs: Vec<FlexTensor>) -> [FlexTensor; M];

    /// The parameters as numbers, always the same count.
    fn params(&self) -> Vec<u64>;

    /// The operation with the parameters that [`params`](Self::params) returned.
    fn from_params(params: &mut OpParams) -> Self;
}
