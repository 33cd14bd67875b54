//! Two things at once.

use std::sync::OnceLock;

use burn::tensor::Device;
use rayon::{ThreadPool, ThreadPoolBuilder};
use rekindle_ops::are_here;

/// Does two things at once, each on half of the cores; where there is but one, one after the other.
///
/// Halves of a batch that run apart need not wait for each other within an operation, of which there are many short
/// ones. What each half computes does not depend on the number of cores. On a device that is not here, too, one after the
/// other.
pub(crate) fn both<T: Send>(
    device: &Device,
    first: impl FnOnce() -> T + Send,
    second: impl FnOnce() -> T + Send,
) -> (T, T) {
    if !are_here(device) {
        return (first(), second());
    }
    static POOLS: OnceLock<Option<[ThreadPool; 2]>> = OnceLock::new();
    let pools = POOLS.get_or_init(|| {
        let cores = rayon::current_num_threads();
        let pool = || ThreadPoolBuilder::new().num_threads(cores / 2).build().ok();
        if cores < 2 { None } else { Some([pool()?, pool()?]) }
    });
    let Some([left, right]) = pools else { return (first(), second()) };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| right.install(second));
        let mine = left.install(first);
        (mine, other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
