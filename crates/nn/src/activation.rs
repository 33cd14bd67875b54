//! Activation functions.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use serde::{Deserialize, Serialize};

use crate::kernels;

/// The activation function of a feed-forward block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Activation {
    /// `x · Φ(x)` by the error function (Hendrycks and Gimpel, 2016), as transformers' `gelu`.
    Gelu,
    /// `max(x, 0)`.
    Relu,
}

impl Activation {
    /// Applies the function to every element.
    pub fn forward(self, input: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Gelu => kernels::gelu(input),
            Self::Relu => relu(input),
        }
    }
}
