//! A connection to a device, and what its host reports about the device.

use burn::tensor::Device;

#[cfg(all(feature = "engine", feature = "flex"))]
use rekindle_nn::remote::Enabled as Kernels;
#[cfg(not(all(feature = "engine", feature = "flex")))]
use std::convert::Infallible as Kernels;

/// A connection to a device of a host.
#[derive(Debug)]
pub struct Connection {
    /// The device. Hosts of the same version on `flex` compute fused kernels for it as long as the connection exists.
    pub device: Device,
    /// What the host reports; `None` if it is not `rekindle host`, or an older version.
    pub description: Option<Description>,
    /// Keeps the kernels of the host enabled.
    pub(crate) _kernels: Option<Kernels>,
}

/// What a host reports about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The backend and the name of the device.
    pub kind: String,
    /// The host's version of Rekindle.
    pub version: String,
}
