//! Other machines, through Burn's remote engine: devices of hosts, and work distributed over them.
//!
//! - **Hosts** offer their devices: [`Server`].
//! - **Clients** connect to a [`HostUrl`] with a [`Token`]: [`connect`], [`connect_all`]. A [`Connection`] is a Burn device, and what
//!   its host reports about it. Devices on Burn's CPU backend `flex`, of a host with the same version of Rekindle, compute the
//!   fused kernels as long as the connection exists, so that their results match this machine's bit for bit.
//! - **Work** is a [`WorkQueue`] of numbered items. [`run`] distributes it over [`Worker`]s that connect late, fail and come back;
//!   [`workers`] makes them from hosts.
//!
//! The crate knows neither models nor experiments, and reads no environment.
//!
//! Without the feature `engine`, work is distributed over whatever a closure connects, and every connection to a host is an error.
#![deny(missing_docs, missing_debug_implementations)]

#[cfg(not(feature = "engine"))]
mod absent;
#[cfg(feature = "engine")]
mod client;
mod connection;
#[cfg(feature = "engine")]
mod description;
mod devices;
mod hosts;
#[cfg(feature = "engine")]
mod link;
mod serve;
#[cfg(feature = "engine")]
mod server;
mod token;
mod url;
mod work;

#[cfg(not(feature = "engine"))]
pub use absent::{Server, connect, connect_all};
#[cfg(feature = "engine")]
pub use client::{connect, connect_all};
pub use connection::{Connection, Description};
pub use devices::Devices;
pub use hosts::{connect_hosts, workers};
pub use serve::{ServeError, ServerOptions};
#[cfg(feature = "engine")]
pub use server::Server;
pub use token::{InvalidToken, Token};
pub use url::{HostUrl, InvalidUrl};
pub use work::{Connect, Event, Failure, Items, Observer, QueueEvent, Unavailable, WorkError, WorkQueue, Worker, run};

/// The README's example is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
