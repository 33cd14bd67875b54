//! Text lengths, as a histogram.

use std::collections::BTreeMap;

/// A histogram of lengths. Its memory grows with the number of distinct lengths, not of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lengths {
    counts: BTreeMap<usize, u64>,
    total: u64,
}

impl Lengths {
    /// Counts a text of this length.
    pub fn add(&mut self, length: usize) {
        *self.counts.entry(length).or_default() += 1;
        self.total += 1;
    }

    /// Returns the number of texts.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// Returns the smallest length.
    pub fn min(&self) -> Option<usize> {
        self.counts.first_key_value().map(|(length, _)| *length)
    }

    /// Returns the greatest length.
    pub fn max(&self) -> Option<usize> {
        self.counts.last_key_value().map(|(length, _)| *length)
    }

    /// Returns the percentile by nearest rank: the smallest length that at least `percent` of 100 texts do not exceed
    /// (50 is the median). It is always a length that occurs, as in NumPy's `percentile(…, method="inverted_cdf")`. A
    /// `percent` above 100 gives the greatest length. Without texts the result is `None`.
    pub fn percentile(&self, percent: u8) -> Option<usize> {
        let rank = (u128::from(percent.min(100)) * u128::from(self.total)).div_ceil(100);
        let mut seen = 0;
        self.counts.iter().find_map(|(length, count)| {
            seen += u128::from(*count);
            (seen >= rank).then_some(*length)
        })
    }

    /// Returns the number of texts longer than `length`.
    pub fn longer_than(&self, length: usize) -> u64 {
        use std::ops::Bound::{Excluded, Unbounded};
        self.counts.range((Excluded(length), Unbounded)).map(|(_, count)| count).sum()
    }
}
