//! The operations of the layers, and where each is computed: by fused kernels if these run on its tensors, by Burn's operations
//! otherwise. This is the only module that makes this choice, and the only one that depends on the feature `flex`.

mod adapter;
#[cfg(feature = "flex")]
mod cpu;
pub(crate) mod options;
mod portable;
#[cfg(all(test, feature = "flex"))]
mod tests;
mod throttle;

use burn::tensor::{Device, Tensor};

use crate::device_layout::DeviceLayout;
use crate::indices::Indices;
use crate::int8::Int8Matrix;
use crate::layout::longest;
use crate::mode::DropoutSpec;
use crate::selection::TokenSelection;

pub(crate) use adapter::Adapter;
#[cfg(all(feature = "flex", feature = "remote"))]
pub use cpu::offer;
pub use options::{AdamWRates, AttentionOptions, RelativePositions};
pub(crate) use options::{Curve, Rotation};
pub use throttle::throttle;

/// Where fused kernels run for f32 tensors on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "flex"), expect(dead_code, reason = "without the kernels, only the last is constructed"))]
pub(crate) enum FusedKernels {
    /// In this process.
    Local,
    /// On a host.
    Remote,
    /// Nowhere: Burn's operations are used.
    Unavailable,
}

impl FusedKernels {
    pub(crate) fn on(device: &Device) -> Self {
        #[cfg(feature = "flex")]
        if rekindle_ops::is_local(device) {
            return Self::Local;
        } else if rekindle_ops::supports(device) {
            return Self::Remote;
        }
        let _ = device;
        Self::Unavailable
    }
}

/// Returns the output of a fused kernel, if it runs on its tensors.
macro_rules! try_fused {
    ($kernel:expr) => {
        #[cfg(feature = "flex")]
        if let Some(output) = $kernel {
            return output;
        }
    };
}

/// `input · weight + bias`, and `scale · (input · a) · b` of an adapter. The weight may be stored in bf16; the product is one in f32.
pub(crate) fn linear(
    input: Tensor<2>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    adapter: Option<Adapter>,
) -> Tensor<2> {
    try_fused!(cpu::linear(&input, &weight, bias.as_ref(), adapter.as_ref()));
    portable::linear(input, weight, bias, adapter)
}

/// A linear layer whose weight is in int8, prepared for the CPU of this machine.
#[derive(Clone, Debug)]
pub(crate) struct Int8Layer(
    #[cfg(feature = "flex")] std::sync::Arc<cpu::Int8Layer>,
    #[cfg(not(feature = "flex"))] std::convert::Infallible,
);

impl Int8Layer {
    /// Returns `None` if no kernel computes such a layer on the device.
    pub(crate) fn new(weight: Int8Matrix, bias: Option<Vec<f32>>, device: &Device) -> Option<Self> {
        #[cfg(feature = "flex")]
        if FusedKernels::on(device) == FusedKernels::Local {
            return Some(Self(std::sync::Arc::new(cpu::Int8Layer::new(weight, bias)?)));
        }
        let _ = (weight, bias, device);
        None
    }

    /// Returns the weight.
    pub(crate) fn weight(&self) -> Int8Matrix {
        #[cfg(feature = "flex")]
        return self.0.weight();
        #[cfg(not(feature = "flex"))]
        match self.0 {}
    }

    /// Returns the number of inputs and of outputs.
    pub(crate) fn shape(&self) -> [usize; 2] {
        #[cfg(feature = "flex")]
        return self.0.shape();
        #[cfg(not(feature = "flex"))]
        match self.0 {}
    }

    /// `[rows, in]` to `[rows, out]`. The input is on the device of [`new`](Self::new).
    pub(crate) fn forward(&self, input: &Tensor<2>) -> Tensor<2> {
        #[cfg(feature = "flex")]
        return self.0.forward(input).unwrap_or_else(|| panic!("the input of a layer in int8 is on another device"));
        #[cfg(not(feature = "flex"))]
        {
            let _ = input;
            match self.0 {}
        }
    }
}

/// The second layer of an activation function of the first layer; `None` if no kernel computes the function.
pub(crate) fn int8_feed_forward(layers: [&Int8Layer; 2], curve: Curve, input: &Tensor<2>) -> Option<Tensor<2>> {
    #[cfg(feature = "flex")]
    return cpu::int8_feed_forward(layers.map(|layer| &*layer.0), curve, input);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (curve, input);
        match layers[0].0 {}
    }
}

/// `input · tableᵀ + bias`, `[rows, entries]`, for a table of `[entries, dim]`.
pub(crate) fn tied_projection(table: Tensor<2>, bias: Tensor<1>, input: Tensor<2>) -> Tensor<2> {
    try_fused!(cpu::tied_projection(&table, &bias, &input));
    portable::tied_projection(table, bias, input)
}

/// The rows of a table, `[indices, dim]`.
pub(crate) fn embedding(table: Tensor<2>, indices: &Indices) -> Tensor<2> {
    try_fused!(cpu::gather(&table, indices));
    portable::embedding(table, indices)
}

/// Some rows of a hidden state, `[indices, dim]`.
pub(crate) fn select_rows(rows: Tensor<2>, indices: &Indices) -> Tensor<2> {
    try_fused!(cpu::gather(&rows, indices));
    portable::select_rows(rows, indices)
}

/// The LayerNorm of rows, `[rows, dim]`.
pub(crate) fn norm(rows: Tensor<2>, gamma: Tensor<1>, beta: Option<Tensor<1>>, epsilon: f64) -> Tensor<2> {
    try_fused!(cpu::norm(&rows, &gamma, beta.as_ref(), epsilon));
    portable::norm(rows, gamma, beta, epsilon)
}

/// The LayerNorm of `a + b`, each `[rows, dim]`.
pub(crate) fn add_norm(
    a: Tensor<2>,
    b: Tensor<2>,
    gamma: Tensor<1>,
    beta: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<2> {
    let Some(beta) = beta else { return norm(a + b, gamma, None, epsilon) };
    try_fused!(cpu::add_norm(&a, &b, &gamma, &beta, epsilon));
    portable::norm(a + b, gamma, Some(beta), epsilon)
}

/// An activation function of every element.
pub(crate) fn activation(curve: Curve, input: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if cpu::FUSED.contains(&curve)
        && let Some(custom) = rekindle_ops::CustomTensor::of(&input)
    {
        // So that the kernel works in place.
        drop(input);
        return cpu::activation(curve, custom);
    }
    portable::activation(curve, input)
}

/// An activation function of the first half of each row, times the second half.
pub(crate) fn gated(curve: Curve, input: Tensor<2>) -> Tensor<2> {
    try_fused!(cpu::gated(curve, &input));
    portable::gated(curve, input)
}

/// Dropout. The same seed drops the same elements.
pub(crate) fn dropout<const D: usize>(input: Tensor<D>, dropout: DropoutSpec) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if let Some(custom) = rekindle_ops::CustomTensor::of(&input) {
        drop(input);
        return cpu::dropout(custom, dropout);
    }
    portable::dropout(input, dropout)
}

/// `softmax(scale · q kᵀ) v` within each sequence and head, with dropout on the probabilities.
pub(crate) fn attention(
    qkv: [Tensor<2>; 3],
    layout: &DeviceLayout,
    selection: TokenSelection,
    mut options: AttentionOptions,
    dropout: Option<DropoutSpec>,
) -> Tensor<2> {
    let longest = longest(&layout.sequences.cu_seqlens);
    options.window = options.window.filter(|window| window + 1 < longest);
    try_fused!(cpu::attention(qkv.each_ref(), layout, selection, &options, dropout));
    portable::attention(qkv, layout, selection, options, dropout)
}

/// The rotation of each head's rows by their positions.
pub(crate) fn rotary(input: Tensor<2>, layout: &DeviceLayout, rotation: Rotation) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if let Some(custom) = rekindle_ops::CustomTensor::of(&input) {
        drop(input);
        return cpu::rotary(custom, layout, rotation);
    }
    portable::rotary(input, layout, rotation)
}

/// The norm over all gradients, `[1]`, and the factor that limits it to `max_norm`, `[1]`.
pub(crate) fn clip_grad_norm(gradients: Vec<Tensor<1>>, max_norm: f64, device: &Device) -> [Tensor<1>; 2] {
    try_fused!(cpu::clip_grad_norm(&gradients, max_norm));
    portable::clip_grad_norm(gradients, max_norm, device)
}

/// Values and moments after an update. The tensors are values, gradient, first moment, second moment and the clipping factor.
pub(crate) fn adamw(tensors: [Tensor<1>; 5], rates: AdamWRates) -> [Tensor<1>; 3] {
    #[cfg(feature = "flex")]
    if rekindle_ops::accepts(&tensors[0]) {
        // So that the kernel works in place.
        return cpu::adamw(tensors, rates);
    }
    portable::adamw(tensors, rates)
}

/// Computes on the threads that the operations of a device are spread over, if these run on the CPU of this machine; on this
/// thread otherwise, or while another computation is there.
///
/// From any other thread, each operation wakes those threads and waits for them, which takes longer than an operation on a short
/// text. Nothing in `work` may wait for another thread.
pub fn on_pool<T: Send>(device: &Device, work: impl FnOnce() -> T + Send) -> T {
    #[cfg(feature = "flex")]
    if FusedKernels::on(device) == FusedKernels::Local {
        return cpu::on_pool(work);
    }
    let _ = device;
    work()
}

/// Computes two things in parallel, each on half of the cores, if both run on the CPU of this machine; one after the other
/// otherwise.
///
/// Between the products of one batch, the cores wait for each other at each of many short operations. The halves of a batch do
/// not wait for each other. The results do not depend on the number of cores.
pub fn join_halves<T: Send>(
    device: &Device,
    first: impl FnOnce() -> T + Send,
    second: impl FnOnce() -> T + Send,
) -> (T, T) {
    #[cfg(feature = "flex")]
    if FusedKernels::on(device) == FusedKernels::Local {
        return cpu::join(first, second);
    }
    let _ = device;
    (first(), second())
}
