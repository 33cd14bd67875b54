//! Linear maps, each with room for an adapter.

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

use crate::lora::Lora;
use crate::rows::pace;

/// `input · weight + bias`, and what an adapter adds to it.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[in, out]`: the transpose of what checkpoints hold.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Param<Tensor<1>>,
    /// The adapter, where there is one.
    pub lora: Option<Lora>,
}

impl Linear {
    /// A map whose values are still to come.
    pub(crate) fn new(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Zeros.init([inputs, outputs], device),
            bias: Initializer::Zeros.init([outputs], device),
            lora: None,
        }
    }

    /// By kernels of our own where the tensors are held, elsewhere by Burn's.
    ///
    /// # Shapes
    /// - input: `[rows, in]`
    /// - output: `[rows, out]`
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        #[cfg(feature = "flex")]
        if let Some(output) = crate::host::linear(self, &input) {
            return output;
        }
        let low = self.lora.as_ref().map(|lora| lora.forward(input.clone()));
        let output = input.matmul(self.weight.val()) + self.bias.val().unsqueeze();
        pace(match low {
            Some(low) => output + low,
            None => output,
        })
    }
}
