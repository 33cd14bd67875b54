//! Throttling of Burn's operations on hosts.

#[cfg(all(feature = "flex", feature = "remote"))]
pub use rekindle_ops::throttle;

/// Returns `tensor`: without the feature `remote` there are no hosts.
#[cfg(not(all(feature = "flex", feature = "remote")))]
pub fn throttle<const D: usize>(tensor: burn::tensor::Tensor<D>) -> burn::tensor::Tensor<D> {
    tensor
}
