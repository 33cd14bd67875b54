//! How long texts are, from a histogram.

use std::collections::BTreeMap;

/// Counts of lengths. Its memory grows with the distinct lengths, not with the texts.
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

    /// The texts counted.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The shortest length.
    pub fn min(&self) -> Option<usize> {
        self.counts.first_key_value().map(|(length, _)| *length)
    }

    /// The greatest length.
    pub fn max(&self) -> Option<usize> {
        self.counts.last_key_value().map(|(length, _)| *length)
    }

    /// The percentile by nearest rank: the smallest length that at least `percent` of 100 texts do not exceed (50: the
    /// median). It is always a length that occurs; NumPy's `percentile(…, method="inverted_cdf")`. Above 100, it is the
    /// greatest; of no texts, none.
    pub fn percentile(&self, percent: u8) -> Option<usize> {
        let rank = (u128::from(percent.min(100)) * u128::from(self.total)).div_ceil(100);
        let mut seen = 0;
        self.counts.iter().find_map(|(length, count)| {
            seen += u128::from(*count);
            (seen >= rank).then_some(*length)
        })
    }

    /// The texts longer than `length`.
    pub fn longer_than(&self, length: usize) -> u64 {
        use std::ops::Bound::{Excluded, Unbounded};
        self.counts.range((Excluded(length), Unbounded)).map(|(_, count)| count).sum()
    }
}
