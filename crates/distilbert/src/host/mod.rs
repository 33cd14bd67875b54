//! Operations of our own, with their derivatives: one pass over the data, on all cores, with the widest vectors of the
//! machine.
//!
//! What stands here is what a profile of training showed outside the matrix products, and the products themselves, whose
//! results Burn's CPU backend clears and copies once more. They work on tensors in host memory, and on those of hosts that
//! offer them; any other backend keeps Burn's own operations.

mod attention;
mod elementwise;
mod embedding;
mod linear;
mod norm;
mod pair;
#[cfg(test)]
mod tests;

pub(crate) use attention::attention;
pub(crate) use elementwise::{dropout, gelu};
pub(crate) use embedding::embedding;
pub(crate) use linear::{linear, tied};
pub(crate) use norm::add_norm;
pub(crate) use pair::both;

/// Offers what models compute by.
#[cfg(feature = "remote")]
pub fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    [attention::offer, elementwise::offer, embedding::offer, linear::offer, norm::offer]
        .into_iter()
        .fold(server, |server, offer| offer(server))
}
