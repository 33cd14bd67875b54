//! Where the sentences of a batch lie.

use std::sync::Arc;

/// Where the sentences of a batch lie, in this program's memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Spans {
    /// Sentence `i` from `offsets[i]` to `offsets[i + 1]`.
    pub(crate) offsets: Vec<usize>,
    /// 0 where attention must not look; `None` when it may look everywhere.
    pub(crate) mask: Option<Arc<[u8]>>,
    /// Picked tokens of sentence `i` from `picked[i]` to `picked[i + 1]`; empty where none are picked.
    pub(crate) picked: Vec<usize>,
}

/// The most rows of a sentence.
pub(crate) fn longest(offsets: &[usize]) -> usize {
    offsets.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}

#[cfg(feature = "flex")]
impl Spans {
    /// For [`read`](Self::read): how many there are of each, and all of them.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        let mask = self.mask.as_deref().unwrap_or_default();
        let counts = [self.offsets.len(), self.picked.len()];
        let numbers = counts.iter().chain(&self.offsets).chain(&self.picked).map(|&number| number as u32);
        numbers.chain(mask.iter().map(|&seen| seen.into())).collect()
    }

    /// From [`numbers`](Self::numbers).
    pub(crate) fn read(numbers: &[u32]) -> Self {
        let mut numbers = numbers.iter().copied();
        let mut count = || numbers.next().unwrap_or(0) as usize;
        let [offsets, picked] = [count(), count()];
        let mut take = |count| numbers.by_ref().take(count).map(|number| number as usize).collect();
        let (offsets, picked) = (take(offsets), take(picked));
        let mask: Arc<[u8]> = numbers.map(|seen| seen as u8).collect();
        Self { offsets, picked, mask: (!mask.is_empty()).then_some(mask) }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn numbers_tell_all() {
        let plain = Spans { offsets: vec![0, 2, 5], mask: None, picked: Vec::new() };
        let picked = Spans { picked: vec![0, 1, 1], ..plain.clone() };
        let masked = Spans { mask: Some([1, 1, 1, 0, 1].into()), ..plain.clone() };
        for spans in [plain, picked, masked] {
            assert_eq!(Spans::read(&spans.numbers()), spans);
        }
    }
}
