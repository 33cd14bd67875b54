//! Two computations in parallel.

use std::sync::OnceLock;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Computes both, each with half of the cores; one after the other if there is only one core.
///
/// Each half has its own threads, so that its operations neither wait for those of the other half nor divide their work
/// further. In one common pool (`rayon::join`), steps on short texts were slower on two cores.
pub(crate) fn join<T: Send>(first: impl FnOnce() -> T + Send, second: impl FnOnce() -> T + Send) -> (T, T) {
    static HALVES: OnceLock<Option<[ThreadPool; 2]>> = OnceLock::new();
    let halves = HALVES.get_or_init(|| {
        let cores = rayon::current_num_threads();
        let half = || ThreadPoolBuilder::new().num_threads(cores / 2).build().ok();
        if cores < 2 { None } else { Some([half()?, half()?]) }
    });
    let Some([left, right]) = halves else { return (first(), second()) };
    let mut other = None;
    let mine = right.in_place_scope(|scope| {
        scope.spawn(|_| other = Some(second()));
        left.install(first)
    });
    match other {
        Some(other) => (mine, other),
        // The scope ends when its task has ended, and passes on a panic of it.
        None => unreachable!("the second half has ended"),
    }
}
