//! The part of an optimizer that touches every value: AdamW's update, and the norm of gradients.

use burn::tensor::{Device, Tensor};

use crate::kernels;

/// The coefficients of one AdamW update (Loshchilov and Hutter, 2019), the same for every element of a tensor.
#[derive(Clone, Copy, Debug)]
pub struct AdamWRates {
    /// Factor of the value before the step: 1 minus learning rate times weight decay.
    pub keep: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Factor of the second moment's root: its bias correction.
    pub correction: f32,
    /// The learning rate divided by the first moment's bias correction.
    pub size: f32,
}

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
