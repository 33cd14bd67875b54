//! Custom operations on hosts of Burn's remote engine.
//!
//! A host offers operations to clients by [`offer`] and [`offer_differentiable`]. A client calls [`enable`] for a device of such
//! a host; from then on, the host computes custom operations on tensors of the device.

mod client;
mod enabled;
mod server;

pub use enabled::enable;
pub(crate) use enabled::is_enabled;
pub use server::{offer, offer_differentiable};
