//! The devices of hosts that offer the operations.

use std::sync::{PoisonError, RwLock};

use burn::backend::{DispatchDevice, RemoteDevice};
use burn::tensor::Device;

static ENABLED: RwLock<Vec<RemoteDevice>> = RwLock::new(Vec::new());

/// Keeps custom operations enabled on the device of a host until it is dropped; see [`enable`].
#[derive(Debug)]
pub struct Enabled(RemoteDevice);

/// Runs custom operations on the device of a host as long as the returned value exists. `None` if the device is local.
///
/// The host must offer all of them, in the same version; a host that does not ends the session.
#[must_use = "custom operations run on the device until the returned value is dropped"]
pub fn enable(device: &Device) -> Option<Enabled> {
    let device = device.clone().without_autodiff();
    let DispatchDevice::Remote(device) = device.as_dispatch() else { return None };
    ENABLED.write().unwrap_or_else(PoisonError::into_inner).push(device.clone());
    Some(Enabled(device.clone()))
}

impl Drop for Enabled {
    fn drop(&mut self) {
        let mut enabled = ENABLED.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = enabled.iter().position(|device| *device == self.0) {
            enabled.swap_remove(place);
        }
    }
}

/// Whether custom operations run on a plain device.
pub(crate) fn is_enabled(device: &Device) -> bool {
    let enabled = ENABLED.read().unwrap_or_else(PoisonError::into_inner);
    matches!(device.as_dispatch(), DispatchDevice::Remote(device) if enabled.contains(device))
}
