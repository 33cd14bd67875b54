//! What `rekindle data` recommends for texts that are longer than the model reads.

use rekindle::data::Lengths;
use serde_json::{Value, json};

use super::wording::of;

/// The maximum lengths of a text: the one that is used, and that of the model.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The value of `--max-length`.
    pub max_length: usize,
    /// The positions of the model.
    pub positions: usize,
}

/// Values of `--long-texts` and `--max-length`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recommendation {
    long_texts: &'static str,
    max_length: usize,
}

/// The percentile of the lengths that should be read completely: the few texts above it may be truncated.
const MOST: u8 = 95;
/// The percentile of the lengths, in model lengths, up to which head and tail of a text are most of it.
const COMMON: (u8, usize) = (90, 2);
/// Maximum lengths are multiples of this number.
const MULTIPLE: usize = 8;

impl Recommendation {
    /// Returns what fits the lengths. Text pairs can only be truncated.
    pub fn of(lengths: &Lengths, Limits { max_length, positions }: Limits, has_pairs: bool) -> Self {
        let at = |percent| lengths.percentile(percent).unwrap_or(0);
        let (percent, times) = COMMON;
        let (long_texts, max_length) = match at(MOST) {
            most if most <= max_length => ("truncate", max_length),
            most if most <= positions => ("truncate", most.next_multiple_of(MULTIPLE).min(positions)),
            _ if has_pairs => ("truncate", positions),
            _ if at(percent) <= times.saturating_mul(positions) => ("head-tail", positions),
            _ => ("windows", positions),
        };
        Self { long_texts, max_length }
    }

    /// Returns the record of `--json`.
    pub fn json(self) -> Value {
        json!({ "recommended": self.long_texts, "max_length": self.max_length })
    }

    /// Returns the recommendation with its reason.
    pub fn describe(self, lengths: &Lengths, rows: u64) -> String {
        let Self { long_texts, max_length } = self;
        let longer = of(lengths.longer_than(max_length), rows);
        format!("--long-texts {long_texts} --max-length {max_length}; longer are then {longer}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentiles_decide() {
        let of = |counts: &[(usize, usize)], has_pairs| {
            let mut lengths = Lengths::default();
            counts.iter().for_each(|&(length, count)| (0..count).for_each(|_| lengths.add(length)));
            let Recommendation { long_texts, max_length } =
                Recommendation::of(&lengths, Limits { max_length: 64, positions: 512 }, has_pairs);
            (long_texts, max_length)
        };
        assert_eq!(of(&[], false), ("truncate", 64));
        assert_eq!(of(&[(10, 95), (900, 5)], false), ("truncate", 64));
        assert_eq!(of(&[(10, 50), (201, 46), (900, 4)], false), ("truncate", 208));
        assert_eq!(of(&[(510, 100)], false), ("truncate", 512));
        assert_eq!(of(&[(10, 90), (5000, 10)], false), ("head-tail", 512));
        assert_eq!(of(&[(1000, 100)], false), ("head-tail", 512));
        assert_eq!(of(&[(10, 89), (5000, 11)], false), ("windows", 512));
        assert_eq!(of(&[(5000, 100)], true), ("truncate", 512));
    }
}
