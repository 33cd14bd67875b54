//! Indices of rows.

use std::sync::{Arc, OnceLock};

use burn::tensor::{Device, Int, Tensor, TensorData};

/// Indices of the rows of a table: in the memory of this process, and on a device once an operation reads them there.
#[derive(Clone, Debug)]
pub struct Indices {
    pub(crate) host: Arc<[u32]>,
    device: Device,
    on_device: OnceLock<Tensor<1, Int>>,
}

impl Indices {
    pub(crate) fn new(host: Arc<[u32]>, device: &Device) -> Self {
        Self { host, device: device.clone(), on_device: OnceLock::new() }
    }

    pub(crate) fn tensor(&self) -> Tensor<1, Int> {
        self.on_device.get_or_init(|| ints(self.host.iter().map(|&index| index as i32), &self.device)).clone()
    }
}

pub(crate) fn ints(values: impl Iterator<Item = i32>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i32> = values.collect();
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}
