//! Panics of the Parquet library, caught before anybody is told of them. (As in rekindle-tokenizer; neither crate knows
//! the other.)

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is about to be caught.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// What `work` gives, or nothing where it panics. What it then leaves half done must not be used again.
///
/// The panic hook of the program is not called for it: that would print an error which is no error of the program.
/// From the first call on, a hook of ours stands before it, which passes on all other panics.
pub(super) fn catch<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = take_hook();
        set_hook(Box::new(move |panic| {
            if !CAUGHT.try_with(Cell::get).unwrap_or(false) {
                hook(panic);
            }
        }));
    });
    let before = CAUGHT.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(before);
    done.ok()
}
