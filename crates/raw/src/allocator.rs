//! The allocator of a program that trains.

/// mimalloc, to be named as the `#[global_allocator]`.
///
/// Every intermediate tensor is memory taken and given back; mimalloc keeps it warm where the system's allocator returns
/// it to the kernel, which then clears every page of it anew.
pub use mimalloc::MiMalloc as Allocator;

/// Lets mimalloc keep freed pages for a second, instead of some milliseconds. To be called first in `main`.
///
/// Training takes what a step needs again in the next one; without this, clearing pages was 15 % of a full step. What a
/// phase leaves behind goes back: kept for good, it was a tenth of the memory of a run.
pub fn keep_pages() {
    /// `mi_option_purge_delay` of mimalloc.h, by versions 2 and 3 alike.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: sets a number in a table of options; any time is allowed.
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, 1000);
    }
}

/// The most memory that the process held so far, in bytes; `None` where the system does not say.
pub fn peak_memory() -> Option<u64> {
    let mut peak = 0;
    let none = std::ptr::null_mut;
    // SAFETY: every place is null, which skips it, or that of a number of ours.
    unsafe {
        libmimalloc_sys::mi_process_info(none(), none(), none(), none(), &mut peak, none(), none(), none());
    }
    (peak > 0).then_some(peak as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_grows_with_what_is_held() {
        keep_pages();
        let Some(before) = peak_memory() else { return };
        let held = vec![1_u8; 64 << 20];
        let after = peak_memory().expect("as before");
        assert!(after >= before && held.iter().all(|&byte| byte == 1), "{before} and then {after}");
        assert!(after >= 64 << 20, "{after}");
    }
}
