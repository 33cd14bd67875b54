//! Two computations in parallel.

/// Computes both on the threads of the pool.
pub(crate) fn join<T: Send>(first: impl FnOnce() -> T + Send, second: impl FnOnce() -> T + Send) -> (T, T) {
    rayon::join(first, second)
}
