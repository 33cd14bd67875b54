//! The layout of a batch, and its forms on a device.

use std::sync::{Arc, OnceLock};

use burn::tensor::{Device, Int, Tensor};

use crate::indices::ints;
use crate::layout::SequenceLayout;
use crate::padded::PaddedLayout;

/// The layout of a batch. Its forms on a device are created when an operation needs them.
#[derive(Clone, Debug)]
pub(crate) struct DeviceLayout {
    pub(crate) sequences: Arc<SequenceLayout>,
    pub(crate) device: Device,
    integers: OnceLock<Tensor<1, Int>>,
    padded: OnceLock<PaddedLayout>,
}

impl DeviceLayout {
    pub(crate) fn new(sequences: SequenceLayout, device: &Device) -> Self {
        let (integers, padded) = (OnceLock::new(), OnceLock::new());
        Self { sequences: sequences.into(), device: device.clone(), integers, padded }
    }

    /// [`SequenceLayout::to_integers`], for fused kernels on a host.
    pub(crate) fn integers(&self) -> Tensor<1, Int> {
        let integers = || ints(self.sequences.to_integers().into_iter().map(|number| number as i32), &self.device);
        self.integers.get_or_init(integers).clone()
    }

    /// The padded layout, for Burn's operations.
    pub(crate) fn padded(&self) -> &PaddedLayout {
        self.padded.get_or_init(|| PaddedLayout::new(&self.sequences, &self.device))
    }
}
