//! Dropout that is told when to act.

use burn::tensor::{Distribution, Tensor};

/// Whether a forward pass is for training or for evaluation.
///
/// Burn's own `Dropout` acts where a tensor is tracked by autodiff. Here frozen layers run untracked and drop all the
/// same while training, as they do in PyTorch, so the caller says which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Dropouts act.
    Train,
    /// Dropouts pass their input through.
    Eval,
}

/// Zeroes each element with probability `rate` and scales the others by `1 / (1 - rate)`, in [`Mode::Train`] alone.
///
/// Source: Srivastava et al., 2014. The draw comes from the device's generator, `Device::seed`.
pub(crate) fn dropout<const D: usize>(input: Tensor<D>, rate: f64, mode: Mode) -> Tensor<D> {
    if mode == Mode::Eval || rate == 0.0 {
        return input;
    }
    #[cfg(feature = "flex")]
    let input = match crate::host::dropout(input, rate) {
        Ok(dropped) => return dropped,
        Err(input) => input,
    };
    let keep = 1.0 - rate;
    let mask = Tensor::<D>::random(input.shape(), Distribution::Bernoulli(keep), &input.device().without_autodiff());
    input * mask.mul_scalar(1.0 / keep)
}
