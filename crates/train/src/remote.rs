//! Training on CPU devices of hosts with the kernels of this machine, with bit-identical results.

use burn::server::RemoteServer;
pub use rekindle_ops::remote::enable;

/// Offers the kernels of models and optimizers to clients of a host.
pub fn offer(server: RemoteServer) -> RemoteServer {
    crate::kernels::offer(rekindle_nn::offer(server))
}
