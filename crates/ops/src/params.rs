//! The parameters of an operation, in the form in which they are sent to a host.

use std::sync::Arc;
use std::vec::IntoIter;

/// The parameters of an operation, in the order in which it wrote them: a fixed count of numbers and, for operations that need
/// them, a list of integers of any length, such as the rows of a table.
#[derive(Debug)]
pub struct OpParams {
    words: IntoIter<u64>,
    integers: Arc<[u32]>,
}

impl OpParams {
    /// Parameters from their numbers and integers.
    pub fn new(words: Vec<u64>, integers: Arc<[u32]>) -> Self {
        Self { words: words.into_iter(), integers }
    }

    /// The next number; 0 after the last.
    pub fn word(&mut self) -> u64 {
        self.words.next().unwrap_or(0)
    }

    /// The next number, as a size or an index.
    pub fn size(&mut self) -> usize {
        self.word() as usize
    }

    /// The next number, which was written by [`f64::to_bits`].
    pub fn float(&mut self) -> f64 {
        f64::from_bits(self.word())
    }

    /// The integers.
    pub fn integers(&self) -> Arc<[u32]> {
        self.integers.clone()
    }
}
