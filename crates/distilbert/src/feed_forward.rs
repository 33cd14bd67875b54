//! The position-wise feed-forward block.

use std::f64::consts::FRAC_1_SQRT_2;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::config::{Activation, DistilBertConfig};
use crate::dropout::{Mode, dropout};
use crate::rows::linear;

/// Two linear maps around a non-linearity.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// `[dim, hidden_dim]`.
    pub lin1: Linear,
    /// `[hidden_dim, dim]`.
    pub lin2: Linear,
    #[module(skip)]
    activation: Activation,
    dropout: f64,
}

impl FeedForward {
    pub(crate) fn new(config: &DistilBertConfig, device: &Device) -> Self {
        Self {
            lin1: LinearConfig::new(config.dim, config.hidden_dim).init(device),
            lin2: LinearConfig::new(config.hidden_dim, config.dim).init(device),
            activation: config.activation,
            dropout: config.dropout,
        }
    }

    /// # Shapes
    /// - hidden: `[rows, dim]`
    /// - output: `[rows, dim]`
    pub fn forward(&self, hidden: Tensor<2>, mode: Mode) -> Tensor<2> {
        let inner = linear(&self.lin1, hidden);
        let inner = match self.activation {
            Activation::Gelu => exact_gelu(inner),
            Activation::Relu => relu(inner),
        };
        dropout(linear(&self.lin2, inner), self.dropout, mode)
    }
}

/// `x · Φ(x)`, by the error function (Hendrycks and Gimpel, 2016), as transformers' `gelu`.
///
/// Burn's own has the derivative of the approximation by tanh on most backends, which is off by up to 1e-3.
fn exact_gelu(input: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if let Some(host) = crate::host::Host::of(&input) {
        drop(input);
        return crate::host::gelu(host);
    }
    let half = input.clone() * 0.5;
    half.clone() * (input * FRAC_1_SQRT_2).erf() + half
}
