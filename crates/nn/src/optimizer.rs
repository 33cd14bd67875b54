//! The part of an optimizer that touches every value: AdamW's update, and the norm of gradients.

use burn::tensor::{Device, Tensor};

use crate::kernels::{self, AdamWRates};

impl AdamWRates {
    /// Returns the values and the two moments after a step, in the order of operations of `torch.optim.AdamW`. All tensors are
    /// flat and of one length, except `clip`, `[1]`, which the gradient is multiplied by.
    pub fn step(
        self,
        value: Tensor<1>,
        gradient: Tensor<1>,
        [first, second]: [Tensor<1>; 2],
        clip: Tensor<1>,
    ) -> [Tensor<1>; 3] {
        kernels::adamw([value, gradient, first, second, clip], self)
    }
}

/// Returns the norm over all gradients, `[1]`, and the factor that limits it to `max_norm`, `[1]`, as
/// `torch.nn.utils.clip_grad_norm_` computes them. Does not change the gradients, and does not wait for the device.
pub fn clip_grad_norm(gradients: Vec<Tensor<1>>, max_norm: f64, device: &Device) -> [Tensor<1>; 2] {
    kernels::clip_grad_norm(gradients, max_norm, device)
}
