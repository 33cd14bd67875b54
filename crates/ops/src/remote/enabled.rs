//! The devices of hosts that offer the operations.

use std::sync::{PoisonError, RwLock};

use burn::backend::{DispatchDevice, RemoteDevice};
use burn::tensor::Device;

static ENABLED: RwLock<Vec<RemoteDevice>> = RwLock::new(Vec::new());

/// Runs custom operations on the device of a host.
///
/// The host must offer all of them, in the same version; a host that does not ends the session.
pub fn enable(device: &Device) {
    if let DispatchDevice::Remote(device) = device.clone().without_autodiff().as_dispatch() {
        let mut enabled = ENABLED.write().unwrap_or_else(PoisonError::into_inner);
        if !enabled.contains(device) {
            enabled.push(device.clone());
        }
    }
}

/// Whether custom operations run on a plain device.
pub(crate) fn is_enabled(device: &Device) -> bool {
    let enabled = ENABLED.read().unwrap_or_else(PoisonError::into_inner);
    matches!(device.as_dispatch(), DispatchDevice::Remote(device) if enabled.contains(device))
}
