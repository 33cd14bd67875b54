//! The allocator for programs that train.

use std::time::Duration;

/// mimalloc, for use as the `#[global_allocator]`.
///
/// Every intermediate tensor is allocated and freed. mimalloc reuses the memory, while the system's allocator returns
/// it to the kernel, which then clears every page again.
pub use mimalloc::MiMalloc as Allocator;

/// Lets mimalloc keep freed pages for a second instead of some milliseconds. Call it first in `main`.
///
/// A training step allocates the same memory as the step before; without this option, clearing pages took 15 % of a
/// full step. Memory of a finished phase is still returned: if pages are kept forever, a run needs a tenth more memory.
pub fn keep_pages() {
    /// `mi_option_purge_delay` of mimalloc.h, the same in versions 2 and 3.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: sets a number in a table of options; all values are valid.
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, 1000);
    }
}

/// Returns the peak memory of the process in bytes; `None` if the system does not report it.
pub fn peak_memory() -> Option<u64> {
    let mut peak = 0;
    let none = std::ptr::null_mut;
    // SAFETY: every pointer is null, which skips the value, or points to a local variable.
    unsafe {
        libmimalloc_sys::mi_process_info(none(), none(), none(), none(), &mut peak, none(), none(), none());
    }
    (peak > 0).then_some(peak as u64)
}

/// Returns the time that the cores have spent on the process so far; `None` if the system does not report it.
pub fn processor_time() -> Option<Duration> {
    let (mut user, mut system) = (0, 0);
    let none = std::ptr::null_mut;
    // SAFETY: every pointer is null, which skips the value, or points to a local variable.
    unsafe {
        libmimalloc_sys::mi_process_info(none(), &mut user, &mut system, none(), none(), none(), none(), none());
    }
    (user + system > 0).then_some(Duration::from_millis((user + system) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_grows_with_work() {
        let Some(before) = processor_time() else { return };
        let mut sum = 0_u64;
        // At least one unit of the system's clock, however fast the processor is.
        while processor_time().expect("as before") == before {
            sum = (0..1_000_000).fold(sum, |sum, value| sum.wrapping_mul(31).wrapping_add(value));
        }
        assert!(processor_time().expect("as before") > before, "{sum}");
    }

    #[test]
    fn peak_memory_grows_with_allocations() {
        keep_pages();
        let Some(before) = peak_memory() else { return };
        let held = vec![1_u8; 64 << 20];
        let after = peak_memory().expect("as before");
        assert!(after >= before && held.iter().all(|&byte| byte == 1), "{before} and then {after}");
        assert!(after >= 64 << 20, "{after}");
    }
}
