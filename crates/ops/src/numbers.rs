//! The parameters of an operation, as they travel to a host.

use std::sync::Arc;
use std::vec::IntoIter;

/// The parameters of an operation, in the order in which they were written: so many numbers, always as many for one kind of
/// operation, and where it takes them whole numbers of which there are more or fewer, such as the rows of a table.
#[derive(Debug)]
pub struct Numbers {
    words: IntoIter<u64>,
    integers: Arc<[u32]>,
}

impl Numbers {
    /// What [`word`](Self::word) and [`integers`](Self::integers) will give.
    pub fn new(words: Vec<u64>, integers: Arc<[u32]>) -> Self {
        Self { words: words.into_iter(), integers }
    }

    /// The next number; 0 behind the last.
    pub fn word(&mut self) -> u64 {
        self.words.next().unwrap_or(0)
    }

    /// The next number, of a value in memory or an index.
    pub fn size(&mut self) -> usize {
        self.word() as usize
    }

    /// The next number, which was written as [`f64::to_bits`].
    pub fn float(&mut self) -> f64 {
        f64::from_bits(self.word())
    }

    /// The whole numbers.
    pub fn integers(&self) -> Arc<[u32]> {
        self.integers.clone()
    }
}
