//! The padded form of a batch, for attention by Burn's operations.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::indices::ints;
use crate::layout::{SequenceLayout, longest};
use crate::selection::TokenSelection;

/// How the rows of a packed batch become `[sequences, longest]`, and which of these cells attention ignores.
#[derive(Clone, Debug)]
pub(crate) struct PaddedLayout {
    /// The padding of all rows; `None` if all sequences have the same length.
    pub(crate) padding: Option<Padding>,
    /// The padding of the selected rows.
    pub(crate) selected: Option<SelectedPadding>,
    /// True for cells that attention ignores, `[sequences, 1, 1, longest]`; `None` if there are none.
    pub(crate) masked: Option<Tensor<4, Bool>>,
}

impl PaddedLayout {
    pub(crate) fn new(layout: &SequenceLayout, device: &Device) -> Self {
        let SequenceLayout { cu_seqlens, mask, cu_selected, .. } = layout;
        let (sequences, longest) = (cu_seqlens.len() - 1, longest(cu_seqlens));
        let mut masked = Vec::with_capacity(sequences * longest);
        for pair in cu_seqlens.windows(2) {
            let hidden = |row: usize| mask.as_ref().is_some_and(|mask| mask[row] == 0);
            masked.extend((pair[0]..pair[0] + longest).map(|row| row >= pair[1] || hidden(row)));
        }
        let masked = masked.contains(&true).then(|| TensorData::new(masked, [sequences, 1, 1, longest]));
        let equal = cu_seqlens.last() == Some(&(sequences * longest));
        Self {
            padding: (!equal).then(|| Padding::new(cu_seqlens, device)),
            selected: (!cu_selected.is_empty()).then(|| SelectedPadding::new(layout, device)),
            masked: masked.map(|masked| Tensor::from_data(masked, device)),
        }
    }
}

/// The padding of the selected rows.
#[derive(Clone, Debug)]
pub(crate) struct SelectedPadding {
    pub(crate) padding: Padding,
    /// The most selected rows of a sequence.
    pub(crate) most: usize,
    /// The position in its sequence of each cell, `[sequences * most]`; 0 after the end of a sequence.
    pub(crate) positions: Tensor<1, Int>,
}

impl SelectedPadding {
    fn new(layout: &SequenceLayout, device: &Device) -> Self {
        let cu_selected = &layout.cu_selected;
        let (most, rows) = (longest(cu_selected), layout.positions(TokenSelection::Selected));
        let cells = cu_selected.windows(2).flat_map(|pair| {
            let row = move |place| if place < pair[1] - pair[0] { Some(pair[0] + place) } else { None };
            (0..most).map(row)
        });
        let positions = cells.map(|row| row.map_or(0, |row| rows[row] as i32));
        Self { padding: Padding::new(cu_selected, device), most, positions: ints(positions, device) }
    }
}

/// The indices that pad packed rows, and those that pack them again.
#[derive(Clone, Debug)]
pub(crate) struct Padding {
    /// The row of each cell, `[sequences * longest]`. Cells after the end of a sequence repeat its first row, and are masked.
    pub(crate) cells: Tensor<1, Int>,
    /// The cell of each row, `[rows]`.
    pub(crate) rows: Tensor<1, Int>,
}

impl Padding {
    /// For rows of which sequence `i` has those from `cu_rows[i]` to `cu_rows[i + 1]`.
    fn new(cu_rows: &[usize], device: &Device) -> Self {
        let longest = longest(cu_rows);
        let last = cu_rows.last().copied().unwrap_or(0).saturating_sub(1);
        let (mut cells, mut rows) = (Vec::new(), Vec::new());
        for (sequence, pair) in cu_rows.windows(2).enumerate() {
            let (start, length) = (pair[0], pair[1] - pair[0]);
            let inside = |position| if position < length { start + position } else { start.min(last) };
            cells.extend((0..longest).map(|position| inside(position) as i32));
            rows.extend((0..length).map(|position| (sequence * longest + position) as i32));
        }
        Self { cells: ints(cells.into_iter(), device), rows: ints(rows.into_iter(), device) }
    }
}
