//! Custom operations on hosts of Burn's remote engine.
//!
//! A host offers operations to clients by [`offer`] and [`offer_differentiable`]. A client calls [`enable`] for a device of such
//! a host; as long as the returned [`Enabled`] exists, the host computes custom operations on tensors of the device.

mod client;
mod enabled;
mod server;

pub(crate) use enabled::is_enabled;
pub use enabled::{Enabled, enable};
pub use server::{offer, offer_differentiable};
