//! The sequences of a packed batch.

use std::sync::Arc;

use crate::selection::TokenSelection;

/// Which rows of a packed batch belong to which sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SequenceLayout {
    /// Sequence `i` has the rows from `cu_seqlens[i]` to `cu_seqlens[i + 1]`.
    pub(crate) cu_seqlens: Vec<usize>,
    /// 0 for tokens that attention ignores; `None` if there are none.
    pub(crate) mask: Option<Arc<[u8]>>,
    /// Sequence `i` has the selected tokens from `cu_selected[i]` to `cu_selected[i + 1]`; empty if none are selected.
    pub(crate) cu_selected: Vec<usize>,
    /// The rows of the selected tokens, ascending.
    pub(crate) selected: Arc<[u32]>,
}

/// The length of the longest sequence.
pub(crate) fn longest(cu_seqlens: &[usize]) -> usize {
    cu_seqlens.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}

impl SequenceLayout {
    /// The position in its sequence, from 0, of each row of a selection.
    pub(crate) fn positions(&self, selection: TokenSelection) -> Vec<u32> {
        let sequences = self.cu_seqlens.windows(2);
        match selection {
            TokenSelection::First => vec![0; sequences.len()],
            TokenSelection::Selected if !self.cu_selected.is_empty() => {
                let selected = self.cu_selected.windows(2).map(|pair| &self.selected[pair[0]..pair[1]]);
                sequences.zip(selected).flat_map(|(pair, rows)| rows.iter().map(|row| row - pair[0] as u32)).collect()
            }
            _ => sequences.flat_map(|pair| 0..(pair[1] - pair[0]) as u32).collect(),
        }
    }

    /// The layout as integers, for a host: the lengths of the lists but for the mask, and all values.
    pub(crate) fn to_integers(&self) -> Vec<u32> {
        let mask = self.mask.as_deref().unwrap_or_default();
        let counts = [self.cu_seqlens.len(), self.cu_selected.len(), self.selected.len()];
        let integers = counts.iter().chain(&self.cu_seqlens).chain(&self.cu_selected).map(|&number| number as u32);
        let integers = integers.chain(self.selected.iter().copied());
        integers.chain(mask.iter().map(|&attended| attended.into())).collect()
    }

    /// The layout that [`to_integers`](Self::to_integers) encoded.
    #[cfg_attr(not(any(test, feature = "flex")), expect(dead_code, reason = "read by the fused kernels"))]
    pub(crate) fn from_integers(integers: &[u32]) -> Self {
        let mut integers = integers.iter().copied();
        let mut count = || integers.next().unwrap_or(0) as usize;
        let [seqlens, cu_selected, selected] = [count(), count(), count()];
        let mut take = |count| integers.by_ref().take(count).map(|number| number as usize).collect();
        let (cu_seqlens, cu_selected) = (take(seqlens), take(cu_selected));
        let selected = integers.by_ref().take(selected).collect();
        let mask: Arc<[u8]> = integers.map(|attended| attended as u8).collect();
        Self { cu_seqlens, cu_selected, selected, mask: (!mask.is_empty()).then_some(mask) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_survives_its_encoding() {
        let plain = SequenceLayout { cu_seqlens: vec![0, 2, 5], ..SequenceLayout::default() };
        let selected = SequenceLayout { cu_selected: vec![0, 1, 1], selected: [1].into(), ..plain.clone() };
        let masked = SequenceLayout { mask: Some([1, 1, 1, 0, 1].into()), ..plain.clone() };
        for layout in [plain, selected, masked] {
            assert_eq!(SequenceLayout::from_integers(&layout.to_integers()), layout);
        }
    }
    #[test]
    fn positions_count_from_the_start_of_each_sequence() {
        let cu_selected = vec![0, 1, 3];
        let layout = SequenceLayout { cu_seqlens: vec![0, 2, 5], mask: None, cu_selected, selected: [1, 2, 4].into() };
        assert_eq!(layout.positions(TokenSelection::All), [0, 1, 0, 1, 2]);
        assert_eq!(layout.positions(TokenSelection::First), [0, 0]);
        assert_eq!(layout.positions(TokenSelection::Selected), [1, 0, 2]);
    }
}
