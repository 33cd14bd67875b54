//! Training or evaluation.

/// Whether a forward pass is part of a training.
///
/// Burn's `Dropout` is active on tensors that autodiff tracks. In PyTorch, frozen layers drop as well while training, so the
/// caller decides here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Dropout is active.
    Train {
        /// Which elements are dropped: the same seed drops the same elements of the same batch.
        seed: u64,
    },
    /// Dropout is active from the first trained layer on; the frozen layers before it are deterministic.
    TrainTop {
        /// As for [`Train`](Self::Train).
        seed: u64,
    },
    /// Dropout is inactive.
    Eval,
}

impl Mode {
    /// The mode for one of several places of a model. Each place derives its own seed.
    #[must_use]
    pub fn at(self, place: usize) -> Self {
        match self {
            Self::Train { seed } => Self::Train { seed: mix(seed.wrapping_add(place as u64 + 1)) },
            Self::TrainTop { seed } => Self::TrainTop { seed: mix(seed.wrapping_add(place as u64 + 1)) },
            Self::Eval => Self::Eval,
        }
    }

    /// The mode of the frozen layers.
    #[must_use]
    pub fn frozen(self) -> Self {
        if matches!(self, Self::TrainTop { .. }) { Self::Eval } else { self }
    }

    /// The dropout at a rate, if any element is dropped.
    pub(crate) fn dropout(self, rate: f64) -> Option<DropoutSpec> {
        match self {
            Self::Train { seed } | Self::TrainTop { seed } if rate > 0.0 => Some(DropoutSpec { rate, seed }),
            _ => None,
        }
    }
}

/// A dropout that is active.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DropoutSpec {
    /// The probability with which an element is dropped.
    pub(crate) rate: f64,
    /// Which elements are dropped.
    pub(crate) seed: u64,
}

/// The step of SplitMix64 (Steele, Lea and Flood, 2014), which turns neighbouring seeds into unrelated ones.
fn mix(seed: u64) -> u64 {
    let mut bits = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}
