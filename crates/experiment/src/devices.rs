//! The devices of a worker.

use burn::tensor::Device;

/// A worker that computes on Burn devices.
pub type Worker = rekindle_workers::Worker<Devices>;

/// The devices of a worker. Several devices split each batch of a training.
#[derive(Clone, Debug)]
pub struct Devices {
    /// The device that takes optimizer steps and evaluates.
    pub first: Device,
    /// More devices.
    pub further: Vec<Device>,
}

impl From<Device> for Devices {
    fn from(first: Device) -> Self {
        Self { first, further: Vec::new() }
    }
}
