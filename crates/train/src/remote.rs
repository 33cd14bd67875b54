//! Training on CPU devices of hosts, by the operations that this machine's compute by: the same numbers, to the bit.

use burn::server::RemoteServer;
pub use rekindle_ops::remote::admit;

/// Offers what models and optimizers compute by.
pub fn offer(server: RemoteServer) -> RemoteServer {
    crate::host::offer(rekindle_distilbert::offer(server))
}
