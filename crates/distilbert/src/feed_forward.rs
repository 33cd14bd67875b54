//! The position-wise feed-forward block.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::config::{Activation, DistilBertConfig};
use crate::dropout::{Mode, dropout};
use crate::rows::{activate, linear};

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
        let inner = activate(self.activation, linear(&self.lin1, hidden));
        dropout(linear(&self.lin2, inner), self.dropout, mode)
    }
}
