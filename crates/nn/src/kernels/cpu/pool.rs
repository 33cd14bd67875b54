//! Computations on the threads of the pool.

use std::sync::{Mutex, TryLockError};

/// Computes on a thread of the pool, so that its operations need not wake the pool one after the other and wait for it.
///
/// While another computation is there, this one stays on its own thread. A thread of the pool that waits takes over any job that is
/// queued: if that were a whole computation, the waiting one would be late, or would wait forever for a lock that it holds itself.
pub(crate) fn on_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static TAKEN: Mutex<()> = Mutex::new(());
    if rayon::current_thread_index().is_some() || rayon::current_num_threads() < 2 {
        return work();
    }
    let taken = match TAKEN.try_lock() {
        Ok(taken) => taken,
        Err(TryLockError::Poisoned(taken)) => taken.into_inner(),
        Err(TryLockError::WouldBlock) => return work(),
    };
    let output = rayon::scope(|_| work());
    drop(taken);
    output
}

#[cfg(test)]
mod tests {
    use super::on_pool;

    #[test]
    fn one_computation_is_on_the_pool_at_a_time() {
        let is_there = || rayon::current_thread_index().is_some();
        let (there, nested, beside) = on_pool(|| {
            let beside = std::thread::scope(|scope| scope.spawn(|| on_pool(is_there)).join());
            (is_there(), on_pool(is_there), beside.expect("a thread"))
        });
        let has_threads = rayon::current_num_threads() > 1;
        assert_eq!((there, nested, beside), (has_threads, has_threads, false));

        let panics = || on_pool(|| std::panic::resume_unwind(Box::new("a panic")));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!(on_pool(is_there), has_threads, "a panic leaves the pool free");
    }
}
