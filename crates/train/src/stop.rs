//! A wish from elsewhere that the work should end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks a training to end after the step under way: from another thread, or from the handler of a signal. Clones share
/// the wish.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether anyone has asked.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
