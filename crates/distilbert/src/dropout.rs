//! Dropout that is told when to act.

use burn::tensor::{Distribution, Tensor};

use crate::rows::pace;

/// Whether a forward pass is for training or for evaluation.
///
/// Burn's own `Dropout` acts where a tensor is tracked by autodiff. Here frozen layers run untracked and drop all the
/// same while training, as they do in PyTorch, so the caller says which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Dropouts act.
    Train {
        /// Which elements fall: the same seed on the same batch drops the same.
        seed: u64,
    },
    /// Dropouts act from the first trained layer on; the frozen part before it is deterministic.
    TrainTop {
        /// As for [`Train`](Self::Train).
        seed: u64,
    },
    /// Dropouts pass their input through.
    Eval,
}

impl Mode {
    /// The mode for one of several places, each with a seed of its own.
    pub(crate) fn at(self, place: usize) -> Self {
        match self {
            Self::Train { seed } => Self::Train { seed: mix(seed.wrapping_add(place as u64 + 1)) },
            Self::TrainTop { seed } => Self::TrainTop { seed: mix(seed.wrapping_add(place as u64 + 1)) },
            Self::Eval => Self::Eval,
        }
    }

    /// The mode of the frozen part.
    pub(crate) fn frozen(self) -> Self {
        if matches!(self, Self::TrainTop { .. }) { Self::Eval } else { self }
    }

    /// The seed, where dropouts act.
    pub(crate) fn seed(self) -> Option<u64> {
        match self {
            Self::Train { seed } | Self::TrainTop { seed } => Some(seed),
            Self::Eval => None,
        }
    }
}

/// The step of SplitMix64 (Steele, Lea and Flood, 2014): neighbouring numbers become unrelated ones.
fn mix(seed: u64) -> u64 {
    let mut bits = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// Zeroes each element with probability `rate` and scales the others by `1 / (1 - rate)`, where dropouts act.
///
/// Source: Srivastava et al., 2014.
pub(crate) fn dropout<const D: usize>(input: Tensor<D>, rate: f64, mode: Mode) -> Tensor<D> {
    let Some(seed) = mode.seed() else { return input };
    if rate == 0.0 {
        return input;
    }
    #[cfg(feature = "flex")]
    if let Some(held) = rekindle_ops::Held::of(&input) {
        drop(input);
        return crate::host::dropout(held, rate, seed);
    }
    let keep = 1.0 - rate;
    let device = input.device().without_autodiff();
    device.seed(seed);
    let mask = Tensor::<D>::random(input.shape(), Distribution::Bernoulli(keep), &device);
    pace(input * mask.mul_scalar(1.0 / keep))
}
