//! LayerNorm.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

use crate::kernels;

/// Normalizes each row to mean 0 and variance 1, and scales and shifts it (Ba, Kiros and Hinton, 2016).
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// The scale, `[dim]`: `weight` in checkpoints.
    pub gamma: Param<Tensor<1>>,
    /// The shift, `[dim]`, if there is one: `bias` in checkpoints.
    pub beta: Option<Param<Tensor<1>>>,
    /// Added to the variance.
    pub epsilon: f64,
}

impl LayerNorm {
    /// A LayerNorm over `dim` elements; `epsilon` is added to the variance.
    pub fn new(dim: usize, epsilon: f64, device: &Device) -> Self {
        let beta = Some(Initializer::Zeros.init([dim], device));
        Self { beta, ..Self::without_bias(dim, epsilon, device) }
    }

    /// A LayerNorm that only scales.
    pub fn without_bias(dim: usize, epsilon: f64, device: &Device) -> Self {
        Self { gamma: Initializer::Ones.init([dim], device), beta: None, epsilon }
    }

    /// # Shapes
    /// - input: `[rows, dim]`
    /// - output: `[rows, dim]`
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        kernels::norm(input, self.gamma.val(), self.beta.as_ref().map(Param::val), self.epsilon)
    }

    /// The LayerNorm of a sum, of the output of a block and its residual connection.
    ///
    /// # Shapes
    /// - a, b: `[rows, dim]`
    /// - output: `[rows, dim]`
    pub fn forward_sum(&self, a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
        kernels::add_norm(a, b, self.gamma.val(), self.beta.as_ref().map(Param::val), self.epsilon)
    }
}
