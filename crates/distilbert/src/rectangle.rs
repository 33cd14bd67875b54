//! Sentences side by side, as attention by Burn's operations wants them.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::input::ints;
use crate::spans::{Spans, longest};

/// How the rows of a batch become a rectangle of `[sentences, longest]`, and what of it is real.
#[derive(Clone, Debug)]
pub(crate) struct Rectangle {
    /// The way there for all rows; `None` when all sentences are equally long.
    pub(crate) ragged: Option<Ragged>,
    /// The way for the rows that are picked, to `[sentences, most]`, and that width.
    pub(crate) picked: Option<(Ragged, usize)>,
    /// True where attention must not look, `[sentences, 1, 1, longest]`; `None` when it may look everywhere.
    pub(crate) masked: Option<Tensor<4, Bool>>,
}

impl Rectangle {
    pub(crate) fn new(spans: &Spans, device: &Device) -> Self {
        let Spans { offsets, mask, picked } = spans;
        let (sentences, longest) = (offsets.len() - 1, longest(offsets));
        let mut masked = Vec::with_capacity(sentences * longest);
        for pair in offsets.windows(2) {
            let hidden = |row: usize| mask.as_ref().is_some_and(|mask| mask[row] == 0);
            masked.extend((pair[0]..pair[0] + longest).map(|row| row >= pair[1] || hidden(row)));
        }
        let masked = masked.contains(&true).then(|| TensorData::new(masked, [sentences, 1, 1, longest]));
        let equal = offsets.last() == Some(&(sentences * longest));
        Self {
            ragged: (!equal).then(|| Ragged::new(offsets, device)),
            picked: (!picked.is_empty()).then(|| (Ragged::new(picked, device), self::longest(picked))),
            masked: masked.map(|masked| Tensor::from_data(masked, device)),
        }
    }
}

/// The way from rows to the rectangle and back.
#[derive(Clone, Debug)]
pub(crate) struct Ragged {
    /// Row of each cell, `[sentences * longest]`; the cells behind a sentence's end repeat its first row, and are masked.
    pub(crate) cells: Tensor<1, Int>,
    /// Cell of each row, `[tokens]`.
    pub(crate) rows: Tensor<1, Int>,
}

impl Ragged {
    /// For rows that belong to sentence `i` from `offsets[i]` to `offsets[i + 1]`.
    fn new(offsets: &[usize], device: &Device) -> Self {
        let longest = longest(offsets);
        let last = offsets.last().copied().unwrap_or(0).saturating_sub(1);
        let (mut cells, mut rows) = (Vec::new(), Vec::new());
        for (sentence, pair) in offsets.windows(2).enumerate() {
            let (start, length) = (pair[0], pair[1] - pair[0]);
            let inside = |position| if position < length { start + position } else { start.min(last) };
            cells.extend((0..longest).map(|position| inside(position) as i32));
            rows.extend((0..length).map(|position| (sentence * longest + position) as i32));
        }
        Self { cells: ints(cells.into_iter(), device), rows: ints(rows.into_iter(), device) }
    }
}
