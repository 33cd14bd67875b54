//! Operations with a derivative.

use std::fmt::Debug;

use burn::tensor::Shape;
use burn_flex::FlexTensor;

use crate::params::OpParams;

/// An operation on `N` tensors of f32, with its derivative.
///
/// All tensors that it gets are contiguous. Where possible, nobody else holds them, so that it can work in place.
pub trait Differentiable<const N: usize>: Debug + Send + Sized + 'static {
    /// The names by which hosts know the operation and its derivative.
    const NAMES: [&'static str; 2];

    /// The shape of the output, followed by those of the intermediate results if `keep` is true.
    fn shapes(&self, inputs: &[Shape; N], keep: bool) -> Vec<Shape>;

    /// Which inputs the backward pass reads if these inputs need gradients.
    fn reads(&self, needs_grad: [bool; N]) -> [bool; N];

    /// The output and, if `keep` is true because a backward pass follows, intermediate results for it.
    fn forward(&self, inputs: [FlexTensor; N], keep: bool) -> (FlexTensor, Vec<FlexTensor>);

    /// The gradients of the inputs that need one, from the gradient of the output. `needs_grad` has the shapes of these inputs.
    fn backward(
        &self,
        saved: Saved<FlexTensor, N>,
        grad: FlexTensor,
        needs_grad: &[Option<Shape>; N],
    ) -> [Option<FlexTensor>; N];

    /// The parameters as numbers, always the same count. The integers that [`run`](crate::run) gets are not among them.
    fn params(&self) -> Vec<u64>;

    /// The operation with the parameters that [`params`](Self::params) returned.
    fn from_params(params: &mut OpParams) -> Self;
}

/// The tensors that a forward pass saves for the backward pass.
#[derive(Clone, Debug)]
pub struct Saved<T, const N: usize> {
    /// The inputs that the backward pass reads.
    pub inputs: [Option<T>; N],
    /// Intermediate results.
    pub intermediates: Vec<T>,
}
