//! Other machines by Burn's remote engine: how their devices are connected, and how ours are offered.

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
    /// Connected.
    pub device: Device,
    /// `None` where the host is no host of Rekindle, or of one that does not say.
    pub about: Option<About>,
}

/// What a host says of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Engine and device.
    pub kind: String,
    /// The host's version of Rekindle.
    pub version: String,
}

/// What a device of a host is called.
pub fn name(url: &HostUrl, index: usize) -> String {
    if index == 0 { url.to_string() } else { format!("{url}#{index}") }
}

/// What hosts have said of their devices, by name.
static KINDS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// Of which kind a device is, or several that work as one, where it is known.
pub fn kind(name: &str) -> Option<String> {
    let known = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut kinds: Vec<&str> = name.split(AND).filter_map(|name| known.get(name)).map(String::as_str).collect();
    kinds.dedup();
    (!kinds.is_empty()).then(|| kinds.join(AND))
}

/// Between the names of devices that work as one.
pub const AND: &str = " + ";

/// Behind the token, what tells one connection of a client from the next. Burn knows a device by host and credential,
/// and never connects the same one again once it was lost.
#[cfg(feature = "remote")]
const SEPARATOR: char = '\n';
