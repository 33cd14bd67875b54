//! The layout of a batch, and its forms on a device.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::indices::ints;
use crate::kernels::options::Rotation;
use crate::layout::SequenceLayout;
use crate::padded::PaddedLayout;

/// The layout of a batch. Its forms on a device are created when an operation needs them.
#[derive(Clone, Debug)]
pub(crate) struct DeviceLayout {
    pub(crate) sequences: Arc<SequenceLayout>,
    pub(crate) device: Device,
    integers: OnceLock<Tensor<1, Int>>,
    padded: OnceLock<PaddedLayout>,
    rotations: Arc<Mutex<Vec<Rotated>>>,
}

/// Cosines and sines of a rotation, each `[rows, 1, width / 2]`.
type Rotated = (Rotation, [Tensor<3>; 2]);

impl DeviceLayout {
    pub(crate) fn new(sequences: SequenceLayout, device: &Device) -> Self {
        let (integers, padded) = (OnceLock::new(), OnceLock::new());
        Self { sequences: sequences.into(), device: device.clone(), integers, padded, rotations: Arc::default() }
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

    /// Cosines and sines of a rotation of rows, each `[rows, 1, width / 2]`, for Burn's operations.
    pub(crate) fn cos_sin(&self, rotation: Rotation) -> [Tensor<3>; 2] {
        let mut rotations = self.rotations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = rotations.iter().find(|(known, _)| *known == rotation) {
            return known.clone();
        }
        let positions = self.sequences.positions(rotation.selection);
        let shape = [positions.len(), 1, rotation.width / 2];
        let device = self.device.clone().without_autodiff();
        let new = rotation
            .cos_sin(positions.into_iter())
            .map(|values| Tensor::from_data(TensorData::new(values, shape), &device));
        rotations.push((rotation, new.clone()));
        new
    }
}
