//! The position-wise feed-forward block.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::config::{Activation, DistilBertConfig};
use crate::dropout::{Mode, dropout};
use crate::linear::Linear;
use crate::rows::activate;

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
            lin1: Linear::new(config.dim, config.hidden_dim, device),
            lin2: Linear::new(config.hidden_dim, config.dim, device),
            activation: config.activation,
            dropout: config.dropout,
        }
    }

    /// # Shapes
    /// - hidden: `[rows, dim]`
    /// - output: `[rows, dim]`
    pub fn forward(&self, hidden: Tensor<2>, mode: Mode) -> Tensor<2> {
        let inner = activate(self.activation, self.lin1.forward(hidden));
        dropout(self.lin2.forward(inner), self.dropout, mode)
    }
}
