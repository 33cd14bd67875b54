//! What a host offers, and why it cannot.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use burn::tensor::Device;
use thiserror::Error;

use crate::token::Token;

/// What a [`Server`](crate::Server) offers, and to whom.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The devices, all of one backend.
    pub devices: Vec<Device>,
    /// The name of the backend, which clients see: `flex` for Burn's CPU backend.
    pub backend: String,
    /// Returns the name of a device, for clients.
    pub describe: fn(&Device) -> String,
    /// The address to listen on. Iroh listens on all addresses of this machine, with the port of `listen`.
    pub listen: SocketAddr,
    /// Serve over Iroh, with the identity in this file, which is created if it does not exist; otherwise over WebSocket.
    pub identity: Option<PathBuf>,
    /// What clients must present, if anything.
    pub token: Option<Token>,
}

/// Why devices cannot be served.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("{address}: {source}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The identity cannot be read or created.
    #[error("{}: {reason}", .path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// Burn's engine failed.
    #[error("{0}")]
    Engine(String),
    /// The feature `engine` is off.
    #[error("remote devices were not compiled in; enable the feature `engine` of rekindle-remote")]
    NotCompiled,
}
