//! Devices of other machines, through Burn's remote engine: connecting to them, and serving ours.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;

use crate::options::host_url::HostUrl;

#[cfg(feature = "remote")]
mod about;
#[cfg(not(feature = "remote"))]
mod absent;
#[cfg(feature = "remote")]
mod client;
#[cfg(feature = "remote")]
mod link;
#[cfg(feature = "remote")]
mod serve;

#[cfg(not(feature = "remote"))]
pub use absent::{connect, offers, serve};
#[cfg(feature = "remote")]
pub use client::{connect, offers};
#[cfg(feature = "remote")]
pub use serve::serve;

/// A device of a host.
pub struct Offer {
    /// The connected device.
    pub device: Device,
    /// What the host reports about the device; `None` if the host is not `rekindle host`, or an older version.
    pub about: Option<About>,
}

/// What a host reports about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The backend and the name of the device.
    pub kind: String,
    /// The host's version of Rekindle.
    pub version: String,
}

/// Returns the name of a host's device.
pub fn name(url: &HostUrl, index: usize) -> String {
    if index == 0 { url.to_string() } else { format!("{url}#{index}") }
}

/// The kinds that hosts have reported, by name of the device.
static KINDS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// Returns the kind of a device, or the kinds of several devices that share a run, if known.
pub fn kind(name: &str) -> Option<String> {
    let known = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut kinds: Vec<&str> = name.split(AND).filter_map(|name| known.get(name)).map(String::as_str).collect();
    kinds.dedup();
    (!kinds.is_empty()).then(|| kinds.join(AND))
}

/// Separates the names of devices that share a run.
pub const AND: &str = " + ";

/// Separates the token from the number of the connection. Burn identifies a device by host and credential, and never
/// reconnects one that was lost, so each connection needs a credential of its own.
#[cfg(feature = "remote")]
const SEPARATOR: char = '\n';
