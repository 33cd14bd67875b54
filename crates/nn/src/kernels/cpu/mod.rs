//! Fused CPU kernels with their derivatives: one pass over the data, on all cores, with the widest vectors of the machine.
//!
//! Burn's CPU backend clears the memory of every result and copies it once more to align it; its gradient of LayerNorm takes
//! some twenty elementwise passes, and its attention a padded batch. These kernels run on tensors in the memory of this process
//! and, with the feature `remote`, on those of hosts that [`offer`] them.

/// Computes an expression, compiled for the vectors of this CPU.
///
/// Not a function, because the closure must be inlined: one that is called is compiled for any CPU.
macro_rules! vectorized {
    ($work:expr) => {
        pulp::Arch::new().dispatch(crate::kernels::cpu::Vectorized(
            #[inline(always)]
            || $work,
        ))
    };
}

mod activation;
mod adamw;
mod attention;
mod elementwise;
mod gather;
mod int8;
mod join;
mod linear;
mod norm;
mod pool;
mod relative;
mod rotary;
mod spans;
mod sums;

pub(super) use activation::{FUSED, activation, gated};
pub(super) use adamw::{adamw, clip_grad_norm};
pub(super) use attention::attention;
pub(super) use elementwise::dropout;
pub(super) use gather::gather;
pub(super) use int8::{Int8Layer, feed_forward as int8_feed_forward};
pub(super) use join::join;
pub(super) use linear::{linear, tied_projection};
pub(super) use norm::{add_norm, norm};
pub(super) use pool::on_pool;
pub(super) use rotary::rotary;

/// What [`vectorized`] computes. pulp runs a closure by `FnOnce::call_once`, which the compiler may not inline.
struct Vectorized<F>(F);

impl<R, F: FnMut() -> R> pulp::NullaryFnOnce for Vectorized<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}

/// Offers the kernels to clients of a host.
#[cfg(feature = "remote")]
pub fn offer(server: burn::server::RemoteServer) -> burn::server::RemoteServer {
    [
        activation::offer,
        adamw::offer,
        attention::offer,
        elementwise::offer,
        gather::offer,
        linear::offer,
        norm::offer,
        rotary::offer,
    ]
    .into_iter()
    .fold(server, |server, offer| offer(server))
}

/// Checks that a host receives the operation that a client sends.
#[cfg(test)]
fn assert_sent<O: rekindle_ops::Differentiable<N>, const N: usize>(op: &O, integers: &[u32]) {
    let received = O::from_params(&mut rekindle_ops::OpParams::new(op.params(), integers.into()));
    assert_eq!(format!("{received:?}"), format!("{op:?}"));
}
