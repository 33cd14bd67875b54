//! The errors of this crate.

use std::io;
use std::net::SocketAddr;

use rekindle_infer::InferError;
use thiserror::Error;

/// Why a server cannot start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("{address}: cannot listen: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's reason.
        source: io::Error,
    },
    /// There is no model to serve.
    #[error("a server needs at least one model")]
    NoModel,
    /// Two models have the same name.
    #[error("two models have the name `{0}`; give each a name of its own")]
    SameName(String),
    /// A model does not predict.
    #[error("model `{name}`: {source}")]
    Model {
        /// The name of the model.
        name: String,
        /// Why not.
        source: InferError,
    },
    /// The operating system gives no thread or no event queue.
    #[error("the server cannot start: {0}")]
    Start(#[source] io::Error),
}
